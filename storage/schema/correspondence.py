"""Correspondence: queues, conversations and who takes part, what messages say, and the files they carry."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from storage.schema.base import identity, json_object, metadata, moment

queues = Table(  # where conversations wait for somebody to take them
    "queues",
    metadata,
    identity(),
    Column("name", Text, nullable=False, unique=True),
    Column("team_id", ForeignKey("teams.id", ondelete="SET NULL")),  # who works on it
    Column("from_name", Text, nullable=False, server_default=""),
    Column("from_address", Text),  # answers are sent from it
    Column("signature", Text, nullable=False, server_default=""),
    Column("language", Text, nullable=False, server_default="en"),
    Column("auto_answer", Text),  # acknowledges the first mail of a conversation, when set
    Column("confidential", Boolean, nullable=False, server_default=text("false")),
    json_object("promises"),  # router/promises/: first_answer, next_answer, resolution, warn_before, escalate
    Column("hours", JSONB),  # when it works, as for teams; null: as its team does
    moment("created_at", default=True),
)

queue_addresses = Table(  # mail to this address begins its conversations in this queue
    "queue_addresses",
    metadata,
    Column("address", Text, primary_key=True),
    Column("queue_id", ForeignKey("queues.id", ondelete="CASCADE"), nullable=False),
    Index("ix_queue_addresses_queue_id", "queue_id"),
)

_NOT_CLOSED = text("state <> 'closed'")

conversations = Table(
    "conversations",
    metadata,
    identity(),
    Column("contact_id", BigInteger),
    Column("case_id", BigInteger),
    Column("queue_id", BigInteger),
    Column("channel", Text, nullable=False, server_default="mail"),  # of its first message
    Column("state", Text, nullable=False, server_default="open"),  # open, waiting, closed
    Column("subject", Text, nullable=False, server_default=""),
    Column("assignee_id", BigInteger),
    Column("junk", Boolean, nullable=False, server_default=text("false")),
    Column("priority", Text, nullable=False, server_default="normal"),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("version", Integer, nullable=False, server_default="1"),
    moment("created_at", default=True),
    moment("updated_at", default=True),
    moment("waiting_since", nullable=True),  # of the oldest message of theirs that has no answer
    moment("last_message_at", nullable=True),
    moment("closed_at", nullable=True),
    moment("answer_due", nullable=True),  # what its queue promises: an answer until then
    moment("resolve_due", nullable=True),  # closed until then
    moment("clock_since", nullable=True),  # waiting_since and queue_id that these two were counted for
    Column("clock_queue", BigInteger),
    moment(
        "breached_at", nullable=True
    ),  # since when a promise is broken; null once it is answered or closed
    moment("sealed_at", nullable=True),  # when it was moved into a confidential queue; business time
    Index("ix_conversations_contact_id", "contact_id"),
    Index(
        "ix_conversations_unclocked",
        "id",
        postgresql_where=text(
            "clock_since IS DISTINCT FROM waiting_since OR (state <> 'closed' AND clock_queue IS DISTINCT FROM queue_id)"
        ),
    ),
    Index("ix_conversations_case_id", "case_id", postgresql_where=text("case_id IS NOT NULL")),
    Index("ix_conversations_queue_open", "queue_id", "waiting_since", "id", postgresql_where=_NOT_CLOSED),
    Index(
        "ix_conversations_assignee_open", "assignee_id", "waiting_since", "id", postgresql_where=_NOT_CLOSED
    ),
    Index("ix_conversations_closed", "closed_at", "id", postgresql_where=text("state = 'closed'")),
)

conversation_parties = Table(  # the addresses that take part; whoever else writes into it waits for a person
    "conversation_parties",
    metadata,
    Column("conversation_id", BigInteger, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("contact_id", BigInteger),
    moment("since", default=True),
    Index("ix_conversation_parties_address", "address"),
)

conversation_drafts = (
    Table(  # what somebody is writing, kept while they write; seen by the others as a warning
        "conversation_drafts",
        metadata,
        Column("conversation_id", BigInteger, primary_key=True),
        Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        json_object("draft"),
        moment("begun_at", default=True),
        moment("touched_at", default=True),
    )
)

placements = Table(  # a message that may belong to a conversation, and a person has to say so
    "placements",
    metadata,
    Column("message_id", BigInteger, primary_key=True),
    Column("conversation_id", BigInteger, nullable=False),  # the suggested one
    Column("reason", Text, nullable=False),
    moment("created_at", default=True),
    moment("decided_at", nullable=True),
    Column("decided_by", BigInteger),
    Column("joined", Boolean),
    Index("ix_placements_undecided", "message_id", postgresql_where=text("decided_at IS NULL")),
    Index("ix_placements_conversation_id", "conversation_id"),
)

message_contents = Table(  # what a message says, apart from its facts so that it can be erased
    "message_contents",
    metadata,
    Column("message_id", BigInteger, primary_key=True),
    Column("subject", Text, nullable=False, server_default=""),
    Column("body", Text, nullable=False, server_default=""),  # plain text, whole
    Column("new_text", Text, nullable=False, server_default=""),  # without quotes and signature
    Column("html", Text),  # as it came; cleaned each time it is shown
    Column("language", Text),  # that it is written in, as far as its words tell (ISO 639-1)
    Column("files_text", Text),  # what its files say, for rules
    moment("written_at", nullable=True),  # says its author
    Column("author_id", BigInteger),  # the user who wrote it, for what we sent
)

message_parties = Table(
    "message_parties",
    metadata,
    Column("message_id", BigInteger, primary_key=True),
    Column("part", Text, primary_key=True),  # from, to, cc, bcc, reply_to
    Column("no", SmallInteger, primary_key=True),
    Column("name", Text, nullable=False, server_default=""),
    Column("address", Text, nullable=False),
    Index("ix_message_parties_address", "address"),
)

mail_facts = Table(  # what only a mail has
    "mail_facts",
    metadata,
    Column("message_id", BigInteger, primary_key=True),
    Column("raw_id", BigInteger),
    Column("header_id", Text, nullable=False, server_default=""),  # its Message-ID, without brackets
    Column(
        "reference_ids", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")
    ),  # nearest first
    Column("digest", Text, nullable=False, server_default=""),  # of author, words and files: tells copies
    Column("mailbox", Text, nullable=False, server_default=""),  # the address of ours that it came to
    Column("automatic", Text),  # why it counts as written by a machine
    Column("back_on", Date),  # of an out-of-office answer
    Column("junk", Text),  # why it counts as junk
    Column("virus", Text),  # the name of what was found
    json_object("authentication"),  # spf, dkim, dmarc: their results
    json_object("forwarded"),  # the original author of a forwarded mail: name, address, date, subject
    Column("headers", JSONB),  # names in small letters, with the first value of each, for rules
    Column("defects", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Index("ix_mail_facts_header_id", "header_id", postgresql_where=text("header_id <> ''")),
    Index("ix_mail_facts_raw_id", "raw_id"),
)

attachments = Table(
    "attachments",
    metadata,
    identity(),
    Column("message_id", BigInteger, nullable=False),
    Column("no", SmallInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("blob", Text, nullable=False),
    Column("content_id", Text, nullable=False, server_default=""),
    Column("inline", Boolean, nullable=False, server_default=text("false")),
    Index("uq_attachments_message_no", "message_id", "no", unique=True),
)

soft_bounces = Table(  # how often in a row mail to an address came back for a reason that may pass
    "soft_bounces",
    metadata,
    Column("address", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    moment("first_at"),
    moment("last_at"),
    Column("last_reason", Text, nullable=False),
)

auto_answers = Table(  # what we answered by ourselves, for the caps per correspondent
    "auto_answers",
    metadata,
    identity(),
    Column("address", Text, nullable=False),
    Column("conversation_id", BigInteger),
    Column("message_id", BigInteger),
    moment("answered_at"),
    Index("ix_auto_answers_address", "address", "answered_at"),
)
