"""The test mailbox."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, Table, Text

from storage.schema.base import identity, metadata, moment

sandbox_mails = Table(
    "sandbox_mails",
    metadata,
    identity(),
    moment("received_at", default=True),
    Column("sender", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("message_id_header", Text, nullable=False, server_default=""),
    Column("subject", Text, nullable=False, server_default=""),
    Column("raw", LargeBinary, nullable=False),
    Index("ix_sandbox_mails_recipient", "recipient", "id"),
    Index("ix_sandbox_mails_message_id_header", "message_id_header"),
)
