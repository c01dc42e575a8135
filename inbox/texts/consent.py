"""STOP and START: a number is written to no more, or again, and the consent history of its owners says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from contacts.consent import grant, hold_contacts, withdraw
from domain.consent import ConsentEntry, ConsentState, Purpose
from domain.contacts import IdentityKind
from outbox.suppression import LONGEST_WORDS, explain, lift, suppress
from storage.pool import Connection
from storage.unit_of_work import UnitOfWork

#: the reason under which numbers stand on the do-not-contact list, and the only one that START lifts
OPTED_OUT: Final = "opted_out"

#: STOP is remembered in the place of what a machine said of the number, which may be taken off the list as an error; what
#: a person closed stays closed for the reason they gave
_CLOSE: Final = """
UPDATE suppressions SET reason = $2, source = $3, message_id = $4, words = $5
WHERE kind = 'phone' AND address = $1 AND source IN ('provider', 'report') AND reason <> $2
"""
_OWNERS: Final = """
SELECT DISTINCT contact_id FROM identities WHERE kind = 'phone' AND address = $1 ORDER BY contact_id
"""
#: the entries of a contact, and of whoever was merged into it, latest first; of two at a time the withdrawal stands
_ENTRIES: Final = """
SELECT state, wording, source FROM consent_ledger
WHERE (contact_id = $1 OR contact_id IN (SELECT old_id FROM contact_aliases WHERE contact_id = $1)) AND purpose = $2
ORDER BY occurred_at DESC, state DESC, id DESC LIMIT 100
"""
#: where a withdrawal comes from that was STOP: a message, a report, the answer to a message of ours
_STOPS: Final = frozenset({"sms", "report", "provider"})


async def opt_out(
    work: UnitOfWork,
    number: str,
    at: datetime,
    *,
    source: str,
    message_id: int | None = None,
    wording: str = "",
) -> None:
    """Nothing is sent to this number any more, and everybody who has it takes back the consent to texts.

    Of several people who share a number nobody can tell who spoke, and none of them can be written to.
    """
    closed = await suppress(
        work.connection,
        IdentityKind.PHONE,
        number,
        OPTED_OUT,
        source,
        message_id=message_id,
        words=wording,
    )
    if not closed:
        await work.connection.execute(_CLOSE, number, OPTED_OUT, source, message_id, wording[:LONGEST_WORDS])
    entries = [
        ConsentEntry(owner, Purpose.TEXTS, ConsentState.WITHDRAWN, wording, source, at)
        for owner in await _owners(work.connection, number)
    ]
    await withdraw(work.connection, entries, message_id=message_id)


async def opt_in(work: UnitOfWork, number: str, at: datetime, *, source: str, wording: str) -> bool:
    """Lift what STOP did: the number may be written to again; false when it was not STOP that closed it.

    A consent that STOP took back is given again when the number is one person's; START alone is none to what was never
    agreed to. A number that is closed for another reason stays closed.
    """
    standing = await explain(work.connection, IdentityKind.PHONE, number)
    if standing is None or standing.reason != OPTED_OUT:
        return False
    await lift(work.connection, IdentityKind.PHONE, number)
    owners = await _owners(work.connection, number)
    if len(owners) == 1:
        entries = await work.connection.fetch(_ENTRIES, owners[0], Purpose.TEXTS.value)
        before = granted_before_stop(dict(entry) for entry in entries)
        if before is not None:
            words = f"{wording} ({before})"
            entry = ConsentEntry(owners[0], Purpose.TEXTS, ConsentState.GRANTED, words, source, at)
            await grant(work.connection, [entry])
    return True


def granted_before_stop(entries: Iterable[Mapping[str, Any]]) -> str | None:
    """The words of the consent that STOP took back, said once or several times; None when it took none: nothing was
    granted before, or it was taken back elsewhere. Pure; `entries` of the ledger (state, wording, source), latest first."""
    stopped = False
    for entry in entries:
        if entry["state"] == ConsentState.GRANTED.value:
            return str(entry["wording"]) if stopped else None
        if entry["source"] not in _STOPS:
            return None
        stopped = True
    return None


async def has_opted_out(connection: Connection, number: str) -> bool:
    """Whether STOP closed this number."""
    standing = await explain(connection, IdentityKind.PHONE, number)
    return standing is not None and standing.reason == OPTED_OUT


async def _owners(connection: Connection, number: str) -> list[int]:
    """Whose number it is, held so that nobody merges them meanwhile."""
    owners = {row["contact_id"] for row in await connection.fetch(_OWNERS, number)}
    await hold_contacts(connection, owners)
    return [row["contact_id"] for row in await connection.fetch(_OWNERS, number)]
