"""The do-not-contact list as people and programs use it: look up, add by hand, lift with a reason."""

from __future__ import annotations

from contacts.addresses import read_mail_address, read_phone
from domain.contacts import IdentityKind
from domain.errors import Conflict, InvalidInput, NotFound
from outbox.suppression import lift_by_hand, suppress
from storage.pool import transaction
from web.access.people import Person
from web.context import WebContext
from web.i18n import N_

#: why an address is on the list when a person put it there
BY_HAND = "by_hand"


def read_address(kind: str, text: str, country: str | None = None) -> tuple[IdentityKind, str]:
    """An address in its one form. Raises InvalidInput."""
    if kind not in set(IdentityKind):
        raise InvalidInput(
            "kind", N_("This value is not one of those allowed."), N_("Choose one from the list.")
        )
    known = IdentityKind(kind)
    written = text.strip()
    return known, (
        read_mail_address(written, "address")
        if known is IdentityKind.MAIL
        else read_phone(written, country, "address")
    )


async def add_suppression(context: WebContext, person: Person, kind: str, address: str, note: str) -> str:
    """Put an address on the list; gives it in its one form. Raises InvalidInput, Conflict when it is there."""
    known, one = read_address(kind, address)
    words = note.strip().replace("\0", "")
    if not await suppress(context.pool, known, one, BY_HAND, f"console: {person.name}", words=words):
        raise Conflict(f"{one} is on the list already.")
    context.announcer.touch()
    return one


async def lift_suppression(context: WebContext, person: Person, kind: str, address: str, note: str) -> None:
    """Take an address off the list; the timeline of its owner tells who did it and why. Raises InvalidInput, NotFound."""
    if kind not in set(IdentityKind):
        raise NotFound(f"{address} is not on the list.")
    async with transaction(context.pool) as connection:
        lifted = await lift_by_hand(
            connection,
            IdentityKind(kind),
            address,
            actor_id=person.id,
            note=note,
            now=context.clock.now(),
        )
    if not lifted:
        raise NotFound(f"{address} is not on the list.")
    context.announcer.touch()
