"""The event spine, and who was behind a hit."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, INET, JSONB

from storage.schema.base import metadata, moment

events_id = Sequence("events_id_seq", metadata=metadata, data_type=BigInteger, cache=1)

events = Table(
    "events",
    metadata,
    Column("id", BigInteger, events_id, server_default=events_id.next_value(), nullable=False),
    moment("recorded_at", default=True),
    moment("occurred_at"),
    Column("type", Text, nullable=False),
    Column("contact_id", BigInteger),
    Column("message_id", BigInteger),
    Column("campaign_id", Integer),
    Column("conversation_id", BigInteger),
    Column("case_id", BigInteger),
    Column("task_id", BigInteger),
    Column("actor_id", BigInteger),
    Column("data", JSONB),
    PrimaryKeyConstraint("id", "recorded_at"),
    Index("ix_events_contact_id", "contact_id", "id"),
    Index(  # reactions; that a message was sent stands in deliveries, a million times per campaign
        "ix_events_campaign_id",
        "campaign_id",
        "type",
        postgresql_where=text("campaign_id IS NOT NULL AND type <> 'Sent'"),
    ),
    Index(
        "ix_events_conversation_id",
        "conversation_id",
        "id",
        postgresql_where=text("conversation_id IS NOT NULL"),
    ),
    Index("ix_events_case_id", "case_id", "id", postgresql_where=text("case_id IS NOT NULL")),
    Index("ix_events_task_id", "task_id", "id", postgresql_where=text("task_id IS NOT NULL")),
    postgresql_partition_by="RANGE (recorded_at)",
)

event_keys = Table(  # idempotency over all partitions
    "event_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("event_id", BigInteger, nullable=False),
    moment("recorded_at", default=True),
)

event_texts = Table(  # what people wrote, apart from the events so that it can be erased
    "event_texts",
    metadata,
    Column("event_id", BigInteger, primary_key=True),
    Column("body", Text, nullable=False),
)

hits = Table(  # who was behind an engagement event, and how it came; address and agent can be erased
    "hits",
    metadata,
    Column("event_id", BigInteger, nullable=False),
    moment("recorded_at", default=True),
    moment("occurred_at"),
    Column("message_id", BigInteger, nullable=False),
    Column("campaign_id", Integer),
    Column("contact_id", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("link_no", SmallInteger),
    Column("method", Text, nullable=False),
    Column("address", INET),
    Column("agent", Text),
    Column("verdict", Text, nullable=False, server_default="unsure"),
    Column("reasons", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    moment("arrived_at", default=True),  # machine time; a little before recorded_at, minutes after an outage
    moment("settle_at"),
    moment("judged_at", nullable=True),
    PrimaryKeyConstraint("event_id", "recorded_at"),
    Index("ix_hits_message_id", "message_id"),
    Index("ix_hits_unjudged", "settle_at", postgresql_where=text("judged_at IS NULL")),
    postgresql_partition_by="RANGE (recorded_at)",
)

hit_counts = Table(  # hits of people who did not allow more: numbers, nobody in particular
    "hit_counts",
    metadata,
    Column("campaign_id", Integer, primary_key=True),
    Column("type", Text, primary_key=True),
    Column("link_no", SmallInteger, primary_key=True, server_default="0"),
    Column("day", Date, primary_key=True),
    Column("shard", SmallInteger, primary_key=True, server_default="0"),  # spreads writers over rows
    Column("count", BigInteger, nullable=False),
)
