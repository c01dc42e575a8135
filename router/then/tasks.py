"""The action `open_task`: who is asked to do what, until when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from domain.tasks import CLOSED_WHEN, CloseReason, Priority, TaskKind
from router.spans import Measure, WrittenSpan, parse_span
from router.then.base import LONGEST_NOTE, LONGEST_TITLE, Mention, Order, Template, Written
from router.then.steps import AssignStep


class Assign(Written):
    """Who gets a task: the contact's owner, a team, or the owner and else a team; in the end a supervisor.

    Or a list of steps, asked one after the other, each with its time:
    `[{owner: true, within: 2 working hours}, {team: sales, by: round_robin}, {supervisor: true}]`. Whoever declines is
    not asked again. The last step is a person: unless a list ends with one, the supervisor comes last.
    """

    owner: Literal[True] | None = Field(None, description="true: the user who looks after the contact")
    else_team: str | None = Field(
        None, max_length=200, description="the team when the owner is gone, away, declines or does not answer"
    )
    team: str | None = Field(None, max_length=200, description="the team, whoever owns the contact")
    steps: tuple[AssignStep, ...] | None = Field(
        None, min_length=1, max_length=10, description="the steps, when the list is not written directly"
    )

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return {"steps": value} if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _somebody(self) -> Assign:
        if self.steps is not None:
            if self.owner or self.else_team or self.team:
                raise ValueError("write either steps, or owner and team")
            return self
        if self.team is not None and (self.owner or self.else_team):
            raise ValueError("write either team alone, or owner with else_team")
        if self.team is None and not (self.owner and self.else_team):
            raise ValueError(
                "somebody must get the task: write {owner: true, else_team: sales} or {team: sales}"
            )
        return self

    @property
    def in_steps(self) -> tuple[AssignStep, ...]:
        """The steps, whichever way they are written."""
        if self.steps is not None:
            return self.steps
        owner = (AssignStep(owner=True),) if self.owner else ()
        return (*owner, AssignStep(team=self.team or self.else_team))

    @property
    def teams(self) -> tuple[str, ...]:
        """The teams that are asked, in order; the first one answers for the task."""
        return tuple(step.team for step in self.in_steps if step.team is not None)

    @property
    def people(self) -> tuple[str, ...]:
        """The mail addresses of the people that are asked."""
        return tuple(step.person for step in self.in_steps if step.person is not None)


class OpenTask(Order):
    """Ask somebody to do something, with a time to decide and a time to have it done."""

    kind: TaskKind = Field(description="what sort of work; each kind has its own form for the outcome")
    title: str = Field(
        min_length=1, max_length=LONGEST_TITLE, description="one line, with fields: {contact.name}"
    )
    description: str | None = Field(
        None, max_length=LONGEST_NOTE, description="what the assignee has to know, with fields"
    )
    priority: Priority = Field(Priority.NORMAL, description="low, normal, high or urgent")
    assign: Assign = Field(description="who gets it")
    asked: Literal[True] | None = Field(
        None,
        description="true: by this event the contact asks to be called (a link “call me back”, a form); a message or call "
        "of the contact says so by itself",
    )
    close_when: tuple[CloseReason, ...] | None = Field(
        None,
        description="when it closes by itself, a list: answered (the contact replied), called (somebody spoke with the "
        "contact), withdrawn (consent to calls was withdrawn); a callback does so with all of them, one that the contact asked for not with answered; [] never",
    )
    decide_within: WrittenSpan = Field(
        default_factory=lambda: parse_span("4 working hours"),
        description="time to accept, decline, reschedule or ask; then the next step is asked, at last a supervisor",
    )
    due_within: WrittenSpan = Field(
        default_factory=lambda: parse_span("2 working days"), description="time to have it done"
    )

    @model_validator(mode="after")
    def _asked_for_a_call(self) -> OpenTask:
        if self.asked and self.kind is not TaskKind.CALLBACK:
            raise ValueError("asked: only a callback can be asked for by the contact")
        return self

    @model_validator(mode="after")
    def _some_time(self) -> OpenTask:
        for name in ("decide_within", "due_within"):
            if not getattr(self, name).length:
                raise ValueError(f"{name}: give some time, such as 4 working hours")
        decide, due = self.decide_within, self.due_within
        if decide.measure is due.measure is not Measure.WORKING_DAYS and due.length < decide.length:
            raise ValueError("due_within ends before decide_within; give at least as much time to do it")
        return self

    def closes_when(self, *, requested: bool) -> tuple[CloseReason, ...]:
        """What closes it by itself. A call that the contact asked for (`requested`) is still owed after a written reply."""
        if self.close_when is not None:
            return self.close_when
        usual = CLOSED_WHEN.get(self.kind, ())
        return tuple(reason for reason in usual if not requested or reason is not CloseReason.ANSWERED)

    def templates(self) -> Mapping[str, Template]:
        """Title and description."""
        return {
            "title": Template(self.title, LONGEST_TITLE, one_line=True),
            "description": Template(self.description or ""),
        }

    def mentions(self) -> Iterator[Mention]:
        """The teams and people that are asked."""
        if self.assign.steps is None:
            key = "team" if self.assign.team is not None else "else_team"
            yield Mention("team", self.assign.teams[0], ("assign", key))
            return
        for number, step in enumerate(self.assign.steps):
            for what, name, place in step.mentions(number):
                yield Mention(what, name, ("assign", *place))


class OpenTaskAction(Written):
    """The action `open_task`."""

    open_task: OpenTask
