"""What every score over the corpora has in common: its shape, and where the corpora lie."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class Score(NamedTuple):
    """How many of a corpus's cases come out as expected, beside plain libraries and what is asked of us."""

    name: str
    ours: float
    of: float
    baseline: float | None  #: what plain libraries reach, in the unit of `ours`
    target: float | None  #: what is asked of us, in the unit of `ours`


def corpora() -> Path | None:
    """The folder of the corpora: CLYTIE_CORPORA, else `shared/corpora` beside the repository; None when absent."""
    named = os.environ.get("CLYTIE_CORPORA")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "corpora"
    return folder if folder.is_dir() else None
