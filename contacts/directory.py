"""The directory: contacts with their addresses, by id, by address and by the beginning of their name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from storage.pool import Connection, Pool

_RESOLVE: Final = "SELECT old_id, contact_id FROM contact_aliases WHERE old_id = ANY($1::bigint[])"

_LOAD: Final = """
SELECT asked.id AS asked_id, c.*,
       (SELECT address FROM identities WHERE contact_id = c.id AND kind = 'mail' ORDER BY id LIMIT 1) AS email,
       (SELECT address FROM identities WHERE contact_id = c.id AND kind = 'phone' ORDER BY id LIMIT 1) AS phone
FROM unnest($1::bigint[]) AS asked(id)
LEFT JOIN contact_aliases a ON a.old_id = asked.id
JOIN contacts c ON c.id = coalesce(a.contact_id, asked.id)
"""


async def resolve(connection: Connection | Pool, ids: Iterable[int]) -> dict[int, int]:
    """The contact that each id means today: itself, or the one that it was merged into."""
    asked = list(ids)
    merged = {row["old_id"]: row["contact_id"] for row in await connection.fetch(_RESOLVE, asked)}
    return {one: merged.get(one, one) for one in asked}


async def load_contacts(connection: Connection | Pool, ids: Iterable[int]) -> dict[int, Mapping[str, Any]]:
    """Contacts by the id that was asked for; ids of merged contacts give the one they live on in.

    Keys are the fields of domain.contacts.Contact, organisation_id, created_at and updated_at, and `email` and
    `phone`: the first address of each kind, as conditions see them. An id that is nobody's is left out.
    """
    found: dict[int, Mapping[str, Any]] = {}
    for row in await connection.fetch(_LOAD, list(set(ids))):
        contact = dict(row)
        found[contact.pop("asked_id")] = contact
    return found
