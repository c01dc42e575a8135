"""What every table is declared with: the metadata, how constraints are named, columns that recur."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Identity, MetaData, text
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def identity() -> Column[int]:
    """A key that the database counts up."""
    return Column("id", BigInteger, Identity(), primary_key=True)


def moment(name: str, *, default: bool = False, nullable: bool = False) -> Column[object]:
    """An aware time; `default`: when the row was written."""
    server_default = text("now()") if default else None
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=server_default)


def json_object(name: str) -> Column[object]:
    """A JSON object, empty unless told otherwise."""
    return Column(name, JSONB, nullable=False, server_default=text("'{}'::jsonb"))
