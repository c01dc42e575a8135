"""A handful of contacts with every kind of consent and address, and drafts to write to them."""

from __future__ import annotations

from typing import Any, Final

from domain.clock import SystemClock
from domain.tokens import TokenKeys
from outbox.composing import MailKitchen
from outbox.settings import OutboxSettings
from storage.pool import Pool

KITCHEN: Final = MailKitchen(
    TokenKeys({1: bytes(range(32))}), "https://news.example.org", OutboxSettings(claim_size=3)
)
CLOCK: Final = SystemClock()
EVERYBODY: Final[dict[str, Any]] = {"all": []}
SOURCE: Final = {
    "subject": "News",
    "from_address": "news@example.org",
    "html": "<html><body><p>Dear {{ contact.name }}, <a href='https://www.example.org/a'>read</a> and "
    "<a href='https://www.example.org/b'>buy</a></p><p><a href='{{ links.unsubscribe }}'>Unsubscribe</a></p></body></html>",
}


async def add_contact(
    pool: Pool, name: str, *, consents: tuple[str, ...] = ("newsletter",), mail: bool = True, **columns: Any
) -> int:
    """A contact; consents given as `-purpose` were withdrawn."""
    names = ["name", *columns]
    places = ", ".join(f"${number}" for number in range(1, len(names) + 1))
    contact_id: int = await pool.fetchval(
        f"INSERT INTO contacts ({', '.join(names)}) VALUES ({places}) RETURNING id", name, *columns.values()
    )
    if mail:
        await add_address(pool, contact_id, f"{name.lower()}@example.net")
    for consent in consents:
        await pool.execute(
            "INSERT INTO consents (contact_id, purpose, state, since) VALUES ($1, $2, $3, now())",
            contact_id,
            consent.lstrip("-"),
            "withdrawn" if consent.startswith("-") else "granted",
        )
    return contact_id


async def add_address(pool: Pool, contact_id: int, address: str) -> None:
    await pool.execute(
        "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'mail', $2, $2)",
        contact_id,
        address,
    )


async def suppress(pool: Pool, address: str) -> None:
    await pool.execute(
        "INSERT INTO suppressions (kind, address, reason, source) VALUES ('mail', $1, 'complaint', 'test')",
        address,
    )


async def add_draft(
    pool: Pool,
    *,
    name: str = "News",
    condition: dict[str, Any] | None = None,
    source: dict[str, Any] | None = None,
    policy: str = "aggregate",
) -> int:
    """A draft to a segment of its own, everybody when no condition is given."""
    campaign_id: int = await pool.fetchval(
        "WITH s AS (INSERT INTO segments (name, condition) VALUES ($1, $2) RETURNING id)"
        " INSERT INTO campaigns (name, segment_id, source, tracking_policy) SELECT $1, id, $3, $4 FROM s RETURNING id",
        name,
        EVERYBODY if condition is None else condition,
        SOURCE if source is None else source,
        policy,
    )
    return campaign_id
