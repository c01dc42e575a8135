"""What became of short messages in doubt: looked for in the provider's list, never sent again.

A report settles most of them before; a look comes some seconds later, and again after ever longer waits. It needs
exactly one message there that none of ours is known by, and nothing to the same number under way. Whoever is refused
because they opted out at the provider has their consent withdrawn here, too.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from channels.sms.lookup import LookedUp
from channels.sms.reasons import WITHDRAWALS
from channels.sms.reports import Report
from domain.clock import Clock
from domain.contacts import IdentityKind
from domain.errors import ClytieError, Unavailable
from domain.messages import DeliveryState, Outbound
from outbox import statements
from outbox.addresses import LETTERS
from outbox.composing import Composer
from outbox.suppression import explain
from storage.announce import Announcer
from storage.pool import Pool
from storage.unit_of_work import UnitOfWork, unit_of_work

log = logging.getLogger(__name__)

#: Keeps two processes from looking at a time: each could take the same message there for its own.
_LOCK: Final = 0x736D73
_AT_ONCE: Final = 20
#: Looks at one message, each after twice the wait, and the longest wait in seconds.
_LOOKS: Final = 12
_LONGEST: Final = 6 * 3600
#: Seconds until the next look when the provider cannot be asked.
_AWAY: Final = 60.0

_DUE: Final = """
SELECT f.message_id, f.looks, f.ours, d.state, d.reason, d.campaign_id, d.contact_id, d.address, d.attempt, d.claim,
       d.settled_at, l.sender, l.content, l.options,
       greatest(m.created_at, (SELECT max(a.settled_at) FROM delivery_attempts AS a
                               WHERE a.message_id = d.message_id AND a.attempt < d.attempt)) AS began
FROM sms_facts AS f
  JOIN deliveries AS d ON d.message_id = f.message_id
  JOIN messages AS m ON m.id = f.message_id
  LEFT JOIN letters AS l ON l.message_id = f.message_id
WHERE f.look_at <= now() - make_interval(secs => CASE WHEN d.state = 'rejected' THEN 0 ELSE $1::float8 END)
ORDER BY f.look_at LIMIT $2
"""
#: What a composer of the campaign is given, see outbox.statements.CLAIM_FIRST.
_ROW: Final = """
SELECT d.message_id, d.attempt, d.claim, d.address AS email, m.tracking_level,
       coalesce(a.contact_id, d.contact_id) AS contact_id,
       c.name, c.given_name, c.family_name, c.organisation, c.country, c.language, nullif(c.fields, '{}') AS fields
FROM deliveries AS d
  JOIN messages AS m ON m.id = d.message_id
  LEFT JOIN contact_aliases AS a ON a.old_id = d.contact_id
  LEFT JOIN contacts AS c ON c.id = coalesce(a.contact_id, d.contact_id)
WHERE d.message_id = $1
"""
_TAKEN: Final = (
    "SELECT provider_id FROM sms_facts WHERE theirs = $1 AND message_id <> $2 AND provider_id IS NOT NULL"
)
#: Whether another message to the number $2 is under way; $3 its contact.
_UNDER_WAY: Final = """
SELECT EXISTS (
    SELECT FROM messages AS m JOIN deliveries AS d ON d.message_id = m.id
    WHERE m.contact_id = $3 AND m.id <> $1 AND d.channel = 'sms' AND d.address = $2 AND d.state = 'sending'
) OR EXISTS (
    SELECT FROM sms_facts AS f JOIN deliveries AS d USING (message_id)
    WHERE f.theirs = $2 AND f.message_id <> $1 AND d.state = 'sending'
)
"""
_LATER: Final = """
UPDATE sms_facts SET looks = looks + $2::int, look_at = CASE WHEN $3::float8 IS NOT NULL THEN now() + make_interval(secs => $3) END
WHERE message_id = $1
"""


class LooksUp(Protocol):
    """A channel that can look for a message at its provider (channels.sms.twilio.TwilioSms)."""

    async def look_up(
        self, message: Outbound, began: datetime, ended: datetime, taken: Collection[str] = ()
    ) -> LookedUp:
        """Whether the provider has it. Raises Unavailable."""
        ...


class OptOut(Protocol):
    """Closes a number whose owner opted out at the provider, and takes their consent back (inbox.texts.consent)."""

    async def __call__(
        self, work: UnitOfWork, number: str, at: datetime, *, source: str, message_id: int | None = None
    ) -> None:
        """In the caller's work."""
        ...


