"""Short messages: what the provider says of each, one that goes out or one that came in."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Numeric, SmallInteger, Table, Text, text

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
    Column("raw_id", BigInteger),  # the bytes that one of theirs came in
    Column("command", Text),  # stop, start, help: it is nothing but that
    Column(
        "unsettled", Boolean, nullable=False, server_default=text("false")
    ),  # reported before it was settled
    Column(
        "price_looks", SmallInteger, nullable=False, server_default="0"
    ),  # times that its price was asked for
    moment("price_at", nullable=True),  # when to ask for its price; none: known, or given up
    # Not unique: a wrong guess about a message in doubt must never make settling another one fail.
    Index("ix_sms_facts_provider_id", "provider_id", postgresql_where=text("provider_id IS NOT NULL")),
    Index("ix_sms_facts_theirs", "theirs", "ours"),
    Index("ix_sms_facts_look_at", "look_at", postgresql_where=text("look_at IS NOT NULL")),
    Index("ix_sms_facts_unsettled", "message_id", postgresql_where=text("unsettled")),
    Index("ix_sms_facts_price_at", "price_at", postgresql_where=text("price_at IS NOT NULL")),
)

sms_paces = (
    Table(  # whose turn it is, over all processes: a row per sender, and the account's under the empty key
        "sms_paces",
        metadata,
        Column("key", Text, primary_key=True),
        moment("next_at", default=True),  # the first place in its rate that is not given away
        moment("rest_until", nullable=True),  # the provider takes nothing more from it until then
    )
)

sms_media = Table(  # pictures and files that still lie at the provider; gone when they are attachments
    "sms_media",
    metadata,
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    Column("no", SmallInteger, primary_key=True, autoincrement=False),
    Column("url", Text, nullable=False),
    Column("content_type", Text, nullable=False),  # as the provider announced it
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    moment("fetch_at", nullable=True),  # not before; none: given up
    Column("trouble", Text),  # why the last attempt came to nothing
    Index("ix_sms_media_due", "fetch_at", postgresql_where=text("fetch_at IS NOT NULL")),
)
