"""The first minutes of a deployment: wait until it answers, and let the first administrator in."""

from __future__ import annotations

import asyncio

import aiohttp

from clytie.settings import Settings
from domain.errors import Unavailable
from storage.pool import open_pool
from web.access.first_link import make_first_link


async def first_administrator_link(database_url: str, public_url: str) -> str | None:
    """A link that makes its reader the first administrator, once; None when there is one."""
    pool = await open_pool(database_url, max_size=1)
    try:
        return await make_first_link(pool, public_url)
    finally:
        await pool.close()


async def wait_until_ready(settings: Settings, *, patience: float = 120.0) -> None:
    """Return when the web process answers that it is ready. Raises Unavailable after `patience` seconds."""
    host = settings.host if settings.host not in ("0.0.0.0", "::") else "127.0.0.1"
    url = f"http://{host}:{settings.port}/readyz"
    deadline = asyncio.get_running_loop().time() + patience
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as client:
        while asyncio.get_running_loop().time() < deadline:
            try:
                async with client.get(url) as answer:
                    if answer.status == 200:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.1)
    raise Unavailable(f"{url} did not answer within {patience:.0f} s; the messages above say why.")
