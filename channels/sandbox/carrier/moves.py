"""The state machines of messages and calls: which state may follow which, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_MESSAGE: dict[str, frozenset[str]] = {
    "accepted": frozenset({"queued", "failed", "canceled"}),
    "scheduled": frozenset({"accepted", "queued", "canceled", "failed"}),
    "queued": frozenset({"sending", "failed", "canceled"}),
    "sending": frozenset({"sent", "failed"}),
    "sent": frozenset({"delivered", "undelivered", "failed"}),
    "receiving": frozenset({"received"}),
}
_CALL: dict[str, frozenset[str]] = {
    "queued": frozenset({"initiated", "canceled", "failed"}),
    "initiated": frozenset({"ringing", "busy", "failed", "canceled", "no-answer"}),
    "ringing": frozenset({"in-progress", "busy", "no-answer", "failed", "canceled"}),
    "in-progress": frozenset({"completed", "failed"}),
}

#: State of a message → the states that may follow. What is not here is final.
MESSAGE_MOVES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(_MESSAGE)
#: The same of a call. `initiated` is told in callbacks; the interface calls it queued, having no word for it.
CALL_MOVES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(_CALL)

MESSAGE_FINAL: Final = frozenset({"delivered", "undelivered", "failed", "canceled", "received", "read"})
CALL_FINAL: Final = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})


def may_message_move(old: str, new: str) -> bool:
    """Whether a message may go from one state to the other."""
    return new in MESSAGE_MOVES.get(old, ())


def may_call_move(old: str, new: str) -> bool:
    """Whether a call may go from one state to the other."""
    return new in CALL_MOVES.get(old, ())
