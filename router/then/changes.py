"""The actions `set`, `tag` and `untag`: what the house knows of a contact, a conversation, a case or a task, written anew."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from zoneinfo import available_timezones

from pydantic import BeforeValidator, Field, StringConstraints, field_validator

from domain.contacts import Relation
from domain.events import EventType
from domain.tasks import Priority
from router.then.base import Mention, Order, Template, Written

LONGEST_VALUE: Final = 1000
MOST_TAGS: Final = 20
Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Settable:
    """A field that a rule may write. `words`: one of these and nothing else; `shape`: how a text has to look.

    `free`: the text may show fields, and null empties it.
    """

    free: bool = True
    words: tuple[str, ...] = ()
    shape: str = ""
    person: bool = False


def _words(words: type[StrEnum]) -> Settable:
    return Settable(free=False, words=tuple(word.value for word in words))


SETTABLE: Final[Mapping[str, Settable]] = {
    "contact.given_name": Settable(),
    "contact.family_name": Settable(),
    "contact.organisation": Settable(),
    "contact.relation": _words(Relation),
    "contact.country": Settable(free=False, shape="[A-Z]{2}"),
    "contact.language": Settable(free=False, shape="[a-z]{2}"),
    "contact.timezone": Settable(free=False),
    "contact.owner": Settable(free=False, person=True),
    "conversation.priority": _words(Priority),
    "conversation.state": Settable(free=False, words=("closed", "open")),
    "case.owner": Settable(free=False, person=True),
    "task.priority": _words(Priority),
}
_OWN: Final = re.compile(r"(contact|case)\.fields\.[A-Za-z0-9_-]{1,60}")


def settable(name: str) -> Settable | None:
    """How this field may be written; None when no rule may write it."""
    return Settable() if _OWN.fullmatch(name) else SETTABLE.get(name)


class SetFields(Order):
    """Write fields, by name: `set: {contact.relation: customer, contact.fields.score: 3, conversation.priority: high}`.

    A text may show fields; one that is nothing but a field (`"{event.data.amount}"`) takes its value as it is. `null`
    empties a field. Of what the event does not belong to, nothing is written.
    """

    values: dict[str, Value] = Field(
        min_length=1,
        max_length=20,
        description="what to write, by field: "
        + ", ".join(f"`{name}`" for name in SETTABLE)
        + ", `contact.fields.*`, `case.fields.*`; an owner is written as the person's mail address",
    )

    @field_validator("values")
    @classmethod
    def _known(cls, values: dict[str, Value]) -> dict[str, Value]:
        for name, value in values.items():
            _check(name, value)
        return values

    def templates(self) -> Mapping[str, Template]:
        """The texts that may show fields."""
        return {
            name: Template(value, LONGEST_VALUE, one_line=True)
            for name, value in self.values.items()
            if isinstance(value, str) and (known := settable(name)) is not None and known.free
        }

    def mentions(self) -> Iterator[Mention]:
        """New owners."""
        for name, value in self.values.items():
            known = settable(name)
            if known is not None and known.person and isinstance(value, str):
                yield Mention("person", value, (name,))

    def causes(self) -> frozenset[EventType]:
        """A change of each field; that of a conversation's state has events of its own."""
        states = {"closed": EventType.CONVERSATION_CLOSED, "open": EventType.CONVERSATION_REOPENED}
        return frozenset(
            states[str(value)] if name == "conversation.state" else EventType.CHANGED
            for name, value in self.values.items()
        )

    def changes(self) -> frozenset[str]:
        """The fields as their Changed events name them."""
        return frozenset(field_of_event(name) for name in self.values if name != "conversation.state")


def field_of_event(name: str) -> str:
    """How a Changed event names a field: those of contacts without `contact.`, an owner by number."""
    name = f"{name}_id" if name.endswith(".owner") else name
    return name.removeprefix("contact.")


def _check(name: str, value: Value) -> None:
    known = settable(name)
    if known is None:
        raise ValueError(
            f"{name} cannot be written by a rule; write one of {', '.join(SETTABLE)}, or contact.fields.NAME"
        )
    if known.words and value not in known.words:
        raise ValueError(f"{name} is never {value!r}; write {', '.join(known.words)}")
    if value is None:
        return
    if (known.shape or known.person or not known.free) and not isinstance(value, str):
        raise ValueError(f"{name}: write a text")
    if known.shape and not re.fullmatch(known.shape, str(value)):
        raise ValueError(f"{name}: {value!r} does not fit; write two letters, such as FR for a country, fr")
    if name == "contact.timezone" and value not in available_timezones():
        raise ValueError(f"{name}: {value!r} is no time zone; write Europe/Paris")
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        raise ValueError(f"{name}: {LONGEST_VALUE} characters at most")


class SetAction(Written):
    """The action `set`: the fields stand right behind it."""

    set: Annotated[
        SetFields,
        BeforeValidator(
            lambda value: (
                {"values": value}
                if isinstance(value, dict) and not isinstance(value.get("values"), dict)
                else value
            )
        ),
    ]


TagName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60, pattern=r"^[^{},\x00-\x1f]*$")
]


class Tags(Order):
    """Which tags, and of what."""

    tags: Annotated[
        tuple[TagName, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
    ] = Field(min_length=1, max_length=MOST_TAGS, description="a tag or a list of them")
    of: Literal["contact", "conversation"] = Field("contact", description="contact or conversation")

    def changes(self) -> frozenset[str]:
        """The field as its Changed event names it."""
        return frozenset({"tags" if self.of == "contact" else "conversation.tags"})

    def causes(self) -> frozenset[EventType]:
        """The tags change."""
        return frozenset({EventType.CHANGED})


class Tag(Tags):
    """Put tags on the contact, or on the event's conversation."""


class Untag(Tags):
    """Take tags off the contact, or off the event's conversation. Those that it has not stay away."""


def _tags(value: Any) -> Any:
    return {"tags": value} if isinstance(value, str | list | tuple) else value


class TagAction(Written):
    """The action `tag`; a plain tag or a list will do, for the contact."""

    tag: Annotated[Tag, BeforeValidator(_tags)]


class UntagAction(Written):
    """The action `untag`; a plain tag or a list will do, for the contact."""

    untag: Annotated[Untag, BeforeValidator(_tags)]
