"""Moments that rules wait for: so long before or after a date of a contact or a case.

Nothing is polled per contact: every so often one statement per rule finds the dates that come near, and a timer is set
for each. When it is due, the date is looked at again, and an event Reached is recorded, once for each moment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.conditions import parse_moment
from domain.events import EventType, NewEvent
from router.loop import Router
from router.rulebook import RULES_VERSION, CompiledRule
from router.rules import Moment
from router.settings import RouterSettings
from router.sightings import Sighting
from storage.event_store import record
from storage.pool import Connection

KIND: Final = "moment"
#: a day has different ends around the earth, and a date may lack its time
_SLACK: Final = timedelta(days=2)
_LOCK: Final = "SELECT pg_try_advisory_xact_lock(7305)"
_PLANNED: Final = "SELECT rule, planned_until FROM rule_moments"
_KEEP: Final = """
INSERT INTO rule_moments (rule, planned_until) VALUES ($1, $2)
ON CONFLICT (rule) DO UPDATE SET planned_until = excluded.planned_until
"""
_FORGET: Final = "DELETE FROM rule_moments WHERE rule <> ALL ($1::text[])"
#: the text of a date in a field of one's own; only what begins like one
_DATED: Final = (
    "jsonb_typeof({fields} -> $1) = 'string' AND {fields} ->> $1 ~ '^[12][0-9]{{3}}-[0-9]{{2}}-[0-9]{{2}}'"
)
_DAY: Final = "CASE WHEN {dated} AND pg_input_is_valid(left({fields} ->> $1, 10), 'date') THEN left({fields} ->> $1, 10)::date END"
_NEAR: Final = "({day} BETWEEN $2::date AND $3::date)"
#: once a year: the same day of the years that the window touches
_NEAR_YEARLY: Final = """
({day} IS NOT NULL AND EXISTS (
    SELECT FROM generate_series(extract(year FROM $2::date)::int, extract(year FROM $3::date)::int) AS years (year)
    WHERE ({day} + make_interval(years => year - extract(year FROM {day})::int))::date BETWEEN $2::date AND $3::date))
"""
_CONTACTS: Final = """
SELECT id AS contact_id, NULL::bigint AS case_id, fields ->> $1 AS value, timezone FROM contacts WHERE {near}
"""
_CASES: Final = """
SELECT (SELECT contact_id FROM case_contacts p WHERE p.case_id = k.id ORDER BY contact_id LIMIT 1) AS contact_id,
       k.id AS case_id, k.fields ->> $1 AS value, NULL::text AS timezone
FROM cases k WHERE k.state = 'open' AND {near}
"""
_CREATED: Final = {
    "contact": """
SELECT id AS contact_id, NULL::bigint AS case_id, created_at AS value, timezone FROM contacts
WHERE created_at::date BETWEEN $2::date AND $3::date AND $1 <> ''
""",
    "case": """
SELECT (SELECT contact_id FROM case_contacts p WHERE p.case_id = k.id ORDER BY contact_id LIMIT 1) AS contact_id,
       k.id AS case_id, k.created_at AS value, NULL::text AS timezone
FROM cases k WHERE k.state = 'open' AND k.created_at::date BETWEEN $2::date AND $3::date AND $1 <> ''
""",
}
_SET: Final = """
INSERT INTO timers (kind, key, due_at, payload)
SELECT $1, key, due_at, payload::jsonb
FROM unnest($2::text[], $3::timestamptz[], $4::text[]) AS given (key, due_at, payload)
ON CONFLICT (key) DO NOTHING
"""
_DUE: Final = """
SELECT id, payload, due_at, (SELECT value FROM house WHERE key = $3) AS rules_version FROM timers
WHERE kind = $1 AND due_at <= $2 ORDER BY due_at, id LIMIT 500 FOR UPDATE SKIP LOCKED
"""
_DELETE: Final = "DELETE FROM timers WHERE id = ANY ($1::bigint[])"
_VALUES: Final = {
    "contact": "SELECT id, fields, created_at, timezone FROM contacts WHERE id = ANY ($1::bigint[])",
    "case": """
