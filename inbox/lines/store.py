"""The lines of the house: stored with the text they were written in, so that it can be edited with its comments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from domain.errors import NotFound
from inbox.lines.files import InvalidLines, LineProblem, WrittenLine, read_lines
from inbox.lines.menus import Line, default_line
from storage.pool import Connection, Pool, transaction

_LIST: Final = """
SELECT l.*, q.name AS queue FROM phone_lines l LEFT JOIN queues q ON q.id = l.queue_id ORDER BY l.name, l.number
"""
_ONE: Final = """
SELECT l.*, q.name AS queue FROM phone_lines l LEFT JOIN queues q ON q.id = l.queue_id WHERE l.number = $1 AND l.active
"""
_SAVE: Final = """
INSERT INTO phone_lines AS l (number, name, queue_id, definition, active)
VALUES ($1, $2, (SELECT id FROM queues WHERE name = $3), $4, true)
ON CONFLICT (number) DO UPDATE
SET name = excluded.name, queue_id = excluded.queue_id, definition = excluded.definition, active = true,
    version = l.version + 1
WHERE (l.name, l.queue_id, l.definition, l.active) IS DISTINCT FROM (excluded.name, excluded.queue_id, excluded.definition, true)
RETURNING version
"""
_SWITCH: Final = "UPDATE phone_lines SET active = $2, version = version + 1 WHERE id = $1 RETURNING id"
_KNOWN: Final = """
SELECT array(SELECT name FROM queues WHERE name = ANY ($1::text[])) AS queues,
       array(SELECT name FROM teams WHERE name = ANY ($2::text[])) AS teams,
       array(SELECT lower(email) FROM users WHERE lower(email) = ANY ($3::text[])) AS people
"""


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line of the house. `text` is its YAML."""

    id: int
    line: Line
    text: str
    active: bool
    version: int


@dataclass(frozen=True, slots=True)
class LinesDiff:
    """What applying lines changes: numbers."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]


async def list_lines(pool: Pool | Connection) -> list[StoredLine]:
    """All lines, by name."""
    return [_read(row) for row in await pool.fetch(_LIST)]


async def find_line(pool: Pool | Connection, number: str) -> StoredLine | None:
    """The active line of a number."""
    row = await pool.fetchrow(_ONE, number)
    return None if row is None else _read(row)


async def line_for(connection: Connection, number: str, default_queue: str) -> tuple[int | None, Line]:
    """What whoever calls a number hears; messages are taken where nobody wrote anything."""
    stored = await find_line(connection, number)
    return (None, default_line(number, default_queue)) if stored is None else (stored.id, stored.line)


async def save_line(pool: Pool, text: str) -> StoredLine:
    """Make one line, written in YAML, what is heard on its number from the next call on. Raises InvalidLines."""
    written = read_lines(text)
    if len(written) > 1:
        raise InvalidLines([written[1].problem((), "is a second line.", "Write one line here.")])
    await apply_lines(pool, written)
    stored = await find_line(pool, written[0].line.number)
    assert stored is not None  # it was stored just now
    return stored


async def switch_line(pool: Pool, line_id: int, *, active: bool) -> None:
    """Let a line be heard, or not: its number takes messages then. Raises NotFound."""
    if await pool.fetchval(_SWITCH, line_id, active) is None:
        raise NotFound(f"There is no line {line_id}.")


async def require_known(pool: Pool | Connection, written: Sequence[WrittenLine]) -> None:
    """See that the queues, teams and people of lines exist. Raises InvalidLines with every place."""
    lines = [one.line for one in written]
    row = await pool.fetchrow(
        _KNOWN,
        [queue for line in lines for queue in line.queues],
        [line.team for line in lines if line.team],
        [mail.lower() for line in lines for mail in line.people],
    )
    assert row is not None
    problems = [
        problem
        for one in written
        for problem in _unknown(one, set(row["queues"]), set(row["teams"]), set(row["people"]))
    ]
    if problems:
        raise InvalidLines(problems)


async def diff_lines(pool: Pool | Connection, written: Sequence[WrittenLine]) -> LinesDiff:
    """What applying these lines would change."""
    stored = {one.line.number: one for one in await list_lines(pool)}
    added, changed, unchanged = [], [], []
    for one in written:
        before = stored.get(one.line.number)
        if before is None:
            added.append(one.line.number)
        elif before.text == one.text and before.active:
            unchanged.append(one.line.number)
        else:
            changed.append(one.line.number)
    return LinesDiff(tuple(added), tuple(changed), tuple(unchanged))


async def apply_lines(pool: Pool, written: Sequence[WrittenLine]) -> LinesDiff:
    """Make these the lines of their numbers; other lines stay. Raises InvalidLines."""
    async with transaction(pool) as connection:
        await require_known(connection, written)
        diff = await diff_lines(connection, written)
        for one in written:
            definition = {"line": one.line.model_dump(mode="json", exclude_unset=True), "text": one.text}
            await connection.execute(_SAVE, one.line.number, one.line.name, one.line.queue, definition)
    return diff


def _unknown(written: WrittenLine, queues: set[str], teams: set[str], people: set[str]) -> list[LineProblem]:
    line = written.line
    problems = []
    if line.queue not in queues:
        problems.append(written.problem(("queue",), f"there is no queue {line.queue}.", "Set it up first."))
    if line.team and line.team not in teams:
        problems.append(written.problem(("team",), f"there is no team {line.team}.", "Set it up first."))
    for place, steps in line.menu_steps():
        for number, step in enumerate(steps):
            for part, name in ((step.ring, "ring"), (step.voicemail, "voicemail")):
                if part is not None and part.queue and part.queue not in queues:
                    at = (*place, number, name, "queue")
                    problems.append(
                        written.problem(at, f"there is no queue {part.queue}.", "Set it up first.")
                    )
            for order, mail in enumerate(step.ring.people if step.ring else ()):
                if mail.lower() not in people:
                    at = (*place, number, "ring", "people", order)
                    problems.append(written.problem(at, f"{mail} is nobody here.", "Write a mail address."))
    return problems


def _read(row: Any) -> StoredLine:
    definition = row["definition"]
    line = Line.model_validate(definition["line"])
    if row["queue"]:  # it may have been renamed
        line = line.model_copy(update={"queue": row["queue"]})
    return StoredLine(row["id"], line, definition.get("text", ""), row["active"], row["version"])
