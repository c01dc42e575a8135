"""Every table of the house, a file per part of the story.

Declared for SQLAlchemy Core: alembic compares the database with it, and segments compile to it. Hot tables
(messages, deliveries, events, hits) carry no foreign keys: their writers insert tens of thousands of rows in one
statement and take every id from a row that they read in the same statement.
"""

from __future__ import annotations

from storage.schema.base import metadata
from storage.schema.campaigns import assets, campaign_links, campaign_paces, campaigns, segments
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
from storage.schema.events import event_keys, event_texts, events, events_id, hit_counts, hits
from storage.schema.exchanges import case_contacts, cases, conversations, messages
from storage.schema.outbox import deliveries, delivery_ranges
from storage.schema.people import api_tokens, house, sessions, signin_links, team_members, teams, users
from storage.schema.routing import (
    pending_events,
    router_interests,
    router_lanes,
    rule_episodes,
    rule_runs,
    rules,
    tasks,
    timers,
)
from storage.schema.sandbox import sandbox_mails

__all__ = [
    "api_tokens",
    "assets",
    "campaign_links",
    "campaign_paces",
    "campaigns",
    "case_contacts",
    "cases",
    "consent_ledger",
    "consents",
    "contact_aliases",
    "contacts",
    "conversations",
    "deliveries",
    "delivery_ranges",
    "event_keys",
    "event_texts",
    "events",
    "events_id",
    "hit_counts",
    "hits",
    "house",
    "identities",
    "import_rejects",
    "imports",
    "messages",
    "metadata",
    "pending_events",
    "router_interests",
    "router_lanes",
    "rule_episodes",
    "rule_runs",
    "rules",
    "sandbox_mails",
    "segments",
    "sessions",
    "signin_links",
    "suppressions",
    "tasks",
    "team_members",
    "teams",
    "timers",
    "users",
]
