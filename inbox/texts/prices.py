"""What short messages cost: asked for some time after they went out, when the provider knows it.

The same question tells what became of a message whose reports never came. After some days nobody asks any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from channels.sms.reports import Report
from domain.clock import Clock
from domain.errors import NotFound, Unavailable
from inbox.texts.reports import take_report
from storage.announce import Announcer
from storage.pool import Pool

log = logging.getLogger("clytie.inbox")

_AT_ONCE: Final = 20
#: Minutes until the next question, each after one that told no price; then nobody asks any more.
_WAITS: Final = (5.0, 30.0, 120.0, 720.0, 1440.0, 2880.0)
#: Seconds until a question is asked again that could not be asked.
_AWAY: Final = 60.0

#: The next question is noted before this one is asked, so that a crash is no end. $1 how many, $2 minutes by count.
_CLAIM: Final = """
UPDATE sms_facts AS f
SET price_looks = f.price_looks + 1, price_at = now() + make_interval(mins => 1) * ($2::float8[])[f.price_looks + 1]
FROM (SELECT message_id FROM sms_facts WHERE price_at <= now() ORDER BY price_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS due
WHERE f.message_id = due.message_id
RETURNING f.message_id, f.provider_id
"""
_AGAIN: Final = """
UPDATE sms_facts SET price_at = now() + make_interval(secs => $2::float8), price_looks = price_looks - 1
WHERE message_id = $1 AND price IS NULL
"""
_OVER: Final = "UPDATE sms_facts SET price_at = NULL WHERE message_id = $1"


@dataclass(frozen=True, slots=True)
class PriceFetcher:
    """Asks for one process; twins do no harm. `ask` tells the state of a message with its price, None for one that the
    provider does not know, and raises Unavailable (channels.sms.twilio.TwilioSms.fetch_report)."""

    pool: Pool
    ask: Callable[[str], Awaitable[Report | None]]
    clock: Clock
    announcer: Announcer | None = None

    async def fetch_due(self) -> bool:
        """Ask for what is due, at most some messages; true when there may be more and the provider answers."""
        rows = await self.pool.fetch(_CLAIM, _AT_ONCE, list(_WAITS))
        answered = await asyncio.gather(*(self._fetch(row) for row in rows))
        return len(rows) == _AT_ONCE and all(answered)

    async def _fetch(self, row: Any) -> bool:
        """False when the provider cannot be asked."""
        message_id = row["message_id"]
        if not row["provider_id"]:
            await self.pool.execute(_OVER, message_id)  # in doubt: whoever finds it there, learns its price
            return True
        try:
            report = await self.ask(row["provider_id"])
        except Unavailable as error:
            log.warning("the price of short message %d: %s", message_id, error)
            await self.pool.execute(_AGAIN, message_id, _AWAY)
            return False
        if report is None:
            await self.pool.execute(_OVER, message_id)
            return True
        try:
            await take_report(self.pool, self.clock, message_id, report, self.announcer)
        except NotFound:
            await self.pool.execute(_OVER, message_id)
        return True
