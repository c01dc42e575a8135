"""Mail addresses and phone numbers as people write them, brought to the one form they are recognised by.

The libraries that know everything take 30 to 40 µs per address; a million of them would take longer to check than to
store. So the plain majority takes a short way that must come to the same result (tests compare both), and only the
rest asks email-validator and phonenumbers.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import phonenumbers
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from channels.sms.numbers import is_kept_for_stories
from domain.errors import InvalidInput

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_RESERVED: Final = "|".join({name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES})
#: plain ASCII, no quotes, a top-level domain of letters and not a reserved one, no hyphens where IDNA puts them
_PLAIN_MAIL: Final = re.compile(
    rf"(?=.{{3,254}}\Z)(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:(?!..--){_LABEL}\.)+(?!(?i:{_RESERVED})\Z)[A-Za-z]{{2,63}}"
)
_SEPARATORS: Final = str.maketrans("", "", " .-/()\u00a0\u202f")
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_NATIONAL: Final = re.compile(r"0?[1-9][0-9]{5,12}")


def read_mail_address(text: str, field: str = "email") -> str:
    """The address in lower case, its domain in ASCII form, without quotes it does not need.

    Takes what RFC 5321 allows and the public mail system can reach; .example and .test too (RFC 2606). Spaces around
    it are the caller's to take away. Raises InvalidInput.
    """
    if _PLAIN_MAIL.fullmatch(text) is not None:
        return text.lower()
    return _ask_email_validator(text, field)


def _ask_email_validator(text: str, field: str) -> str:
    try:
        checked = validate_email(
            text,
            check_deliverability=False,
            test_environment=True,
            allow_quoted_local=True,
            allow_domain_literal=True,
            strict=True,
        )
    except EmailNotValidError as error:
        raise InvalidInput(field, "this is not a mail address.", "Write it like name@example.org.") from error
    return f"{checked.local_part}@{checked.ascii_domain}".lower()


def read_phone(text: str, country: str | None = None, field: str = "phone") -> str:
    """The number in the form of E.164, +33123456789. `country` (ISO code) is where it is written without a code.

    Raises InvalidInput for what is no number of that country's plan, nor one that its regulator keeps for stories.
    """
    digits = text.translate(_SEPARATORS)
    if _E164.fullmatch(digits) is not None:
        if _is_plainly_valid(digits):
            return digits
    elif country is not None and _NATIONAL.fullmatch(digits) is not None:
        plan = _plan_of_region(country)
        if plan is not None and (national := plan.shorten(digits)) is not None:
            return f"+{plan.code}{national}"
    return _ask_phonenumbers(text.replace("\u202f", " "), country, field)


def _ask_phonenumbers(text: str, country: str | None, field: str) -> str:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        if country is None and error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE:
            raise InvalidInput(
                field,
                "the country of this phone number is not known.",
                "Write it with the country's code, such as +33 1 99 00 00 01, or fill in the country.",
            ) from error
        raise InvalidInput(field, "this is not a phone number.", _REMEDY) from error
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if not phonenumbers.is_valid_number(number) and not is_kept_for_stories(e164):
        raise InvalidInput(field, "there is no such phone number.", _REMEDY)
    return e164


_REMEDY: Final = "Write it with the country's code, such as +33 1 99 00 00 01."


class _Plan:
    """The numbering plan of a country code's main region, as far as the short way needs it."""

    def __init__(self, metadata: phonenumbers.PhoneMetadata, code: int) -> None:
        general, prefix = metadata.general_desc, metadata.national_prefix_for_parsing
        assert general is not None
        types = (metadata.fixed_line, metadata.mobile)
        patterns = [kind.national_number_pattern for kind in types if kind and kind.national_number_pattern]
        self.code = code
        self._lengths = frozenset(general.possible_length)
        self._types = re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or r"(?!)")
        self._all = re.compile(general.national_number_pattern or r"(?!)")
        self._prefix = re.compile(prefix) if prefix else None
        self._abroad = re.compile(metadata.international_prefix) if metadata.international_prefix else None
        self._takes_zero = prefix == "0" and metadata.national_prefix_transform_rule is None

    def holds(self, national: str) -> bool:
        """Surely a valid number of this plan, and not one that reading would shorten."""
        return (
            len(national) in self._lengths
            and self._types.fullmatch(national) is not None
            and self._all.fullmatch(national) is not None
            and (self._prefix is None or self._prefix.match(national) is None)
        )

    def shorten(self, digits: str) -> str | None:
        """A number as it is dialled within the country, without its leading zero; None when it is not plainly so."""
        if self._abroad is not None and self._abroad.match(digits) is not None:
            return None
        if digits[0] != "0":
            return digits if self.holds(digits) else None
        national = digits[1:]
        plain = self._takes_zero and self._all.fullmatch(digits) is None and self.holds(national)
        return national if plain else None


@lru_cache(maxsize=300)
def _plan_of_region(region: str) -> _Plan | None:
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    if metadata is None or metadata.country_code is None or metadata.leading_digits is not None:
        return None
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(metadata.country_code, ())
    return _Plan(metadata, metadata.country_code) if regions[:1] == (region,) else None


@lru_cache(maxsize=1000)
def _plan_of_code(code: str) -> _Plan | None:
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code), ())
    return _plan_of_region(regions[0]) if regions and regions[0] != "001" else None


def _is_plainly_valid(e164: str) -> bool:
    for length in (2, 3, 1):
        code = e164[1 : 1 + length]
        if int(code) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            plan = _plan_of_code(code)
            return plan is not None and plan.holds(e164[1 + length :])
    return False
