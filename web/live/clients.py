"""One listener of the live stream: what it looks at, and what it has yet to be told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence

from web.live.reader import Change


class Client:
    """A browser's connection. What it has not been told yet is a set of topics, so it stays small by itself."""

    def __init__(
        self, topics: frozenset[str], person_id: int, teams: frozenset[int], supervises: bool
    ) -> None:
        self.topics = topics
        self.person_id = person_id
        self.teams = teams
        self.supervises = supervises
        self.ended = False
        self._untold: set[str] = set()
        self._something = asyncio.Event()
        self._over = asyncio.Event()
        #: set once the reader has looked at what this client listens to: from then on it is told of every change
        self.heard = asyncio.Event()

    def tell(self, topics: Iterable[str]) -> None:
        """Remember topics to be told."""
        self._untold.update(topics)
        if self._untold:
            self._something.set()

    def end(self) -> None:
        """Let the stream end."""
        self.ended = True
        self.heard.set()
        self._something.set()
        self._over.set()

    async def rest(self, seconds: float) -> None:
        """Let some time pass, less when the stream is to end; what happens meanwhile is told in one message."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)

    async def rest_until_heard(self, patience: float) -> None:
        """Wait for the reader's first look, at most so many seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.heard.wait(), patience)

    async def next(self, patience: float) -> frozenset[str]:
        """The topics to tell now; empty after `patience` seconds without any."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._something.wait(), patience)
        self._something.clear()
        topics = frozenset(self._untold)
        self._untold.clear()
        return topics


def topics_of(client: Client, changes: Sequence[Change]) -> set[str]:
    """Which of a client's topics these changes concern."""
    concerned: set[str] = set()
    for change in changes:
        if change.audience and change.audience.has(client.person_id, client.teams, client.supervises):
            concerned |= change.heard & client.topics
        for topic in change.topics:
            if topic == "tasks":
                if "tasks" in client.topics and (
                    client.supervises
                    or client.person_id in change.people
                    or not client.teams.isdisjoint(change.teams)
                ):
                    concerned.add(topic)
            elif topic in client.topics:
                concerned.add(topic)
    return concerned
