"""What a move makes of a task: its new state, people, clocks and what the timeline is told. Pure functions on values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from domain.errors import InvalidInput
from domain.events import EventType
from domain.tasks import (
    CLOSED_STATES,
    MOVE_EVENTS,
    UNDECIDED_STATES,
    DeclineReason,
    TaskKind,
    TaskMove,
    TaskState,
    check_outcome,
    next_state,
)
from router.spans import Span, parse_span
from router.working_time import WorkingCalendar, add_working, working_between

_LONGEST: Final = 4000
_FALLBACK: Final = "4 working hours"


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What a move looks at."""

    kind: TaskKind
    state: TaskState
    assignee_id: int | None
    team_id: int | None
    decide_by: datetime
    due: datetime
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """A move and what goes with it: an outcome to finish, a reason to decline, a time to reschedule...

    `supervisor_id` is who an escalation goes to; None leaves the assignee.
    """

    move: TaskMove
    actor_id: int
    outcome: Mapping[str, Any] | None = None
    reason: str | None = None
    until: datetime | None = None
    question: str | None = None
    answer: str | None = None
    assignee_id: int | None = None
    team_id: int | None = None
    supervisor_id: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """The task after a move, the event that tells it, and the words that belong to the event."""

    state: TaskState
    assignee_id: int | None
    team_id: int | None
    decide_by: datetime
    due: datetime
    closed_at: datetime | None
    escalated_at: datetime | None
    outcome: dict[str, str] | None
    details: dict[str, Any]
    event: EventType
    data: dict[str, Any] = field(default_factory=dict)
    text: str = ""

    def clocks(self) -> dict[str, datetime]:
        """The timers that run in the new state."""
        running = {}
        if self.state in UNDECIDED_STATES:
            running["decide_by"] = self.decide_by
        if self.state not in CLOSED_STATES and self.state is not TaskState.NEEDS_INFORMATION:
            running["due"] = self.due
        return running

    def clocks_to_set(self, before: TaskFacts, now: datetime) -> dict[str, datetime]:
        """The running timers that this move sets: what it changed, and what is still to come.

        A clock that passed and that the move leaves as it was has rung, or is about to: set again it would escalate
        the task a second time.
        """
        old = {"decide_by": before.decide_by, "due": before.due}
        return {clock: at for clock, at in self.clocks().items() if at > now or at != old[clock]}


@dataclass(frozen=True, slots=True)
class Handed:
    """Where a task goes from somebody who declined it or did not answer: a person or a whole team.

    `stays` is true when the team that it is offered to has other members who may still take it.
    """

    step: int
    assignee_id: int | None
    team_id: int | None
    decide_by: datetime
    deputy_of: int | None = None
    escalates: bool = False
    stays: bool = False


def hand_on(task: TaskFacts, change: Change, handed: Handed, now: datetime) -> Change:
    """A decline, or silence, that does not end the task, for somebody else is asked. The due time stays."""
    details = {name: value for name, value in change.details.items() if name not in ("reason", "deputy_of")}
    if handed.stays:
        return replace(
            change, state=task.state, closed_at=None, details=dict(task.details), decide_by=task.decide_by
        )
    details["step"] = handed.step
    if handed.deputy_of is not None:
        details["deputy_of"] = handed.deputy_of
    return replace(
        change,
        state=TaskState.ESCALATED if handed.escalates else TaskState.OFFERED,
        assignee_id=handed.assignee_id,
        team_id=handed.team_id or change.team_id,
        decide_by=handed.decide_by,
        closed_at=None,
        escalated_at=now if handed.escalates else None,
        details=details,
    )


