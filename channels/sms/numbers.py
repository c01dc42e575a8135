"""What a phone number is: its one written form (E.164), its kind, its country, the hours its owner may live by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType, timezone

from domain.errors import InvalidInput

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_SHORT: Final = re.compile(r"[0-9]{3,8}")
_ALPHANUMERIC: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +\-_&]{1,11}")
_REMEDY: Final = "Write it with the country's code, such as +33 1 99 00 00 01."


class NumberKind(StrEnum):
    """What answers at a number, as far as its country's plan tells."""

    MOBILE = "mobile"
    FIXED = "fixed"
    FIXED_OR_MOBILE = "fixed_or_mobile"  #: the plan does not tell them apart (North America)
    TOLL_FREE = "toll_free"
    PREMIUM = "premium"
    SHARED_COST = "shared_cost"
    INTERNET = "internet"
    PERSONAL = "personal"
    COMPANY = "company"
    PAGER = "pager"
    VOICEMAIL = "voicemail"
    SHORT_CODE = "short_code"
    UNKNOWN = "unknown"


_KINDS: Final = {
    PhoneNumberType.MOBILE: NumberKind.MOBILE,
    PhoneNumberType.FIXED_LINE: NumberKind.FIXED,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: NumberKind.FIXED_OR_MOBILE,
    PhoneNumberType.TOLL_FREE: NumberKind.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE: NumberKind.PREMIUM,
    PhoneNumberType.SHARED_COST: NumberKind.SHARED_COST,
    PhoneNumberType.VOIP: NumberKind.INTERNET,
    PhoneNumberType.PERSONAL_NUMBER: NumberKind.PERSONAL,
    PhoneNumberType.UAN: NumberKind.COMPANY,
    PhoneNumberType.PAGER: NumberKind.PAGER,
    PhoneNumberType.VOICEMAIL: NumberKind.VOICEMAIL,
}
_NO_TEXTS: Final = frozenset(
    {
        NumberKind.FIXED,
        NumberKind.PREMIUM,
        NumberKind.SHARED_COST,
        NumberKind.SHORT_CODE,
        NumberKind.VOICEMAIL,
    }
)


#: Mobile numbers that regulators keep for stories and tests, which no plan holds (ARCEP 2018-0881, Ofcom): beginning
#: → country, time zone. The test carrier's phones have such numbers.
_STORIES: Final = {"+3363998": ("FR", "Europe/Paris"), "+447700900": ("GB", "Europe/London")}


@dataclass(frozen=True, slots=True)
class Number:
    """A number that exists in its country's plan. `country` is an ISO code, empty for +800 and the like."""

    e164: str
    kind: NumberKind
    country: str
    #: IANA names; several where the number does not tell (most mobile numbers of large countries)
    timezones: tuple[str, ...]

    @property
    def takes_texts(self) -> bool:
        """Whether a short message to it makes sense. Providers know better: some landlines take them."""
        return self.kind not in _NO_TEXTS


def read_number(text: str, country: str | None = None, field: str = "phone") -> Number:
    """What a person wrote as a number. `country` (ISO code) is where it is written without the country's code.

    Raises InvalidInput for what cannot be a number, saying why: letters, too short, too long, a short code, a
    number of no plan.
    """
    written = text.strip()
    plain = re.sub(r"[\s./()\u2010-\u2015-]", "", written)
    if _SHORT.fullmatch(plain) and _is_short_code(plain, country):
        raise InvalidInput(
            field,
            "this is a short code, which reaches nobody from elsewhere.",
            "Give the person's own number.",
        )
    try:
        parsed = phonenumbers.parse(written, country)
    except NumberParseException as error:
        raise InvalidInput(field, _why_unreadable(error, written, country), _REMEDY) from error
    problem = _why_impossible(parsed)
    if problem:
        raise InvalidInput(field, problem, _REMEDY)
    return _describe(parsed)


def read_e164(text: str, field: str = "phone") -> Number:
    """A number that is written in E.164 already, as providers send it. Raises InvalidInput for any other form."""
    if _E164.fullmatch(text) is None:
        raise InvalidInput(field, "this is no number in the form of E.164.", _REMEDY)
    return read_number(text, None, field)


def is_e164(text: str) -> bool:
    """Whether a text has the form of E.164; says nothing about its plan."""
    return _E164.fullmatch(text) is not None


def is_kept_for_stories(e164: str) -> bool:
    """Whether a number is one that nobody has: regulators keep some for films, books and tests."""
    if _story_of(e164) is None:
        return False
    return phonenumbers.is_possible_number(phonenumbers.parse(e164, None))


def is_sender(text: str) -> bool:
    """Whether a text has the form of a sender: a number, a short code, or a name of at most eleven characters."""
    return any(form.fullmatch(text) is not None for form in (_E164, _SHORT, _ALPHANUMERIC))


