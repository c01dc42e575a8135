"""The do-not-contact list: addresses that nothing is sent to, whatever the consent says. Asked at every mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.contacts import IdentityKind
from domain.errors import InvalidInput
from domain.events import EventType, NewEvent
from storage.event_store import record
from storage.pool import Connection, Pool

LONGEST_WORDS: Final = 500  #: characters of what the other side said

_ADD: Final = """
INSERT INTO suppressions (kind, address, reason, source, message_id, words) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING RETURNING true
"""
_COLUMNS: Final = """
s.kind, s.address, s.reason, s.source, s.message_id, s.words, s.created_at, m.campaign_id, g.name AS campaign,
CASE WHEN s.kind = 'mail' THEN
    (SELECT contact_id FROM identities i WHERE i.kind = 'mail' AND i.address = s.address) END AS contact_id
"""
_FROM: Final = """
FROM suppressions s LEFT JOIN messages m ON m.id = s.message_id LEFT JOIN campaigns g ON g.id = m.campaign_id
"""
_LIST: Final = f"""
SELECT {_COLUMNS} {_FROM}
WHERE ($1::timestamptz IS NULL OR (s.created_at, s.kind, s.address) < ($1, $2::text, $3::text))
  AND ($4::text IS NULL OR strpos(s.address, $4) > 0) AND ($5::text IS NULL OR s.reason = $5)
ORDER BY s.created_at DESC, s.kind DESC, s.address DESC LIMIT $6
"""
_EXPLAIN: Final = f"SELECT {_COLUMNS} {_FROM} WHERE s.kind = $1 AND s.address = $2"
_LIFT: Final = "DELETE FROM suppressions WHERE kind = $1 AND address = $2 RETURNING reason"
_FORGET_SOFT: Final = "DELETE FROM soft_bounces WHERE address = $1"
_OWNERS: Final = "SELECT contact_id FROM identities WHERE kind = $1 AND address = $2 ORDER BY contact_id"


@dataclass(frozen=True, slots=True)
class Suppression:
    """Why nothing is sent to an address: the reason in a word, who or what asked for it, the message of ours that it
    follows from, and what the other side said."""

    kind: IdentityKind
    address: str
    reason: str
    source: str
    message_id: int | None
    words: str
    created_at: datetime
    campaign_id: int | None
    campaign: str | None
    contact_id: int | None  #: whose address it is


async def suppress(
    connection: Connection | Pool,
    kind: IdentityKind,
    address: str,
    reason: str,
    source: str,
    *,
    message_id: int | None = None,
    words: str = "",
) -> bool:
    """Put a normalised address on the list; false when it was there. `source`: who or what asked for it.

    What is marked from then on goes to this address no more; what is under way is not called back.
    """
    return bool(
        await connection.fetchval(
            _ADD, kind.value, address, reason, source, message_id, words[:LONGEST_WORDS]
        )
    )


async def list_suppressions(
    connection: Connection | Pool,
    *,
    after: Suppression | None = None,
    containing: str = "",
    reason: str = "",
    limit: int = 100,
) -> Sequence[Suppression]:
    """The list, latest first: at most `limit` below `after`, whose address contains some text, for one reason."""
    rows = await connection.fetch(
        _LIST,
        after and after.created_at,
        after and after.kind.value,
        after and after.address,
        containing.strip().lower() or None,
        reason or None,
        limit,
    )
    return [_read(row) for row in rows]


async def explain(connection: Connection | Pool, kind: IdentityKind, address: str) -> Suppression | None:
    """Why nothing is sent to a normalised address; None when it is not on the list."""
    row = await connection.fetchrow(_EXPLAIN, kind.value, address)
    return None if row is None else _read(row)


async def lift(connection: Connection | Pool, kind: IdentityKind, address: str) -> bool:
    """Take an address off the list; false when it was not on it. Its soft bounces are forgotten."""
    return await _lift(connection, kind, address) is not None


async def lift_by_hand(
    connection: Connection, kind: IdentityKind, address: str, *, actor_id: int, note: str, now: datetime
) -> bool:
    """Take an address off the list because a person says so, in the caller's transaction; false when it was not on it.

    The timelines of those whose address it is tell who did it and why. Raises InvalidInput without a reason.
    """
    note = note.strip().replace("\0", "")
    if not note:
        raise InvalidInput("note", "say why the address may be written to again.", "Write a few words.")
    reason = await _lift(connection, kind, address)
    if reason is None:
        return False
    owners = await connection.fetch(_OWNERS, kind.value, address)
    await record(
        connection,
        [
            NewEvent(
                EventType.CHANGED,
                now,
                contact_id=row["contact_id"],
                actor_id=actor_id,
                data={"field": "suppression", "old": reason, "new": None, "note": note[:LONGEST_WORDS]},
            )
            for row in owners
        ],
    )
    return True


async def _lift(connection: Connection | Pool, kind: IdentityKind, address: str) -> str | None:
    reason: str | None = await connection.fetchval(_LIFT, kind.value, address)
    if kind is IdentityKind.MAIL:
        await connection.execute(_FORGET_SOFT, address)
    return reason


def _read(row: object) -> Suppression:
    fields = dict(row)  # type: ignore[call-overload]
    return Suppression(**{**fields, "kind": IdentityKind(fields["kind"])})
