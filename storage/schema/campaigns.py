"""Campaigns: files, segments, what is sent and how fast."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Integer, SmallInteger, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from storage.schema.base import identity, metadata, moment

assets = Table(
    "assets",
    metadata,
    identity(),
    Column("name", Text, nullable=False, unique=True),
    Column("blob", Text, nullable=False),  # SHA-256 in hex
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    moment("created_at", default=True),
)

segments = Table(
    "segments",
    metadata,
    identity(),
    Column("name", Text, nullable=False, unique=True),
    Column("condition", JSONB, nullable=False),
    moment("created_at", default=True),
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False, server_default="draft"),
    Column("channel", Text, nullable=False, server_default="mail"),
    Column("segment_id", ForeignKey("segments.id")),
    Column("purpose", Text, nullable=False, server_default="newsletter"),
    Column("tracking_policy", Text, nullable=False, server_default="aggregate"),
    Column(
        "source", JSONB, nullable=False, server_default=text("'{}'::jsonb")
    ),  # templates.source.MailSource
    Column("rate", Integer),  # messages per second over all workers; null: as fast as it goes
    Column("recipients", BigInteger, nullable=False, server_default="0"),
    Column("measured", BigInteger, nullable=False, server_default="0"),  # of those, with level full
    Column("first_message_id", BigInteger),  # its messages lie between these two, and others may, too
    Column("last_message_id", BigInteger),
    Column("created_by", BigInteger),
    moment("created_at", default=True),
    moment("launch_at", nullable=True),  # a draft with this is launched by a worker; machine time
    Column("launch_error", Text),  # why that did not work
    moment("launched_at", nullable=True),
    moment("finished_at", nullable=True),
)

campaign_paces = Table(  # of campaigns with a rate: from when on the next messages may be marked
    "campaign_paces",
    metadata,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    moment("next_at"),
)

campaign_links = Table(
    "campaign_links",
    metadata,
    Column("campaign_id", ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
    Column("no", SmallInteger, primary_key=True),
    Column("url", Text, nullable=False),
    Column("label", Text, nullable=False, server_default=""),
)