SELECT id, fields, created_at, NULL::text AS timezone FROM cases WHERE state = 'open' AND id = ANY ($1::bigint[])
""",
}


def moments_of(
    value: object, wanted: Moment, zone: str | None, home: str, years: Sequence[int]
) -> Iterator[datetime]:
    """The moments that a date leads to, in UTC; none for what is no date. `years` are those a yearly day is looked for in.

    A date alone is its day in the time zone of the contact (`zone`, else `home`), at the time `at` or when it begins. A
    29th of February is the 28th in other years.
    """
    try:
        local = ZoneInfo(zone or home)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        local = ZoneInfo(home)
    for day, clock in _days(value, wanted, years):
        if wanted.at is not None:
            clock = time.fromisoformat(wanted.at).replace(tzinfo=local)
        yield (
            datetime.combine(day, clock) if clock is not None else datetime.combine(day, time(), local)
        ).astimezone(UTC) + wanted.offset


def _days(value: object, wanted: Moment, years: Sequence[int]) -> Iterator[tuple[date, time | None]]:
    moment = value if isinstance(value, datetime) else parse_moment(str(value))
    if moment is None:
        return
    is_day = isinstance(value, str) and len(value) == 10
    clock = None if is_day else moment.timetz()
    if not wanted.yearly:
        yield moment.date(), clock
        return
    for year in years:
        if year < moment.year:
            continue
        try:
            yield moment.date().replace(year=year), clock
        except ValueError:
            yield date(year, 2, 28), clock


async def plan_moments(router: Router) -> int:
    """Set timers for the moments that come near; gives how many, 0 when another process is at it or none is near."""
    now = router.clock.now()
    every = router.settings.moments_every
    async with router.pool.acquire() as connection, connection.transaction():
        if not await connection.fetchval(_LOCK):
            return 0
        version = await connection.fetchval("SELECT value FROM house WHERE key = $1", RULES_VERSION)
        book = await router.book_of(connection, version)
        rules = [rule for rule in book.rules if isinstance(rule.rule.when, Moment)]
        await connection.execute(_FORGET, [rule.name for rule in rules])
        planned = {row["rule"]: row["planned_until"] for row in await connection.fetch(_PLANNED)}
        count = 0
        for rule in rules:
            until = planned.get(rule.name)
            if until is not None and until - every > now:
                continue
            # What was set since the last look may lie in the time that was planned before.
            begin = now if until is None else min(now, until - 2 * every)
            count += await _plan(connection, rule, begin, now + 2 * every, router.settings.timezone)
            await connection.execute(_KEEP, rule.name, now + 2 * every)
    return count


async def _plan(connection: Connection, rule: CompiledRule, begin: datetime, end: datetime, home: str) -> int:
    timers: dict[str, tuple[datetime, str]] = {}
    for at, row, who in await _find(connection, rule, begin, end, home):
        payload = {"rule": rule.name, "contact_id": row["contact_id"], "case_id": row["case_id"]}
        timers[f"{KIND}:{rule.name}:{who}:{at.isoformat()}"] = (at, json.dumps(payload))
    if timers:
        await connection.execute(
            _SET, KIND, list(timers), [at for at, _ in timers.values()], [told for _, told in timers.values()]
        )
    return len(timers)


async def _find(
    connection: Connection, rule: CompiledRule, begin: datetime, end: datetime, home: str
) -> list[tuple[datetime, Any, str]]:
    """The moments of a rule from `begin` to `end`: when, the row of whose date it is, and who that is."""
    wanted = rule.rule.when
    assert isinstance(wanted, Moment)
    low, high = begin - wanted.offset - _SLACK, end - wanted.offset + _SLACK
    room, name = _place(wanted)
    rows = await connection.fetch(_statement(wanted), name or room, low.date(), high.date())
    years = range(low.year - 1, high.year + 2)
    return [
        (at, row, f"{room}={row['contact_id' if room == 'contact' else 'case_id']}")
        for row in rows
        for at in moments_of(row["value"], wanted, row["timezone"], home, years)
        if begin <= at < end
    ]


async def past_moments(
    connection: Connection, rule: CompiledRule, since: datetime, until: datetime, settings: RouterSettings
) -> list[Sighting]:
    """The events that a rule would have waited for, by the dates of today; their ids are below zero."""
    wanted = rule.rule.when
    assert isinstance(wanted, Moment)
    found = sorted(
        await _find(connection, rule, since, until, settings.timezone), key=lambda one: (one[0], one[2])
    )
    return [
        Sighting(
            id=-number,
            recorded_at=at,
            type=EventType.REACHED.value,
            occurred_at=at,
            contact_id=row["contact_id"],
            campaign_id=None,
            conversation_id=None,
            message_id=None,
            depth=0,
            judged=True,
            settles_in=timedelta(),
            event={
                "id": -number,
                "type": EventType.REACHED.value,
                "occurred_at": at,
                "case_id": row["case_id"],
                "rule": rule.name,
                "field": wanted.moment,
                "value": str(row["value"]),
            },
            case_id=row["case_id"],
        )
        for number, (at, row, _) in enumerate(found, start=1)
    ]


def _place(wanted: Moment) -> tuple[str, str]:
    """Whose date it is, and the name of the field of one's own; empty for created_at."""
    room, _, rest = wanted.moment.partition(".")
    return room, rest.partition(".")[2]


