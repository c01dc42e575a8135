"""Who is offered tasks: offers, turns, absences, days on which a team does not work."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, ForeignKey, Index, SmallInteger, Table, Text, text

from storage.schema.base import identity, metadata, moment

task_offers = Table(  # a task held out to somebody, apart from the task itself
    "task_offers",
    metadata,
    identity(),
    Column("task_id", BigInteger, nullable=False),
    Column("step", SmallInteger, nullable=False),  # of the steps that the task goes through, from 0
    Column("user_id", BigInteger),  # null: the whole team
    Column("team_id", BigInteger),
    Column("deputy_of", BigInteger),  # who would have got it, but is away
    Column(
        "state", Text, nullable=False, server_default="offered"
    ),  # offered, accepted, declined, timed_out, withdrawn
    moment("offered_at"),  # business time
    moment("settled_at", nullable=True),
    Index("uq_task_offers_open", "task_id", unique=True, postgresql_where=text("state = 'offered'")),
    Index("ix_task_offers_task_id", "task_id", "user_id"),
)

turns = Table(  # whose turn it is among those that a step chooses from
    "turns",
    metadata,
    Column("scope", Text, primary_key=True),  # team=7, or skill=contracts,language=fr
    Column(
        "user_id", BigInteger, primary_key=True, autoincrement=False
    ),  # 0: where the clocks of all stand at least
    Column("clock", BigInteger, nullable=False),
)

absences = Table(
    "absences",
    metadata,
    identity(),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    moment("starts_at"),
    moment("ends_at"),
    Column("deputy_id", ForeignKey("users.id", ondelete="SET NULL")),  # who answers meanwhile
    Index("ix_absences_user_id", "user_id", "ends_at"),
)

team_days_off = Table(  # besides the public holidays of its country
    "team_days_off",
    metadata,
    Column("team_id", ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("name", Text, nullable=False, server_default=""),
)
