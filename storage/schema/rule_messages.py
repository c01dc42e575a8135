"""What rules say and hold back: message templates, notices to people who work here, pauses of marketing."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Text, UniqueConstraint, text

from storage.schema.base import identity, metadata, moment

message_templates = Table(  # texts that rules send, by name, in several languages
    "message_templates",
    metadata,
    identity(),
    Column("name", Text, nullable=False),
    Column("language", Text, nullable=False, server_default="en"),
    Column("channel", Text, nullable=False, server_default="mail"),  # mail, sms
    Column("subject", Text, nullable=False, server_default=""),
    Column("body", Text, nullable=False),
    moment("updated_at", default=True),
    UniqueConstraint("name", "language"),
)

notices = Table(  # what a rule tells a person who works here, until they have seen it
    "notices",
    metadata,
    identity(),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("words", Text, nullable=False),
    Column("rule", Text, nullable=False, server_default=""),
    Column("contact_id", BigInteger),
    Column("conversation_id", BigInteger),
    Column("case_id", BigInteger),
    Column("task_id", BigInteger),
    moment("created_at"),  # business time
    moment("seen_at", nullable=True),
    Index("ix_notices_user_id", "user_id", "id"),
    Index("ix_notices_unseen", "user_id", postgresql_where=text("seen_at IS NULL")),
)

marketing_pauses = (
    Table(  # no campaign is sent to the contact meanwhile; it ends by its time, its matter, or a person
        "marketing_pauses",
        metadata,
        identity(),
        Column("contact_id", BigInteger, nullable=False),
        Column("key", Text, nullable=False, unique=True),  # of the action, so that it is made once
        Column("rule", Text, nullable=False, server_default=""),
        Column("conversation_id", BigInteger),  # while it is not closed
        Column("case_id", BigInteger),  # while it is open
        moment("until", nullable=True),  # business time
        moment("created_at"),
        moment("lifted_at", nullable=True),
        Column("lifted_by", BigInteger),
        Index("ix_marketing_pauses_contact_id", "contact_id", postgresql_where=text("lifted_at IS NULL")),
    )
)
