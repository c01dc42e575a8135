"""An event as the router sees it, with the facts that rules may ask about, loaded for many events at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from domain.events import EventType
from domain.predicates import Facts
from storage.pool import Connection

_NO_FACTS: Final[tuple[Mapping[str, Any], ...]] = ()

#: what a query over `events e` and `hits h` gives for one event
EVENT_COLUMNS: Final = """
e.id, e.recorded_at, e.type, e.occurred_at, e.contact_id, e.message_id, e.campaign_id, e.conversation_id,
coalesce(e.case_id, (SELECT v.case_id FROM conversations v WHERE v.id = e.conversation_id),
         (SELECT t.case_id FROM tasks t WHERE t.id = e.task_id)) AS case_id,
e.task_id, e.actor_id, e.data, h.event_id AS hit, h.verdict, h.link_no, h.judged_at IS NOT NULL AS judged,
h.settle_at - clock_timestamp() AS settles_in
"""
_EVENTS: Final = f"""
SELECT {EVENT_COLUMNS}
FROM unnest($1::bigint[], $2::timestamptz[]) AS wanted (id, recorded_at)
JOIN events e ON e.id = wanted.id AND e.recorded_at = wanted.recorded_at
LEFT JOIN hits h ON h.event_id = e.id AND h.recorded_at = e.recorded_at
WHERE e.recorded_at BETWEEN $3 AND $4
"""
_CAMPAIGNS: Final = "SELECT id, name, channel, purpose, launched_at FROM campaigns WHERE id = ANY ($1::int[])"


@dataclass(slots=True)
class Sighting:
    """One event to route. `contact_id` is the contact's present id, whatever it was merged into.

    `judged` tells whether the hit's verdict stands (true for what is no hit), `settles_in` how long its settle window
    still lasts in real time. `arriving`: what it tells of is being stored in this very transaction, and nobody has seen it.
    """

    id: int
    recorded_at: datetime
    type: str
    occurred_at: datetime
    contact_id: int | None
    campaign_id: int | None
    conversation_id: int | None
    message_id: int | None
    depth: int
    judged: bool
    settles_in: timedelta
    event: Mapping[str, Any]
    campaign: Mapping[str, Any] | None = None
    case_id: int | None = None
    task_id: int | None = None
    contact: Mapping[str, Any] = field(default_factory=dict)
    message: Mapping[str, Any] | None = None
    consents: frozenset[str] = frozenset()
    history: Sequence[Mapping[str, Any]] = _NO_FACTS
    conversation: Mapping[str, Any] | None = None
    content: Mapping[str, Any] | None = None
    case: Mapping[str, Any] | None = None
    task: Mapping[str, Any] | None = None
    works: Callable[[str], bool] = lambda team: False
    arriving: bool = False

    @property
    def verdict(self) -> str | None:
        """Who was behind the hit; None for what is no hit."""
        verdict: str | None = self.event.get("verdict")
        return verdict

    @property
    def stands(self) -> bool:
        """Whether this is a hit whose verdict was given, so that it may be here because that verdict changed."""
        return self.judged and self.verdict is not None

    def facts(self, now: datetime) -> Facts:
        """What predicates look at."""
        return Facts(
            self.contact,
            self.event,
            self.message,
            self.campaign,
            self.consents,
            self.history,
            now,
            self.conversation,
            self.content,
            self.case,
            self.task,
            self.works,
        )


def read_sighting(row: Any) -> Sighting:
    """A sighting from a row of EVENT_COLUMNS."""
    event = _read_event(row)
    depth = event.get("depth")
    return Sighting(
        id=row["id"],
        recorded_at=row["recorded_at"],
        type=row["type"],
        occurred_at=row["occurred_at"],
        contact_id=row["contact_id"],
        campaign_id=row["campaign_id"],
        conversation_id=row["conversation_id"],
        message_id=row["message_id"],
        case_id=row["case_id"],
        task_id=row["task_id"],
        depth=depth if isinstance(depth, int) else 0,
        judged=row["hit"] is None or row["judged"],
        settles_in=row["settles_in"] or timedelta(),
        event=event,
    )


def _read_event(row: Any) -> dict[str, Any]:
    event: dict[str, Any] = dict(row["data"]) if row["data"] else {}
    for name in (
        "id",
        "type",
        "occurred_at",
        "message_id",
        "campaign_id",
        "conversation_id",
        "case_id",
        "task_id",
    ):
        event[name] = row[name]
    event["actor_id"] = row["actor_id"]
    if row["hit"] is not None:
        event["verdict"] = row["verdict"]
        event["link_no"] = row["link_no"]
    return event


async def load_sightings(
    connection: Connection, ids: Sequence[int], recorded: Sequence[datetime]
) -> dict[int, Sighting]:
    """The events with these ids and times of recording, by id; those that are gone are left out."""
    if not ids:
        return {}
    rows = await connection.fetch(_EVENTS, ids, recorded, min(recorded), max(recorded))
    return {row["id"]: read_sighting(row) for row in rows}


async def load_campaigns(connection: Connection, sightings: Iterable[Sighting]) -> None:
    """Give each sighting the facts of its campaign."""
    wanted = [sighting for sighting in sightings if sighting.campaign_id is not None]
    if not wanted:
        return
    ids = list({sighting.campaign_id for sighting in wanted})
    found = {row["id"]: dict(row) for row in await connection.fetch(_CAMPAIGNS, ids)}
    for sighting in wanted:
        sighting.campaign = found.get(sighting.campaign_id)


#: the type that a string names, for rules ask by type
TYPES: Final = {kind.value: kind for kind in EventType}
