"""Turns pieces into the shortest list of steps: bytes encoded once, and what has to be filled in between."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeVar

from markupsafe import Markup, escape

from templates.encoding import SOFT, body_bytes, value_bytes
from templates.environment import BROKEN, MissingField, broken, printed
from templates.filling import PIXEL_AFTER, PIXEL_BEFORE, Filling, Surroundings
from templates.measured import Link, Pixel
from templates.pieces import (
    Asset,
    Branch,
    Computed,
    Expression,
    Field,
    Fragment,
    Piece,
    Region,
    Unsubscribe,
)

#: What needs neither escaping in HTML nor encoding in quoted-printable, at the start of a line.
_SAFE: Final = re.compile(r"(?!From )[A-Za-z0-9(+_-][A-Za-z0-9 .,:;()+@_/!?-]*")


_Result = TypeVar("_Result")


class Reserved(IntEnum):
    """Values that the plan itself provides; the last three are tokens, encoded for a body."""

    TO = 0
    SUBJECT = 1
    DATE = 2
    MESSAGE_ID = 3
    UNSUBSCRIBE_HEADER = 4
    UNSUBSCRIBE = 5
    LINK = 6
    PIXEL = 7


@dataclass(frozen=True, slots=True)
class Slot:
    """A field in a body; in HTML it is escaped."""

    field: Field
    html: bool


#: Gives the text of one stretch for a recipient; Markup is not escaped again.
Give = Callable[[Filling], str]


@dataclass(frozen=True, slots=True)
class Fork:
    """One of two ways, chosen for each recipient."""

    test: Expression
    then: list[Draft]
    otherwise: list[Draft]


#: A step before encoding: known text, or something to fill in.
Draft = str | Reserved | Slot | Fork | Give
#: Gives the encoded bytes of one stretch for a recipient.
Fill = Callable[[Filling], bytes]
Step = bytes | Reserved | Slot | Fill


def field_text(field: Field, value: object) -> str:
    """Give what a field prints. Raises MissingField when there is neither value nor default."""
    if value is None or value == "" or (value.__class__ is str and not str(value).strip()):
        if field.default is None:
            raise MissingField(field.name)
        value = field.default
    return str(printed(value))


def field_of(filling: Filling, field: Field) -> object:
    """Read a field of the recipient, None where there is no value."""
    contact = filling.contact
    if len(field.path) == 1:
        return contact.get(field.path[0])
    return (contact.get("fields") or {}).get(field.path[1])


@dataclass(frozen=True, slots=True)
class Drafter:
    """Drafts the steps of one part for one variant: with or without measured links, with or without the pixel."""

    surroundings: Surroundings
    part: str
    links: bool
    pixel: bool

    @property
    def html(self) -> bool:
        """Whether values are escaped."""
        return self.part == "html"

    def _raw(self, text: str) -> str:
        return str(escape(text)) if self.html else text

    def draft(self, pieces: Sequence[Piece]) -> list[Draft]:
        """Give the steps, neighbouring texts joined."""
        steps: list[Draft] = []
        for step in self._steps(pieces):
            if isinstance(step, str) and steps and isinstance(steps[-1], str):
                steps[-1] += step
            elif step != "":
                steps.append(step)
        return steps

    def _steps(self, pieces: Sequence[Piece]) -> Iterator[Draft]:
        addresses = self.surroundings.addresses
        for piece in pieces:
            match piece:
                case str():
                    yield piece
                case Field():
                    yield Slot(piece, self.html)
                case Unsubscribe():
                    yield from self._around(addresses.unsubscribe("\x00"), Reserved.UNSUBSCRIBE)
                case Link(no=no, raw=raw):
                    yield from (
                        self._around(addresses.clicked("\x00", no), Reserved.LINK) if self.links else (raw,)
                    )
                case Asset(name):
                    if self.links:
                        yield from self._around(addresses.downloaded("\x00", name), Reserved.LINK)
                    else:
                        yield self._raw(addresses.downloaded(self.surroundings.asset_token, name))
                case Pixel():
                    if self.pixel:
                        yield PIXEL_BEFORE
                        yield from self._around(addresses.opened("\x00"), Reserved.PIXEL)
                        yield PIXEL_AFTER
                case Computed(value, _, line):
                    yield self._guarded(line, self._computed(value))
                case Region(fragment):
                    yield self._guarded(fragment.line, self._region(fragment))
                case Branch(test, line, then, otherwise):
                    yield Fork(self._guarded(line, _truth(test)), self.draft(then), self.draft(otherwise))

    def _guarded(self, line: int, run: Callable[[Filling], _Result]) -> Callable[[Filling], _Result]:
        def guarded(filling: Filling) -> _Result:
            try:
                return run(filling)
            except BROKEN as error:
                raise broken(self.part, line, error) from error

        return guarded

    def _region(self, fragment: Fragment) -> Give:
        return lambda filling: Markup(fragment.render(filling.context()))

    def _around(self, url: str, token: Reserved) -> Iterator[Draft]:
        before, after = self._raw(url).split("\x00")
        yield before
        yield token
        yield after

    def _computed(self, value: Callable[[Filling], object]) -> Give:
        def give(filling: Filling) -> str:
            result = printed(value(filling))
            return result if isinstance(result, Markup) else str(result)

        return give


def _truth(test: Expression) -> Callable[[Filling], bool]:
    return lambda filling: bool(test(filling))


def _token(token: Reserved) -> Give:
    match token:
        case Reserved.LINK:
            return lambda filling: filling.link or ""
        case Reserved.PIXEL:
            return lambda filling: filling.pixel or ""
    return lambda filling: filling.unsubscribe


def _encoded(step: Draft, *, html: bool) -> Fill:
    """Give the function that fills in one step below the top of a part, as body bytes."""
    match step:
        case str():
            known = body_bytes(step, more=True)
            return lambda _: known
        case Reserved():
            token = _token(step)
            return lambda filling: token(filling).encode() + SOFT
        case Slot(field):
            return lambda filling: pair(field_text(field, field_of(filling, field)))[0 if html else 1]
        case Fork(test, then, otherwise):
            ways = [_encoded(one, html=html) for one in then], [_encoded(one, html=html) for one in otherwise]
            return lambda filling: b"".join([fill(filling) for fill in ways[0 if test(filling) else 1]])
    give = step
    if html:
        return lambda filling: body_bytes(str(escape(give(filling))), more=True)
    return lambda filling: body_bytes(give(filling), more=True)


def steps(drafts: Sequence[Draft], *, html: bool) -> list[Step]:
    """Encode a part's drafts. Text and slots at the top stay visible to the plan; the rest become functions."""
    done: list[Step] = []
    for number, draft in enumerate(drafts):
        if isinstance(draft, str):
            done.append(body_bytes(draft, more=number < len(drafts) - 1))
        elif isinstance(draft, (Reserved, Slot)):
            done.append(draft)
        else:
            done.append(_encoded(draft, html=html))
    return done


def pair(text: str) -> tuple[bytes, bytes]:
    """Encode a value for the HTML and for the text part."""
    if len(text) < 67 and text.isascii() and (text.isalnum() or _SAFE.fullmatch(text)):
        value = text.encode() + SOFT
        return value, value
    escaped = escape(text)
    plain = value_bytes(text)
    return (plain if len(escaped) == len(text) else value_bytes(escaped)), plain


def text_of(drafts: Sequence[Draft]) -> Callable[[Filling], str]:
    """Give the function that writes a part as plain text; headers are made this way."""
    gives = [_text_of(draft) for draft in drafts]
    return lambda filling: "".join([give(filling) for give in gives])


def _text_of(draft: Draft) -> Give:
    match draft:
        case str():
            return lambda _: draft
        case Reserved():
            return _token(draft)
        case Slot(field):
            return lambda filling: field_text(field, field_of(filling, field))
        case Fork(test, then, otherwise):
            ways = text_of(then), text_of(otherwise)
            return lambda filling: ways[0 if test(filling) else 1](filling)
    return draft
