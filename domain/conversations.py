"""Conversations: the inbound and outbound messages of one exchange with a contact, and the table of their moves."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from domain.errors import Conflict
from domain.events import EventType


class ConversationState(StrEnum):
    """Who has to act."""

    OPEN = "open"  #: we owe an answer
    WAITING = "waiting"  #: the contact owes an answer
    CLOSED = "closed"  #: nobody owes anything


class ConversationMove(StrEnum):
    """What can happen to a conversation."""

    RECEIVE = "receive"  #: the contact wrote
    ANSWER = "answer"  #: we wrote
    CLOSE = "close"
    REOPEN = "reopen"
    WAIT = "wait"  #: a person says that the contact owes the next word
    ASSIGN = "assign"  #: to a person, or to nobody
    MOVE = "move"  #: to another queue
    JUNK = "junk"  #: a person says that it is junk
    CLEAR = "clear"  #: a person says that it is not


class ConversationMover(StrEnum):
    """Who moves a conversation."""

    CONTACT = "contact"
    PERSON = "person"  #: somebody who may see it
    RULE = "rule"


_S, _M, _BY = ConversationState, ConversationMove, ConversationMover
_ALL: Final = frozenset(ConversationState)
_STAYS: Final = None

#: move → (states it may start from, state it leads to; None: the state stays)
CONVERSATION_MOVES: Final[
    Mapping[ConversationMove, tuple[frozenset[ConversationState], ConversationState | None]]
] = {
    _M.RECEIVE: (_ALL, _S.OPEN),
    _M.ANSWER: (_ALL, _S.WAITING),
    _M.CLOSE: (frozenset({_S.OPEN, _S.WAITING}), _S.CLOSED),
    _M.REOPEN: (frozenset({_S.WAITING, _S.CLOSED}), _S.OPEN),
    _M.WAIT: (frozenset({_S.OPEN}), _S.WAITING),
    _M.ASSIGN: (_ALL, _STAYS),
    _M.MOVE: (_ALL, _STAYS),
    _M.JUNK: (_ALL, _S.CLOSED),
    _M.CLEAR: (_ALL, _S.OPEN),
}

#: who may make a move
CONVERSATION_MOVERS: Final[Mapping[ConversationMove, frozenset[ConversationMover]]] = {
    _M.RECEIVE: frozenset({_BY.CONTACT}),
    _M.ANSWER: frozenset({_BY.PERSON, _BY.RULE}),
    _M.CLOSE: frozenset({_BY.PERSON, _BY.RULE}),
    _M.REOPEN: frozenset({_BY.PERSON, _BY.RULE}),
    _M.WAIT: frozenset({_BY.PERSON}),
    _M.ASSIGN: frozenset({_BY.PERSON, _BY.RULE}),
    _M.MOVE: frozenset({_BY.PERSON, _BY.RULE}),
    _M.JUNK: frozenset({_BY.PERSON}),
    _M.CLEAR: frozenset({_BY.PERSON}),
}

#: which event tells the timeline about a move; what was received and answered is told by the message itself
CONVERSATION_EVENTS: Final[Mapping[ConversationMove, EventType]] = {
    _M.CLOSE: EventType.CONVERSATION_CLOSED,
    _M.REOPEN: EventType.CONVERSATION_REOPENED,
    _M.WAIT: EventType.CONVERSATION_PARKED,
    _M.ASSIGN: EventType.CONVERSATION_ASSIGNED,
    _M.MOVE: EventType.CONVERSATION_MOVED,
    _M.JUNK: EventType.CONVERSATION_JUDGED,
    _M.CLEAR: EventType.CONVERSATION_JUDGED,
}


def next_conversation_state(
    state: ConversationState, move: ConversationMove, mover: ConversationMover = ConversationMover.PERSON
) -> ConversationState:
    """The state that `move` leads to. Raises Conflict when the table forbids it."""
    start, end = CONVERSATION_MOVES[move]
    if mover not in CONVERSATION_MOVERS[move]:
        raise Conflict(f"A {mover.value} cannot {move.value} a conversation.")
    if state not in start:
        raise Conflict(f"A conversation that is {state.value} cannot be changed like this ({move.value}).")
    return state if end is None else end


def conversation_moves_from(state: ConversationState) -> list[ConversationMove]:
    """The moves that a person may make in this state."""
    return [
        move
        for move, (start, _end) in CONVERSATION_MOVES.items()
        if state in start and ConversationMover.PERSON in CONVERSATION_MOVERS[move]
    ]
