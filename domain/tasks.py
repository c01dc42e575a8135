"""Tasks: work that a rule or a person asks of somebody, with its two clocks and the table of allowed moves."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from domain.errors import Conflict
from domain.events import EventType


class TaskState(StrEnum):
    """Where a task stands. Deciding (accept, decline, reschedule, ask) comes before doing."""

    OFFERED = "offered"
    NEEDS_INFORMATION = "needs_information"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    RESCHEDULED = "rescheduled"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    CANCELLED = "cancelled"
    ESCALATED = "escalated"


class TaskMove(StrEnum):
    """What can be done to a task."""

    ACCEPT = "accept"
    DECLINE = "decline"
    RESCHEDULE = "reschedule"
    ASK = "ask"
    ANSWER = "answer"
    START = "start"
    FINISH = "finish"
    CANCEL = "cancel"
    ESCALATE = "escalate"
    OFFER = "offer"


_S = TaskState
_UNDECIDED: Final = frozenset({_S.OFFERED, _S.ESCALATED, _S.RESCHEDULED})
_OPEN: Final = _UNDECIDED | {_S.NEEDS_INFORMATION, _S.ACCEPTED, _S.IN_PROGRESS}

#: move → (states it may start from, state it leads to)
TASK_MOVES: Final[Mapping[TaskMove, tuple[frozenset[TaskState], TaskState]]] = {
    TaskMove.ACCEPT: (_UNDECIDED, _S.ACCEPTED),
    TaskMove.DECLINE: (_UNDECIDED, _S.DECLINED),
    TaskMove.RESCHEDULE: (_UNDECIDED | {_S.ACCEPTED, _S.IN_PROGRESS}, _S.RESCHEDULED),
    TaskMove.ASK: (_UNDECIDED | {_S.ACCEPTED, _S.IN_PROGRESS}, _S.NEEDS_INFORMATION),
    TaskMove.ANSWER: (frozenset({_S.NEEDS_INFORMATION}), _S.OFFERED),
    TaskMove.START: (frozenset({_S.ACCEPTED}), _S.IN_PROGRESS),
    TaskMove.FINISH: (frozenset({_S.ACCEPTED, _S.IN_PROGRESS}), _S.DONE),
    TaskMove.CANCEL: (_OPEN, _S.CANCELLED),
    TaskMove.ESCALATE: (_OPEN, _S.ESCALATED),
    TaskMove.OFFER: (frozenset({_S.DECLINED, _S.ESCALATED, _S.RESCHEDULED}), _S.OFFERED),
}

#: which event tells the timeline about a move; a move that is not listed is told by no event of its own
MOVE_EVENTS: Final[Mapping[TaskMove, EventType]] = {
    TaskMove.ACCEPT: EventType.TASK_ACCEPTED,
    TaskMove.DECLINE: EventType.TASK_DECLINED,
    TaskMove.RESCHEDULE: EventType.TASK_RESCHEDULED,
    TaskMove.ESCALATE: EventType.TASK_ESCALATED,
    TaskMove.FINISH: EventType.TASK_DONE,
    TaskMove.OFFER: EventType.TASK_OPENED,
}

OPEN_STATES: Final = _OPEN


class TaskKind(StrEnum):
    """What sort of work."""

    CALLBACK = "callback"
    TODO = "todo"
    INTERVIEW = "interview"


class Priority(StrEnum):
    """How soon it matters; the definition is shown when it is chosen."""

    LOW = "low"  #: whenever there is time this week
    NORMAL = "normal"  #: within the agreed time
    HIGH = "high"  #: before other work of today
    URGENT = "urgent"  #: somebody is waiting, or money is lost every hour


class CallOutcome(StrEnum):
    """How a callback ended."""

    REACHED = "reached"
    INTERESTED = "interested"
    NOT_INTERESTED = "not_interested"
    NO_ANSWER = "no_answer"
    VOICEMAIL = "voicemail"
    WRONG_NUMBER = "wrong_number"
    CALL_AGAIN = "call_again"


def next_state(state: TaskState, move: TaskMove) -> TaskState:
    """The state after `move`. Raises Conflict when the table does not allow it."""
    sources, target = TASK_MOVES[move]
    if state not in sources:
        raise Conflict(f"A task that is {state.value.replace('_', ' ')} cannot be moved by “{move.value}”.")
    return target


def moves_from(state: TaskState) -> list[TaskMove]:
    """What can be done to a task in `state`, in the order of the table."""
    return [move for move, (sources, _) in TASK_MOVES.items() if state in sources]
