"""Short messages: what the provider says of each; letters and ranges know their channel."""

from __future__ import annotations

from storage.migrations.frozen import run_statements

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what is new; the statements are frozen in the file of SQL beside this one."""
    run_statements(__file__)


def downgrade() -> None:
    """Messages that arrived are not thrown away by a command."""
    raise RuntimeError("The schema of version 0003 cannot be taken back; restore a backup instead.")
