"""Whose turn it is: places in the rates of senders, given in the database so that all processes keep to them together.

Carriers count parts, so a message takes as many places as it has parts. A place is a moment: from one to the next of a
sender lies the time that its rate leaves for the parts. Whatever the provider asks us to rest is kept there, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from storage.pool import Connection, Pool

#: The key under which the whole account rests.
ACCOUNT: Final = ""

_MAKE: Final = "INSERT INTO sms_paces (key) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING"
#: Locks in the order of the keys, as everybody does here.
_LOCK: Final = """
SELECT p.key, extract(epoch FROM p.next_at)::float8 AS next_at, extract(epoch FROM p.rest_until)::float8 AS rest_until,
       extract(epoch FROM clock_timestamp())::float8 AS now, set_config('synchronous_commit', 'off', true)
FROM sms_paces AS p JOIN unnest($1::text[]) AS asked(key) USING (key) ORDER BY p.key FOR NO KEY UPDATE OF p
"""
_WRITE: Final = """
UPDATE sms_paces AS p SET next_at = to_timestamp(n.next_at)
FROM unnest($1::text[], $2::float8[]) AS n(key, next_at) WHERE p.key = n.key
"""
_REST: Final = """
INSERT INTO sms_paces AS p (key, rest_until) VALUES ($1, clock_timestamp() + make_interval(secs => $2::float8))
ON CONFLICT (key) DO UPDATE SET rest_until = greatest(p.rest_until, excluded.rest_until)
"""
#: Places for all of one sender at once, when each begins within its patience and nobody rests. $1 key, $2 seconds that
#: all take, $3 seconds within which the first has to begin. Gives the seconds until it does.
#: The commit is not waited for: what a crash forgets of it is some moments of a rate.
_TAKE: Final = """
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
UPDATE sms_paces AS p SET next_at = greatest(p.next_at, clock_timestamp()) + make_interval(secs => $2::float8)
FROM quick WHERE p.key = $1 AND (p.rest_until IS NULL OR p.rest_until <= clock_timestamp())
  AND p.next_at <= clock_timestamp() + make_interval(secs => $3::float8)
  AND NOT EXISTS (SELECT FROM sms_paces AS a WHERE a.key = '' AND a.rest_until > clock_timestamp())
RETURNING extract(epoch FROM p.next_at - clock_timestamp())::float8 - $2::float8
"""
_RESTS: Final = """
SELECT key, extract(epoch FROM rest_until - clock_timestamp())::float8 AS seconds FROM sms_paces
WHERE rest_until > clock_timestamp()
"""


@dataclass(frozen=True, slots=True)
class Want:
    """A message that wants to leave: whose rates it keeps, its parts, and how many seconds it would wait."""

    keys: tuple[str, ...]
    parts: int
    patience: float


@dataclass(frozen=True, slots=True)
class Turn:
    """In how many seconds a message leaves; when it is not `given`, in how many it could."""

    seconds: float
    given: bool


@dataclass(frozen=True, slots=True)
class Turns:
    """The turns in the order in which they were asked for, and the seconds that senders rest (ACCOUNT: all)."""

    given: Sequence[Turn]
    rests: Mapping[str, float]


def allot(
    wants: Sequence[Want], free: dict[str, float], rests: Mapping[str, float], rate: Callable[[str], float]
) -> list[Turn]:
    """Give places, first come, first served. Pure; `free` says in how many seconds the next place of each key is (never
    in the past), and is moved on; `rests` in how many seconds each takes messages again; `rate` is in parts a second."""
    given = []
    for want in wants:
        start = max(free[key] for key in want.keys)
        start = max(start, rests.get(ACCOUNT, 0.0), *(rests.get(key, 0.0) for key in want.keys))
        turn = Turn(start, start <= want.patience)
        given.append(turn)
        if turn.given:
            for key in want.keys:
                free[key] = start + want.parts / rate(key)
    return given


async def take_turns(connection: Connection, wants: Sequence[Want], rate: Callable[[str], float]) -> Turns:
    """Give places in the rates of all processes; committed when this returns. Seconds count from then on."""
    one = wants[0].keys if wants else ()
    if len(one) == 1 and all(want.keys == one for want in wants):
        turns = await _take_together(connection, wants, rate(one[0]))
        if turns is not None:
            return turns
    keys = sorted({ACCOUNT, *(key for want in wants for key in want.keys)})
    async with connection.transaction():
        rows = await connection.fetch(_LOCK, keys)
        if len(rows) < len(keys):
            await connection.execute(_MAKE, keys)
            rows = await connection.fetch(_LOCK, keys)
        now = max(row["now"] for row in rows)
        free = {row["key"]: max(0.0, row["next_at"] - now) for row in rows}
        rests = {row["key"]: row["rest_until"] - now for row in rows if (row["rest_until"] or 0) > now}
        before = dict(free)
        given = allot(wants, free, rests, rate)
        moved = [key for key in keys if free[key] != before[key]]
        if moved:
            await connection.execute(_WRITE, moved, [now + free[key] for key in moved])
    return Turns(given, rests)


async def _take_together(connection: Connection, wants: Sequence[Want], rate: float) -> Turns | None:
    """The usual case in one statement: all are of one sender, and all may go. None when it is not so."""
    offsets = list(accumulate((want.parts / rate for want in wants), initial=0.0))
    latest = min(want.patience - offset for want, offset in zip(wants, offsets, strict=False))
    first = await connection.fetchval(_TAKE, wants[0].keys[0], offsets[-1], latest)
    if first is None:
        return None
    return Turns([Turn(max(0.0, first) + offset, True) for offset in offsets[:-1]], {})


async def rest(connection: Connection | Pool, key: str, seconds: float) -> None:
    """Nothing leaves by this sender (ACCOUNT: by any) for so many seconds, in any process; never shortens a rest."""
    await connection.execute(_REST, key, seconds)


async def load_rests(connection: Connection | Pool) -> dict[str, float]:
    """Seconds that senders rest from now on."""
    return {row["key"]: row["seconds"] for row in await connection.fetch(_RESTS)}
