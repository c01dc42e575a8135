"""Rules, tasks and timers."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from storage.schema.base import identity, json_object, metadata, moment

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
    moment("recorded_at"),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.01"},
)

rules = Table(
    "rules",
    metadata,
    identity(),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("definition", JSONB, nullable=False),
    moment("created_at", default=True),
    UniqueConstraint("name", "version"),
    Index("uq_rules_active", "name", unique=True, postgresql_where=text("active")),
)

rule_runs = Table(  # why something happened, or why it did not
    "rule_runs",
    metadata,
    identity(),
    Column("rule_id", BigInteger, nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("contact_id", BigInteger),
    Column("result", Text, nullable=False),  # acted, held, repeated, refused, failed
    Column("task_id", BigInteger),
    json_object("matched"),
    Column("deeds", JSONB),  # what became of each action, in order: done, nothing, failed, under way
    moment("created_at", default=True),
    Index("ix_rule_runs_task_id", "task_id", postgresql_where=text("task_id IS NOT NULL")),
    Index("ix_rule_runs_rule_id", "rule_id", "id"),
    Index("ix_rule_runs_event_id", "event_id"),
    Index("ix_rule_runs_failed", "id", postgresql_where=text("result = 'failed'")),
)

rule_moments = Table(  # how far the moments of a rule are planned
    "rule_moments",
    metadata,
    Column("rule", Text, primary_key=True),
    moment("planned_until"),  # business time
)

rule_deeds = Table(  # actions that could not be done at once: the world outside, or an error to try again
    "rule_deeds",
    metadata,
    identity(),
    Column("key", Text, nullable=False, unique=True),  # the episode, the event and the action's number
    Column("rule_id", BigInteger, nullable=False),
    Column("event_id", BigInteger, nullable=False),
    moment("event_recorded_at"),
    Column("number", SmallInteger, nullable=False),  # of the action in the rule
    Column("action", Text, nullable=False),
    Column("contact_id", BigInteger),
    Column("case_id", BigInteger),
    Column("conversation_id", BigInteger),
    Column("state", Text, nullable=False, server_default="due"),  # due, done, failed
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    moment("due_at"),  # machine time
    json_object("payload"),  # what is to be done, with its texts filled in
    Column("trouble", Text, nullable=False, server_default=""),
    moment("created_at", default=True),
    moment("settled_at", nullable=True),
    Index("ix_rule_deeds_due_at", "due_at", postgresql_where=text("state = 'due'")),
    Index("ix_rule_deeds_failed", "id", postgresql_where=text("state = 'failed'")),
    Index("ix_rule_deeds_event_id", "event_id"),
    Index("ix_rule_deeds_contact_id", "contact_id", "settled_at", postgresql_where=text("action = 'send'")),
)

rule_episodes = Table(
    "rule_episodes",
    metadata,
    Column(
        "key", Text, primary_key=True
    ),  # rule, then what it acts once for: an event, a contact, a campaign
    Column("event_id", BigInteger, nullable=False),  # the event that began the episode
    moment("started_at"),
)

_OPEN_TASK = text("state NOT IN ('done','cancelled','declined')")
_CLOSED_TASK = text("state IN ('done','cancelled','declined')")

tasks = Table(
    "tasks",
    metadata,
    identity(),
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
    moment("decide_by"),
    moment("due"),
    moment("opened_at"),
    moment("escalated_at", nullable=True),
    moment("closed_at", nullable=True),
    moment("outcome_seen_at", nullable=True),  # when the requester looked at how it ended
    json_object("outcome"),
    json_object("details"),  # lengths of its clocks, question, reason, how far it is down a chain of rules
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
    Index(
        "ix_tasks_conversation_id", "conversation_id", postgresql_where=text("conversation_id IS NOT NULL")
    ),
    Index("ix_tasks_requester_id", "requester_id", "id", postgresql_where=text("requester_id IS NOT NULL")),
    Index("ix_tasks_case_id", "case_id", postgresql_where=text("case_id IS NOT NULL")),
    Index("ix_tasks_campaign_id", "campaign_id", postgresql_where=text("campaign_id IS NOT NULL")),
)

timers = Table(  # holds, waits, deadlines, reminders, journeys
    "timers",
    metadata,
    identity(),
    Column("kind", Text, nullable=False),  # hold, decide_by, due, ...
    Column("key", Text, nullable=False, unique=True),
    moment("due_at"),  # business time
    json_object("payload"),
    Index("ix_timers_due_at", "due_at"),
)