@lru_cache(maxsize=20_000)
def country_of(e164: str) -> str:
    """The country of a number as ISO code; empty when it has none or is not one."""
    if story := _story_of(e164):
        return story[0]
    try:
        region = phonenumbers.region_code_for_number(_read_plain(e164) or phonenumbers.parse(e164, None))
    except NumberParseException:
        return ""
    return region if region and region.isalpha() else ""


@lru_cache(maxsize=50_000)
def timezones_of(e164: str) -> tuple[str, ...]:
    """IANA names of where a number may be, as Number.timezones; empty for one that tells none, or is not one."""
    if story := _story_of(e164):
        return (story[1],)
    try:
        return _known_zones(_read_plain(e164) or phonenumbers.parse(e164, None))
    except NumberParseException:
        return ()


@lru_cache(maxsize=50_000)
def takes_texts(e164: str) -> bool:
    """Whether a short message to this number makes sense (Number.takes_texts); False for what is no number.

    Asked of every number of a campaign: says the same as `read_e164`, and looks at nothing but the kind.
    """
    parsed = _read_plain(e164)
    if parsed is None:
        try:
            return read_e164(e164).takes_texts
        except InvalidInput:
            return False
    kind = phonenumbers.number_type(parsed)  # unknown: no number of any plan
    return kind != PhoneNumberType.UNKNOWN and _KINDS.get(kind, NumberKind.UNKNOWN) not in _NO_TEXTS


def _read_plain(e164: str) -> phonenumbers.PhoneNumber | None:
    """What phonenumbers.parse makes of a plain E.164 number, four times as fast; None where that is more than to cut it:
    numbers kept for stories, those that begin with a zero or with what is dialled at home, and what is no number."""
    if _E164.fullmatch(e164) is None or _story_of(e164) is not None:
        return None
    for end in (2, 3, 4):
        code, rest = int(e164[1:end]), e164[end:]
        if (prefix := _home_prefix(code)) is not None:
            if not rest or rest.startswith("0") or prefix.match(rest):
                return None
            return phonenumbers.PhoneNumber(country_code=code, national_number=int(rest))
    return None


@lru_cache(maxsize=1_000)
def _home_prefix(code: int) -> re.Pattern[str] | None:
    """What people of a country dial before its numbers, and the parser takes off; None when no country has this code."""
    if code not in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
        return None
    region = phonenumbers.region_code_for_country_code(code)
    metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    found = metadata.national_prefix_for_parsing if metadata is not None else None
    return re.compile(found or r"(?!)")


def _describe(parsed: phonenumbers.PhoneNumber) -> Number:
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if story := _story_of(e164):
        return Number(e164, NumberKind.MOBILE, story[0], (story[1],))
    region = phonenumbers.region_code_for_number(parsed) or ""
    return Number(
        e164=e164,
        kind=_KINDS.get(phonenumbers.number_type(parsed), NumberKind.UNKNOWN),
        country=region if region.isalpha() else "",
        timezones=_known_zones(parsed),
    )


def _known_zones(parsed: phonenumbers.PhoneNumber) -> tuple[str, ...]:
    zones = timezone.time_zones_for_number(parsed)
    return tuple(zone for zone in zones if zone != timezone.UNKNOWN_TIMEZONE)


def _story_of(e164: str) -> tuple[str, str] | None:
    """Country and time zone of a number kept for stories; None for any other."""
    return next((place for start, place in _STORIES.items() if e164.startswith(start)), None)


def _is_short_code(digits: str, country: str | None) -> bool:
    if country is None:
        return len(digits) <= 6
    number = phonenumbers.PhoneNumber(
        country_code=phonenumbers.country_code_for_region(country), national_number=int(digits)
    )
    return phonenumbers.is_valid_short_number_for_region(number, country) or len(digits) <= 3


def _why_unreadable(error: NumberParseException, written: str, country: str | None) -> str:
    kinds = NumberParseException
    if error.error_type == kinds.INVALID_COUNTRY_CODE:
        if country is None and not written.startswith(("+", "\uff0b")):
            return "the country of this phone number is not known."
        return "there is no country with this code."
    if error.error_type in (kinds.TOO_SHORT_NSN, kinds.TOO_SHORT_AFTER_IDD):
        return "this is too short for a phone number."
    if error.error_type == kinds.TOO_LONG:
        return "this is too long for a phone number."
    return "this is not a phone number."


def _why_impossible(parsed: phonenumbers.PhoneNumber) -> str:
    reasons = phonenumbers.ValidationResult
    possible = phonenumbers.is_possible_number_with_reason(parsed)
    if possible == reasons.TOO_SHORT:
        return "this number has too few digits for its country."
    if possible == reasons.TOO_LONG:
        return "this number has too many digits for its country."
    if possible == reasons.INVALID_COUNTRY_CODE:
        return "there is no country with this code."
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if not phonenumbers.is_valid_number(parsed) and _story_of(e164) is None:
        return "there is no such number in the plan of its country."
    return ""
