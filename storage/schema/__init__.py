"""Every table of the house, a file per part of the story.

Declared for SQLAlchemy Core: alembic compares the database with it, and segments compile to it. Hot tables
(messages, deliveries, events, hits) carry no foreign keys: their writers insert tens of thousands of rows in one
statement and take every id from a row that they read in the same statement.
"""

from __future__ import annotations

from storage.schema.assignment import absences, task_offers, team_days_off, turns
from storage.schema.base import metadata
from storage.schema.calls import call_legs, calls, phone_lines, recordings
from storage.schema.campaigns import assets, campaign_links, campaign_paces, campaigns, segments
from storage.schema.cases import case_contacts, case_members, case_steps, case_types, cases
from storage.schema.contacts import (
    consent_ledger,
    consents,
    contact_aliases,
    contacts,
    identities,
    import_rejects,
    imports,
    suppressions,
)
from storage.schema.correspondence import (
    attachments,
    auto_answers,
    conversation_drafts,
    conversation_parties,
    conversations,
    mail_facts,
    message_contents,
    message_parties,
    placements,
    queue_addresses,
    queues,
    soft_bounces,
)
from storage.schema.events import event_keys, event_texts, events, events_id, hit_counts, hits
from storage.schema.exchanges import messages
from storage.schema.intake import arrivals, imap_positions, raw_mails
from storage.schema.letters import api_requests, delivery_attempts, letters
from storage.schema.outbox import deliveries, delivery_ranges, send_windows
from storage.schema.people import api_tokens, house, sessions, signin_links, team_members, teams, users
from storage.schema.routing import (
    pending_events,
    router_interests,
    router_lanes,
    rule_deeds,
    rule_episodes,
    rule_moments,
    rule_runs,
    rules,
    tasks,
    timers,
)
from storage.schema.rule_messages import marketing_pauses, message_templates, notices
from storage.schema.sandbox import sandbox_mails
from storage.schema.sms import sms_facts, sms_media, sms_paces

__all__ = [
    "absences",
    "api_requests",
    "api_tokens",
    "arrivals",
    "assets",
    "attachments",
    "auto_answers",
    "call_legs",
    "calls",
    "campaign_links",
    "campaign_paces",
    "campaigns",
    "case_contacts",
    "case_members",
    "case_steps",
    "case_types",
    "cases",
    "consent_ledger",
    "consents",
    "contact_aliases",
    "contacts",
    "conversation_drafts",
    "conversation_parties",
    "conversations",
    "deliveries",
    "delivery_attempts",
    "delivery_ranges",
    "event_keys",
    "event_texts",
    "events",
    "events_id",
    "hit_counts",
    "hits",
    "house",
    "identities",
    "imap_positions",
    "import_rejects",
    "imports",
    "letters",
    "mail_facts",
    "marketing_pauses",
    "message_contents",
    "message_parties",
    "message_templates",
    "messages",
    "metadata",
    "notices",
    "pending_events",
    "phone_lines",
    "placements",
    "queue_addresses",
    "queues",
    "raw_mails",
    "recordings",
    "router_interests",
    "router_lanes",
    "rule_deeds",
    "rule_episodes",
    "rule_moments",
    "rule_runs",
    "rules",
    "sandbox_mails",
    "segments",
    "send_windows",
    "sessions",
    "signin_links",
    "sms_facts",
    "sms_media",
    "sms_paces",
    "soft_bounces",
    "suppressions",
    "task_offers",
    "tasks",
    "team_days_off",
    "team_members",
    "teams",
    "timers",
    "turns",
    "users",
]
