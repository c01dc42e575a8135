"""Merge two contacts that are one: the older id becomes an alias, and everything is found under the other."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from domain.errors import InvalidInput, NotFound
from domain.events import EventType, NewEvent
from storage.event_store import record
from storage.pool import Connection

_LOCK: Final = "SELECT * FROM contacts WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE"

#: Messages, events and the ledger keep the id they were written with: they are history, read through the alias.
_MOVES: Final = (
    "UPDATE contact_aliases SET contact_id = $2 WHERE contact_id = $1",
    "INSERT INTO contact_aliases (old_id, contact_id) VALUES ($1, $2)",
    """
    DELETE FROM identities WHERE contact_id = $1 AND kind = 'phone'
      AND address IN (SELECT address FROM identities WHERE contact_id = $2 AND kind = 'phone')
    """,
    "UPDATE identities SET contact_id = $2 WHERE contact_id = $1",
    """
    INSERT INTO consents AS c (contact_id, purpose, state, since)
    SELECT $2, purpose, state, since FROM consents WHERE contact_id = $1
    ON CONFLICT (contact_id, purpose) DO UPDATE SET state = excluded.state, since = excluded.since
    WHERE c.since < excluded.since OR (c.since = excluded.since AND excluded.state = 'withdrawn')
    """,
    "DELETE FROM consents WHERE contact_id = $1",
    """
    INSERT INTO case_contacts (case_id, contact_id, part, added_at)
    SELECT case_id, $2, part, added_at FROM case_contacts WHERE contact_id = $1 ON CONFLICT DO NOTHING
    """,
    "DELETE FROM case_contacts WHERE contact_id = $1",
    "UPDATE tasks SET contact_id = $2 WHERE contact_id = $1",
    "UPDATE conversations SET contact_id = $2 WHERE contact_id = $1",
    "UPDATE marketing_pauses SET contact_id = $2 WHERE contact_id = $1",
    "UPDATE contacts SET organisation_id = $2 WHERE organisation_id = $1",
    "DELETE FROM contacts WHERE id = $1",
)
_FILL: Final = """
UPDATE contacts SET given_name = $2, family_name = $3, organisation = $4, organisation_id = $5, country = $6,
       language = $7, timezone = $8, owner_id = $9, relation = $10, fields = $11, updated_at = now()
WHERE id = $1
"""
_FILLED: Final = (
    "given_name",
    "family_name",
    "organisation",
    "organisation_id",
    "country",
    "language",
    "timezone",
    "owner_id",
    "relation",
    "fields",
)


async def merge_contacts(
    connection: Connection, old_id: int, into_id: int, *, now: datetime, actor_id: int | None
) -> None:
    """Merge contact `old_id` into `into_id`, which wins wherever both say something.

    Of two consents for a purpose the later entry stands. Runs in the caller's transaction. Raises NotFound for an
    id that is nobody's (any more), InvalidInput for a contact and itself.
    """
    if old_id == into_id:
        raise InvalidInput("into_id", "a contact cannot be merged into itself;", "choose the other one.")
    found = {row["id"]: dict(row) for row in await connection.fetch(_LOCK, [old_id, into_id])}
    for number in (old_id, into_id):
        if number not in found:
            raise NotFound(f"There is no contact {number}.")
    old, into = found[old_id], found[into_id]
    filled = {name: _fill(name, old[name], into[name]) for name in _FILLED}
    if filled["organisation_id"] in (old_id, into_id):
        filled["organisation_id"] = None  # nobody is their own organisation
    for statement in _MOVES:
        await connection.execute(statement, *((old_id, into_id) if "$2" in statement else (old_id,)))
    await connection.execute(_FILL, into_id, *filled.values())
    changes = [(name, into[name], filled[name]) for name in _FILLED[:-1] if filled[name] != into[name]]
    changes += [
        (f"fields.{key}", None, value) for key, value in old["fields"].items() if key not in into["fields"]
    ]
    await record(
        connection,
        [
            NewEvent(
                EventType.CHANGED,
                now,
                contact_id=into_id,
                actor_id=actor_id,
                data={"field": name, "old": before, "new": after},
            )
            for name, before, after in [*changes, ("merged", old_id, into_id)]
        ],
    )


def _fill(name: str, old: Any, into: Any) -> Any:
    if name == "fields":
        return {**old, **into}
    if name == "relation":
        return old if into == "other" else into
    return old if into is None else into
