"""The statements of a migration, frozen in the file of SQL beside it: what is written there never changes again."""

from __future__ import annotations

from pathlib import Path

from alembic import op


def run_statements(migration: str) -> None:
    """Run the statements beside the migration at this path (its `__file__`), each ended by a semicolon and a line end."""
    for statement in Path(migration).with_suffix(".sql").read_text(encoding="utf-8").split(";\n"):
        if statement.strip():
            op.execute(statement)
