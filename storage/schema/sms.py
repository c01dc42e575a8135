"""Short messages: what the provider says of each, one that goes out or one that came in."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Numeric, SmallInteger, Table, Text, text

from storage.schema.base import metadata, moment

sms_facts = Table(
    "sms_facts",
    metadata,
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    Column("provider_id", Text),  # the provider's number of it; null while we do not know it
    Column("status", Text, nullable=False, server_default=""),  # the provider's word; only moves forward
    Column("reason", Text),  # our word for the error that it tells (channels.sms.reasons)
    Column(
        "ours", Text, nullable=False, server_default=""
    ),  # our number, short code, name or messaging service
    Column("theirs", Text, nullable=False, server_default=""),  # the number at the other end, E.164
    Column("encoding", Text),
    Column("segments", SmallInteger),  # parts, as they are billed
    Column("price", Numeric),  # negative for what we pay; known some time after sending
    Column("currency", Text),
    moment("reported_at", nullable=True),  # when the state changed last
    Column("looks", SmallInteger, nullable=False, server_default="0"),  # times that it was looked for there
    moment("look_at", nullable=True),  # in doubt: when to look again
    # Not unique: a wrong guess about a message in doubt must never make settling another one fail.
    Index("ix_sms_facts_provider_id", "provider_id", postgresql_where=text("provider_id IS NOT NULL")),
    Index("ix_sms_facts_theirs", "theirs", "ours"),
)
