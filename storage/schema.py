"""Every table of the house, in the order of the story: people, consent, campaigns, messages, events, work.

Declared for SQLAlchemy Core: alembic compares the database with it, and segments compile to it. Hot tables
(messages, deliveries, events, hits) carry no foreign keys: their writers insert tens of thousands of rows in one
statement and take every id from a row that they read in the same statement.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, INET, JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_NOW = text("now()")
_EMPTY = text("'{}'::jsonb")


def _id() -> Column[int]:
    return Column("id", BigInteger, Identity(), primary_key=True)


def _moment(name: str, *, default: bool = False, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=_NOW if default else None)


def _json(name: str) -> Column[object]:
    return Column(name, JSONB, nullable=False, server_default=_EMPTY)


# People who work here -----------------------------------------------------------------------------------------------

users = Table(
    "users",
    metadata,
    _id(),
    Column("email", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),  # administrator, marketer, rep, agent, manager
    Column("password_hash", Text),
    Column("language", Text, nullable=False, server_default="en"),
    Column("timezone", Text, nullable=False, server_default="Europe/Paris"),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    _moment("created_at", default=True),
)

teams = Table(
    "teams",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("country", Text, nullable=False, server_default="FR"),  # whose public holidays
    Column("timezone", Text, nullable=False, server_default="Europe/Paris"),
    _json("hours"),  # {"mon": [["09:00", "12:30"], ["14:00", "18:00"]], ...}
)

team_members = Table(
    "team_members",
    metadata,
    Column("team_id", ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("csrf", Text, nullable=False),
    _moment("created_at", default=True),
    _moment("expires_at"),
)

signin_links = Table(
    "signin_links",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE")),  # null: makes the first administrator
    _moment("expires_at"),
    _moment("used_at", nullable=True),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    _id(),
    Column("token_hash", LargeBinary, nullable=False, unique=True),  # SHA-256; the token itself is shown once
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    _moment("created_at", default=True),
    _moment("last_used", nullable=True),
    Index("ix_api_tokens_user_id", "user_id"),
)

house = Table(
    "house",
    metadata,
    Column("key", Text, primary_key=True),  # e.g. clock_offset_seconds
    Column("value", JSONB, nullable=False),
)

# Contacts -----------------------------------------------------------------------------------------------------------

contacts = Table(
    "contacts",
    metadata,
    _id(),
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
    Column("owner_id", ForeignKey("users.id", ondelete="SET NULL")),
    _json("fields"),
    _moment("created_at", default=True),
    _moment("updated_at", default=True),
    Index("ix_contacts_relation_country", "relation", "country"),
    Index("ix_contacts_name", text("lower(name)")),
    Index("ix_contacts_owner_id", "owner_id", postgresql_where=text("owner_id IS NOT NULL")),
)

identities = Table(
    "identities",
    metadata,
    _id(),
    Column("contact_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),  # mail, phone
    Column("address", Text, nullable=False),  # normalised
    Column("given", Text, nullable=False),  # as it was written
    Column("last_open_day", Date),  # deliverability only: the day of the last open, overwritten by the next
    _moment("created_at", default=True),
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
    _moment("created_at", default=True),
    Index("ix_contact_aliases_contact_id", "contact_id"),
)

imports = Table(
    "imports",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column(
        "state", Text, nullable=False, server_default="waiting"
    ),  # waiting, running, done, failed, cancelled
    Column("mapping", JSONB, nullable=False, server_default=_EMPTY),
    Column("size", BigInteger, nullable=False, server_default="0"),  # bytes
    Column("offset", BigInteger, nullable=False, server_default="0"),  # bytes committed
    Column("line", BigInteger, nullable=False, server_default="0"),  # lines committed
    Column("created", BigInteger, nullable=False, server_default="0"),
    Column("joined", BigInteger, nullable=False, server_default="0"),
    Column("rejected", BigInteger, nullable=False, server_default="0"),
    Column("error", Text),
    Column("created_by", BigInteger),
    _moment("created_at", default=True),
    _moment("finished_at", nullable=True),
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

# Consent ------------------------------------------------------------------------------------------------------------

consent_ledger = Table(
    "consent_ledger",
    metadata,
    _id(),
    Column("contact_id", BigInteger, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("wording", Text, nullable=False),
    Column("source", Text, nullable=False),
    _moment("occurred_at"),
    _moment("recorded_at", default=True),
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
    _moment("since"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("kind", Text, primary_key=True),  # mail, phone
    Column("address", Text, primary_key=True),  # normalised
    Column("reason", Text, nullable=False),
    Column("source", Text, nullable=False),
    _moment("created_at", default=True),
)

# Campaigns ----------------------------------------------------------------------------------------------------------

assets = Table(
    "assets",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("blob", Text, nullable=False),  # SHA-256 in hex
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    _moment("created_at", default=True),
)

segments = Table(
    "segments",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("condition", JSONB, nullable=False),
    _moment("created_at", default=True),
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
    Column("source", JSONB, nullable=False, server_default=_EMPTY),  # templates.source.MailSource
    Column("rate", Integer),  # messages per second over all workers; null: as fast as it goes
    Column("recipients", BigInteger, nullable=False, server_default="0"),
    Column("measured", BigInteger, nullable=False, server_default="0"),  # of those, with level full
    Column("first_message_id", BigInteger),  # its messages lie between these two, and others may, too
    Column("last_message_id", BigInteger),
    Column("created_by", BigInteger),
    _moment("created_at", default=True),
    _moment("launch_at", nullable=True),  # a draft with this is launched by a worker; machine time
    Column("launch_error", Text),  # why that did not work
    _moment("launched_at", nullable=True),
    _moment("finished_at", nullable=True),
)

campaign_paces = Table(  # of campaigns with a rate: from when on the next messages may be marked
    "campaign_paces",
    metadata,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    _moment("next_at"),
)

campaign_links = Table(
    "campaign_links",
    metadata,
    Column("campaign_id", ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
    Column("no", SmallInteger, primary_key=True),
    Column("url", Text, nullable=False),
    Column("label", Text, nullable=False, server_default=""),
)

# Matters and exchanges ----------------------------------------------------------------------------------------------

cases = Table(
    "cases",
    metadata,
    _id(),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="open"),
    Column("stage", Text),
    Column("owner_id", BigInteger),
    Column("confidential", Boolean, nullable=False, server_default=text("false")),
    _json("fields"),
    _moment("created_at", default=True),
    _moment("closed_at", nullable=True),
)

case_contacts = Table(
    "case_contacts",
    metadata,
    Column("case_id", ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True),
    Column("contact_id", BigInteger, primary_key=True),
    Column("part", Text, nullable=False, server_default=""),  # buyer, lawyer, candidate...
    Index("ix_case_contacts_contact_id", "contact_id"),
)

conversations = Table(
    "conversations",
    metadata,
    _id(),
    Column("contact_id", BigInteger),
    Column("case_id", BigInteger),
    Column("state", Text, nullable=False, server_default="open"),
    Column("subject", Text, nullable=False, server_default=""),
    Column("assignee_id", BigInteger),
    _moment("created_at", default=True),
    _moment("updated_at", default=True),
    Index("ix_conversations_contact_id", "contact_id"),
)

# Messages and their delivery ----------------------------------------------------------------------------------------

messages = Table(  # facts of a message, written once
    "messages",
    metadata,
    _id(),
    Column("direction", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("contact_id", BigInteger),
    Column("identity_id", BigInteger),
    Column("campaign_id", Integer),
    Column("conversation_id", BigInteger),
    Column("case_id", BigInteger),
    Column("tracking_level", Text, nullable=False, server_default="none"),
    _moment("created_at", default=True),
    Index("ix_messages_contact_id", "contact_id"),
)

deliveries = Table(  # the outbox: a row per recipient, the state machine of domain/messages.py
    "deliveries",
    metadata,
    Column("message_id", BigInteger, primary_key=True),
    Column("campaign_id", Integer),
    Column("contact_id", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="queued"),
    Column("attempt", SmallInteger, nullable=False, server_default="0"),
    Column(
        "claim", Integer, nullable=False, server_default="0"
    ),  # the number of the last claim, counted from 1
    Column("worker", Text),
    Column("lease_until", DateTime(timezone=True)),
    Column("not_before", DateTime(timezone=True)),
    Column("settled_at", DateTime(timezone=True)),
    Column("reason", Text),
    Column("reply", Text),
    CheckConstraint(
        "state IN ('queued','claimed','sending','sent','deferred','rejected','uncertain','cancelled')",
        name="state",
    ),
    # No index looks at the state: so the updates on the way to `sent` stay within their page (HOT), and the table
    # does not bloat. What waits is found by delivery_ranges; this one finds whatever did not simply go out.
    Index("ix_deliveries_apart", "campaign_id", "reason", postgresql_where=text("reason IS NOT NULL")),
    postgresql_with={"fillfactor": "45", "autovacuum_vacuum_scale_factor": "0.05"},
)

delivery_ranges = (
    Table(  # stretches of a campaign's messages, claimed as one; gone when nothing is left to do
        "delivery_ranges",
        metadata,
        Column("low", BigInteger, primary_key=True, autoincrement=False),
        Column("high", BigInteger, nullable=False),
        Column("campaign_id", Integer, nullable=False),
        Column("ready_at", DateTime(timezone=True)),  # from then on something may be claimed
        Column("lease_until", DateTime(timezone=True)),  # from then on a lease may have run out
        Index("ix_delivery_ranges_ready", "campaign_id", "ready_at", "low"),
        Index("ix_delivery_ranges_leased", "lease_until"),
        postgresql_with={"fillfactor": "50", "autovacuum_vacuum_scale_factor": "0.05"},
    )
)

# The event spine ----------------------------------------------------------------------------------------------------

events_id = Sequence("events_id_seq", metadata=metadata, data_type=BigInteger, cache=1)

events = Table(
    "events",
    metadata,
    Column("id", BigInteger, events_id, server_default=events_id.next_value(), nullable=False),
    _moment("recorded_at", default=True),
    _moment("occurred_at"),
    Column("type", Text, nullable=False),
    Column("contact_id", BigInteger),
    Column("message_id", BigInteger),
    Column("campaign_id", Integer),
    Column("conversation_id", BigInteger),
    Column("case_id", BigInteger),
    Column("task_id", BigInteger),
    Column("actor_id", BigInteger),
    Column("data", JSONB),
    PrimaryKeyConstraint("id", "recorded_at"),
    Index("ix_events_contact_id", "contact_id", "id"),
    Index(  # reactions; that a message was sent stands in deliveries, a million times per campaign
        "ix_events_campaign_id",
        "campaign_id",
        "type",
        postgresql_where=text("campaign_id IS NOT NULL AND type <> 'Sent'"),
    ),
    postgresql_partition_by="RANGE (recorded_at)",
)

event_keys = Table(  # idempotency over all partitions
    "event_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("event_id", BigInteger, nullable=False),
    _moment("recorded_at", default=True),
)

event_texts = Table(  # what people wrote, apart from the events so that it can be erased
    "event_texts",
    metadata,
    Column("event_id", BigInteger, primary_key=True),
    Column("body", Text, nullable=False),
)

hits = Table(  # who was behind an engagement event, and how it came; address and agent can be erased
    "hits",
    metadata,
    Column("event_id", BigInteger, nullable=False),
    _moment("recorded_at", default=True),
    _moment("occurred_at"),
    Column("message_id", BigInteger, nullable=False),
    Column("campaign_id", Integer),
    Column("contact_id", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("link_no", SmallInteger),
    Column("method", Text, nullable=False),
    Column("address", INET),
    Column("agent", Text),
    Column("verdict", Text, nullable=False, server_default="unsure"),
    Column("reasons", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    _moment("arrived_at", default=True),  # machine time; a little before recorded_at, minutes after an outage
    _moment("settle_at"),
    _moment("judged_at", nullable=True),
    PrimaryKeyConstraint("event_id", "recorded_at"),
    Index("ix_hits_message_id", "message_id"),
    Index("ix_hits_unjudged", "settle_at", postgresql_where=text("judged_at IS NULL")),
    postgresql_partition_by="RANGE (recorded_at)",
)

hit_counts = Table(  # hits of people who did not allow more: numbers, nobody in particular
    "hit_counts",
    metadata,
    Column("campaign_id", Integer, primary_key=True),
    Column("type", Text, primary_key=True),
    Column("link_no", SmallInteger, primary_key=True, server_default="0"),
    Column("day", Date, primary_key=True),
    Column("shard", SmallInteger, primary_key=True, server_default="0"),  # spreads writers over rows
    Column("count", BigInteger, nullable=False),
)

# Routing ------------------------------------------------------------------------------------------------------------

router_interests = Table(  # event types that an active rule looks at
    "router_interests",
    metadata,
    Column("type", Text, primary_key=True),
)

router_lanes = Table(  # whoever holds a lane's row routes its contacts, in order
    "router_lanes",
    metadata,
    Column("lane", SmallInteger, primary_key=True, autoincrement=False),
)

pending_events = Table(  # recorded, not yet routed
    "pending_events",
    metadata,
    Column("lane", SmallInteger, primary_key=True, autoincrement=False),
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),
    _moment("recorded_at"),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.01"},
)

rules = Table(
    "rules",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("definition", JSONB, nullable=False),
    _moment("created_at", default=True),
    UniqueConstraint("name", "version"),
    Index("uq_rules_active", "name", unique=True, postgresql_where=text("active")),
)

rule_runs = Table(  # why something happened, or why it did not
    "rule_runs",
    metadata,
    _id(),
    Column("rule_id", BigInteger, nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("contact_id", BigInteger),
    Column("result", Text, nullable=False),  # acted, held, repeated, refused, failed
    Column("task_id", BigInteger),
    _json("matched"),
    _moment("created_at", default=True),
    Index("ix_rule_runs_task_id", "task_id", postgresql_where=text("task_id IS NOT NULL")),
    Index("ix_rule_runs_rule_id", "rule_id", "id"),
    Index("ix_rule_runs_event_id", "event_id"),
    Index("ix_rule_runs_failed", "id", postgresql_where=text("result = 'failed'")),
)

rule_episodes = Table(
    "rule_episodes",
    metadata,
    Column(
        "key", Text, primary_key=True
    ),  # rule, then what it acts once for: an event, a contact, a campaign
    Column("event_id", BigInteger, nullable=False),  # the event that began the episode
    _moment("started_at"),
)

_OPEN_TASK = text("state NOT IN ('done','cancelled','declined')")
_CLOSED_TASK = text("state IN ('done','cancelled','declined')")

tasks = Table(
    "tasks",
    metadata,
    _id(),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="offered"),
    Column("priority", Text, nullable=False, server_default="normal"),
    Column("contact_id", BigInteger),
    Column("campaign_id", Integer),
    Column("conversation_id", BigInteger),
    Column("case_id", BigInteger),
    Column("event_id", BigInteger),
    Column("rule_id", BigInteger),
    Column("requester_id", BigInteger),
    Column("assignee_id", BigInteger),
    Column("team_id", BigInteger),
    Column("idempotency_key", Text, unique=True),
    Column("version", Integer, nullable=False, server_default="1"),
    _moment("decide_by"),
    _moment("due"),
    _moment("opened_at"),
    _moment("escalated_at", nullable=True),
    _moment("closed_at", nullable=True),
    _json("outcome"),
    _json("details"),  # lengths of its clocks, question, reason, how far it is down a chain of rules
    Index("ix_tasks_open", "due", "id", postgresql_where=_OPEN_TASK),
    Index("ix_tasks_assignee_open", "assignee_id", "due", "id", postgresql_where=_OPEN_TASK),
    Index("ix_tasks_team_open", "team_id", "due", "id", postgresql_where=_OPEN_TASK),
    Index(
        "ix_tasks_team_waiting",
        "team_id",
        "due",
        "id",
        postgresql_where=text("assignee_id IS NULL AND state NOT IN ('done','cancelled','declined')"),
    ),
    Index("ix_tasks_closed", "closed_at", "id", postgresql_where=_CLOSED_TASK),
    Index("ix_tasks_assignee_closed", "assignee_id", "closed_at", "id", postgresql_where=_CLOSED_TASK),
    Index("ix_tasks_team_closed", "team_id", "closed_at", "id", postgresql_where=_CLOSED_TASK),
    Index("ix_tasks_contact_id", "contact_id"),
    Index("ix_tasks_campaign_id", "campaign_id", postgresql_where=text("campaign_id IS NOT NULL")),
)

timers = Table(  # holds, waits, deadlines, reminders, journeys
    "timers",
    metadata,
    _id(),
    Column("kind", Text, nullable=False),  # hold, decide_by, due, ...
    Column("key", Text, nullable=False, unique=True),
    _moment("due_at"),  # business time
    _json("payload"),
    Index("ix_timers_due_at", "due_at"),
)

# The test mailbox ---------------------------------------------------------------------------------------------------

sandbox_mails = Table(
    "sandbox_mails",
    metadata,
    _id(),
    _moment("received_at", default=True),
    Column("sender", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("message_id_header", Text, nullable=False, server_default=""),
    Column("subject", Text, nullable=False, server_default=""),
    Column("raw", LargeBinary, nullable=False),
    Index("ix_sandbox_mails_recipient", "recipient", "id"),
    Index("ix_sandbox_mails_message_id_header", "message_id_header"),
)
