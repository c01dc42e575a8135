"""Short messages: what the provider says of each; letters and ranges know their channel."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what is new; the statements are frozen in the file of SQL beside this one."""
    statements = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    for statement in statements.split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    """Messages that arrived are not thrown away by a command."""
    raise RuntimeError("The schema of version 0003 cannot be taken back; restore a backup instead.")
