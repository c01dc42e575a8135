"""Give verdicts to hits whose settle window has passed, and revise those of their neighbours.

Judging looks at all hits of a message, so a scanner's burst that began with one lonely click also changes the
verdict that this click got before. A verdict that changes after it was given is handed to the rules again, through
pending_events, in the statement that changes it. Concurrent twins skip each other's rows; as verdicts follow from the
hits alone, it does not matter who writes them. The windows are machine time, like recorded_at: a demo's clock does
not move them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from asyncpg import Record

from domain.events import EventType, Verdict
from storage.announce import Announcer
from storage.event_store import LANES
from storage.pool import Connection, Pool
from tracking import counters
from tracking.settings import TrackingSettings
from tracking.verdicts import INVISIBLE_LABEL, NOTED_AT_ARRIVAL, Mail, SeenHit, judge_message

_DUE: Final = """
SELECT event_id, message_id FROM hits WHERE judged_at IS NULL AND settle_at <= now()
ORDER BY settle_at LIMIT $1 FOR UPDATE SKIP LOCKED
"""
_NEIGHBOURS: Final = """
SELECT h.* FROM unnest($1::bigint[]) AS wanted(id) CROSS JOIN LATERAL (
    SELECT event_id, recorded_at, message_id, contact_id, type, arrived_at, link_no, host(address) AS address, agent,
           verdict, reasons, judged_at
    FROM hits WHERE hits.message_id = wanted.id ORDER BY judged_at NULLS FIRST, arrived_at LIMIT $2
) AS h
"""
_MAILS: Final = """
SELECT m.id, CASE WHEN d.state = 'sent' THEN d.settled_at END AS delivered_at,
       CASE WHEN d.state = 'uncertain' THEN d.settled_at END AS delivered_by,
       coalesce(d.state = 'sending' AND d.lease_until > now(), false) AS under_way,
       coalesce(l.links, 0) AS links, coalesce(l.invisible, '{}') AS invisible
FROM unnest($1::bigint[]) AS wanted(id) JOIN messages m USING (id)
LEFT JOIN deliveries d ON d.message_id = m.id
LEFT JOIN (
    SELECT campaign_id, count(*) AS links, array_agg(no) FILTER (WHERE label = $2) AS invisible
    FROM campaign_links
    WHERE campaign_id IN (SELECT campaign_id FROM messages WHERE id = ANY($1)) GROUP BY campaign_id
) AS l ON l.campaign_id = m.campaign_id
"""
#: A gateway looks at a mail before it answers for it: such hits wait until the delivery has its result.
_WAIT: Final = """
UPDATE hits SET settle_at = now() + make_interval(secs => $3)
FROM unnest($1::bigint[], $2::timestamptz[]) AS i(event_id, recorded_at)
WHERE hits.event_id = i.event_id AND hits.recorded_at = i.recorded_at
"""
_CHANGE: Final = """
WITH free AS (
    SELECT h.event_id, h.recorded_at, i.verdict, i.reasons,
           CASE WHEN h.judged_at IS NOT NULL THEN h.verdict END AS before
    FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[]) AS i(event_id, recorded_at, verdict, reasons)
    JOIN hits h ON h.event_id = i.event_id AND h.recorded_at = i.recorded_at
    FOR UPDATE OF h SKIP LOCKED
), judged AS (
    UPDATE hits SET verdict = free.verdict, reasons = string_to_array(free.reasons, ','), judged_at = now()
    FROM free WHERE hits.event_id = free.event_id AND hits.recorded_at = free.recorded_at
    RETURNING hits.event_id, hits.recorded_at, hits.contact_id, hits.type, hits.verdict, free.before
)
INSERT INTO pending_events (lane, event_id, recorded_at)
SELECT contact_id % 32, event_id, recorded_at FROM judged JOIN router_interests USING (type) WHERE before <> verdict
ON CONFLICT DO NOTHING
"""
# A router that is at work in the lane may have read the old verdict and not yet taken the event away: wait for it.
_HOLD_LANES: Final = "SELECT FROM router_lanes WHERE lane = ANY ($1::smallint[]) ORDER BY lane FOR UPDATE"


async def judge_due(pool: Pool, settings: TrackingSettings, announcer: Announcer | None = None) -> int:
    """Judge one batch of settled hits; gives how many were due. Call again while it gives judge_batch."""
    async with pool.acquire() as connection, connection.transaction():
        due = await connection.fetch(_DUE, settings.judge_batch)
        if due:
            await _judge(connection, {row["event_id"]: row["message_id"] for row in due}, settings)
    if due and announcer is not None:
        announcer.touch()
    return len(due)


async def _judge(connection: Connection, due: Mapping[int, int], settings: TrackingSettings) -> None:
    messages = sorted(set(due.values()))
    neighbours = await connection.fetch(_NEIGHBOURS, messages, settings.judge_batch)
    found = await connection.fetch(_MAILS, messages, INVISIBLE_LABEL)
    under_way = {row["id"] for row in found if row["under_way"]}
    mails = {
        row["id"]: Mail(row["delivered_at"], row["links"], frozenset(row["invisible"]), row["delivered_by"])
        for row in found
    }
    if under_way:
        early = [row for row in neighbours if row["message_id"] in under_way and row["event_id"] in due]
        await connection.execute(
            _WAIT,
            [row["event_id"] for row in early],
            [row["recorded_at"] for row in early],
            settings.settle_seconds,
        )
        neighbours = [row for row in neighbours if row["message_id"] not in under_way]
    by_message: dict[int, list[Record]] = {}
    for row in neighbours:
        by_message.setdefault(row["message_id"], []).append(row)

    changes: list[tuple[int, object, str, str]] = []
    tally: Counter[Verdict] = Counter()
    lanes: set[int] = set()
    for message_id, rows in by_message.items():
        judged = judge_message(map(_read_hit, rows), mails.get(message_id, Mail(None)), settings)
        for row in rows:
            verdict, reasons = judged[row["event_id"]]
            is_due = row["event_id"] in due
            revised = row["judged_at"] is not None and (verdict, list(reasons)) != (
                row["verdict"],
                row["reasons"],
            )
            if is_due or revised:
                changes.append((row["event_id"], row["recorded_at"], verdict.value, ",".join(reasons)))
                tally[verdict] += 1
            if revised and verdict != row["verdict"]:
                lanes.add(row["contact_id"] % LANES)
    if not changes:
        return
    if lanes:
        await connection.execute(_HOLD_LANES, list(lanes))
    await connection.execute(_CHANGE, *(list(column) for column in zip(*changes, strict=True)))
    for verdict, count in tally.items():
        counters.JUDGED.labels(verdict.value).inc(count)


def _read_hit(row: Record) -> SeenHit:
    return SeenHit(
        event_id=row["event_id"],
        type=EventType(row["type"]),
        arrived_at=row["arrived_at"],
        link_no=row["link_no"],
        address=row["address"],
        agent=row["agent"],
        noted=frozenset(reason for reason in NOTED_AT_ARRIVAL if reason in row["reasons"]),
    )
