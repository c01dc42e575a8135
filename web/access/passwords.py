"""Passwords: argon2id, hashed in a thread, two at a time, so that a storm of sign-ins leaves the loop free.

More than a short queue of them is turned away at once, so that the two threads are never behind by seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from domain.errors import InvalidInput, Unavailable
from web.i18n import N_

_Result = TypeVar("_Result")

SHORTEST: Final = 10

#: passwords that may wait for their turn or be looked at; each takes some 50 ms
LONGEST_QUEUE: Final = 32

_hasher: Final = PasswordHasher()
_threads: Final = ThreadPoolExecutor(2, thread_name_prefix="passwords")


@dataclass(slots=True)
class _Queue:
    """Those who wait for one of the threads."""

    waiting: int = 0

    async def run(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        """Raises Unavailable when the queue is full."""
        if self.waiting >= LONGEST_QUEUE:
            raise Unavailable(N_("Too many people are signing in just now. Try again in a few seconds."))
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(_threads, work, *arguments)
        finally:
            self.waiting -= 1


_queue: Final = _Queue()


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
    """The text to store for a new password. Raises Unavailable while too many wait."""
    return await _queue.run(_hasher.hash, password)


async def password_matches(stored: str | None, password: str) -> bool:
    """Compare; takes as long for a person who does not exist (`stored` is None). Raises Unavailable."""
    return await _queue.run(_verify, stored, password[:1000])


def _verify(stored: str | None, password: str) -> bool:
    try:
        _hasher.verify(stored or _nobodys_hash(), password)
    except (Argon2Error, InvalidHashError):
        return False
    return stored is not None
