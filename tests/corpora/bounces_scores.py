"""Bounces, complaints and other reports: kind, exact recipients, class of the status, hard or soft, per mail."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from channels.mail.bounces import Report, classify
from tests.corpora.scoring import Score, corpora

#: Share that plain libraries reach, and what we want, by measure.
_MEASURES: Final = {
    "kind": (0.82, 0.97),
    "exact recipients": (0.79, 0.95),
    "status class": (0.75, 0.93),
    "hard flag": (0.33, 0.90),
}


def scores() -> list[Score]:
    """Scores of all mails of the corpus; empty when it is not there."""
    right: Counter[str] = Counter()
    total = 0
    for expected, report in read_all():
        total += 1
        right.update(measure for measure, good in compare(expected, report).items() if good)
    return [
        Score(f"bounces: {name}", right[name], total, baseline * total, target * total)
        for name, (baseline, target) in _MEASURES.items()
        if total
    ]


def read_all() -> Iterator[tuple[dict[str, Any], Report]]:
    """What is expected of each mail, and what we read in it."""
    folder = corpora()
    if folder is None or not (folder / "bounces").is_dir():
        return
    for expected in json.loads(Path(folder / "bounces" / "expected.json").read_text(encoding="utf-8")):
        yield expected, classify((folder / "bounces" / "mail" / expected["file"]).read_bytes())


def compare(expected: dict[str, Any], report: Report) -> dict[str, bool]:
    """Which measures a report meets. Class and flag count only with exactly the right recipients."""
    theirs, ours = expected["recipients"], report.recipients
    return {
        "kind": report.kind.value == expected["kind"],
        "exact recipients": sorted(one.address for one in ours) == sorted(one["address"] for one in theirs),
        "status class": sorted((one.address, one.status[:1]) for one in ours)
        == sorted((one["address"], one["status"][:1]) for one in theirs),
        "hard flag": sorted((one.address, one.hard) for one in ours)
        == sorted((one["address"], one["hard"]) for one in theirs),
    }
