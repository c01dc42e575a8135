"""A support team with a queue, a contact and a conversation, as tests of the agent's room need them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.clock import FixedClock
from inbox.desk.conversations import Desk
from storage.pool import Pool

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@dataclass
class Support:
    """What was made. `ada` and `ben` are agents, `desk` is Ada's."""

    pool: Pool
    ada: int
    ben: int
    queue: int
    sales: int
    contact: int
    conversation: int
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW))

    @property
    def desk(self) -> Desk:
        """Where Ada works."""
        return Desk(self.pool, self.clock, None, self.ada)

    @property
    def bens_desk(self) -> Desk:
        """Where Ben works."""
        return replace(self.desk, actor_id=self.ben)

    async def row(self, conversation: int | None = None) -> Any:
        """The conversation as it is."""
        return await self.pool.fetchrow(
            "SELECT * FROM conversations WHERE id = $1", conversation or self.conversation
        )

    async def events(self, conversation: int | None = None) -> list[tuple[str, Any]]:
        """What the spine tells of it."""
        rows = await self.pool.fetch(
            "SELECT type, data FROM events WHERE conversation_id = $1 ORDER BY id",
            conversation or self.conversation,
        )
        return [(row["type"], row["data"] or {}) for row in rows]

    async def receive(
        self,
        text: str = "Where is my order?",
        *,
        conversation: int | None = None,
        sender: str = "claire@dubreuil.example",
        name: str = "Claire Dubreuil",
        header_id: str = "",
        references: tuple[str, ...] = (),
        others: dict[str, tuple[str, ...]] | None = None,
        subject: str = "My order",
        **facts: Any,
    ) -> int:
        """A mail of a contact, as the pipeline leaves it."""
        conversation = conversation or self.conversation
        number: int = await self.pool.fetchval(
            "INSERT INTO messages (direction, channel, contact_id, conversation_id, created_at)"
            " VALUES ('in', 'mail', $1, $2, $3) RETURNING id",
            self.contact, conversation, NOW - timedelta(minutes=30),
        )  # fmt: skip
        await self.pool.execute(
            "INSERT INTO message_contents (message_id, subject, body, new_text, written_at) VALUES ($1, $2, $3, $3, $4)",
            number, subject, text, NOW - timedelta(minutes=31),
        )  # fmt: skip
        parties = {"from": (sender,), "to": ("support@house.example",), **(others or {})}
        for part, addresses in parties.items():
            for no, address in enumerate(addresses):
                await self.pool.execute(
                    "INSERT INTO message_parties VALUES ($1, $2, $3, $4, $5)",
                    number, part, no, name if part == "from" else "", address,
                )  # fmt: skip
        values = {
            "header_id": header_id or f"in.{number}@dubreuil.example",
            "reference_ids": list(references),
            "mailbox": "support@house.example",
            **facts,
        }
        places = ", ".join(f"${n}" for n in range(2, len(values) + 2))
        await self.pool.execute(
            f"INSERT INTO mail_facts (message_id, {', '.join(values)}) VALUES ($1, {places})", number, *values.values()
        )  # fmt: skip
        await self.pool.execute(
            "UPDATE conversations SET state = 'open', waiting_since = coalesce(waiting_since, $2), last_message_at = $2"
            " WHERE id = $1", conversation, NOW - timedelta(minutes=30),
        )  # fmt: skip
        await self.pool.execute(
            "INSERT INTO conversation_parties (conversation_id, address, contact_id) VALUES ($1, $2, $3)"
            " ON CONFLICT DO NOTHING", conversation, sender, self.contact,
        )  # fmt: skip
        return number


async def open_support(pool: Pool) -> Support:
    """Two agents, two queues, Claire, and a conversation without messages."""
    users = [
        await pool.fetchval(
            "INSERT INTO users (email, name, role) VALUES ($1, $2, 'agent') RETURNING id", f"{name.lower()}@house.example",
            f"{name} Example",
        )
        for name in ("Ada", "Ben")
    ]  # fmt: skip
    queue = await pool.fetchval(
        "INSERT INTO queues (name, from_name, from_address, signature, language)"
        " VALUES ('Support', 'House support', 'support@house.example', '{agent}\nHouse, Lyon', 'en') RETURNING id"
    )
    await pool.execute("INSERT INTO queue_addresses VALUES ('support@house.example', $1)", queue)
    sales = await pool.fetchval(
        "INSERT INTO queues (name, from_address) VALUES ('Sales', 'sales@house.example') RETURNING id"
    )
    contact = await pool.fetchval("INSERT INTO contacts (name) VALUES ('Claire Dubreuil') RETURNING id")
    await pool.execute(
        "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'mail', $2, $2)",
        contact,
        "claire@dubreuil.example",
    )
    conversation = await pool.fetchval(
        "INSERT INTO conversations (contact_id, queue_id, subject) VALUES ($1, $2, 'My order') RETURNING id",
        contact,
        queue,
    )
    return Support(pool, users[0], users[1], queue, sales, contact, conversation)
