"""The demo begins in working time, whenever it is started: the house's clock goes forward to the next shift."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from router.working_time import read_calendar
from storage.house_clock import advance_clock, read_offset
from storage.pool import Pool

#: what is left of a shift when the demo begins, so that phones still ring an hour later
_LEFT: Final = timedelta(hours=1)


def next_beginning(now: datetime, hours: Any, country: str, timezone: str) -> datetime:
    """`now`, or the beginning of the next shift, when less than an hour of this one is left."""
    shifts = read_calendar(hours, timezone, country).shifts_from(now)
    return next(max(begin, now) for begin, end in shifts if end - max(begin, now) >= _LEFT)


async def begin_in_working_time(pool: Pool, hours: Any, country: str, timezone: str) -> timedelta:
    """Move the clock; gives by how much. A demo whose clock was moved before keeps its time."""
    offset = await read_offset(pool)
    if offset:
        return timedelta()
    now = datetime.now(UTC)
    by = next_beginning(now, hours, country, timezone) - now
    if by:
        await advance_clock(pool, by)
    return by
