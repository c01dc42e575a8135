"""What every action of a rule has in common: how it is written, the texts it fills in, the things it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from domain.events import EventType

LONGEST_TITLE: Final = 200
LONGEST_NOTE: Final = 4000

#: what the house has under a name
Named = Literal[
    "team", "queue", "person", "case_type", "case_part", "message_template", "journey", "task_template"
]


class Written(BaseModel):
    """A part of a rule as somebody wrote it."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Template(NamedTuple):
    """A text with fields, such as `Call {contact.name}`."""

    text: str
    longest: int = LONGEST_NOTE
    one_line: bool = False


class Mention(NamedTuple):
    """The name of something that has to exist, and its place within the action."""

    what: Named
    name: str
    place: tuple[str | int, ...]


class Order(Written):
    """What stands behind the key of an action. Its executor is in router/actions/."""

    def templates(self) -> Mapping[str, Template]:
        """The texts to fill in, by the place they are written at."""
        return {}

    def mentions(self) -> Iterator[Mention]:
        """What has to exist for the action to be done."""
        yield from ()

    def causes(self) -> frozenset[EventType] | None:
        """The events that it causes by itself, at once; None: those that router/rule_checks.py has for its action."""
        return None

    def changes(self) -> frozenset[str]:
        """The fields that its Changed events name, for rules that look at some of them only."""
        return frozenset()
