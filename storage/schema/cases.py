"""Business matters: their types, the cases, who has a part in them, the steps of work that they take."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
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

case_types = Table(  # empty: those that come with Clytie hold
    "case_types",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", SmallInteger, nullable=False),
    Column("definition", JSONB, nullable=False),
    moment("changed_at", default=True),
)

_OPEN = text("state = 'open'")

cases = Table(
    "cases",
    metadata,
    identity(),
    Column("kind", Text, nullable=False),  # name of its type
    Column("title", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="open"),
    Column("stage", Text),
    Column("owner_id", BigInteger),
    Column("team_id", BigInteger),  # its people belong to the case
    Column("confidential", Boolean, nullable=False, server_default=text("false")),
    json_object("fields"),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("rule_id", BigInteger),  # that opened it
    Column("idempotency_key", Text, unique=True),
    moment("created_at", default=True),
    moment("stage_since", default=True),
    moment("closed_at", nullable=True),
    Index("ix_cases_open", "created_at", "id", postgresql_where=_OPEN),
    Index("ix_cases_kind_open", "kind", "stage", "id", postgresql_where=_OPEN),
    Index("ix_cases_owner_open", "owner_id", "id", postgresql_where=_OPEN),
    Index("ix_cases_closed", "closed_at", "id", postgresql_where=text("state = 'closed'")),
)

case_contacts = Table(  # whoever was added first is the one that its events are told of
    "case_contacts",
    metadata,
    Column("case_id", ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True),
    Column("contact_id", BigInteger, primary_key=True),
    Column("part", Text, nullable=False, server_default=""),  # buyer, lawyer, candidate...
    moment("added_at", default=True),
    Index("ix_case_contacts_contact_id", "contact_id"),
)

case_members = Table(  # users who see a confidential case, besides its owner and the people of its team
    "case_members",
    metadata,
    Column("case_id", ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Index("ix_case_members_user_id", "user_id"),
)

case_steps = Table(  # a task template at work in a case: each step is a task when its turn comes
    "case_steps",
    metadata,
    identity(),
    Column("case_id", ForeignKey("cases.id", ondelete="CASCADE"), nullable=False),
    Column("template", Text, nullable=False),
    Column("no", SmallInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="waiting"),  # waiting, open, checking, done, skipped
    Column("definition", JSONB, nullable=False),  # as the template said when it began
    Column("task_id", BigInteger),
    Column("check_id", BigInteger),  # the task of whoever checks it
    Column("done_by", BigInteger),
    Column("rounds", SmallInteger, nullable=False, server_default="0"),  # how often it was begun
    moment("done_at", nullable=True),
    UniqueConstraint("case_id", "template", "name"),
    Index("ix_case_steps_task_id", "task_id", postgresql_where=text("task_id IS NOT NULL")),
    Index("ix_case_steps_check_id", "check_id", postgresql_where=text("check_id IS NOT NULL")),
)
