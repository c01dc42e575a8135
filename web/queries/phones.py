"""Whose phone a number is: our people's, then contacts'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from storage.pool import Pool

_OWNERS: Final = """
SELECT number, name, role, contact_id, email FROM (
    SELECT u.phone AS number, u.name, u.role, NULL::bigint AS contact_id, NULL::text AS email, 0 AS rank, u.id
    FROM users u WHERE u.active AND u.phone = ANY ($1::text[])
    UNION ALL
    SELECT i.address, c.name, NULL, c.id, (SELECT m.address FROM identities m
        WHERE m.contact_id = c.id AND m.kind = 'mail' ORDER BY m.id LIMIT 1), 1, i.id
    FROM identities i JOIN contacts c ON c.id = i.contact_id WHERE i.kind = 'phone' AND i.address = ANY ($1::text[])
) AS owners ORDER BY rank, id
"""
_STAFF: Final = (
    "SELECT phone AS number FROM users WHERE active AND phone IS NOT NULL ORDER BY lower(name), id"
)
_CONTACTS: Final = """
SELECT i.address AS number FROM identities i JOIN contacts c ON c.id = i.contact_id
WHERE i.kind = 'phone' AND ($1 = '' OR strpos(lower(c.name), lower($1)) > 0 OR ($2 <> '' AND strpos(i.address, $2) > 0))
ORDER BY c.id, i.id LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose phone it is: somebody of us with a role, or a contact."""

    name: str
    role: str = ""
    contact_id: int | None = None
    email: str = ""


async def find_owners(pool: Pool, numbers: Sequence[str]) -> dict[str, Owner]:
    """Owners by number; numbers that nobody has are left out."""
    owners: dict[str, Owner] = {}
    for row in await pool.fetch(_OWNERS, list(numbers)):
        owners.setdefault(
            row["number"], Owner(row["name"], row["role"] or "", row["contact_id"], row["email"] or "")
        )
    return owners


async def list_staff_phones(pool: Pool) -> list[str]:
    """The phones of our people."""
    return [row["number"] for row in await pool.fetch(_STAFF)]


async def find_contact_phones(pool: Pool, search: str, limit: int) -> list[str]:
    """Numbers of contacts by a part of their name or number; the oldest contacts first."""
    digits = "".join(c for c in search if c.isdigit())
    rows: list[Any] = await pool.fetch(_CONTACTS, search, digits if len(digits) >= 3 else "", limit)
    return [row["number"] for row in rows]
