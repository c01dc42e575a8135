"""Countries and time zones as people write them."""

from __future__ import annotations

from zoneinfo import available_timezones

import holidays

from domain.errors import InvalidInput
from web.i18n import N_


def read_country(text: str, field: str = "country") -> str:
    """A country's two letters (ISO 3166-1) whose holidays are known. Raises InvalidInput."""
    code = text.strip().upper()
    if code not in holidays.list_supported_countries():
        raise InvalidInput(
            field, N_("This country is not known."), N_("Write its two letters, such as FR or DE.")
        )
    return code


def read_zone(text: str, field: str = "timezone") -> str:
    """A time zone's IANA name. Raises InvalidInput."""
    if text.strip() not in available_timezones():
        raise InvalidInput(field, N_("This time zone is not known."), N_("Write it like Europe/Paris."))
    return text.strip()
