"""What actions are handed: the transaction they work in, the people who may get a task, and what they leave behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from domain.events import NewEvent
from router.decide import Decision
from router.staff import Staff
from storage.pool import Connection

#: what the run log says of an action that waits for whoever does it
UNDER_WAY: Final = "under way"


@dataclass(slots=True)
class Planned:
    """One action of one decision. `plan` is what the action's own `plan` gave."""

    decision: Decision
    number: int
    plan: Any


@dataclass(frozen=True, slots=True)
class Shown:
    """What an action would do, in words, and who would get it."""

    action: str
    words: str
    person_id: int | None = None
    team: str | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """An action of a decision that could not be done now: it is tried again later, the others go on."""

    decision: Decision
    number: int
    words: str


@dataclass(frozen=True, slots=True)
class Errand:
    """An action that is done after the commit of its rule; `payload` holds all that it takes."""

    decision: Decision
    number: int
    payload: Mapping[str, Any]


@dataclass(slots=True)
class Work:
    """An open transaction with the business time it happens at; `events` are recorded at its end.

    `texts` holds what people may read beside an event, by the event's place in `events`.
    """

    connection: Connection
    now: datetime
    staff: Staff
    events: list[NewEvent] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    acted: bool = False
    troubles: list[Trouble] = field(default_factory=list)
    errands: list[Errand] = field(default_factory=list)

    def fail(self, item: Planned, words: str) -> None:
        """Note that an action could not be done: the log says so, and it is tried again by itself."""
        words = words[:500].replace("\x00", "")
        item.decision.deeds[item.number] = {"state": "failed", "reason": words}
        self.troubles.append(Trouble(item.decision, item.number, words))

    def tell(self, event: NewEvent, text: str = "") -> None:
        """Append an event at the end of this work, with a text that can be erased apart from it."""
        if text:
            self.texts[len(self.events)] = text
        self.events.append(event)
