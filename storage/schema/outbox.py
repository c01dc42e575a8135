"""What leaves: a row per recipient, and the ranges that are claimed as one."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from storage.schema.base import metadata

deliveries = Table(  # the outbox: a row per recipient, the state machine of domain/messages.py
    "deliveries",
    metadata,
    Column("message_id", BigInteger, primary_key=True),
    Column("campaign_id", Integer),  # 0 for letters
    Column("contact_id", BigInteger),  # null for an address that belongs to nobody we know
    Column("channel", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="queued"),
    Column("attempt", SmallInteger, nullable=False, server_default="0"),
    Column(
        "claim", Integer, nullable=False, server_default="0"
    ),  # the number of the last claim, counted from 1
    Column("worker", Text),
    Column("lease_until", DateTime(timezone=True)),
    Column("not_before", DateTime(timezone=True)),
    Column("settled_at", DateTime(timezone=True)),
    Column("reason", Text),
    Column("reply", Text),
    Column("relay", Text),  # the server that the last attempt went to
    CheckConstraint(
        "state IN ('queued','claimed','sending','sent','deferred','rejected','uncertain','cancelled')",
        name="state",
    ),
    # No index looks at the state: so the updates on the way to `sent` stay within their page (HOT), and the table
    # does not bloat. What waits is found by delivery_ranges; this one finds whatever did not simply go out.
    Index("ix_deliveries_apart", "campaign_id", "reason", postgresql_where=text("reason IS NOT NULL")),
    postgresql_with={"fillfactor": "45", "autovacuum_vacuum_scale_factor": "0.05"},
)

delivery_ranges = (
    Table(  # stretches of a campaign's messages, claimed as one; gone when nothing is left to do
        "delivery_ranges",
        metadata,
        Column("low", BigInteger, primary_key=True, autoincrement=False),
        Column("high", BigInteger, nullable=False),
        Column("campaign_id", Integer, nullable=False),
        Column("ready_at", DateTime(timezone=True)),  # from then on something may be claimed
        Column("lease_until", DateTime(timezone=True)),  # from then on a lease may have run out
        Column(
            "channel", Text, nullable=False, server_default="mail"
        ),  # of the letter; looked at for letters alone
        Index("ix_delivery_ranges_ready", "campaign_id", "ready_at", "low"),
        Index("ix_delivery_ranges_leased", "lease_until"),
        Index(
            "ix_delivery_ranges_letters",
            "channel",
            "ready_at",
            "low",
            postgresql_where=text("campaign_id = 0"),
        ),
        postgresql_with={"fillfactor": "50", "autovacuum_vacuum_scale_factor": "0.05"},
    )
)

send_windows = Table(  # how much of what is limited went out lately: a relay, or a domain of recipients
    "send_windows",
    metadata,
    Column("key", Text, primary_key=True),
    Column("seconds", Integer, primary_key=True, autoincrement=False),  # the length of the window
    Column("newest", BigInteger, nullable=False, server_default="0"),  # number of the newest part of it
    Column("counts", ARRAY(Integer), nullable=False, server_default=text("'{}'::integer[]")),  # newest first
)
