"""The sliding windows of limits in the database, where all processes see them. Asked once per step, not per message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from outbox import statements
from outbox.limits import Grant, Window, grant
from storage.pool import Connection, Pool


@dataclass(frozen=True, slots=True)
class Ask:
    """So many letters and messages of campaigns want to go to `key`, within these windows (seconds, limit)."""

    key: str
    windows: tuple[tuple[int, int], ...]
    letters: int
    others: int


async def reserve_places(connection: Connection, asks: Sequence[Ask]) -> Mapping[str, Grant]:
    """Take places in the windows of each key, as many as there are; committed when this returns."""
    wanted = sorted((ask.key, seconds) for ask in asks for seconds, _ in ask.windows)
    keys, lengths = [key for key, _ in wanted], [seconds for _, seconds in wanted]
    async with connection.transaction():
        rows = await connection.fetch(statements.LOCK_WINDOWS, keys, lengths)
        if len(rows) < len(wanted):
            await connection.execute(statements.MAKE_WINDOWS, keys, lengths)
            rows = await connection.fetch(statements.LOCK_WINDOWS, keys, lengths)
        now = max(row["now"] for row in rows)
        stored = {(row["key"], row["seconds"]): row for row in rows}
        grants = {}
        changed: list[tuple[str, Window]] = []
        for ask in asks:
            kept = [
                Window(
                    seconds,
                    limit,
                    stored[ask.key, seconds]["newest"],
                    list(stored[ask.key, seconds]["counts"]),
                )
                for seconds, limit in ask.windows
            ]
            grants[ask.key] = grant(kept, ask.letters, ask.others, now)
            changed += [(ask.key, window) for window in kept]
        await connection.execute(
            statements.WRITE_WINDOWS,
            [key for key, _ in changed],
            [window.seconds for _, window in changed],
            [window.newest for _, window in changed],
            [",".join(map(str, window.counts or ())) for _, window in changed],
        )
    return grants


async def forget_windows(pool: Pool) -> None:
    """Forget the windows of domains that got nothing for long."""
    await pool.execute(statements.FORGET_WINDOWS)
