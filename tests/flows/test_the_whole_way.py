"""The main story, from the outside: `clytie demo --check` as an administrator would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_newsletter_goes_out_an_open_comes_back_and_a_rep_gets_a_callback_task(tmp_path: Path) -> None:
    before = {process.pid for process in psutil.process_iter()}
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "clytie", "demo", "--check"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads(done.stdout.strip().splitlines()[-1])
    assert counts["differences"] == []
    assert counts["imported"] == counts["lines"] - counts["rejected"] > 300
    assert counts["sent"] == counts["in_mailbox"] == counts["message_ids"] > 50
    assert counts["hits_answered"] == counts["personal"] + counts["anonymous"] + counts["refused"]
    assert min(counts["personal"], counts["anonymous"], counts["refused"], counts["tasks"]) > 0
    assert counts["tasks"] == counts["expected_tasks"]
    assert counts["tasks_from_machines"] == counts["events_without_consent"] == 0
    assert (counts["callback"], counts["call"]) == ("done", "answered")
    assert counts["texts"] == counts["texts_expected"] == counts["texts_delivered"] > 20
    assert counts["texts_stopped"] == counts["text_tasks"] == 1
    assert (counts["calls_in"], counts["voicemail"], counts["voicemail_tasks"]) == (2, "Sales", 1)
    assert " ERROR " not in done.stderr
    ours = [
        process.cmdline()
        for process in psutil.process_iter(["cmdline"])
        if process.pid not in before and str(tmp_path) in " ".join(process.info["cmdline"] or ())
    ]
    assert ours == [], "the check stops everything that it started"
