"""Where the tokens of mail providers are kept: in the database, encrypted with a key made from the token keys.

In the database, because every process of every machine that reads or sends mail needs them, and only one may refresh
at a time: a row lock is that. Encrypted, because a copy of the database alone must open nobody's mailbox.
"""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from hashlib import blake2b
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from channels.mail.oauth.tokens import Grant
from channels.mail.oauth.wire import ProviderAway
from domain.errors import ConfigurationError, Unavailable
from storage.pool import DATABASE_AWAY, Connection, Pool, transaction

_TOGETHER: Final = (
    2  # holds at a time: a provider may take half a minute, and mail needs connections meanwhile
)
_PURPOSE: Final = b"clytie oauth"
_PLACE: Final = "INSERT INTO oauth_grants (name) VALUES ($1) ON CONFLICT DO NOTHING"
_LOCK: Final = "SELECT secret FROM oauth_grants WHERE name = $1 FOR UPDATE"
_KEEP: Final = "UPDATE oauth_grants SET secret = $2, changed_at = now() WHERE name = $1"


class HeldRow:
    """A login's grant whose row is locked."""

    def __init__(self, connection: Connection, name: str, cipher: MultiFernet, secret: bytes | None) -> None:
        self._connection = connection
        self._name = name
        self._cipher = cipher
        self._secret = secret

    @property
    def grant(self) -> Grant | None:
        """What is stored; None for nothing. Raises ConfigurationError when the token keys are others."""
        if self._secret is None:
            return None
        try:
            return Grant(**json.loads(self._cipher.decrypt(self._secret)))
        except (InvalidToken, ValueError, TypeError) as error:
            raise ConfigurationError(
                "A login that was kept cannot be decrypted: the token keys are others. "
                "Set the former CLYTIE_TOKEN_KEYS too, or run `clytie mail login` again."
            ) from error

    async def keep(self, grant: Grant) -> None:
        """Write it; committed at the end of the hold."""
        secret = self._cipher.encrypt(json.dumps(asdict(grant)).encode())
        await self._connection.execute(_KEEP, self._name, secret)


class DatabaseGrants:
    """The grants of this deployment. `keys` are the root keys of its tokens, the newest first."""

    def __init__(self, pool: Pool, keys: Sequence[bytes]) -> None:
        self._pool = pool
        self._cipher = MultiFernet([Fernet(_derive(key)) for key in keys])
        self._turn = asyncio.Semaphore(_TOGETHER)

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[HeldRow]:
        """Lock the row of this name until the block ends. Raises Unavailable when the database is away."""
        try:
            async with self._turn:
                await self._pool.execute(_PLACE, name)
                async with transaction(self._pool) as connection:
                    secret = await connection.fetchval(_LOCK, name)
                    yield HeldRow(connection, name, self._cipher, secret)
        except ProviderAway:  # an OSError too, but of the block
            raise
        except DATABASE_AWAY as error:
            raise Unavailable("The logins cannot be read or stored now.") from error


def _derive(root: bytes) -> bytes:
    return urlsafe_b64encode(blake2b(root, digest_size=32, person=_PURPOSE).digest())
