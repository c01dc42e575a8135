"""For whoever watches the process: /healthz (alive), /readyz (able to work), /metrics (Prometheus)."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from typing import Final

import asyncpg
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

import storage.migrations
from storage.pool import Pool
from web.context import CONTEXT

_REVISION: Final = "SELECT version_num FROM alembic_version"
_AWAY: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


@cache
def newest_revision() -> str:
    """The number of the newest migration that this version brings."""
    folder = Path(storage.migrations.__file__).parent / "versions"
    return max(path.name.partition("_")[0] for path in folder.glob("[0-9]*_*.py"))


async def find_trouble(pool: Pool) -> str | None:
    """What keeps this process from working, as a sentence; None when nothing does."""
    try:
        async with asyncio.timeout(3):
            revision = await pool.fetchval(_REVISION)
    except asyncpg.UndefinedTableError:
        return "The database has no schema yet; run `clytie migrate`."
    except _AWAY as error:
        return f"The database cannot be reached ({type(error).__name__})."
    if revision != newest_revision():
        return f"The schema is {revision}, this version needs {newest_revision()}; run `clytie migrate`."
    return None


async def show_health(request: web.Request) -> web.Response:
    """GET /healthz: the process answers."""
    return web.json_response({"status": "alive"})


async def show_readiness(request: web.Request) -> web.Response:
    """GET /readyz: 200 when the database is there with the schema of this version, else 503 and why."""
    trouble = await find_trouble(request.app[CONTEXT].pool)
    if trouble is None:
        return web.json_response({"status": "ready"})
    return web.json_response(
        {"status": "not ready", "problem": trouble}, status=503, headers={"Retry-After": "5"}
    )


async def show_metrics(request: web.Request) -> web.Response:
    """GET /metrics: counters of this process in the text format of Prometheus."""
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
