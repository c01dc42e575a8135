"""The demo's recipients: what each does with a mail, decided by a pure function, done over real HTTP.

People open a while after delivery, some click, some download. Machines behave like machines: a gateway asks for
every link within a second, with HEAD and GET; an image proxy fetches the pixel at once.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

import aiohttp


class Habit(StrEnum):
    """How a recipient treats a newsletter."""

    IGNORES = "ignores"
    OPENS = "opens"
    CLICKS = "clicks"
    DOWNLOADS = "downloads"
    GATEWAY = "gateway"  #: a security gateway that follows every link before anybody has seen the mail
    PROXY = "proxy"  #: an image proxy that fetches the pixel at delivery


HUMAN: Final = frozenset({Habit.OPENS, Habit.CLICKS, Habit.DOWNLOADS})

_BROWSERS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
)
_GATEWAY_AGENT: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36"
_PROXY_AGENT: Final = (
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
)


@dataclass(frozen=True, slots=True)
class DeliveredMail:
    """What a recipient sees of a mail: its measuring addresses, and where one unsubscribes (List-Unsubscribe)."""

    recipient: str
    message_id: str
    unsubscribe: str
    pixel: str | None
    links: tuple[str, ...]
    downloads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: so many seconds after delivery."""

    after: float
    method: str
    url: str
    agent: str


@dataclass(slots=True)
class Answers:
    """What the requests came back with: visits by path's first letter (o, c, d) and status."""

    answered: Counter[str] = field(default_factory=Counter)
    unrecorded: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All answered hits."""
        return sum(self.answered.values())


def read_mail(raw: bytes, recipient: str, base_url: str) -> DeliveredMail:
    """Find the addresses in a mail as a mail program would: in its HTML part and its headers (RFC 2369)."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    part = message.get_body(("html",))
    html = part.get_content() if part is not None else ""
    urls = [url.replace("&amp;", "&") for url in re.findall(r'(?:href|src)="([^"]+)"', html)]
    ours = list(dict.fromkeys(url for url in urls if url.startswith(base_url)))
    places = [place.strip(" <>") for place in str(message["List-Unsubscribe"]).split(",")]
    return DeliveredMail(
        recipient,
        str(message["Message-ID"]),
        next(place for place in places if place.startswith("http")),
        next((url for url in ours if "/o/" in url), None),
        tuple(url for url in ours if "/c/" in url),
        tuple(url for url in ours if "/d/" in url),
    )


def plan_visits(mail: DeliveredMail, habit: Habit, chance: random.Random, *, patience: float) -> list[Visit]:
    """The requests of a recipient with this habit; people come within `patience` seconds, never at once."""
    if habit is Habit.IGNORES:
        return []
    if habit is Habit.PROXY:
        return [Visit(0.0, "GET", mail.pixel, _PROXY_AGENT)] if mail.pixel else []
    if habit is Habit.GATEWAY:
        targets = [*mail.links, *mail.downloads]
        return [
            Visit(0.02 * n, method, url, _GATEWAY_AGENT)
            for n, url in enumerate(targets)
            for method in ("HEAD", "GET")
        ]
    agent = chance.choice(_BROWSERS)
    moment = patience * (0.4 + 0.5 * chance.random())
    visits = [Visit(moment, "GET", mail.pixel, agent)] if mail.pixel else []
    if habit is Habit.CLICKS and mail.links:
        visits.append(Visit(moment + patience * 0.1, "GET", chance.choice(mail.links), agent))
    if habit is Habit.DOWNLOADS and mail.downloads:
        visits.append(Visit(moment + patience * 0.12, "GET", chance.choice(mail.downloads), agent))
    return visits


class Crowd:
    """Makes everybody's requests, each at its time; an async context that ends when the last one is answered.

    Redirects are not followed, so nothing leaves the machine.
    """

    def __init__(self) -> None:
        self.answers = Answers()
        self._tasks = asyncio.TaskGroup()
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=20), timeout=aiohttp.ClientTimeout(total=30)
        )

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *reason: Any) -> None:
        try:
            await self._tasks.__aexit__(*reason)
        finally:
            await self._client.close()

    def come(self, visits: Sequence[Visit]) -> None:
        """Let these visits happen, each so many seconds from now."""
        for visit in visits:
            self._tasks.create_task(self._visit(visit))

    async def _visit(self, visit: Visit) -> None:
        await asyncio.sleep(visit.after)
        try:
            async with self._client.request(
                visit.method, visit.url, headers={"User-Agent": visit.agent}, allow_redirects=False
            ) as answer:
                await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.answers.failed.append(f"{visit.method} {visit.url}: {error}")
            return
        self.answers.unrecorded += "Clytie-Unrecorded" in answer.headers
        self.answers.answered[visit.url.split("://", 1)[1].split("/")[1]] += 1
        if answer.status not in (200, 302):
            self.answers.failed.append(f"{visit.method} {visit.url}: {answer.status}")
