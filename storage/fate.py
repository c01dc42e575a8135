"""What an error says about the statement that met it: certainly not committed, or perhaps."""

from __future__ import annotations

from enum import Enum, auto

import asyncpg


class Fate(Enum):
    """What became of the rows of a statement."""

    AGAIN = auto()  #: lost against another transaction; certainly not committed
    BAD_ROW = auto()  #: one of the rows cannot be written; certainly not committed
    REFUSED = auto()  #: the server will not write now (disk full, read only); certainly not committed
    UNKNOWN = auto()  #: the connection broke: it may be committed


def judge_error(error: BaseException) -> Fate:
    """What became of a statement that raised `error` (SQLSTATE classes: PostgreSQL documentation, appendix A)."""
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        if state[:2] == "40":
            return Fate.AGAIN
        if state[:2] in ("22", "23", "54"):  # 54: larger than the server can take, of an index for instance
            return Fate.BAD_ROW
        return Fate.UNKNOWN if state[:2] in ("", "08", "57", "XX") else Fate.REFUSED
    return Fate.BAD_ROW if isinstance(error, (ValueError, TypeError)) else Fate.UNKNOWN
