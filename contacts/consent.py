"""The consent ledger: what contacts allowed and took back, the state that follows from it, and the history.

A ledger row, the state in `consents` and the event are one statement, so that whoever records a hit reads the truth
of that moment: a withdrawal acts on mail that was sent long before.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from contacts.directory import resolve
from domain.consent import ConsentEntry, ConsentState, Purpose
from domain.errors import InvalidInput
from storage.pool import Connection, Pool

#: The statement, with a place for a query that gives contact_id, purpose, state, wording, source, occurred_at,
#: actor_id, message_id and campaign_id. An entry that the ledger holds already changes nothing and makes no event.
#: Entries may arrive late: the state follows the latest `occurred_at`, and of two at the same time the withdrawal.
RECORD_ENTRIES: Final = """
WITH given AS MATERIALIZED (
{given}
), entered AS (
    INSERT INTO consent_ledger (contact_id, purpose, state, wording, source, occurred_at)
    SELECT contact_id, purpose, state, wording, source, occurred_at FROM given
    ON CONFLICT DO NOTHING
    RETURNING contact_id, purpose, state, source, occurred_at
), latest AS (
    SELECT DISTINCT ON (contact_id, purpose) contact_id, purpose, state, occurred_at FROM entered
    ORDER BY contact_id, purpose, occurred_at DESC, state DESC
), standing AS (
    INSERT INTO consents AS c (contact_id, purpose, state, since)
    SELECT contact_id, purpose, state, occurred_at FROM latest
    ON CONFLICT (contact_id, purpose) DO UPDATE SET state = excluded.state, since = excluded.since
    WHERE c.since < excluded.since OR (c.since = excluded.since AND excluded.state = 'withdrawn')
), told AS (
    INSERT INTO events (occurred_at, type, contact_id, message_id, campaign_id, actor_id, data)
    SELECT e.occurred_at, CASE e.state WHEN 'granted' THEN 'Granted' ELSE 'Withdrawn' END, e.contact_id,
           {around} jsonb_build_object('purpose', e.purpose, 'source', e.source)
    FROM entered e
    RETURNING id, recorded_at, type, contact_id
), pending AS (
    INSERT INTO pending_events (lane, event_id, recorded_at)
    SELECT contact_id % 32, id, recorded_at FROM told JOIN router_interests USING (type)
)
SELECT count(*) FROM told
"""
_ENTRIES: Final = RECORD_ENTRIES.format(
    given="""
    SELECT coalesce(a.contact_id, i.contact_id) AS contact_id, purpose, state, wording, source, occurred_at
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
      AS i(contact_id, purpose, state, wording, source, occurred_at)
    LEFT JOIN contact_aliases a ON a.old_id = i.contact_id
""",
    around="$7::bigint, $8::int, $9::bigint,",
)
#: Whoever merges holds these rows FOR UPDATE (contacts/merging.py). A statement of its own, because one statement
#: sees the aliases as they were when it began, and not as the merge it waited for left them.
_HOLD: Final = "SELECT id FROM contacts WHERE id = ANY($1::bigint[]) ORDER BY id FOR KEY SHARE"
_HISTORY: Final = """
SELECT purpose, state, wording, source, occurred_at, recorded_at FROM consent_ledger
WHERE contact_id = $1 OR contact_id IN (SELECT old_id FROM contact_aliases WHERE contact_id = $1)
ORDER BY occurred_at DESC, id DESC LIMIT $2
"""


_STANDING: Final = """
SELECT contact_id, state, since FROM consents WHERE contact_id = ANY ($1::bigint[]) AND purpose = $2
"""
_ENTRIES_OF: Final = """
SELECT coalesce(a.contact_id, l.contact_id) AS contact_id, l.state, l.occurred_at AS since
FROM consent_ledger l LEFT JOIN contact_aliases a ON a.old_id = l.contact_id
WHERE l.purpose = $2 AND (l.contact_id = ANY ($1::bigint[])
      OR l.contact_id IN (SELECT old_id FROM contact_aliases WHERE contact_id = ANY ($1::bigint[])))
"""


@dataclass(frozen=True, slots=True)
class PastEntry:
    """One line of a contact's consent history, as it is shown."""

    purpose: Purpose
    state: ConsentState
    wording: str
    source: str
    occurred_at: datetime
    recorded_at: datetime


