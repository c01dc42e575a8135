"""What the tests of the life cycle look at: a value from a database, the processes of the servers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg


def query(url: str, statement: str) -> str:
    """Run a statement through asyncpg in a fresh loop and return its only value as text."""

    async def run() -> str:
        connection = await asyncpg.connect(url)
        try:
            if ";" in statement:
                return str(await connection.execute(statement))
            return str(await connection.fetchval(statement))
        finally:
            await connection.close()

    return asyncio.run(run())


def server_pids(var: Path) -> list[int]:
    """Return the processes that the data directory's pid files name."""
    services = var / "services"
    files = (services / "postgres" / "postmaster.pid", services / "valkey.pid")
    return [int(file.read_text().split()[0]) for file in files if file.exists()]
