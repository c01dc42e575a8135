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

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, Tag, model_validator

from domain.conditions import Condition, Duration, FieldName, parse_moment
from domain.events import ENGAGEMENT, EventType
from router.then import Action
from router.then.base import LONGEST_TITLE, Written

#: rules that nothing else puts in an order go by name
LOWEST, HIGHEST = -1000, 1000

Judged = Literal["human", "machine", "unsure", "any"]
Per = Literal["contact", "campaign", "conversation", "message", "case", "task"]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Once(Written):
    """Act at most once for the same thing; other events about it are logged as repeated.

    The time runs from the event that made the rule act. Without `within` it is once for ever.
    """

    per: Annotated[tuple[Per, ...], BeforeValidator(_listed)] = Field(
        (),
        description="contact, campaign, conversation, message, case or task, or a list of them: [contact, campaign]",
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


class Absence(Written):
    """Something happened, and something else did not follow: `{event: Opened, without: Clicked, within: 24h}`."""

    event: Annotated[tuple[EventType, ...], BeforeValidator(_listed)] = Field(
        min_length=1, description="what happened: an event type or a list"
    )
    without: Annotated[tuple[EventType, ...], BeforeValidator(_listed)] = Field(
        min_length=1, description="what did not follow: none of these types came"
    )
    within: Duration = Field(description="how long it is waited for")
    same: Literal["contact", "message", "campaign", "conversation", "case"] = Field(
        "contact", description="what both events have in common, besides the contact"
    )
    judged: Judged = Field("human", description="for hits in `without`: whose hits count")


class Moment(Written):
    """A time relative to a date that the contact or a case carries: `{moment: contact.fields.contract_end, before: 3d}`."""

    moment: FieldName = Field(
        description="a field of contact.fields, contact.created_at, or a field of case.fields that holds a date"
    )
    before: Duration | None = Field(None, description="how long before it, such as 3d")
    after: Duration | None = Field(None, description="how long after it")
    at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] | None = Field(
        None, description="the time of day in the contact's time zone, for dates without one"
    )
    yearly: bool = Field(False, description="true: the day comes every year, as a birthday does")

    @model_validator(mode="after")
    def _one_side(self) -> Moment:
        if self.before is not None and self.after is not None:
            raise ValueError("write before or after, not both")
        if not self.moment.startswith(("contact.fields.", "case.fields.")) and self.moment not in (
            "contact.created_at",
            "case.created_at",
        ):
            raise ValueError(
                f"moment: {self.moment} holds no date that is known ahead; name a field of contact.fields or case.fields"
            )
        return self

    @property
    def offset(self) -> timedelta:
        """From the date to the moment; negative before it."""
        return self.after if self.after is not None else -(self.before or timedelta())


def _when(value: Any) -> str:
    keys = (
        value if isinstance(value, dict) else type(value).model_fields if isinstance(value, BaseModel) else ()
    )
    return "absence" if "without" in keys else "moment" if "moment" in keys else "events"


When = Annotated[
    Annotated[Annotated[tuple[EventType, ...], BeforeValidator(_listed), Field(min_length=1)], Tag("events")]
    | Annotated[Absence, Tag("absence")]
    | Annotated[Moment, Tag("moment")],
    Discriminator(_when),
]


def _read_day(value: object) -> datetime:
    moment = value if isinstance(value, datetime) else parse_moment(str(value))
    if moment is None:
        raise ValueError("write a date such as 2026-03-01 or 2026-03-01T09:30:00Z")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


Day = Annotated[datetime, BeforeValidator(_read_day)]


class Valid(Written):
    """The time in which a rule looks at events; what waits when it ends is not done any more."""

    from_: Day | None = Field(None, alias="from", description="from this moment on")
    to: Day | None = Field(None, description="up to this moment, which does not belong to it")

    @model_validator(mode="after")
    def _some_time(self) -> Valid:
        if self.from_ is not None and self.to is not None and self.to <= self.from_:
            raise ValueError("to: it has to lie after from")
        return self

    def covers(self, moment: datetime) -> bool:
        """Whether the rule looks at what happens at this moment."""
        return (self.from_ is None or self.from_ <= moment) and (self.to is None or moment < self.to)


class Rule(Written):
    """One rule. Its name is its identity: a changed definition under the same name is a new version."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,79}$",
        description="small letters, digits, - and _; the rule's identity, so choose it once",
    )
    description: str = Field("", max_length=1000, description="what it is for, in words people read")
    active: bool = Field(True, description="false: kept, but looks at nothing")
    valid: Valid | None = Field(None, description="when it looks at events: from, to")
    priority: int = Field(
        0, ge=LOWEST, le=HIGHEST, description="rules of a higher one are asked first; equal ones by name"
    )
    stop: bool = Field(
        False, description="true: when it acts, the rules behind it are not asked about this event"
    )
    when: When = Field(
        description="what the rule looks at: an event type, a list of types, the absence of one, or a moment"
    )
    where: Condition | None = Field(
        None,
        description="a condition over event, contact, message, campaign, conversation, content, case, task, consent, "
        "working time and history (`did`)",
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
        if self.judged is not None and self.judged != "any" and not set(self.types) <= ENGAGEMENT:
            others = ", ".join(sorted(kind.value for kind in set(self.types) - ENGAGEMENT))
            raise ValueError(f"judged: only hits are judged, not {others}; leave it out, or write two rules")
        if isinstance(self.when, Absence) and self.hold is not None:
            raise ValueError("hold: the rule waits already, for what does not come; write `within` instead")
        return self

    @property
    def types(self) -> tuple[EventType, ...]:
        """The types of event that the rule is asked about."""
        match self.when:
            case Absence():
                return self.when.event
            case Moment():
                return (EventType.REACHED,)
        return self.when

    @property
    def waits(self) -> timedelta | None:
        """How long after an event it is asked; None: at once."""
        return self.when.within if isinstance(self.when, Absence) else self.hold

    def judgement(self, kind: EventType) -> Judged:
        """Who must have been behind an event of this type."""
        if kind not in ENGAGEMENT:
            return "any"
        return self.judged or "human"

    def written(self) -> dict[str, Any]:
        """The definition as it is stored: JSON that reads back as the same rule."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)