async def grant(
    connection: Connection | Pool, entries: Sequence[ConsentEntry], *, actor_id: int | None = None
) -> int:
    """Record consents that were given; gives how many the ledger did not hold yet.

    Raises InvalidInput for an entry that is no grant, or without the wording and source that prove it.
    """
    _check(entries, ConsentState.GRANTED)
    for number, entry in enumerate(entries):
        if not entry.wording.strip():
            raise InvalidInput(
                f"entries[{number}].wording",
                "a consent needs the words it was given to.",
                "Copy them from the form.",
            )
    return await _record(connection, entries, actor_id, None, None)


async def withdraw(
    connection: Connection | Pool,
    entries: Sequence[ConsentEntry],
    *,
    actor_id: int | None = None,
    message_id: int | None = None,
    campaign_id: int | None = None,
) -> int:
    """Record consents that were taken back; gives how many the ledger did not hold yet.

    `message_id` and `campaign_id` name the mail whose link was used, if any. Raises InvalidInput for an entry that
    is no withdrawal. The wording may be empty: nobody has to give reasons.
    """
    _check(entries, ConsentState.WITHDRAWN)
    return await _record(connection, entries, actor_id, message_id, campaign_id)


def _check(entries: Sequence[ConsentEntry], state: ConsentState) -> None:
    for number, entry in enumerate(entries):
        if entry.state is not state:
            raise InvalidInput(
                f"entries[{number}].state", f"{entry.state.value} where {state.value} belongs."
            )
        if not entry.source.strip():
            raise InvalidInput(f"entries[{number}].source", "missing;", "say where this happened.")
        if entry.occurred_at.tzinfo is None:
            raise InvalidInput(
                f"entries[{number}].occurred_at", "without a time zone;", "give an aware time."
            )


async def _record(
    connection: Connection | Pool,
    entries: Sequence[ConsentEntry],
    actor_id: int | None,
    message_id: int | None,
    campaign_id: int | None,
) -> int:
    if not entries:
        return 0
    async with AsyncExitStack() as stack:
        if isinstance(connection, Pool):
            connection = await stack.enter_async_context(connection.acquire())
        await stack.enter_async_context(connection.transaction())
        await hold_contacts(connection, {entry.contact_id for entry in entries})
        count: int = await connection.fetchval(
            _ENTRIES,
            [entry.contact_id for entry in entries],
            [entry.purpose.value for entry in entries],
            [entry.state.value for entry in entries],
            [entry.wording for entry in entries],
            [entry.source for entry in entries],
            [entry.occurred_at for entry in entries],
            message_id,
            campaign_id,
            actor_id,
        )
    return count


async def hold_contacts(connection: Connection, contact_ids: set[int]) -> None:
    """Wait for merges of these contacts, and let nobody merge those that live on until the transaction ends.

    Whoever locks rows of `consents` before granting or withdrawing calls this first, as a merge takes the same order.
    """
    held: set[int] = set()
    meant = contact_ids
    while not meant <= held:
        await connection.execute(_HOLD, list(meant))
        held |= meant
        meant = set((await resolve(connection, contact_ids)).values())


async def read_consent_history(
    connection: Connection | Pool, contact_id: int, *, limit: int = 100
) -> list[PastEntry]:
    """What a contact (and whoever was merged into it) allowed and took back, latest first."""
    return [
        PastEntry(
            Purpose(row["purpose"]),
            ConsentState(row["state"]),
            row["wording"],
            row["source"],
            row["occurred_at"],
            row["recorded_at"],
        )
        for row in await connection.fetch(_HISTORY, contact_id, limit)
    ]


async def load_entries(
    connection: Connection, contact_ids: Collection[int], purpose: Purpose, *, past: bool = False
) -> dict[int, list[tuple[datetime, ConsentState]]]:
    """What contacts said about a purpose, by contact: what stands now, or with `past` all that they ever said."""
    found: dict[int, list[tuple[datetime, ConsentState]]] = {}
    statement = _ENTRIES_OF if past else _STANDING
    for row in await connection.fetch(statement, list(contact_ids), purpose.value):
        found.setdefault(row["contact_id"], []).append((row["since"], ConsentState(row["state"])))
    return found