@dataclass(frozen=True, slots=True)
class Doubts:
    """What settling takes. `report` takes what the provider says of a message of ours (inbox.texts.reports.take_report);
    `after`: seconds that reports have before the first look."""

    pool: Pool
    channel: LooksUp
    letters: Composer
    make_composer: Callable[[Mapping[str, Any]], Awaitable[Composer]]
    clock: Clock
    announcer: Announcer
    opt_out: OptOut
    report: Callable[[int, Report], Awaitable[object]]
    after: float = 30.0

    async def settle_due(self) -> bool:
        """Look at what is due; true when there may be more. One process at a time, the others do nothing."""
        async with self.pool.acquire() as guard:
            if not await guard.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                return False
            try:
                rows = await guard.fetch(_DUE, self.after, _AT_ONCE)
                for row in rows:
                    await self._look(dict(row))
            except Unavailable as error:
                log.warning("short messages in doubt cannot be looked up: %s", error)
                return False
            finally:
                if not guard.is_closed():
                    await guard.execute("SELECT pg_advisory_unlock($1)", _LOCK)
        return len(rows) == _AT_ONCE

    async def _look(self, row: Mapping[str, Any]) -> None:
        message_id = row["message_id"]
        if row["state"] == DeliveryState.REJECTED.value and row["reason"] in WITHDRAWALS:
            await self._close(row)
            return
        if row["state"] != DeliveryState.UNCERTAIN.value:
            await self.pool.execute(_LATER, message_id, 0, None)  # settled in the meantime
            return
        message = await self._compose(row)
        if await self.pool.fetchval(_UNDER_WAY, message_id, row["address"], row["contact_id"]):
            await self.pool.execute(_LATER, message_id, 0, 1.0)
            return
        taken = {one["provider_id"] for one in await self.pool.fetch(_TAKEN, row["address"], message_id)}
        try:
            looked = (
                await self.channel.look_up(message, row["began"], row["settled_at"] + self._ahead(), taken)
                if message is not None
                else LookedUp(None, 0)
            )
        except Unavailable:
            await self.pool.execute(_LATER, message_id, 0, _AWAY)
            raise
        if looked.found is not None:
            await self._settle(row, looked.found)
            return
        wait = min(max(self.after, 1.0) * 2 ** min(row["looks"], 20), _LONGEST)
        await self.pool.execute(_LATER, message_id, 1, wait if row["looks"] < _LOOKS else None)

    def _ahead(self) -> timedelta:
        """How far a demo's clock, by which the test carrier dates its records, may have been ahead of the machine's."""
        return max(timedelta(), self.clock.now() - datetime.now(UTC))

    async def _compose(self, row: Mapping[str, Any]) -> Outbound | None:
        """The message as it was offered; None when it cannot be made again."""
        try:
            if row["campaign_id"] == LETTERS:
                composer: Composer = self.letters
                given: Mapping[str, Any] = {**row, "email": row["address"]}
            else:
                (campaign,) = await self.pool.fetch(statements.CAMPAIGN, row["campaign_id"])
                composer = await self.make_composer(dict(campaign))
                (found,) = await self.pool.fetch(_ROW, row["message_id"])
                given = dict(found)
        except ClytieError as error:
            log.warning("message %s cannot be composed again: %s", row["message_id"], error)
            return None
        return composer.compose([given], self.clock.now())[0].message

    async def _settle(self, row: Mapping[str, Any], found: Report) -> None:
        """As if the provider had reported it: the delivery is settled, the timeline told, the number minded."""
        await self.report(row["message_id"], found)
        await self.pool.execute(_LATER, row["message_id"], 0, None)

    async def _close(self, row: Mapping[str, Any]) -> None:
        """The number belongs to somebody who opted out at the provider: it was closed when that was said, the consent
        of its owners goes now. A START that came since has opened it again."""
        message_id = row["message_id"]
        async with unit_of_work(self.pool, self.announcer) as work:
            standing = await explain(work.connection, IdentityKind.PHONE, row["address"])
            if standing is not None:
                await self.opt_out(
                    work, row["address"], self.clock.now(), source="provider", message_id=message_id
                )
            await work.connection.execute(_LATER, message_id, 0, None)
