"""Calls, their legs and recordings, the lines they come in on, and the phones of our people."""

from __future__ import annotations

from storage.migrations.frozen import run_statements

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what is new; the statements are frozen in the file of SQL beside this one."""
    run_statements(__file__)


def downgrade() -> None:
    """Calls that were recorded are not thrown away by a command."""
    raise RuntimeError("The schema of version 0004 cannot be taken back; restore a backup instead.")
