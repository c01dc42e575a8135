"""Mail, both ways: what arrives, what is said, letters and their journal."""

from __future__ import annotations

from storage.migrations.frozen import run_statements

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what is new; the statements are frozen in the file of SQL beside this one."""
    run_statements(__file__)


def downgrade() -> None:
    """Mail that arrived is not thrown away by a command."""
    raise RuntimeError("The schema of version 0002 cannot be taken back; restore a backup instead.")
