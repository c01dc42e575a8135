"""The directory: contacts with their addresses, by id and by address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from domain.contacts import IdentityKind
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


_BY_MAIL: Final = "SELECT contact_id FROM identities WHERE kind = 'mail' AND address = $1"
_BY_PHONE: Final = (
    "SELECT contact_id FROM identities WHERE kind = 'phone' AND address = $1 ORDER BY contact_id"
)


async def find_by_address(connection: Connection | Pool, kind: IdentityKind, address: str) -> list[int]:
    """Whose address this is, in its one form (contacts/addresses.py): at most one for mail, any number for phones."""
    rows = await connection.fetch(_BY_MAIL if kind is IdentityKind.MAIL else _BY_PHONE, address)
    return [row["contact_id"] for row in rows]


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
