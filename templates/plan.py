"""Compiles a template into a plan, and fills the plan for one recipient after the other, a few µs each.

A plan holds the finished bytes of everything that is the same for all recipients; filling it encodes the few
personal values and joins. What comes out parses back to what jinja2 and the standard library's EmailMessage give
(tests/templates/test_plan_against_email.py), and is the payload of SMTP's DATA: CRLF line ends, no line that
starts with a dot except the last, 7-bit unless the address itself is not ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from domain.errors import InvalidInput
from templates.context import Composed as Composed
from templates.context import FieldUse, Refusal
from templates.context import Recipient as Recipient
from templates.encoding import SOFT, header_text, mailbox
from templates.environment import Endless, MissingField
from templates.filling import Filling, Surroundings
from templates.frame import Frame
from templates.links import Numbering
from templates.measured import Link
from templates.pieces import Computed, Field, Piece
from templates.program import Drafter, Fill, Reserved, Slot, Step, field_of, field_text, pair, steps, text_of

_TOKEN: Final = r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,66}"
_MESSAGE_ID: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.\[\]:-]+")
_WORDS: Final = re.compile(f"{_MESSAGE_ID.pattern} {_TOKEN} {_TOKEN} {_TOKEN}")


@dataclass(frozen=True, slots=True)
class _Variant:
    """A plan for one of the four cases of measuring: `pick` puts values and `statics` into their order."""

    pick: Callable[[list[bytes]], tuple[bytes, ...]]
    statics: list[bytes]
    fills: list[Fill]
    html: int  #: the first of `fills` that belongs to the HTML


@lru_cache(maxsize=16)
def _date(now: datetime) -> bytes:
    return format_datetime(now).encode()


class Plan:
    """A template, compiled for one campaign. Made by `compile_plan`; may be shared by threads.

    `links`: the measured links by number. `assets`: the files offered for download. `uses`: the fields spoken of.
    `required_fields`: fields that every recipient must have (`contact.given_name`, `contact.fields.size`), because
    they are printed outside any condition and without a default. `warnings`: sentences for the marketer.
    """

    def __init__(
        self,
        frame: Frame,
        surroundings: Surroundings,
        parts: Mapping[str, list[Piece]],
        numbering: Numbering,
        assets: tuple[str, ...],
        uses: tuple[FieldUse, ...],
    ) -> None:
        self.links: tuple[Link, ...] = tuple(numbering.links)
        self.warnings: tuple[str, ...] = tuple(numbering.warnings)
        self.uses = uses
        self.assets = assets
        self.required_fields = frozenset(
            name for part in parts.values() for piece in part for name in _required(piece)
        )
        self._frame = frame
        self._surroundings = surroundings
        self._parts = parts
        self._variants: dict[tuple[bool, bool], _Variant] = {}
        drafts = Drafter(surroundings, "subject", links=False, pixel=False).draft(parts["subject"])
        known = [draft for draft in drafts if isinstance(draft, str)]
        self._subject = text_of(drafts)
        self._fixed_subject = header_text("".join(known)) if len(known) == len(drafts) else None
        fields = [piece for part in ("html", "text") for piece in parts[part] if isinstance(piece, Field)]
        self._fields = list(dict.fromkeys(fields))
        self._reads = [(one.path[-1], len(one.path) > 1, one) for one in self._fields]

    def compose(self, recipient: Recipient, now: datetime) -> Composed:
        """Fill the plan for one recipient; `now` (aware) becomes the Date header.

        Raises MissingField or InvalidInput for what `refusals` would have told: ask it before a launch.
        """
        pixel, link, unsubscribe = recipient.pixel_token, recipient.link_token, recipient.unsubscribe_token
        variant = self._variants.get((pixel is not None, link is not None)) or self._variant(
            pixel is not None, link is not None
        )
        contact, address, message_id = recipient.contact, recipient.address, recipient.message_id
        words = f"{message_id} {unsubscribe} {link or '-'} {pixel or '-'}"
        if _WORDS.fullmatch(words) is None:
            raise _wrong(recipient)
        filling = Filling(self._surroundings, contact, pixel, link, unsubscribe)
        token = unsubscribe.encode()
        try:
            values = [
                mailbox(contact.get("name") or "", address),
                self._fixed_subject or header_text(self._subject(filling)),
                _date(now),
                message_id.encode(),
                token,
                token + SOFT,
                b"" if link is None else link.encode() + SOFT,
                b"" if pixel is None else pixel.encode() + SOFT,
            ]
            for key, custom, field in self._reads:
                value = (contact.get("fields") or {}).get(key) if custom else contact.get(key)
                if value.__class__ is str and value.isalnum() and value.isascii() and len(value) < 67:
                    encoded = value.encode() + SOFT
                    values.append(encoded)
                    values.append(encoded)
                else:
                    values.extend(pair(field_text(field, value)))
            for fill in variant.fills:
                values.append(fill(filling))
        except ValueError as error:
            raise InvalidInput("address", f"{error}.", "Correct the contact's address.") from error
        return Composed(b"".join(variant.pick(values + variant.statics)), not address.isascii())

    def text_writer(self) -> Callable[[Mapping[str, Any], str], str]:
        """What gives the text part alone, as it is read, for a contact and an unsubscribe token; nothing is measured
        in it. It raises what `compose` raises."""
        drafts = Drafter(self._surroundings, "text", links=False, pixel=False).draft(self._parts["text"])
        write = text_of(drafts)
        return lambda contact, token: str(write(Filling(self._surroundings, contact, None, None, token)))

    def refusals(self, contact: Mapping[str, Any]) -> tuple[Refusal, ...]:
        """Tell why this contact cannot be written to; nothing when a mail can be filled.

        The launch asks this for every recipient and counts by `field`. About 2 µs when there are only fields.
        """
        found: dict[str, Refusal] = {}
        filling = Filling(self._surroundings, contact, "p", "l", "u")
        for field in self._fields:
            try:
                field_text(field, field_of(filling, field))
            except MissingField as error:
                found.setdefault(error.name, Refusal(error.name, str(error)))
        variant = self._variants.get((True, True)) or self._variant(True, True)
        first = variant.html  # what a marketer writes before the text that is derived from it
        for give in (self._subject, *variant.fills[first:], *variant.fills[:first]):
            try:
                give(filling)
            except MissingField as error:
                found.setdefault(error.name, Refusal(error.name, str(error)))
            except InvalidInput as error:
                if isinstance(error.__cause__, Endless):
                    raise
                found.setdefault(error.field, Refusal(error.field, error.problem))
        return tuple(found.values())

    def _variant(self, pixel: bool, links: bool) -> _Variant:
        text = self._steps("text", pixel, links)
        sequence = _joined(self._frame(text, self._steps("html", pixel, links)))
        fields = {one: 8 + 2 * index for index, one in enumerate(self._fields)}
        fills = _fills(sequence)
        first_fill = 8 + 2 * len(fields)
        statics: list[bytes] = []
        order: list[int] = []
        filled = 0
        for step in sequence:
            match step:
                case bytes():
                    order.append(first_fill + len(fills) + len(statics))
                    statics.append(step)
                case Reserved():
                    order.append(int(step))
                case Slot(field, html):
                    order.append(fields[field] + (0 if html else 1))
                case _:
                    order.append(first_fill + filled)
                    filled += 1
        variant = _Variant(itemgetter(*order), statics, fills, len(_fills(text)))
        self._variants[pixel, links] = variant
        return variant

    def _steps(self, part: str, pixel: bool, links: bool) -> list[Step]:
        drafter = Drafter(self._surroundings, part, links=links, pixel=pixel)
        return steps(drafter.draft(self._parts[part]), html=drafter.html)


def _wrong(recipient: Recipient) -> InvalidInput:
    if _MESSAGE_ID.fullmatch(recipient.message_id) is None:
        return InvalidInput("message_id", f"{recipient.message_id!r} is no message id.", "Write id@domain.")
    return InvalidInput("token", "a token cannot stand in a URL.", "Use at most 67 of A-Z a-z 0-9 - . _ ~.")


def _fills(sequence: list[Step]) -> list[Fill]:
    return [step for step in sequence if not isinstance(step, (bytes, Reserved, Slot))]


def _joined(sequence: list[Step]) -> list[Step]:
    joined: list[Step] = []
    for step in sequence:
        if isinstance(step, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += step
        else:
            joined.append(step)
    return joined


def _required(piece: Piece) -> frozenset[str]:
    match piece:
        case Field(default=None):
            return frozenset({piece.name})
        case Computed(_, needs):
            return needs
    return frozenset()
