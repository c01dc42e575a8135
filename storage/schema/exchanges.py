"""The facts of each message."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from storage.schema.base import identity, metadata, moment

messages = Table(  # facts of a message, written once
    "messages",
    metadata,
    identity(),
    Column("direction", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("contact_id", BigInteger),
    Column("identity_id", BigInteger),
    Column("campaign_id", Integer),
    Column("conversation_id", BigInteger),
    Column("case_id", BigInteger),
    Column("tracking_level", Text, nullable=False, server_default="none"),
    moment("created_at", default=True),
    Index("ix_messages_contact_id", "contact_id"),
    Index(
        "ix_messages_conversation_id",
        "conversation_id",
        "id",
        postgresql_where=text("conversation_id IS NOT NULL"),
    ),
    Index("ix_messages_case_id", "case_id", postgresql_where=text("case_id IS NOT NULL")),
)
