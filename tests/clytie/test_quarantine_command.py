"""`clytie mail quarantine` lists what could not be read, and has it read again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from storage.pool import Pool

ROOT = Path(__file__).parents[2]


async def test_the_quarantine_is_listed_shown_discarded_and_read_again(
    pool: Pool, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "clytie", "mail", "quarantine", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "CLYTIE_DATABASE_URL": database_url,
                "CLYTIE_REDIS_URL": redis_url,
                "CLYTIE_VAR": str(tmp_path / "var"),
                "COLUMNS": "200",
            },
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    number: int = await pool.fetchval(
        "INSERT INTO raw_mails (content_hash, size, content, sender, state, reason, attempts)"
        " VALUES ('\\x01', 5, 'Hello', 'ana@client.example', 'quarantined', 'It took too long.', 3) RETURNING id"
    )
    listed = run("list")
    assert "It took too long." in listed.stdout, listed.stderr
    assert "ana@client.example" in listed.stdout
    assert run("show", str(number)).stdout == "Hello"
    assert "is put aside" in run("discard", str(number)).stdout
    assert "Every mail that came could be read." in run("list").stdout
    assert "will be read again" in run("retry", str(number)).stdout
    assert await pool.fetchval("SELECT state FROM raw_mails") == "stored"
    refused = run("discard", str(number))
    assert (refused.returncode, refused.stderr.strip()) == (
        1,
        "Error: This message is not among the unreadable ones any more.",
    )
    assert "Give its number, or --all." in run("retry").stderr
