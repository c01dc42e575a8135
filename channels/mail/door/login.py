"""AUTH for our own people: argon2 hashes, checked in a thread, few at a time, as slowly for strangers as for users."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

_TOGETHER: Final = 2  # checks at a time; each takes 64 MiB and a processor
_PASSWORD_LIMIT: Final = 1024


class Logins:
    """The people who may log in: names and argon2 hashes."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = users
        self._hasher = PasswordHasher()
        self._nobody = self._hasher.hash("nobody's password") if users else ""
        self._turn = asyncio.Semaphore(_TOGETHER)

    def __bool__(self) -> bool:
        return bool(self._users)

    async def check(self, name: bytes, password: bytes) -> str | None:
        """The name of the user whose password this is, else None."""
        user = name.decode("utf-8", "replace")
        if not self._users or len(password) > _PASSWORD_LIMIT:
            return None
        async with self._turn:
            right = await asyncio.to_thread(self._verify, self._users.get(user, self._nobody), password)
        return user if right and user in self._users else None

    def _verify(self, secret: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(secret, password)
        except (Argon2Error, InvalidHashError):
            return False
