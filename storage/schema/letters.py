"""Letters: messages to one person outside of campaigns, and the requests that must not make two of them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from storage.schema.base import json_object, metadata, moment

letters = Table(  # what a letter's message consists of until it is composed for the wire
    "letters",
    metadata,
    Column("message_id", BigInteger, primary_key=True),
    Column("copy_of", BigInteger),  # for its second recipient and on: the message that has the content
    Column("kind", Text, nullable=False),  # answer, auto_answer, transactional, notification
    Column("sender", Text, nullable=False),  # of the envelope; empty for <>
    Column("content", LargeBinary),  # the mail with its headers, before DKIM and dot-stuffing
    Column("blob", Text),  # or where a large one lies
    Column("utf8", Boolean, nullable=False, server_default=text("false")),
    Column("created_by", BigInteger),
    moment("created_at", default=True),
    Column("options", JSONB),  # of a short message, see channels.sms.content
    Index(  # whose bytes are kept
        "ix_letters_created_at",
        "created_at",
        postgresql_where=text("content IS NOT NULL OR blob IS NOT NULL"),
    ),
    Index("ix_letters_copy_of", "copy_of", postgresql_where=text("copy_of IS NOT NULL")),
)

delivery_attempts = (
    Table(  # the journal: attempts that did not end a delivery at once; the last is in deliveries
        "delivery_attempts",
        metadata,
        Column("message_id", BigInteger, primary_key=True),
        Column("attempt", SmallInteger, primary_key=True),
        Column("state", Text, nullable=False),
        Column("reason", Text),
        Column("reply", Text, nullable=False, server_default=""),  # the server's words
        Column("relay", Text, nullable=False, server_default=""),
        moment("settled_at", default=True),
        Index("ix_delivery_attempts_settled_at", "settled_at", postgresql_using="brin"),
    )
)

api_requests = Table(  # answers to requests with an Idempotency-Key
    "api_requests",
    metadata,
    Column("user_id", BigInteger, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),  # of method, path and body: another request is refused
    Column("status", Integer),
    json_object("answer"),
    moment("created_at", default=True),
    Index("ix_api_requests_created_at", "created_at"),
)
