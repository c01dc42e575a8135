"""The list of contacts: searched by name, organisation or address, paged by key."""

from __future__ import annotations

from typing import Any, Final

from storage.pool import Pool

PAGE: Final = 50

_COLUMNS: Final = """
c.id, c.kind, c.name, c.organisation, c.relation, c.country, u.name AS owner_name, lower(c.name) AS sort_name,
(SELECT i.given FROM identities i WHERE i.contact_id = c.id AND i.kind = 'mail' ORDER BY i.id LIMIT 1) AS email
"""
#: by the beginning of the name (index on lower(name)), from a place on
_LIST: Final = f"""
SELECT {_COLUMNS} FROM (
    SELECT * FROM contacts c
    WHERE (lower(c.name), c.id) > ($1::text, $2::bigint) AND ($3::text IS NULL OR c.relation = $3)
    ORDER BY lower(c.name), c.id LIMIT $4
) c LEFT JOIN users u ON u.id = c.owner_id ORDER BY lower(c.name), c.id
"""
#: index scans only
_SEARCH: Final = f"""
WITH found AS (
    (SELECT id FROM contacts WHERE lower(name) >= $1 AND lower(name) < $1 || chr(1114111) ORDER BY lower(name) LIMIT $2)
    UNION
    (SELECT contact_id FROM identities WHERE kind = 'mail' AND address = $1)
    UNION
    (SELECT contact_id FROM identities WHERE kind = 'phone' AND address = $3 LIMIT $2)
)
SELECT {_COLUMNS} FROM found JOIN contacts c ON c.id = found.id LEFT JOIN users u ON u.id = c.owner_id
ORDER BY lower(c.name), c.id LIMIT $2
"""
#: reads the table: tried only when the indexes gave little, and not for long
_SCAN: Final = f"""
SELECT {_COLUMNS} FROM (
    SELECT * FROM contacts WHERE (name ILIKE $1 OR organisation ILIKE $1) AND id <> ALL ($2::bigint[]) LIMIT $3
) c LEFT JOIN users u ON u.id = c.owner_id ORDER BY lower(c.name), c.id
"""
_SCAN_SECONDS: Final = 2.0
_FEW: Final = 10
_CONSENTS: Final = "SELECT purpose, state, since FROM consents WHERE contact_id = $1"
_LEDGER: Final = """
SELECT purpose, state, wording, source, occurred_at FROM consent_ledger WHERE contact_id = $1
ORDER BY occurred_at DESC, id DESC LIMIT 100
"""
_IDENTITIES: Final = """
SELECT i.kind, i.given, i.address, s.reason AS suppressed FROM identities i
LEFT JOIN suppressions s ON s.kind = i.kind AND s.address = i.address
WHERE i.contact_id = $1 ORDER BY i.kind, i.id
"""


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def list_contacts(
    pool: Pool, *, after: tuple[str, int] = ("", 0), relation: str | None = None, limit: int = PAGE
) -> list[Any]:
    """Contacts by name, those after a place; ask for one more than a page to know whether there are more."""
    return list(await pool.fetch(_LIST, *after, relation, limit))


async def search_contacts(pool: Pool, words: str, limit: int = PAGE) -> list[Any]:
    """Contacts whose address it is, whose name begins so, then those whose name or organisation holds `words`.

    Among millions of contacts the last step may take too long; it is then left out.
    """
    needle = words.strip().lower()
    digits = "+" + "".join(filter(str.isdigit, needle)) if needle.startswith(("+", "00")) else needle
    found = list(await pool.fetch(_SEARCH, needle, limit, digits))
    if len(found) < _FEW:
        try:
            ids = [row["id"] for row in found]
            found += await pool.fetch(_SCAN, f"%{_escape(needle)}%", ids, limit, timeout=_SCAN_SECONDS)
        except TimeoutError:
            pass
    return found


async def read_consents(pool: Pool, contact_id: int) -> dict[str, Any]:
    """The consents that stand, by purpose: state and since when."""
    return {row["purpose"]: row for row in await pool.fetch(_CONSENTS, contact_id)}


async def read_ledger(pool: Pool, contact_id: int) -> list[Any]:
    """The consent history, latest first."""
    return list(await pool.fetch(_LEDGER, contact_id))


async def read_identities(pool: Pool, contact_id: int) -> list[Any]:
    """The addresses of a contact, and which of them must not be written to."""
    return list(await pool.fetch(_IDENTITIES, contact_id))
