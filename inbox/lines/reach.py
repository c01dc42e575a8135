"""Who of us can be rung now: asked of the database for one step of a call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Final

from inbox.lines.menus import Line
from inbox.lines.ringing import Reach, Rep
from storage.pool import Connection

#: Whether the team of a row with country, timezone and hours works at a moment (router.working_time).
IsOpen = Callable[[Mapping[str, Any], datetime], bool]

#: $1 queues, $2 mail addresses, $3 the owner, $4 this call. A person is on the phone when a call that goes on is theirs,
#: or rings or talks with them. `rung`: their last call, by number.
_PEOPLE: Final = """
SELECT u.id, u.phone, lower(u.email) AS email, u.id = $3 AS is_owner,
       t.country, t.timezone, t.hours,
       ARRAY(SELECT day FROM team_days_off d WHERE d.team_id = t.id ORDER BY day) AS days_off, q.name AS queue, coalesce(q.confidential, false) AS confidential,
       (SELECT max(g.message_id) FROM call_legs g WHERE g.user_id = u.id) AS rung,
       EXISTS (SELECT FROM calls c WHERE c.user_id = u.id AND c.state NOT IN ('ended', 'unconfirmed')
               AND c.message_id <> $4)
       OR EXISTS (SELECT FROM call_legs g JOIN calls c ON c.message_id = g.message_id
                  WHERE g.user_id = u.id AND g.ended_at IS NULL AND g.message_id <> $4
                    AND c.state NOT IN ('ended', 'unconfirmed')) AS busy
FROM users u LEFT JOIN team_members m ON m.user_id = u.id LEFT JOIN teams t ON t.id = m.team_id
LEFT JOIN queues q ON q.team_id = t.id AND q.name = ANY ($1::text[])
WHERE u.active AND u.takes_calls AND u.phone <> '' AND (q.id IS NOT NULL OR u.id = $3 OR lower(u.email) = ANY ($2::text[]))
ORDER BY rung NULLS FIRST, u.id
"""
_AHEAD: Final = """
SELECT position ->> 'queue' AS queue, count(*) AS callers FROM calls
WHERE state = 'waiting' AND message_id <> $1 AND (position ->> 'since')::timestamptz < $2
GROUP BY 1
"""
_OWNER: Final = """
SELECT DISTINCT k.owner_id FROM identities i JOIN contacts k ON k.id = i.contact_id
WHERE ($1::bigint IS NOT NULL AND k.id = $1) OR ($1::bigint IS NULL AND i.kind = 'phone' AND i.address = $2)
"""
_TEAM: Final = """
SELECT t.country, t.timezone, t.hours,
       ARRAY(SELECT day FROM team_days_off d WHERE d.team_id = t.id ORDER BY day) AS days_off FROM teams t
WHERE t.name = $1::text OR ($1::text IS NULL AND t.id = (SELECT team_id FROM queues WHERE name = $2))
"""
_CONFIDENTIAL: Final = "SELECT name FROM queues WHERE name = ANY ($1::text[]) AND confidential"
#: nobody else chooses these people until the transaction ends
_HOLD: Final = "SELECT id FROM users WHERE id = ANY ($1::bigint[]) ORDER BY id FOR NO KEY UPDATE"


async def is_line_open(connection: Connection, line: Line, is_open: IsOpen, now: datetime) -> bool:
    """Whether somebody works on the line now; a queue without a team is always open."""
    return line.hours == "always" or await _does_team_work(connection, line, is_open, now)


async def _does_team_work(connection: Connection, line: Line, is_open: IsOpen, now: datetime) -> bool:
    team = await connection.fetchrow(_TEAM, line.team, line.queue)
    return team is None or is_open(dict(team), now)


async def load_reach(
    connection: Connection, line: Line, call: Any, since: datetime | None, is_open: IsOpen, now: datetime
) -> Reach:
    """Everybody of the line's queues and the contact's owner: those who take calls, have a phone and work now.

    Whoever is in no team works when that of the line does. Of a confidential queue nobody but its own people hear, so
    that an owner who is none of them is not rung.
    """
    usual = await _does_team_work(connection, line, is_open, now)
    owner = await _find_owner(connection, call)
    mails = [mail.lower() for mail in line.people]
    rows = await connection.fetch(_PEOPLE, list(line.queues), mails, owner, call["message_id"])
    confidential = {row["name"] for row in await connection.fetch(_CONFIDENTIAL, list(line.queues))}
    working = [
        row
        for row in rows
        if row["phone"] != call["theirs"] and (usual if row["timezone"] is None else is_open(dict(row), now))
    ]
    queues: dict[str, list[Rep]] = {}
    people: dict[str, Rep] = {}
    theirs = None
    for row in working:
        rep = Rep(row["id"], row["phone"], not row["busy"])
        if row["queue"]:
            queues.setdefault(row["queue"], []).append(rep)
        people[row["email"]] = rep
        if row["is_owner"]:
            theirs = rep
    insiders = {row["id"] for row in rows if row["queue"] in confidential}
    if theirs is not None and confidential and theirs.user_id not in insiders:
        theirs = None
    ahead = await connection.fetch(_AHEAD, call["message_id"], since or now)
    named = {mail: people[mail.lower()] for mail in line.people if mail.lower() in people}
    return Reach(theirs, queues, named, {row["queue"]: row["callers"] for row in ahead})


async def hold_people(connection: Connection, users: Collection[int]) -> None:
    """Nobody else lets these people ring until the transaction ends."""
    await connection.fetch(_HOLD, sorted(users))


async def _find_owner(connection: Connection, call: Any) -> int | None:
    """Whoever looks after the contact; of several who share the number, when all have the same one."""
    rows = await connection.fetch(_OWNER, call["contact_id"], call["theirs"])
    owners = {row["owner_id"] for row in rows}
    return next(iter(owners)) if len(owners) == 1 else None
