"""What calls cost: asked of the provider some time after a leg has ended, because it settles prices later."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from domain.errors import Unavailable
from inbox.calls.keeping import PRICE_AFTER, hold_call
from inbox.calls.provider import CallProvider
from inbox.calls.switchboard import Switchboard
from storage.unit_of_work import unit_of_work

log = logging.getLogger(__name__)

#: Looks at one leg, each after twice the wait, and the longest wait in seconds: some two days altogether.
_LOOKS: Final = 14
_LONGEST: Final = 6 * 3600
_AT_ONCE: Final = 20
#: seconds for which a twin leaves alone what is being asked
_LEASE: Final = 120.0

#: due rows are pushed out of reach of a twin before the provider is asked
_TAKE: Final = """
UPDATE call_legs SET price_at = now() + make_interval(secs => $2)
WHERE provider_id IN (SELECT provider_id FROM call_legs WHERE price_at <= now() ORDER BY price_at LIMIT $1
                      FOR UPDATE SKIP LOCKED)
RETURNING provider_id, message_id, price_looks
"""
_LATER: Final = """
UPDATE call_legs SET price_looks = price_looks + 1,
       price_at = CASE WHEN $2::float8 IS NOT NULL THEN now() + make_interval(secs => $2) END
WHERE provider_id = $1
"""
_KNOWN: Final = """
UPDATE call_legs SET price = $2, currency = $3, price_at = NULL, price_looks = price_looks + 1 WHERE provider_id = $1
"""
_SUM: Final = """
UPDATE calls c SET price = s.price, currency = s.currency, version = version + 1, changed_at = now()
FROM (SELECT sum(price) AS price, max(currency) AS currency, count(DISTINCT currency) AS currencies,
             count(*) FILTER (WHERE price_at IS NOT NULL) AS open
      FROM call_legs WHERE message_id = $1) s
WHERE c.message_id = $1 AND s.open = 0 AND s.currencies = 1
"""


@dataclass(frozen=True, slots=True)
class CallPrices:
    """Fetches prices that are due. A call's price is told when those of all its legs are known, or given up."""

    board: Switchboard
    provider: CallProvider

    async def fetch_due(self) -> bool:
        """Ask for what is due; true when there may be more."""
        rows = await self.board.pool.fetch(_TAKE, _AT_ONCE, _LEASE)
        for row in rows:
            try:
                record = await self.provider.fetch_call(row["provider_id"])
            except Unavailable as error:
                log.warning("the price of a call cannot be asked for: %s", error)
                return False
            price = record.price if record is not None else None
            await self._keep(row, price, record.currency if record is not None else "")
        return len(rows) == _AT_ONCE

    async def _keep(self, row: Any, price: Decimal | None, currency: str) -> None:
        async with unit_of_work(self.board.pool, self.board.announcer) as work:
            await hold_call(work.connection, row["message_id"])
            if price is not None:
                await work.connection.execute(_KNOWN, row["provider_id"], price, currency)
            else:
                wait = min(PRICE_AFTER * 2 ** (row["price_looks"] + 1), _LONGEST)
                given_up = row["price_looks"] + 1 >= _LOOKS
                await work.connection.execute(_LATER, row["provider_id"], None if given_up else wait)
            await work.connection.execute(_SUM, row["message_id"])
