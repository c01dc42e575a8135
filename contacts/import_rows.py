"""Turn one line of a contact list into a contact: every value checked and brought to its one form, or refused.

Pure: what it needs to know (users, the time) is handed in. Called a million times, so what repeats is remembered.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from contacts.addresses import read_mail_address, read_phone
from contacts.csv_columns import spell
from contacts.names import read_country, read_kind, read_language, read_relation
from domain.conditions import parse_moment
from domain.consent import Purpose
from domain.contacts import ContactKind
from domain.errors import InvalidInput

T = TypeVar("T")
LONGEST_NAME: Final = 300
LONGEST_OWN: Final = 10_000
_REMEMBERED: Final = 20_000
_FRENCH_DATE: Final = re.compile(
    r"([0-3]?[0-9])/([01]?[0-9])/([12][0-9]{3})(?:[ T]+([0-2]?[0-9]):([0-5][0-9])(?::([0-5][0-9]))?)?"
)
_PURPOSES: Final = {
    **{purpose.value: purpose for purpose in Purpose},
    "newsletters": Purpose.NEWSLETTER,
    "infolettre": Purpose.NEWSLETTER,
    "lettredinformation": Purpose.NEWSLETTER,
    "measurement": Purpose.MEASURE,
    "mesure": Purpose.MEASURE,
    "personalisation": Purpose.PERSONALISE,
    "personalization": Purpose.PERSONALISE,
    "personnalisation": Purpose.PERSONALISE,
    "profiling": Purpose.PROFILE,
    "profilage": Purpose.PROFILE,
    "call": Purpose.CALLS,
    "appel": Purpose.CALLS,
    "appels": Purpose.CALLS,
}
_CONTACT: Final = ("email", "phone", "name", "given_name", "family_name", "organisation", "kind", "relation", "country", "language", "owner")  # fmt: skip
_PROOF: Final = ("consent_purpose", "consent_wording", "consent_date", "consent_source")
#: columns of the table `contacts` that a line fills, in the order of the staging table
FILLED: Final = ("kind", "name", "given_name", "family_name", "organisation", "relation", "country", "language", "owner_id")  # fmt: skip


@dataclass(slots=True)
class NewConsent:
    """A consent that a line claims, with what proves it."""

    purpose: str
    wording: str
    source: str
    occurred_at: datetime


@dataclass(slots=True)
class NewContact:
    """What a line says. None is what it does not say; `kind` too, unless the file has a column for it."""

    line: int
    mail: str | None
    mail_given: str | None
    phone: str | None
    phone_given: str | None
    values: list[Any]  #: in the order of FILLED
    own: dict[str, str] | None
    consents: list[NewConsent]
    more_phones: list[str] = field(default_factory=list)


class RowReader:
    """Reads lines of one file. `users` gives the ids of users by mail address; `country` is where phone numbers are
    written that carry neither a code nor a country beside them. Consents dated after `now` are refused."""

    def __init__(
        self,
        columns: list[str | None],
        *,
        users: Mapping[str, int],
        now: datetime,
        country: str | None = None,
    ) -> None:
        self._count = len(columns)
        places = {name: place for place, name in enumerate(columns) if name is not None}
        #: where each value stands in a line; -1 is an empty cell behind the last one
        self._contact = tuple(places.get(name, -1) for name in _CONTACT)
        self._proof = tuple(places.get(name, -1) for name in _PROOF)
        self._own = [(name.removeprefix("fields."), place) for name, place in places.items() if "." in name]
        self._users, self._now, self._home = users, now, country
        self._country = _remember(
            _must_be(read_country, "country", "no country is called", "Write a code such as FR.")
        )
        self._language = _remember(
            _must_be(read_language, "language", "no language is called", "Write a code such as fr.")
        )
        self._relation = _remember(
            _must_be(
                read_relation, "relation", "no relation is called", "Write prospect, customer, supplier, ..."
            )
        )
        self._kind = _remember(
            _must_be(read_kind, "kind", "no kind is called", "Write person or organisation.")
        )
        self._owner = _remember(self._find_owner)
        self._consents: dict[tuple[str, str, str, str], list[NewConsent]] = {}

    def read(self, line: int, fields: list[str]) -> NewContact:
        """The contact of a line. Raises InvalidInput naming the column."""
        if len(fields) != self._count:
            fields = self._fit(fields)
        cells = [field.strip() for field in fields]
        cells.append("")
        (
            mail_given, phone_given, name_given, given, family, body, kind_given, relation, country_given, language, owner
        ) = [cells[place] for place in self._contact]  # fmt: skip
        country = self._country(country_given) if country_given else None
        mail = read_mail_address(mail_given) if mail_given else None
        phone = read_phone(phone_given, country or self._home) if phone_given else None
        if mail is None and phone is None:
            raise InvalidInput(
                "email", "neither a mail address nor a phone number.", "A contact needs one of them."
            )
        name = _read_name(name_given) if name_given else None
        given_name = _read_name(given) if given else None
        family_name = _read_name(family) if family else None
        organisation = _read_name(body) if body else None
        kind = self._kind(kind_given) if kind_given else None
        if name is None:
            if given_name or family_name:
                name = f"{given_name or ''} {family_name or ''}".strip()
            elif organisation:
                name, kind = organisation, kind or ContactKind.ORGANISATION.value
        return NewContact(
            line=line,
            mail=mail,
            mail_given=mail_given or None,
            phone=phone,
            phone_given=phone_given or None,
            values=[
                kind,
                name,
                given_name,
                family_name,
                organisation,
                self._relation(relation) if relation else None,
                country,
                self._language(language) if language else None,
                self._owner(owner) if owner else None,
            ],
            own=self._read_own(cells) if self._own else None,
            consents=self._read_consents(cells) if cells[self._proof[0]] else [],
        )

    def _fit(self, fields: list[str]) -> list[str]:
        if any(field.strip() for field in fields[self._count :]):
            raise InvalidInput(
                "line",
                f"{len(fields)} values for {self._count} columns.",
                "Put values with delimiters into quotes.",
            )
        return fields[: self._count] + [""] * (self._count - len(fields))

    def _find_owner(self, text: str) -> int:
        owner = self._users.get(text.lower())
        if owner is None:
            raise InvalidInput(
                "owner", f"no user has the address {text[:100]}.", "Write a user's mail address."
            )
        return owner

    def _read_own(self, cells: list[str]) -> dict[str, str] | None:
        own = {name: _read_own_value(name, cells[place]) for name, place in self._own if cells[place]}
        return own or None

    def _read_consents(self, cells: list[str]) -> list[NewConsent]:
        purposes, wording, date, source = self._proof
        key = (cells[purposes], cells[wording], cells[date], cells[source])
        known = self._consents.get(key)
        if known is None:
            known = _read_claim(*key, self._now)
            if len(self._consents) < _REMEMBERED:
                self._consents[key] = known
        return list(known)


def _read_claim(purposes: str, wording: str, date: str, source: str, now: datetime) -> list[NewConsent]:
    words = [word.strip() for word in re.split(r"[;|]", purposes) if word.strip()]
    found = {word: _PURPOSES.get(spell(word)) for word in words}
    for word, purpose in found.items():
        if purpose is None:
            raise InvalidInput(
                "consent_purpose",
                f"there is no purpose {word[:60]}.",
                f"Write {', '.join(Purpose)}, separated by ;",
            )
    if not wording:
        raise InvalidInput(
            "consent_wording",
            "a consent is claimed without the words it was given to.",
            "Copy them from the form.",
        )
    if len(wording) > LONGEST_OWN:
        raise InvalidInput("consent_wording", f"longer than {LONGEST_OWN} characters.")
    if not date:
        raise InvalidInput("consent_date", "a consent is claimed without its date.", _DATE)
    moment = read_date(date)
    if moment > now:
        raise InvalidInput("consent_date", "it lies in the future.", _DATE)
    known = dict.fromkeys(purpose.value for purpose in found.values() if purpose is not None)
    return [NewConsent(purpose, wording, source[:LONGEST_NAME] or "import", moment) for purpose in known]


_DATE: Final = "Write it like 2026-03-01 or 01/03/2026."


def read_date(text: str) -> datetime:
    """A date or date and time of ISO 8601, or the French way with the day first; UTC unless it says otherwise.

    Raises InvalidInput.
    """
    moment = parse_moment(text)
    if moment is not None:
        return moment
    match = _FRENCH_DATE.fullmatch(text)
    if match is not None:
        day, month, year, hour, minute, second = (int(part or 0) for part in match.groups())
        try:
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:
            pass
    raise InvalidInput("consent_date", f"{text[:40]} is no date.", _DATE)


def _read_name(text: str) -> str | None:
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if not text.isprintable() or "  " in text:
        text = "".join(one if one.isprintable() else " " for one in text)
        text = " ".join(text.split())
    if len(text) > LONGEST_NAME:
        raise InvalidInput("name", f"longer than {LONGEST_NAME} characters.", "Is a quote missing?")
    return text or None


def _read_own_value(name: str, text: str) -> str:
    if len(text) > LONGEST_OWN:
        raise InvalidInput(f"fields.{name}", f"longer than {LONGEST_OWN} characters.")
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _must_be(read: Callable[[str], T | None], column: str, problem: str, remedy: str) -> Callable[[str], T]:
    def reader(text: str) -> T:
        found = read(text)
        if found is None:
            raise InvalidInput(column, f"{problem} {text[:60]}.", remedy)
        return found

    return reader


def _remember(read: Callable[[str], T]) -> Callable[[str], T]:
    known: dict[str, T] = {}

    def remembered(text: str) -> T:
        if text in known:
            return known[text]
        value = read(text)
        if len(known) < _REMEMBERED:
            known[text] = value
        return value

    return remembered


def to_json(own: dict[str, str] | None) -> str | None:
    """Fields of one's own as the staging table takes them."""
    return json.dumps(own, ensure_ascii=False) if own else None
