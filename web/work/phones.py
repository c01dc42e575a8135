"""Whose phone rings, and which number of ours is shown: what people and teams set for calls."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from channels.sms.numbers import NumberKind, read_number
from domain.errors import InvalidInput
from storage.pool import Pool
from web.i18n import N_

_CLIENT: Final = re.compile(r"client:[A-Za-z0-9_.@-]{1,64}")
_OURS: Final = """
SELECT number, name FROM phone_lines
UNION ALL
SELECT a.address, q.name FROM queue_addresses a JOIN queues q ON q.id = a.queue_id
WHERE a.address LIKE '+%' AND NOT EXISTS (SELECT FROM phone_lines l WHERE l.number = a.address)
ORDER BY 1
"""
_SAVE_PHONE: Final = "UPDATE users SET phone = $2, takes_calls = $3 WHERE id = $1"
_PHONE_OF: Final = "SELECT phone, takes_calls FROM users WHERE id = $1"
_UNSUITABLE: Final = frozenset({NumberKind.PREMIUM, NumberKind.SHORT_CODE, NumberKind.VOICEMAIL})


def read_own_phone(text: str, field: str = "phone") -> str | None:
    """The phone of one of our people: E.164, or `client:name` for a phone in a browser; None for nothing.

    Raises InvalidInput for anything else.
    """
    text = text.strip()
    if not text:
        return None
    if text.startswith("client:"):
        if _CLIENT.fullmatch(text) is None:
            raise InvalidInput(
                field,
                N_("A phone in a browser is written client:name, in plain letters and digits."),
                N_("Write it like client:rosa, or give a phone number."),
            )
        return text
    return _suitable(text, field)


def read_caller_id(text: str, field: str = "caller_id") -> str | None:
    """The number that contacts see when a team calls; None for nothing. Raises InvalidInput."""
    return _suitable(text, field) if text.strip() else None


def _suitable(text: str, field: str) -> str:
    number = read_number(text, None, field)
    if number.kind in _UNSUITABLE:
        raise InvalidInput(
            field,
            N_("This is a premium or special number, which cannot be used for calls."),
            N_("Give an ordinary number."),
        )
    return number.e164


async def list_own_numbers(pool: Pool) -> Sequence[Any]:
    """The numbers of ours by number, with the name of their line or queue."""
    return list(await pool.fetch(_OURS))


async def read_phone_settings(pool: Pool, user_id: int) -> tuple[str | None, bool]:
    """A person's phone, and whether it rings for calls that come in."""
    row = await pool.fetchrow(_PHONE_OF, user_id)
    return (row["phone"], row["takes_calls"]) if row is not None else (None, False)


async def save_phone(pool: Pool, user_id: int, phone: str | None, takes_calls: bool) -> None:
    """Keep a person's phone."""
    await pool.execute(_SAVE_PHONE, user_id, phone, takes_calls)
