"""The test mailbox: mails by recipient, newest first."""

from __future__ import annotations

from typing import Any, Final

from storage.pool import Pool

PAGE: Final = 40

_LIST: Final = """
SELECT id, received_at, sender, recipient, subject, message_id_header FROM sandbox_mails
WHERE ($1::text = '' OR recipient = $1) AND ($2::bigint IS NULL OR id < $2)
ORDER BY id DESC LIMIT $3
"""
_ONE: Final = "SELECT * FROM sandbox_mails WHERE id = $1"
_OWNER: Final = """
SELECT c.id, c.name, (SELECT p.address FROM identities p WHERE p.contact_id = c.id AND p.kind = 'phone'
                     ORDER BY p.id LIMIT 1) AS phone
FROM identities i JOIN contacts c ON c.id = i.contact_id
WHERE i.kind = 'mail' AND i.address = lower($1)
"""
_CLAIRE: Final = """
SELECT i.address, coalesce(c.given_name, c.name) AS name FROM identities i JOIN contacts c ON c.id = i.contact_id
WHERE i.kind = 'mail' AND i.address LIKE 'claire.%' ORDER BY i.id LIMIT 1
"""


async def list_mails(
    pool: Pool, recipient: str = "", before: int | None = None, limit: int = PAGE
) -> list[Any]:
    """Mails to an address, or all."""
    return list(await pool.fetch(_LIST, recipient, before, limit))


async def find_mail(pool: Pool, number: int) -> Any | None:
    """One mail with its bytes."""
    return await pool.fetchrow(_ONE, number)


async def find_owner(pool: Pool, address: str) -> Any | None:
    """The contact whose address it is: id, name and first phone."""
    return await pool.fetchrow(_OWNER, address)


async def find_claire(pool: Pool) -> Any | None:
    """The demo's Claire, whose mailbox a link opens."""
    return await pool.fetchrow(_CLAIRE)
