"""The action `route`: which queue a conversation belongs in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import BeforeValidator, Field

from router.then.base import Mention, Order, Written


class Route(Order):
    """Put the event's conversation into a queue, and take it from whoever had it. Events without one stay as they are."""

    queue: str = Field(min_length=1, max_length=200, description="the queue, by its exact name")

    def mentions(self) -> Iterator[Mention]:
        """The queue."""
        yield Mention("queue", self.queue, ("queue",))


class RouteAction(Written):
    """The action `route`; a plain name will do."""

    route: Annotated[
        Route, BeforeValidator(lambda value: {"queue": value} if isinstance(value, str) else value)
    ]
