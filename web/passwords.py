"""Passwords: argon2id, hashed in a thread, two at a time, so that a storm of sign-ins leaves the loop free."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from domain.errors import InvalidInput
from web.i18n import N_

SHORTEST: Final = 10

_hasher: Final = PasswordHasher()
_threads: Final = ThreadPoolExecutor(2, thread_name_prefix="passwords")


@cache
def _nobodys_hash() -> str:
    return _hasher.hash("nobody has this password")


def check_password(password: str, field: str = "password") -> None:
    """Raises InvalidInput when a new password is too short or absurdly long."""
    if len(password) < SHORTEST:
        raise InvalidInput(
            field,
            N_("The password is too short."),
            N_("Choose at least 10 characters; a short sentence is good."),
        )
    if len(password) > 1000:
        raise InvalidInput(field, N_("The password is too long."), N_("Choose at most 1,000 characters."))


async def hash_password(password: str) -> str:
    """The text to store for a new password."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, password)


async def password_matches(stored: str | None, password: str) -> bool:
    """Compare; takes as long for a person who does not exist (`stored` is None)."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _verify, stored, password[:1000])


def _verify(stored: str | None, password: str) -> bool:
    try:
        _hasher.verify(stored or _nobodys_hash(), password)
    except (Argon2Error, InvalidHashError):
        return False
    return stored is not None
