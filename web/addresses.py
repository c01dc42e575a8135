"""Mail addresses as people type them into a form."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email

from domain.errors import InvalidInput
from web.i18n import N_


def read_address(text: str, field: str = "email") -> str:
    """The normalised address, in lower case. Raises InvalidInput when it is none."""
    try:
        checked = validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise InvalidInput(
            field, N_("This is not an e-mail address."), N_("Write it like name@example.org.")
        ) from error
    return checked.normalized.lower()
