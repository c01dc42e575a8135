"""Calls: each with its legs and recordings, and the lines on which people call us."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Numeric, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from storage.schema.base import identity, json_object, metadata, moment

calls = Table(  # one per call, which is a message of the channel voice
    "calls",
    metadata,
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),  # domain.calls.CallState
    Column("result", Text),  # domain.calls.CallResult, when it has ended
    Column("ours", Text, nullable=False, server_default=""),  # the number of ours that is shown or was called
    Column("theirs", Text, nullable=False, server_default=""),  # E.164, or what the network told of a caller
    Column("line_id", BigInteger),  # called on this line
    Column("user_id", BigInteger),  # who of us placed it, is rung now or talks
    Column("task_id", BigInteger),  # placed from this task
    Column("provider_id", Text),  # of the leg that it began with; null while we do not know it
    Column("step", Integer, nullable=False, server_default="0"),  # documents given so far
    json_object("position"),  # where in the line's menu the caller is
    Column("answer", JSONB),  # the last document given, for a provider that asks twice
    Column("announced", Boolean, nullable=False, server_default=text("false")),  # recording was announced
    Column("trouble", Text, nullable=False, server_default=""),  # why it failed, in the provider's words
    moment("placed_at"),
    moment("answered_at", nullable=True),  # by the second of two people
    moment("ended_at", nullable=True),
    Column("seconds", Integer),  # of talk, or of the message that was left
    Column("price", Numeric),  # of all legs; negative for what we pay
    Column("currency", Text),
    Column("version", Integer, nullable=False, server_default="1"),
    moment("changed_at", default=True),
    moment("look_at", nullable=True),  # when to ask the provider how it stands, unless a report comes before
    Column("looks", Integer, nullable=False, server_default="0"),  # asked in vain so often
    moment("recordings_at", nullable=True),  # when to ask the provider for recordings that nobody told of
    Index("ix_calls_look_at", "look_at", postgresql_where=text("look_at IS NOT NULL")),
    Index("ix_calls_recordings_at", "recordings_at", postgresql_where=text("recordings_at IS NOT NULL")),
    Index("ix_calls_provider_id", "provider_id", postgresql_where=text("provider_id IS NOT NULL")),
    Index("ix_calls_changed_at", "changed_at"),
    Index("ix_calls_live", "user_id", "message_id", postgresql_where=text("state <> 'ended'")),
    Index("ix_calls_task_id", "task_id", postgresql_where=text("task_id IS NOT NULL")),
    Index("ix_calls_theirs", "theirs", "message_id"),
    Index("ix_calls_user_id", "user_id", "message_id", postgresql_where=text("user_id IS NOT NULL")),
)

call_legs = Table(
    "call_legs",
    metadata,
    Column("provider_id", Text, primary_key=True),
    Column("message_id", BigInteger, nullable=False),
    Column("part", Text, nullable=False),  # us, them
    Column("user_id", BigInteger),  # whose phone it is, of ours
    Column("number", Text, nullable=False, server_default=""),
    Column("status", Text, nullable=False, server_default=""),  # the provider's word; only moves forward
    Column("sequence", Integer, nullable=False, server_default="-1"),  # the provider's count of its reports
    moment("answered_at", nullable=True),
    moment("ended_at", nullable=True),
    Column("seconds", Integer),
    Column("price", Numeric),
    Column("currency", Text),
    moment("price_at", nullable=True),  # when to ask what it cost; null: known, or given up
    Column("price_looks", Integer, nullable=False, server_default="0"),
    Index("ix_call_legs_message_id", "message_id"),
    Index("ix_call_legs_user_id", "user_id", "message_id", postgresql_where=text("user_id IS NOT NULL")),
    Index("ix_call_legs_rung", "user_id", postgresql_where=text("user_id IS NOT NULL AND ended_at IS NULL")),
    Index("ix_call_legs_price_at", "price_at", postgresql_where=text("price_at IS NOT NULL")),
)

recordings = Table(
    "recordings",
    metadata,
    identity(),
    Column("message_id", BigInteger, nullable=False),
    Column("provider_id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),  # voicemail, talk
    Column("state", Text, nullable=False, server_default="there"),  # there, fetched, failed, deleted
    Column("url", Text, nullable=False),  # where the provider keeps it
    Column("seconds", Integer),
    Column("blob", Text),
    Column("media_type", Text, nullable=False, server_default=""),
    Column("size", BigInteger),
    Column("transcript", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    moment("due_at", nullable=True),  # when to fetch it, or to delete it there; null: nothing is to be done
    moment("delete_after", nullable=True),  # its time of retention ends (business time)
    Column("kept_there", Boolean, nullable=False, server_default=text("true")),  # the provider still has it
    Column("trouble", Text, nullable=False, server_default=""),
    moment("created_at", default=True),
    Index("ix_recordings_message_id", "message_id"),
    Index("ix_recordings_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index("ix_recordings_delete_after", "delete_after", postgresql_where=text("delete_after IS NOT NULL")),
)

phone_lines = Table(  # a number of ours on which people call, and what they hear there
    "phone_lines",
    metadata,
    identity(),
    Column("number", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("queue_id", ForeignKey("queues.id", ondelete="SET NULL")),  # voicemail and missed calls go there
    Column("definition", JSONB, nullable=False),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("version", Integer, nullable=False, server_default="1"),
    moment("created_at", default=True),
)
