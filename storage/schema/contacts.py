"""Contacts: persons and organisations, their addresses, imports, consent, the do-not-contact list."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, ForeignKey, Index, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from storage.schema.base import identity, json_object, metadata, moment

contacts = Table(
    "contacts",
    metadata,
    identity(),
    Column("kind", Text, nullable=False, server_default="person"),
    Column("name", Text, nullable=False),
    Column("given_name", Text),
    Column("family_name", Text),
    Column("organisation", Text),  # as written; organisation_id once it is a contact of its own
    Column("organisation_id", BigInteger),
    Column("relation", Text, nullable=False, server_default="other"),
    Column("country", Text),
    Column("language", Text),
    Column("timezone", Text),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("owner_id", ForeignKey("users.id", ondelete="SET NULL")),
    json_object("fields"),
    moment("created_at", default=True),
    moment("updated_at", default=True),
    Index("ix_contacts_relation_country", "relation", "country"),
    Index("ix_contacts_name", text("lower(name)")),
    Index("ix_contacts_owner_id", "owner_id", postgresql_where=text("owner_id IS NOT NULL")),
)

identities = Table(
    "identities",
    metadata,
    identity(),
    Column("contact_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),  # mail, phone
    Column("address", Text, nullable=False),  # normalised
    Column("given", Text, nullable=False),  # as it was written
    Column("last_open_day", Date),  # deliverability only: the day of the last open, overwritten by the next
    moment("created_at", default=True),
    # a mail address is one contact's; a phone number may be shared by the people of an office
    Index("uq_identities_mail", "address", unique=True, postgresql_where=text("kind = 'mail'")),
    Index(
        "uq_identities_phone", "address", "contact_id", unique=True, postgresql_where=text("kind = 'phone'")
    ),
    Index("ix_identities_contact_id", "contact_id"),
)

contact_aliases = Table(
    "contact_aliases",
    metadata,
    Column("old_id", BigInteger, primary_key=True),  # the contact that was merged away
    Column("contact_id", BigInteger, nullable=False),  # the one it lives on in
    moment("created_at", default=True),
    Index("ix_contact_aliases_contact_id", "contact_id"),
)

imports = Table(
    "imports",
    metadata,
    identity(),
    Column("name", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column(
        "state", Text, nullable=False, server_default="waiting"
    ),  # waiting, running, done, failed, cancelled
    Column("mapping", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("size", BigInteger, nullable=False, server_default="0"),  # bytes
    Column("offset", BigInteger, nullable=False, server_default="0"),  # bytes committed
    Column("line", BigInteger, nullable=False, server_default="0"),  # lines committed
    Column("created", BigInteger, nullable=False, server_default="0"),
    Column("joined", BigInteger, nullable=False, server_default="0"),
    Column("rejected", BigInteger, nullable=False, server_default="0"),
    Column("error", Text),
    Column("created_by", BigInteger),
    moment("created_at", default=True),
    moment("finished_at", nullable=True),
)

import_rejects = Table(
    "import_rejects",
    metadata,
    Column("import_id", ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True),
    Column("line", BigInteger, primary_key=True),
    Column("field", Text, nullable=False),
    Column("problem", Text, nullable=False),
    Column("content", Text, nullable=False),
)

consent_ledger = Table(
    "consent_ledger",
    metadata,
    identity(),
    Column("contact_id", BigInteger, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("wording", Text, nullable=False),
    Column("source", Text, nullable=False),
    moment("occurred_at"),
    moment("recorded_at", default=True),
    # the same words twice are one entry
    Index(
        "uq_consent_ledger_entry",
        "contact_id",
        "purpose",
        "state",
        "occurred_at",
        text("hashtextextended(wording, 0)"),
        unique=True,
    ),
)

consents = Table(  # the state that follows from the ledger, kept in the same statement
    "consents",
    metadata,
    Column("contact_id", BigInteger, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("state", Text, nullable=False),
    moment("since"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("kind", Text, primary_key=True),  # mail, phone
    Column("address", Text, primary_key=True),  # normalised
    Column("reason", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("message_id", BigInteger),  # the message of ours that it follows from
    Column("words", Text, nullable=False, server_default=""),  # what the other side said
    moment("created_at", default=True),
)
