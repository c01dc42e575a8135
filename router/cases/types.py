"""The model of a type of case: its stages in order, its fields, the roles of its contacts, who looks after it.

    - name: sale
      title: {en: Sale, fr: Vente}
      stages:
        - {name: lead, title: {en: Lead, fr: Piste}}
        - {name: offer, title: {en: Offer, fr: Offre}}
        - {name: won, title: {en: Won, fr: Gagnée}, ends: true}
      fields:
        - {name: amount, kind: number, title: {en: Amount, fr: Montant}}
      roles:
        - {name: buyer, title: {en: Buyer, fr: Acheteur}}
      team: Sales

The same models are stored in the database and written in the console. Reading them from a file, with line numbers, is
router/cases/type_files.py; what they mean for the cases that exist is router/cases/type_store.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Protocol, TypeVar

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from router.cases.templates import TaskTemplate
from router.then.base import Written

_LANGUAGE: Final = re.compile(r"[a-z]{2}")
_ALL: Final = "en"


class _HasName(Protocol):
    @property
    def name(self) -> str: ...


_Thing = TypeVar("_Thing", bound=_HasName)


def _read_words(value: object) -> object:
    if isinstance(value, str):
        return {_ALL: value}
    if isinstance(value, Mapping):
        strange = [key for key in value if not isinstance(key, str) or not _LANGUAGE.fullmatch(key)]
        if strange or not value:
            raise ValueError("write a text, or one for each language: {en: Sale, fr: Vente}")
    return value


#: what people read: one text for everybody, or one for each language by its ISO 639-1 code
Words = Annotated[
    dict[str, Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]],
    BeforeValidator(_read_words),
]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


def say(words: Mapping[str, str], name: str, language: str) -> str:
    """The words in a language; else in English, else the first, else the bare name."""
    return words.get(language) or words.get(_ALL) or next(iter(words.values()), name.replace("_", " "))


class Named(Written):
    """Something with a name for programs and words for people."""

    name: Name = Field(description="small letters, digits and _; what rules and programs call it")
    title: Words = Field(
        default_factory=dict, description="what people read: a text, or {en: Sale, fr: Vente}"
    )

    def said(self, language: str) -> str:
        """What people of a language read."""
        return say(self.title, self.name, language)


class Stage(Named):
    """A step on the way of a case."""

    ends: bool = Field(False, description="true: the case closes when it gets here")


class FieldKind(StrEnum):
    """What a field of a case holds."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    CHOICE = "choice"
    YES_NO = "yes_no"


class CaseField(Named):
    """A field of the cases of a type."""

    kind: FieldKind = Field(FieldKind.TEXT, description="text, number, date, choice or yes_no")
    choices: tuple[Named, ...] = Field((), max_length=100, description="what may be chosen, of a choice")
    needed: bool = Field(False, description="true: the case is not closed without it")

    @model_validator(mode="after")
    def _choices_of_a_choice(self) -> CaseField:
        if (self.kind is FieldKind.CHOICE) != bool(self.choices):
            raise ValueError(
                "choices: a choice needs some, such as - {name: low}; other kinds of field have none"
            )
        _refuse_doubles("choices", self.choices)
        return self


class Role(Named):
    """What a contact is to a case."""


class CaseType(Named):
    """One type of case. Its name is its identity."""

    active: bool = Field(
        True, description="false: no new cases of it; those that are there keep their stages and fields"
    )
    stages: tuple[Stage, ...] = Field(
        min_length=1, max_length=50, description="in their order; a case begins in the first"
    )
    fields: tuple[CaseField, ...] = Field((), max_length=100, description="what is written down of a case")
    roles: tuple[Role, ...] = Field((), max_length=50, description="what contacts are to a case")
    team: str | None = Field(
        None, min_length=1, max_length=200, description="the team whose cases these are, by its exact name"
    )
    confidential: bool = Field(
        False, description="true: its cases exist for their owner, members and team only"
    )
    templates: tuple[TaskTemplate, ...] = Field(
        (), max_length=20, description="work in several steps that a case takes"
    )

    @model_validator(mode="after")
    def _sound(self) -> CaseType:
        for name in ("stages", "fields", "roles", "templates"):
            _refuse_doubles(name, getattr(self, name))
        if self.stages[0].ends:
            raise ValueError(
                "stages: a case begins in the first one, so that one cannot end it; put another first"
            )
        return self

    @property
    def first(self) -> Stage:
        """Where a case begins."""
        return self.stages[0]

    def stage(self, name: str | None) -> Stage | None:
        """The stage of a name."""
        return find(self.stages, name)

    def field(self, name: str) -> CaseField | None:
        """The field of a name."""
        return find(self.fields, name)

    def role(self, name: str) -> Role | None:
        """The role of a name."""
        return find(self.roles, name)

    def template(self, name: str) -> TaskTemplate | None:
        """The task template of a name."""
        return find(self.templates, name)

    def written(self) -> dict[str, Any]:
        """The definition as it is stored: JSON that reads back as the same type."""
        return self.model_dump(mode="json", exclude_unset=True)


def find(things: Iterable[_Thing], name: str | None) -> _Thing | None:
    """The one with this name."""
    return next((thing for thing in things if thing.name == name), None)


def _refuse_doubles(where: str, things: Iterable[Any]) -> None:
    doubled = [name for name, count in Counter(thing.name for thing in things).items() if count > 1]
    if doubled:
        raise ValueError(f"{where}: {doubled[0]} stands there twice; give each a name of its own")
