"""What rules can do, one file per action: `plan` decides in Python what would be done, `execute` does it set-based."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from router.actions import (
    assign,
    changes,
    escalate,
    move_case,
    note,
    notify,
    open_case,
    open_task,
    pause,
    route,
    send,
    webhook,
)
from router.actions.work import Planned, Shown, Work
from router.decide import Decision
from router.then.cases import CloseCaseAction, MoveCaseAction, OpenCaseAction
from router.then.changes import SetAction, TagAction, UntagAction
from router.then.messages import AutoAnswerAction, SendAction
from router.then.notes import NoteAction
from router.then.notices import NotifyAction
from router.then.pauses import PauseMarketingAction
from router.then.people import AssignAction, EscalateAction
from router.then.queues import RouteAction
from router.then.tasks import OpenTaskAction
from router.then.webhooks import WebhookAction


class Executor(Protocol):
    """The two halves of an action."""

    @property
    def plan(self) -> Callable[[Decision, int, Work], Any]:
        """What the action with this number of the rule would do. Raises ClytieError when it cannot be done."""
        ...

    @property
    def show(self) -> Callable[[Any, Work], Shown]:
        """What was planned, in words: for a test on the past."""
        ...

    @property
    def execute(self) -> Callable[[Work, Sequence[Planned]], Awaitable[None]]:
        """Do all that was planned, in a few statements; gives each decision its results."""
        ...


EXECUTORS: Final[Mapping[type, Executor]] = {
    OpenTaskAction: open_task,
    NoteAction: note,
    RouteAction: route,
    SetAction: changes,
    TagAction: changes,
    UntagAction: changes,
    AssignAction: assign,
    EscalateAction: escalate,
    OpenCaseAction: open_case,
    MoveCaseAction: move_case,
    CloseCaseAction: move_case,
    WebhookAction: webhook,
    SendAction: send,
    AutoAnswerAction: send,
    NotifyAction: notify,
    PauseMarketingAction: pause,
}
