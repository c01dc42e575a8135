"""Cases: business matters that gather conversations, tasks, messages and events under one roof.

Their types, with stages, fields and roles, are data (router/cases/types.py); what every case has in common is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from domain.errors import Conflict
from domain.events import EventType


class CaseState(StrEnum):
    """Where a case stands, whatever its own stages are called."""

    OPEN = "open"
    CLOSED = "closed"


class CaseMove(StrEnum):
    """What can be done to a case."""

    MOVE = "move"  #: to another stage
    CHANGE = "change"  #: title, owner, team, fields, people, confidentiality
    JOIN = "join"  #: something is put into it, or taken out
    CLOSE = "close"
    REOPEN = "reopen"


_OPEN, _CLOSED = CaseState.OPEN, CaseState.CLOSED

#: move → (states it may start from, state it leads to; None: the same)
CASE_MOVES: Final[Mapping[CaseMove, tuple[frozenset[CaseState], CaseState | None]]] = {
    CaseMove.MOVE: (frozenset({_OPEN}), None),
    CaseMove.CHANGE: (frozenset({_OPEN}), None),
    CaseMove.JOIN: (frozenset({_OPEN, _CLOSED}), None),
    CaseMove.CLOSE: (frozenset({_OPEN}), _CLOSED),
    CaseMove.REOPEN: (frozenset({_CLOSED}), _OPEN),
}

CASE_EVENTS: Final = frozenset(
    {
        EventType.CASE_OPENED,
        EventType.CASE_MOVED,
        EventType.CASE_CHANGED,
        EventType.CASE_CLOSED,
        EventType.CASE_REOPENED,
        EventType.CASE_JOINED,
        EventType.CASE_LEFT,
    }
)


def next_case_state(state: CaseState, move: CaseMove) -> CaseState:
    """The state after `move`. Raises Conflict when the table does not allow it."""
    sources, target = CASE_MOVES[move]
    if state not in sources:
        raise Conflict(
            "This case is closed. Open it again first."
            if state is CaseState.CLOSED
            else "This case is open already."
        )
    return target or state