def _statement(wanted: Moment) -> str:
    room, name = _place(wanted)
    if not name:
        return _CREATED[room]
    fields = "fields" if room == "contact" else "k.fields"
    day = _DAY.format(dated=_DATED.format(fields=fields), fields=fields)
    near = (_NEAR_YEARLY if wanted.yearly else _NEAR).format(day=day)
    return (_CONTACTS if room == "contact" else _CASES).format(near=near)


async def reach_moments(router: Router) -> int:
    """Record the moments that have come, unless their dates changed meanwhile; gives how many timers were due."""
    now = router.clock.now()
    async with router.pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(_DUE, KIND, now, RULES_VERSION)
        if not rows:
            return 0
        book = await router.book_of(connection, rows[0]["rules_version"])
        values = {
            room: {row["id"]: row for row in await connection.fetch(statement, _ids(rows, room))}
            for room, statement in _VALUES.items()
        }
        events = [
            event
            for row in rows
            if (rule := book.by_name.get(row["payload"]["rule"])) is not None
            and (event := _reach(rule, row, values, router.settings.timezone)) is not None
        ]
        told = await record(connection, events)
        await connection.execute(_DELETE, [row["id"] for row in rows])
    if any(id is not None for id in told):
        router.announcer.touch()
    return len(rows)


def _ids(rows: Sequence[Any], room: str) -> list[int]:
    ids = (row["payload"][f"{room}_id"] for row in rows)
    return [id for id in ids if id is not None]


def _reach(rule: CompiledRule, row: Any, values: dict[str, dict[int, Any]], home: str) -> NewEvent | None:
    """The event of a moment that still stands."""
    wanted, payload, at = rule.rule.when, row["payload"], row["due_at"]
    if not isinstance(wanted, Moment):
        return None
    room, name = _place(wanted)
    holder = values[room].get(payload[f"{room}_id"])
    if holder is None:
        return None
    value = (holder["fields"] or {}).get(name) if name else holder["created_at"]
    years = range(at.year - 2, at.year + 3)
    if at not in moments_of(value, wanted, holder["timezone"], home, years):
        return None
    who = f"{room}={holder['id']}"
    return NewEvent(
        EventType.REACHED,
        at,
        contact_id=payload["contact_id"],
        case_id=payload["case_id"],
        data={"rule": rule.name, "field": wanted.moment, "value": str(value)},
        key=f"{KIND}:{rule.name}:{who}:{at.isoformat()}",
    )
