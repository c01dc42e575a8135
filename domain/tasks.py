"""Tasks: work that a rule or a person asks of somebody, with its two clocks and the table of allowed moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

from domain.errors import Conflict, InvalidInput
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
UNDECIDED_STATES: Final = _UNDECIDED
CLOSED_STATES: Final = frozenset(TaskState) - _OPEN


class TaskMover(StrEnum):
    """What a person is to a task."""

    ASSIGNEE = "assignee"
    TEAM = "team"  #: a member of the team that answers for it
    REQUESTER = "requester"
    SUPERVISOR = "supervisor"  #: a manager or an administrator


_DOERS: Final = frozenset({TaskMover.ASSIGNEE, TaskMover.TEAM, TaskMover.SUPERVISOR})
_ASKERS: Final = frozenset({TaskMover.REQUESTER, TaskMover.SUPERVISOR})

#: who may make a move
MOVERS: Final[Mapping[TaskMove, frozenset[TaskMover]]] = {
    TaskMove.ACCEPT: _DOERS,
    TaskMove.DECLINE: _DOERS,
    TaskMove.RESCHEDULE: _DOERS,
    TaskMove.ASK: _DOERS,
    TaskMove.ANSWER: _DOERS | _ASKERS,
    TaskMove.START: _DOERS,
    TaskMove.FINISH: _DOERS,
    TaskMove.CANCEL: _ASKERS,
    TaskMove.ESCALATE: _DOERS | _ASKERS,
    TaskMove.OFFER: _ASKERS,
}

TaskClock = Literal["decide_by", "due"]


def escalates(state: TaskState, clock: str) -> bool | None:
    """What happens when a clock (`decide_by` or `due`) of a task runs out.

    True: nobody decided, so it passes to a supervisor. False: it was accepted and is late; it stays with whoever
    accepted it, and its lateness is told. None: nothing, because that clock does not run in this state.
    """
    if state in _UNDECIDED:
        return True
    if clock == "due" and state in (_S.ACCEPTED, _S.IN_PROGRESS):
        return False
    return None


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


class OfferState(StrEnum):
    """What became of an offer: a task held out to a person, or to a whole team."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    TIMED_OUT = "timed_out"  #: nobody answered in time
    WITHDRAWN = "withdrawn"  #: taken back: somebody else has it, or the task is over


#: the channels that people's capacity is counted in; `all` counts every task
EVERY_CHANNEL: Final = "all"
OTHER_CHANNEL: Final = "other"
WORK_CHANNELS: Final = (EVERY_CHANNEL, "voice", "mail", "sms", OTHER_CHANNEL)


def channel_of(kind: TaskKind, conversation: str | None = None) -> str:
    """The channel a task is worked through: a callback by voice, else that of its conversation."""
    if kind is TaskKind.CALLBACK:
        return "voice"
    return conversation if conversation in WORK_CHANNELS else OTHER_CHANNEL


class CloseReason(StrEnum):
    """Why a task closes by itself: the reason for it went away."""

    ANSWERED = "answered"  #: the contact replied
    CALLED = "called"  #: somebody spoke with the contact on the phone
    WITHDRAWN = "withdrawn"  #: the contact does not want to be called any more


#: when tasks of a kind close by themselves, unless their rule says otherwise
CLOSED_WHEN: Final[Mapping[TaskKind, tuple[CloseReason, ...]]] = {
    TaskKind.CALLBACK: (CloseReason.ANSWERED, CloseReason.CALLED, CloseReason.WITHDRAWN),
}


class CallOutcome(StrEnum):
    """How a callback ended."""

    REACHED = "reached"
    INTERESTED = "interested"
    NOT_INTERESTED = "not_interested"
    NO_ANSWER = "no_answer"
    VOICEMAIL = "voicemail"
    WRONG_NUMBER = "wrong_number"
    CALL_AGAIN = "call_again"


class DeclineReason(StrEnum):
    """Why a task is declined; anything else is `other`, with words."""

    NOT_MINE = "not_mine"
    NO_TIME = "no_time"
    NOT_RELEVANT = "not_relevant"
    DUPLICATE = "duplicate"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class OutcomeForm:
    """What is asked when a task of some kind is finished: one of `results`, and a note."""

    results: tuple[str, ...]
    longest_note: int = 4000
    note_needed: frozenset[str] = frozenset()  #: results that say nothing without a note


OUTCOME_FORMS: Final[Mapping[TaskKind, OutcomeForm]] = {
    TaskKind.CALLBACK: OutcomeForm(tuple(outcome.value for outcome in CallOutcome)),
    TaskKind.TODO: OutcomeForm(("done", "not_possible"), note_needed=frozenset({"not_possible"})),
    TaskKind.INTERVIEW: OutcomeForm(("held", "not_held"), note_needed=frozenset({"not_held"})),
}


def check_outcome(kind: TaskKind, outcome: Mapping[str, Any] | None) -> dict[str, str]:
    """The outcome of a finished task as it is stored: `result`, and `note` when there is one.

    Raises InvalidInput naming the field and what may stand there.
    """
    form = OUTCOME_FORMS[kind]
    given = dict(outcome or {})
    unknown = sorted(given.keys() - {"result", "note"})
    if unknown:
        raise InvalidInput(f"outcome.{unknown[0]}", "is not asked for.", "Write result and note.")
    result, note = given.get("result"), given.get("note") or ""
    if result not in form.results:
        raise InvalidInput(
            "outcome.result", f"{result!r} is no result.", f"Choose {', '.join(form.results)}."
        )
    if not isinstance(note, str) or len(note) > form.longest_note:
        raise InvalidInput("outcome.note", "is too long.", f"Write {form.longest_note} characters at most.")
    note = note.replace("\x00", "").strip()
    if result in form.note_needed and not note:
        raise InvalidInput("outcome.note", "is missing.", f"Say in a few words why it ended as {result}.")
    return {"result": result, "note": note} if note else {"result": result}


def next_state(state: TaskState, move: TaskMove) -> TaskState:
    """The state after `move`. Raises Conflict when the table does not allow it."""
    sources, target = TASK_MOVES[move]
    if state not in sources:
        raise Conflict(f"A task that is {state.value.replace('_', ' ')} cannot be moved by “{move.value}”.")
    return target


def moves_from(state: TaskState) -> list[TaskMove]:
    """What can be done to a task in `state`, in the order of the table."""
    return [move for move, (sources, _) in TASK_MOVES.items() if state in sources]
