"""Matters and messages: cases, who has a part in them, the facts of each message."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, Text, text

from storage.schema.base import identity, json_object, metadata, moment

cases = Table(
    "cases",
    metadata,
    identity(),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="open"),
    Column("stage", Text),
    Column("owner_id", BigInteger),
    Column("confidential", Boolean, nullable=False, server_default=text("false")),
    json_object("fields"),
    moment("created_at", default=True),
    moment("closed_at", nullable=True),
)

case_contacts = Table(
    "case_contacts",
    metadata,
    Column("case_id", ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True),
    Column("contact_id", BigInteger, primary_key=True),
    Column("part", Text, nullable=False, server_default=""),  # buyer, lawyer, candidate...
    Index("ix_case_contacts_contact_id", "contact_id"),
)

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
)
