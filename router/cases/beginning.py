"""Put a task template to work in a case."""

from __future__ import annotations

from typing import Final

from router.cases.templates import TaskTemplate
from storage.pool import Connection

_BEGIN: Final = """
INSERT INTO case_steps (case_id, template, no, name, definition)
SELECT $1, $2, no - 1, name, definition
FROM unnest($3::text[], $4::jsonb[]) WITH ORDINALITY AS given (name, definition, no)
ON CONFLICT DO NOTHING
"""


async def begin_template(connection: Connection, case_id: int, template: TaskTemplate) -> None:
    """Put a template to work in a case, once; its first tasks are opened at the next tick."""
    await connection.execute(
        _BEGIN,
        case_id,
        template.name,
        [step.name for step in template.steps],
        [step.model_dump(mode="json") for step in template.steps],
    )
