"""The model of a rule: when something happens, where a condition holds, unless another one does, then act.

    - name: call-back-openers
      description: Prospects who read the spring letter get a call
      when: [Opened, Clicked]
      where: {field: campaign.name, is: Spring letter}
      once: {per: [contact, campaign], within: 30d}
      then:
        - open_task:
            kind: callback
            title: Call {contact.name} about {campaign.name}
            assign: {owner: true, else_team: sales}
            decide_within: 4 working hours

The same models are stored in the database, shown as JSON Schema and described in docs/rules.md. Reading them from a
file, with line numbers, is router/rule_files.py; what they refer to is checked by router/rule_checks.py.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from domain.conditions import Condition, Duration
from domain.events import ENGAGEMENT, EventType
from domain.tasks import Priority, TaskKind
from router.spans import Measure, WrittenSpan, parse_span

LONGEST_TITLE: Final = 200
LONGEST_NOTE: Final = 4000

Judged = Literal["human", "machine", "unsure", "any"]
Per = Literal["contact", "campaign", "conversation", "message"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Once(_Model):
    """Act at most once for the same thing; other events about it are logged as repeated.

    The time runs from the event that made the rule act. Without `within` it is once for ever.
    """

    per: Annotated[tuple[Per, ...], BeforeValidator(_listed)] = Field(
        (), description="contact, campaign, conversation or message, or a list of them: [contact, campaign]"
    )
    key: str | None = Field(
        None,
        max_length=LONGEST_TITLE,
        description="a key of your own, with fields: `{contact.organisation}`",
    )
    within: Duration | None = Field(None, description="how long it counts as the same, such as 30d")

    @model_validator(mode="after")
    def _one_of_two(self) -> Once:
        if bool(self.per) == (self.key is not None):
            raise ValueError("write what it is once for: either per (such as contact) or key")
        return self


class Assign(_Model):
    """Who gets a task: the contact's owner, a team, or the owner and else a team."""

    owner: Literal[True] | None = Field(None, description="true: the user who looks after the contact")
    else_team: str | None = Field(
        None, max_length=200, description="the team when the contact has no owner who is still active"
    )
    team: str | None = Field(None, max_length=200, description="the team, whoever owns the contact")

    @model_validator(mode="after")
    def _somebody(self) -> Assign:
        if self.team is not None and (self.owner or self.else_team):
            raise ValueError("write either team alone, or owner with else_team")
        if self.team is None and not (self.owner and self.else_team):
            raise ValueError(
                "somebody must get the task: write {owner: true, else_team: sales} or {team: sales}"
            )
        return self

    @property
    def team_name(self) -> str:
        """The team that answers for the task in the end."""
        return self.team or self.else_team or ""


class OpenTask(_Model):
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
    decide_within: WrittenSpan = Field(
        default_factory=lambda: parse_span("4 working hours"),
        description="time to accept, decline, reschedule or ask; then it escalates",
    )
    due_within: WrittenSpan = Field(
        default_factory=lambda: parse_span("2 working days"), description="time to have it done"
    )

    @model_validator(mode="after")
    def _some_time(self) -> OpenTask:
        for name in ("decide_within", "due_within"):
            if not getattr(self, name).length:
                raise ValueError(f"{name}: give some time, such as 4 working hours")
        decide, due = self.decide_within, self.due_within
        if decide.measure is due.measure is not Measure.WORKING_DAYS and due.length < decide.length:
            raise ValueError("due_within ends before decide_within; give at least as much time to do it")
        return self


class Note(_Model):
    """Write a note on the contact's timeline."""

    text: str = Field(
        min_length=1, max_length=LONGEST_NOTE, description="the note, with fields: {contact.name}"
    )


class OpenTaskAction(_Model):
    """The action `open_task`."""

    open_task: OpenTask


class NoteAction(_Model):
    """The action `note`; a plain text will do."""

    note: Annotated[Note, BeforeValidator(lambda value: {"text": value} if isinstance(value, str) else value)]


class Route(_Model):
    """Put the event's conversation into a queue, and take it from whoever had it. Events without one stay as they are."""

    queue: str = Field(min_length=1, max_length=200, description="the queue, by its exact name")


class RouteAction(_Model):
    """The action `route`; a plain name will do."""

    route: Annotated[
        Route, BeforeValidator(lambda value: {"queue": value} if isinstance(value, str) else value)
    ]


#: every action by the key it is written with; a new one is a model here and an executor in router/actions/
ACTIONS: Final[dict[str, type[BaseModel]]] = {
    "open_task": OpenTaskAction,
    "note": NoteAction,
    "route": RouteAction,
}


def _action(value: Any) -> str | None:
    keys = value if isinstance(value, dict) else type(value).model_fields
    return next((key for key in keys if key in ACTIONS), None)


Action = Annotated[
    Annotated[OpenTaskAction, Tag("open_task")]
    | Annotated[NoteAction, Tag("note")]
    | Annotated[RouteAction, Tag("route")],
    Discriminator(
        _action,
        custom_error_type="action",
        custom_error_message=f"an action has one of the keys {', '.join(ACTIONS)}",
    ),
]


class Rule(_Model):
    """One rule. Its name is its identity: a changed definition under the same name is a new version."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,79}$",
        description="small letters, digits, - and _; the rule's identity, so choose it once",
    )
    description: str = Field("", max_length=1000, description="what it is for, in words people read")
    active: bool = Field(True, description="false: kept, but looks at nothing")
    when: Annotated[tuple[EventType, ...], BeforeValidator(_listed)] = Field(
        min_length=1, description="the type of event that the rule looks at, or a list of types"
    )
    where: Condition | None = Field(
        None, description="a condition over event, contact, message, campaign, consent and history (`did`)"
    )
    judged: Judged | None = Field(
        None,
        description="for hits: act on human, machine, unsure or any; all but `any` wait until the hit is judged. "
        "Left out, it is human for opens, clicks, downloads and visits",
    )
    hold: Duration | None = Field(
        None,
        description="wait this long after the event; `where` must still hold then, and `unless` is asked then",
    )
    unless: Condition | None = Field(None, description="do nothing when this condition holds")
    once: Annotated[
        Once | None, BeforeValidator(lambda value: {"per": value} if isinstance(value, str) else value)
    ] = Field(None, description="act once per contact, campaign...; left out, once per event")
    then: tuple[Action, ...] = Field(min_length=1, max_length=20, description="what to do, in this order")

    @model_validator(mode="after")
    def _judged_hits_only(self) -> Rule:
        if self.judged is not None and self.judged != "any" and not set(self.when) <= ENGAGEMENT:
            others = ", ".join(sorted(kind.value for kind in set(self.when) - ENGAGEMENT))
            raise ValueError(f"judged: only hits are judged, not {others}; leave it out, or write two rules")
        return self

    def judgement(self, kind: EventType) -> Judged:
        """Who must have been behind an event of this type."""
        if kind not in ENGAGEMENT:
            return "any"
        return self.judged or "human"

    def written(self) -> dict[str, Any]:
        """The definition as it is stored: JSON that reads back as the same rule."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)
