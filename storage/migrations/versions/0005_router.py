"""Rules that ask for more and do more: tags, priorities, words of messages, actions that are tried again."""

from __future__ import annotations

from storage.migrations.frozen import run_statements

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what is new; the statements are frozen in the file of SQL beside this one."""
    run_statements(__file__)


def downgrade() -> None:
    """What was decided is not thrown away by a command."""
    raise RuntimeError("The schema of version 0005 cannot be taken back; restore a backup instead.")
