"""People who work here: users, teams, sessions."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, LargeBinary, SmallInteger, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from storage.schema.base import identity, json_object, metadata, moment

users = Table(
    "users",
    metadata,
    identity(),
    Column("email", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),  # administrator, marketer, rep, agent, manager
    Column("password_hash", Text),
    Column("language", Text, nullable=False, server_default="en"),
    Column("timezone", Text, nullable=False, server_default="Europe/Paris"),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("phone", Text),  # E.164, or client:name; rings for calls that come in and that they place
    Column(
        "takes_calls", Boolean, nullable=False, server_default=text("true")
    ),  # rung for calls that come in
    Column("country", Text),  # whose public holidays; null: the team's
    json_object("hours"),  # as teams write them; empty: the team's
    Column("skills", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("languages", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),  # ISO 639-1
    json_object("capacity"),  # open tasks at most, by channel: {"voice": 5, "all": 20}
    Column(
        "present", Boolean, nullable=False, server_default=text("true")
    ),  # at the desk, as the person says
    moment("created_at", default=True),
)

teams = Table(
    "teams",
    metadata,
    identity(),
    Column("name", Text, nullable=False, unique=True),
    Column("country", Text, nullable=False, server_default="FR"),  # whose public holidays
    Column("timezone", Text, nullable=False, server_default="Europe/Paris"),
    json_object("hours"),  # {"mon": [["09:00", "12:30"], ["14:00", "18:00"]], ...}
    Column("caller_id", Text),  # number of ours that contacts see when the team calls
)

team_members = Table(
    "team_members",
    metadata,
    Column("team_id", ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("weight", SmallInteger, nullable=False, server_default="1"),  # how often in turn; 0: never
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("csrf", Text, nullable=False),
    moment("created_at", default=True),
    moment("expires_at"),
)

signin_links = Table(
    "signin_links",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE")),  # null: makes the first administrator
    moment("expires_at"),
    moment("used_at", nullable=True),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    identity(),
    Column("token_hash", LargeBinary, nullable=False, unique=True),  # SHA-256; the token itself is shown once
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    moment("created_at", default=True),
    moment("last_used", nullable=True),
    Index("ix_api_tokens_user_id", "user_id"),
)

house = Table(
    "house",
    metadata,
    Column("key", Text, primary_key=True),  # e.g. clock_offset_seconds
    Column("value", JSONB, nullable=False),
)
