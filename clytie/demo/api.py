"""The demo's view from outside: the REST API, with one person's token at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp

from domain.errors import Unavailable

T = TypeVar("T")


@dataclass(slots=True)
class Api:
    """The API as one person uses it."""

    client: aiohttp.ClientSession
    base_url: str
    token: str

    async def get(self, path: str, **query: str | int) -> Any:
        """GET a JSON answer. Raises Unavailable with what the API said when it is not 2xx."""
        return await self._call("GET", path, params={name: str(value) for name, value in query.items()})

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """POST a JSON body."""
        return await self._call("POST", path, json=dict(body or {}))

    async def upload(self, path: str, name: str, content: bytes) -> Any:
        """POST a file as a form would."""
        form = aiohttp.FormData()
        form.add_field("file", content, filename=name, content_type="text/csv")
        return await self._call("POST", path, data=form)

    async def raw(self, path: str) -> bytes:
        """GET bytes."""
        async with self.client.get(self._url(path), headers=self._headers) as answer:
            content = await answer.read()
            self._refuse(answer, path, content)
            return content

    async def pages(self, path: str, **query: str | int) -> AsyncIterator[Any]:
        """Every entry of a list, page by page."""
        after: str | None = None
        while True:
            page = await self.get(path, limit=200, **query, **({"after": after} if after else {}))
            for item in page["items"]:
                yield item
            after = page.get("next")
            if after is None:
                return

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _url(self, path: str) -> str:
        return f"{self.base_url}/api/v1{path}"

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        async with self.client.request(method, self._url(path), headers=self._headers, **options) as answer:
            content = await answer.read()
            self._refuse(answer, path, content)
            return await answer.json() if content else None

    @staticmethod
    def _refuse(answer: aiohttp.ClientResponse, path: str, content: bytes) -> None:
        if not 200 <= answer.status < 300:
            raise Unavailable(
                f"{answer.method} {path}: {answer.status} {content.decode(errors='replace')[:500]}"
            )


@asynccontextmanager
async def open_client() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client for the local house."""
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(timeout=timeout) as client:
        yield client


async def until(look: Callable[[], Awaitable[T | None]], what: str, *, patience: float = 60.0) -> T:
    """Look again and again until there is something. Raises Unavailable when `patience` seconds have passed."""
    deadline = asyncio.get_running_loop().time() + patience
    while (found := await look()) is None:
        if asyncio.get_running_loop().time() > deadline:
            raise Unavailable(f"After {patience:.0f} s there is still no sign of this: {what}.")
        await asyncio.sleep(0.1)
    return found
