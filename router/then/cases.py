"""The actions `open_case`, `move_case` and `close_case`: a business matter begins, goes on, ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from router.then.base import LONGEST_NOTE, LONGEST_TITLE, Mention, Order, Template, Written

_Name = Annotated[str, Field(min_length=1, max_length=40)]


class OpenCase(Order):
    """Open a case of a type, with the contact in it and the event's conversation; what follows in the rule belongs to it.

    Nothing is opened for an event whose conversation or task is in a case of this type already.
    """

    type: _Name = Field(description="the type of case, by its name")
    title: str = Field(
        min_length=1, max_length=LONGEST_TITLE, description="one line, with fields: {contact.name}"
    )
    per: Literal["contact", "conversation"] | None = Field(
        None,
        description="contact: while one of the type is open for the contact, that one is used; conversation: one for "
        "each conversation, even when `once` ends. Left out, every time the rule acts",
    )
    role: _Name | None = Field(None, description="what the contact is to it: a role of the type")
    fields: dict[str, str] = Field(
        default_factory=dict, max_length=100, description="fields of the type, with fields: {content.subject}"
    )
    owner: Literal[True] | None = Field(
        None, description="true: the user who looks after the contact looks after it, else the team alone"
    )
    team: str | None = Field(
        None, max_length=200, description="the team whose case it is; left out, that of the type"
    )
    confidential: bool | None = Field(None, description="left out: as the type says")

    def templates(self) -> Mapping[str, Template]:
        """The title and the fields."""
        return {"title": Template(self.title, LONGEST_TITLE, one_line=True)} | {
            f"fields.{name}": Template(text, LONGEST_NOTE) for name, text in self.fields.items()
        }

    def mentions(self) -> Iterator[Mention]:
        """The type, the role and fields that it has to have, the team."""
        yield Mention("case_type", self.type, ("type",))
        if self.role is not None:
            yield Mention("case_part", f"{self.type}: {self.role}", ("role",))
        for name in self.fields:
            yield Mention("case_part", f"{self.type}: {name}", ("fields", name))
        if self.team is not None:
            yield Mention("team", self.team, ("team",))


class MoveCase(Order):
    """Move the event's case to a stage; one that ends the case closes it. Without a case nothing is done."""

    stage: _Name = Field(description="the stage, by its name")
    type: _Name | None = Field(
        None,
        description="cases of this type only; when the event belongs to none, the one that is open for the contact",
    )

    def mentions(self) -> Iterator[Mention]:
        """The type, and the stage that it has to have."""
        if self.type is not None:
            yield Mention("case_type", self.type, ("type",))
        yield Mention("case_part", f"{self.type}: {self.stage}" if self.type else self.stage, ("stage",))


class CloseCase(Order):
    """Close the event's case. Without a case nothing is done."""

    stage: _Name | None = Field(
        None, description="the stage that it ends in; left out, the one that it is in"
    )
    type: _Name | None = Field(
        None,
        description="cases of this type only; when the event belongs to none, the one that is open for the contact",
    )

    def mentions(self) -> Iterator[Mention]:
        """The type, and the stage that it has to have."""
        if self.type is not None:
            yield Mention("case_type", self.type, ("type",))
        if self.stage is not None:
            name = f"{self.type}: {self.stage}" if self.type else self.stage
            yield Mention("case_part", name, ("stage",))


class OpenCaseAction(Written):
    """The action `open_case`."""

    open_case: OpenCase


def _stage(value: object) -> object:
    return {"stage": value} if isinstance(value, str) else value


class MoveCaseAction(Written):
    """The action `move_case`; a plain stage will do."""

    move_case: Annotated[MoveCase, BeforeValidator(_stage)]


class CloseCaseAction(Written):
    """The action `close_case`; a plain stage will do, and `{}`."""

    close_case: Annotated[CloseCase, BeforeValidator(_stage)]