def plan_move(task: TaskFacts, wish: Wish, now: datetime, calendar: WorkingCalendar) -> Change:
    """What `wish` makes of `task`. Raises Conflict when the table of moves forbids it, InvalidInput for what is missing."""
    move = wish.move
    state = next_state(task.state, move)
    event = MOVE_EVENTS.get(move, EventType.CHANGED)
    data: dict[str, Any] = {"kind": task.kind.value}
    if event is EventType.CHANGED:
        data |= {"field": "task.state", "old": task.state.value, "new": state.value}
    change = Change(
        state=state,
        assignee_id=task.assignee_id,
        team_id=task.team_id,
        decide_by=task.decide_by,
        due=task.due,
        closed_at=now if state in CLOSED_STATES else None,
        escalated_at=None,
        outcome=None,
        details=dict(task.details),
        event=event,
        data=data,
    )
    match move:
        case TaskMove.ACCEPT:
            return replace(change, assignee_id=wish.actor_id)
        case TaskMove.START:
            return replace(change, assignee_id=task.assignee_id or wish.actor_id)
        case TaskMove.FINISH:
            outcome = check_outcome(task.kind, wish.outcome)
            data["outcome"] = outcome["result"]
            return replace(change, outcome=outcome, text=outcome.get("note", ""))
        case TaskMove.DECLINE:
            words = _words("reason", wish.reason, "Say why, so that the requester knows what to change.")
            code = words if words in set(DeclineReason) else DeclineReason.OTHER.value
            data["reason"] = code
            change.details["reason"] = words
            return replace(change, text="" if words == code else words)
        case TaskMove.CANCEL:
            words = (wish.reason or "").replace("\x00", "").strip()[:_LONGEST]
            return replace(change, text=words)
        case TaskMove.RESCHEDULE:
            return _reschedule(change, wish, now, calendar)
        case TaskMove.ASK:
            words = _words("question", wish.question, "Write what you need to know.")
            change.details.update(
                question=words,
                decide_left=_seconds(working_between(now, task.decide_by, calendar)),
                due_left=_seconds(working_between(now, task.due, calendar)),
            )
            return replace(change, text=words)
        case TaskMove.ANSWER:
            words = _words("answer", wish.answer, "Write the answer.")
            change.details["answer"] = words
            return replace(_resume(change, now, calendar), text=words)
        case TaskMove.ESCALATE:
            words = (wish.reason or "").replace("\x00", "").strip()[:_LONGEST]
            data |= {
                "clock": "person",
                "from": task.assignee_id,
                "to": wish.supervisor_id or task.assignee_id,
            }
            if change.details.get("steps"):
                change.details["step"] = len(change.details["steps"]) - 1
            return replace(
                change, assignee_id=wish.supervisor_id or task.assignee_id, escalated_at=now, text=words
            )
        case TaskMove.OFFER:
            return _offer(change, wish, now, calendar)


def _reschedule(change: Change, wish: Wish, now: datetime, calendar: WorkingCalendar) -> Change:
    """The clocks begin anew at the later time."""
    if wish.until is None or wish.until.tzinfo is None:
        raise InvalidInput("until", "is missing.", "Give the day and time to come back to it, with its zone.")
    until = wish.until.astimezone(UTC)
    if until <= now:
        raise InvalidInput("until", "lies in the past.", "Choose a later time.")
    if until > now + timedelta(days=366):
        raise InvalidInput("until", "is more than a year away.", "Choose an earlier time, or decline.")
    change.details["until"] = until.isoformat()
    change.data["until"] = until.isoformat()
    words = (wish.reason or "").replace("\x00", "").strip()[:_LONGEST]
    return replace(_begin(change, until, calendar), text=words)


def _offer(change: Change, wish: Wish, now: datetime, calendar: WorkingCalendar) -> Change:
    """The task is offered to somebody else; its clocks begin anew."""
    if wish.assignee_id is None and wish.team_id is None:
        raise InvalidInput("assignee_id", "is missing.", "Name a person or a team to offer the task to.")
    change.data["offered"] = "again"
    return replace(
        _begin(change, now, calendar), assignee_id=wish.assignee_id, team_id=wish.team_id or change.team_id
    )


def _begin(change: Change, start: datetime, calendar: WorkingCalendar) -> Change:
    decide_by = _span(change, "decide_within").after(start, calendar)
    due = _span(change, "due_within").after(start, calendar)
    return replace(change, decide_by=decide_by, due=max(decide_by, due))


def _resume(change: Change, now: datetime, calendar: WorkingCalendar) -> Change:
    """The clocks go on with the working time that was left when the question was asked."""
    left = [change.details.pop(name, 0) for name in ("decide_left", "due_left")]
    fresh = _begin(change, now, calendar)
    decide_by = add_working(now, timedelta(seconds=left[0]), calendar) if left[0] else fresh.decide_by
    due = add_working(now, timedelta(seconds=left[1]), calendar) if left[1] else fresh.due
    return replace(change, decide_by=decide_by, due=max(decide_by, due))


def _span(change: Change, name: str) -> Span:
    return parse_span(change.details.get(name, _FALLBACK))


def _seconds(length: timedelta) -> int:
    return int(length.total_seconds())


def _words(name: str, given: str | None, remedy: str) -> str:
    words = (given or "").replace("\x00", "").strip()
    if not words:
        raise InvalidInput(name, "is missing.", remedy)
    if len(words) > _LONGEST:
        raise InvalidInput(name, "is too long.", f"Write {_LONGEST} characters at most.")
    return words
