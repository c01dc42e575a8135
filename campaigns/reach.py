"""How many of a segment a campaign by SMS reaches, and why not the others: each person counts once, for the first reason.

Whether a number is one of a mobile is not known to the database: numbers are looked at one by one. Of very large
segments an even share of the people is looked at, and the counts are multiplied.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

from channels.sms.numbers import takes_texts
from contacts.segments import count_segment, select_contacts
from domain.conditions import Condition
from domain.consent import Purpose
from storage.pool import Connection

#: People that are looked at one by one.
LOOKED_AT: Final = 5_000
_CHUNK: Final = 2_500

_PEOPLE: Final = """
SELECT picked.id, c.state AS consent, p.addresses, p.reasons, o.timezone
FROM ({picked}) AS picked
  JOIN contacts AS o ON o.id = picked.id
  LEFT JOIN consents AS c ON c.contact_id = picked.id AND c.purpose = ${first}::text
  LEFT JOIN LATERAL (
      SELECT array_agg(i.address ORDER BY i.id) AS addresses, array_agg(coalesce(s.reason, '') ORDER BY i.id) AS reasons
      FROM identities AS i LEFT JOIN suppressions AS s ON s.kind = 'phone' AND s.address = i.address
      WHERE i.kind = 'phone' AND i.contact_id = picked.id) AS p ON true
WHERE abs(hashint8(picked.id)::bigint) % ${second}::int = 0
ORDER BY picked.id
"""
_NUMBERS: Final = """
SELECT i.address FROM ({picked}) AS picked
  JOIN consents AS c ON c.contact_id = picked.id AND c.purpose = ${first}::text AND c.state = 'granted'
  JOIN identities AS i ON i.contact_id = picked.id AND i.kind = 'phone'
"""


class Obstacle(StrEnum):
    """Why somebody gets no short message, in the order in which it is asked."""

    NO_NUMBER = "no_number"  #: no phone is known
    NO_MOBILE = "no_mobile"  #: only numbers that take no texts
    NEVER_ASKED = "never_asked"  #: no consent to texts
    WITHDRAWN = "withdrawn"  #: consent was taken back
    STOPPED = "stopped"  #: the number sent STOP
    SUPPRESSED = "suppressed"  #: the number is on the do-not-contact list for another reason
    SHARED = "shared"  #: somebody else gets it on the same phone


class Hours(Protocol):
    """When texts may arrive (outbox.texts.hours.TextHours)."""

    def wait(self, number: str, now: datetime, zone: str = "") -> float:
        """Seconds until this number may get one, whose owner told this time zone."""
        ...


@dataclass(frozen=True, slots=True)
class Reach:
    """`recipients` and `obstacles` add up to `in_segment`. `waiting` of the recipients get theirs later, since it is no
    hour for it where they live; the last of them at `last_at`. `is_exact`: everybody was looked at."""

    in_segment: int
    recipients: int
    obstacles: Mapping[Obstacle, int]
    waiting: int
    last_at: datetime | None
    is_exact: bool


def find_obstacle(
    consent: str | None, numbers: Sequence[tuple[str, str]], taken: Collection[str] = ()
) -> Obstacle | str:
    """Why this person gets nothing, or the number that gets it. `consent`: the ledger's state, None for never asked;
    `numbers` with the reason why each is on the do-not-contact list; `taken`: numbers that get it already."""
    if not numbers:
        return Obstacle.NO_NUMBER
    mobiles = [(number, reason) for number, reason in numbers if takes_texts(number)]
    if not mobiles:
        return Obstacle.NO_MOBILE
    if consent != "granted":
        return Obstacle.WITHDRAWN if consent else Obstacle.NEVER_ASKED
    free = [number for number, reason in mobiles if not reason]
    if not free:
        stopped = any(reason == "opted_out" for _, reason in mobiles)
        return Obstacle.STOPPED if stopped else Obstacle.SUPPRESSED
    return Obstacle.SHARED if free[0] in taken else free[0]


async def count_reach(
    connection: Connection, condition: Condition, purpose: Purpose, now: datetime, hours: Hours
) -> Reach:
    """Look at the people of a segment as a launch now would."""
    total = await count_segment(connection, condition, now)
    every = max(1, -(-total // LOOKED_AT))
    picked, args = select_contacts(condition, now)
    sql = _PEOPLE.format(picked=picked, first=len(args) + 1, second=len(args) + 2)
    people = await connection.fetch(sql, *args, purpose.value, every)
    found, waits = await asyncio.to_thread(_judge, people, hours, now)
    obstacles = {obstacle: every * found[obstacle] for obstacle in Obstacle if found[obstacle]}
    return Reach(
        in_segment=total,
        recipients=max(0, total - sum(obstacles.values())),
        obstacles=obstacles,
        waiting=every * len(waits),
        last_at=now + timedelta(seconds=max(waits)) if waits else None,
        is_exact=every == 1,
    )


def _judge(people: Iterable[Any], hours: Hours, now: datetime) -> tuple[Counter[Obstacle], list[float]]:
    found: Counter[Obstacle] = Counter()
    taken: set[str] = set()
    waits = []
    for person in people:
        numbers = list(zip(person["addresses"] or (), person["reasons"] or (), strict=True))
        answer = find_obstacle(person["consent"], numbers, taken)
        if isinstance(answer, Obstacle):
            found[answer] += 1
            continue
        taken.add(answer)
        if (wait := hours.wait(answer, now, person["timezone"] or "")) > 0:
            waits.append(wait)
    return found, waits


async def find_unfit_numbers(
    connection: Connection, condition: Condition, purpose: Purpose, now: datetime, at_most: int | None = None
) -> list[str]:
    """The numbers of people who would be written to that take no texts: landlines and the like.

    With `at_most`, only so many numbers are looked at.
    """
    picked, args = select_contacts(condition, now)
    limit = "" if at_most is None else f" LIMIT {int(at_most)}"
    sql = _NUMBERS.format(picked=picked, first=len(args) + 1) + limit
    unfit: list[str] = []
    async with connection.transaction():
        cursor = await connection.cursor(sql, *args, purpose.value)
        while rows := await cursor.fetch(_CHUNK):
            unfit += await asyncio.to_thread(_unfit, [row["address"] for row in rows])
    return sorted(set(unfit))


def _unfit(numbers: Sequence[str]) -> list[str]:
    return [number for number in numbers if not takes_texts(number)]
