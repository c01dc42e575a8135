"""Connections to PostgreSQL: the pool that every room shares, and the forms of its URL."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg

Pool = asyncpg.Pool
Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

#: What is raised when the database is away, or wants the transaction to be tried again.
DATABASE_AWAY: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,  # a deadlock, or a conflict between transactions
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # asyncpg's pool: a connection was lost while it was given back
)


async def prepare_connection(connection: asyncpg.Connection) -> None:
    """Make jsonb columns take and give Python values; jsonb[] parameters are sent as text[]."""
    await connection.set_type_codec(
        "jsonb", encoder=_encode, decoder=json.loads, schema="pg_catalog", format="text"
    )


def _encode(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


async def open_pool(database_url: str, *, min_size: int = 1, max_size: int = 10) -> Pool:
    """Open a pool. A connection that waits longer than 10 s for the server gives up."""
    return await asyncpg.create_pool(
        database_url,
        min_size=min_size,
        max_size=max_size,
        init=prepare_connection,
        timeout=10,
        command_timeout=60,
    )


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A connection inside a transaction: commits at the end, rolls back on an exception."""
    async with pool.acquire() as connection, connection.transaction():
        yield connection


def sqlalchemy_url(database_url: str) -> str:
    """The same address in the form that SQLAlchemy's asyncpg dialect reads; keeps a socket folder in `host`."""
    parts = urlsplit(database_url)
    host = parse_qs(parts.query).get("host", [None])[0]
    if host is None:
        return parts._replace(scheme="postgresql+asyncpg").geturl()
    user = f"{parts.username}@" if parts.username else "@"
    return f"postgresql+asyncpg://{user}{parts.path}?host={quote(host)}"
