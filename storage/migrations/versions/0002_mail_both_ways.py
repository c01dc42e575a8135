"""Mail, both ways: what arrives, what is said, letters and their journal."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what is new; the statements are frozen in the file of SQL beside this one."""
    statements = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    for statement in statements.split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    """Mail that arrived is not thrown away by a command."""
    raise RuntimeError("The schema of version 0002 cannot be taken back; restore a backup instead.")
