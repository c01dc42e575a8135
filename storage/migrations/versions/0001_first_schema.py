"""The first schema, its partitions for the coming months, and the rows that must exist."""

from __future__ import annotations

from alembic import op

from storage.migrations.frozen import run_statements

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything; the statements are frozen in the file of SQL beside this one."""
    run_statements(__file__)
    for table in ("events", "hits"):
        op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
    op.execute("INSERT INTO router_lanes (lane) SELECT generate_series(0, 31)")


def downgrade() -> None:
    """There is nothing before the first schema."""
    raise RuntimeError("The first schema cannot be taken back; drop the database instead.")
