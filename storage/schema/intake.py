"""What arrives: every mail as it came, by which doors it came, and where each folder was read to."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, Identity, Index, LargeBinary, SmallInteger, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from storage.schema.base import identity, json_object, metadata, moment

raw_mails = Table(  # the bytes, kept before anybody understood them (promise 5); one row per content
    "raw_mails",
    metadata,
    identity(),
    Column("channel", Text, nullable=False, server_default="mail"),  # whose reader takes it: mail, sms
    Column("content_hash", LargeBinary, nullable=False, unique=True),  # SHA-256 of the bytes as they came
    Column("size", BigInteger, nullable=False),
    Column("content", LargeBinary),  # a small mail; a large one lies in the blob store
    Column("blob", Text),
    Column("sender", Text, nullable=False),  # of the envelope; empty for <>
    Column("state", Text, nullable=False, server_default="stored"),  # stored, read, quarantined, discarded
    Column("reason", Text),  # why it is in quarantine
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("message_id", BigInteger),  # what it became
    moment("received_at", default=True),
    moment(
        "read_again_at", nullable=True
    ),  # not before; set while somebody reads it, so that a crash is seen
    moment("settled_at", nullable=True),
    Index("ix_raw_mails_stored", "channel", "id", postgresql_where=text("state = 'stored'")),
    Index("ix_raw_mails_quarantined", "id", postgresql_where=text("state = 'quarantined'")),
    Index(  # whose bytes are kept
        "ix_raw_mails_read",
        "settled_at",
        postgresql_where=text("state = 'read' AND (content IS NOT NULL OR blob IS NOT NULL)"),
    ),
    postgresql_with={"toast_tuple_target": "4096"},
)

arrivals = Table(  # each time that these bytes came: by which door, for whom
    "arrivals",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("raw_id", BigInteger, nullable=False),
    Column("door", Text, nullable=False),  # smtp, lmtp, imap:ACCOUNT, file, ...
    Column("cursor", Text),  # where in the door's own order, e.g. MAILBOX/UIDVALIDITY/UID
    Column("recipients", ARRAY(Text), nullable=False),  # of the envelope
    json_object("meta"),  # peer, helo, tls, user, direction
    moment("arrived_at", default=True),
    Index("ix_arrivals_raw_id", "raw_id"),
    Index("uq_arrivals_cursor", "door", "cursor", unique=True, postgresql_where=text("cursor IS NOT NULL")),
)

imap_positions = Table(  # up to which mail each folder was taken in
    "imap_positions",
    metadata,
    Column("account", Text, primary_key=True),
    Column("folder", Text, primary_key=True),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("uid", BigInteger, nullable=False),
    Column("since", Date),  # mail that arrived before this day was left out, as the settings wanted
    moment("moved_at", default=True),
)

imap_states = Table(  # how the watch on each folder is doing, for people to see
    "imap_states",
    metadata,
    Column("account", Text, primary_key=True),
    Column("folder", Text, primary_key=True),
    Column("state", Text, nullable=False),  # connecting, reading, watching, failed, stopped
    Column("trouble", Text, nullable=False),  # a word of channels.mail.imap.words.Trouble; empty for none
    Column("words", Text, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger),
    moment("contact_at", nullable=True),
    moment("again_at", nullable=True),
    moment("changed_at", default=True),
)

oauth_grants = Table(  # tokens of mail providers, encrypted with a key that the database does not hold
    "oauth_grants",
    metadata,
    Column("name", Text, primary_key=True),
    Column("secret", LargeBinary),
    moment("changed_at", default=True),
)
