"""Unreadable messages as a person may see them: of mail to a confidential queue of others only that it is there.

Nobody knows what an unreadable mail says, so its envelope and its headers decide: an address of a confidential queue, or
the address for answers in one of its conversations. A readable mail goes to a queue by its headers too, and mail from a
mailbox has no other envelope.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from domain.errors import Forbidden
from inbox.arrival.quarantine import Quarantined, find_named, find_quarantined, list_quarantine
from outbox.addresses import read_bounce_address, read_reply_address
from web.access.people import Person
from web.context import WebContext
from web.i18n import N_

_CLOSED_ADDRESSES: Final = """
SELECT lower(a.address) FROM queues q
CROSS JOIN LATERAL (SELECT address FROM queue_addresses WHERE queue_id = q.id UNION SELECT q.from_address) a
WHERE q.confidential AND NOT coalesce(q.team_id = ANY ($2::bigint[]), false) AND lower(a.address) = ANY ($1::text[])
"""
_CLOSED_MESSAGES: Final = """
SELECT m.id FROM messages m JOIN conversations v ON v.id = m.conversation_id JOIN queues q ON q.id = v.queue_id
WHERE m.id = ANY ($1::bigint[]) AND q.confidential AND NOT coalesce(q.team_id = ANY ($2::bigint[]), false)
  AND v.assignee_id IS DISTINCT FROM $3
"""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A mail in quarantine. `closed`: sender, recipients and content are for the people of a confidential queue."""

    mail: Quarantined
    closed: bool

    @property
    def sender(self) -> str:
        """Who sent it, for whoever may know."""
        return "" if self.closed else self.mail.sender

    @property
    def recipients(self) -> Sequence[str]:
        """Whom it is for, for whoever may know."""
        return () if self.closed else self.mail.recipients


async def list_unreadable(
    context: WebContext, person: Person, *, before: int | None, limit: int
) -> list[Unreadable]:
    """Those that wait, latest first."""
    mails = await list_quarantine(context.pool, before=before, limit=limit)
    closed = await _find_closed(context, person, mails)
    return [Unreadable(mail, mail.id in closed) for mail in mails]


async def find_unreadable(context: WebContext, person: Person, raw_id: int) -> Unreadable:
    """One of them. Raises NotFound."""
    mail = await find_quarantined(context.pool, raw_id)
    return Unreadable(mail, bool(await _find_closed(context, person, [mail])))


async def open_unreadable(context: WebContext, person: Person, raw_id: int) -> Quarantined:
    """One whose content this person may see. Raises NotFound, Forbidden."""
    found = await find_unreadable(context, person, raw_id)
    if found.closed:
        raise Forbidden(N_("This message is for a confidential queue; only its people may look into it."))
    return found.mail


async def _find_closed(context: WebContext, person: Person, mails: Sequence[Quarantined]) -> set[int]:
    headers = await find_named(context.pool, context.blobs, [mail.id for mail in mails])
    named: dict[int, set[str]] = {
        mail.id: {one.lower() for one in (*mail.recipients, *headers.get(mail.id, ()))} for mail in mails
    }
    answered: dict[int, set[int]] = {
        mail.id: {
            found
            for one in (*mail.recipients, *headers.get(mail.id, ()))
            if (found := _message_of(context, one)) is not None
        }
        for mail in mails
    }
    teams = list(person.teams)
    addresses = await context.pool.fetch(_CLOSED_ADDRESSES, sorted(set().union(*named.values())), teams)
    messages = await context.pool.fetch(
        _CLOSED_MESSAGES, sorted(set().union(*answered.values())), teams, person.id
    )
    closed_addresses, closed_messages = {row[0] for row in addresses}, {row[0] for row in messages}
    return {
        mail.id for mail in mails if named[mail.id] & closed_addresses or answered[mail.id] & closed_messages
    }


def _message_of(context: WebContext, address: str) -> int | None:
    settings = context.kitchen.settings
    bounced = read_bounce_address(context.tokens, settings, address)
    return bounced.message_id if bounced else read_reply_address(context.tokens, settings, address)
