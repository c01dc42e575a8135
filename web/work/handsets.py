"""Playing the contact on a test phone: whose it is, what one sees on it, and what its owner does with it.

What they write and say takes the way of every stranger's: through the provider's signed callbacks.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from channels.sandbox.carrier.mischief import Rule, Trick
from channels.sandbox.carrier.phone import OwnNumber, Phone, PhoneCall, PhoneSummary, Text
from contacts.addresses import read_phone
from domain.errors import InvalidInput, NotFound, Unavailable
from storage.pool import Pool
from web.context import TestPhone, WebContext
from web.i18n import N_
from web.queries.phones import Owner, find_contact_phones, find_owners, list_staff_phones

_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}|client:[A-Za-z0-9_.@-]{1,64}")
#: contacts whose phones lie on the table before anybody used one
_CONTACTS: Final = 9
_FOUND: Final = 30
FILE_LIMIT: Final = 2_000_000  #: bytes of one picture or file
MOST_FILES: Final = 5

#: the tricks that people play, in groups of how they work
TRICKS: Final[tuple[tuple[Trick, ...], ...]] = (
    (Trick.UNDELIVERED, Trick.FAILED, Trick.STUCK, Trick.OPTED_OUT),
    (Trick.BACKWARDS, Trick.TWICE, Trick.LATE, Trick.MISSING, Trick.FORGED),
    (Trick.KEPT, Trick.SILENT, Trick.LOST, Trick.BUSY_API, Trick.BROKEN_API),
    (Trick.BUSY, Trick.RINGS_OUT, Trick.UNREACHABLE, Trick.DECLINES, Trick.PICKS_UP),
)
#: of a message that is not delivered: the phone was off, and no reason told
_CODES: Final = {Trick.UNDELIVERED: 30003, Trick.FAILED: 30008, Trick.OPTED_OUT: 21610}
_LATE: Final = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Handset:
    """A phone in the list."""

    summary: PhoneSummary
    owner: Owner | None

    @property
    def name(self) -> str:
        """Whose it is; empty for nobody's, and for somebody of whom no more than the number is known."""
        name = self.owner.name if self.owner else self.summary.name
        return "" if name == self.summary.number else name


@dataclass(frozen=True, slots=True)
class Entry:
    """A message or a call of a thread."""

    at: datetime
    text: Text | None = None
    call: PhoneCall | None = None


def find_test_phone(context: WebContext) -> TestPhone:
    """The phones. Raises Unavailable when messages and calls go to a real provider."""
    if context.test_phone is None:
        raise Unavailable(
            N_("There are no test phones here: short messages and calls go out through your account.")
        )
    return context.test_phone


def check_phone(number: str) -> str:
    """The number of a phone as it stands in an address. Raises NotFound for what cannot be one."""
    if not _PHONE.fullmatch(number):
        raise NotFound(N_("There is no such phone."))
    return number


def read_any_phone(text: str) -> str | None:
    """The phone that somebody means who wrote a whole number; None when it is none."""
    text = text.strip()
    if text.startswith("client:"):
        return text if _PHONE.fullmatch(text) else None
    try:
        return read_phone(text, field="q")
    except InvalidInput:
        return None


async def list_handsets(phones: TestPhone, pool: Pool, search: str = "") -> list[Handset]:
    """Those that ring first, then those used last, then our people's and some contacts'; or what a search finds."""
    used = {one.number: one for one in await phones.phones.list_phones()}
    if search:
        numbers = dict.fromkeys(await find_contact_phones(pool, search, _FOUND))
        staff = await list_staff_phones(pool)
        owners = await find_owners(pool, [*used, *staff, *numbers])
        needle, digits = search.casefold(), "".join(c for c in search if c.isdigit() or c == "+")
        for number in (*used, *staff):
            name = owners[number].name if number in owners else used[number].name if number in used else ""
            if needle in name.casefold() or (len(digits) >= 3 and digits in number):
                numbers[number] = None
    else:
        staff = await list_staff_phones(pool)
        numbers = dict.fromkeys([*used, *staff, *await find_contact_phones(pool, "", _CONTACTS)])
        owners = await find_owners(pool, list(numbers))
    found = [Handset(used.get(number, PhoneSummary(number=number)), owners.get(number)) for number in numbers]
    return sorted(found, key=lambda one: 0 if one.summary.ringing else 1 if one.summary.talking else 2)


def list_threads(phone: Phone) -> dict[str, datetime]:
    """Whom this phone wrote to and talked with, the newest first, and when that was."""
    last: dict[str, datetime] = {}
    for other, at in [(text.other, text.at) for text in phone.texts] + [
        (call.other, call.at) for call in phone.calls
    ]:
        last[other] = max(at, last.get(other, at))
    return dict(sorted(last.items(), key=lambda pair: pair[1], reverse=True))


def read_thread(phone: Phone, other: str) -> list[Entry]:
    """Messages and ended calls with `other`, oldest first."""
    entries = [Entry(text.at, text=text) for text in phone.texts if text.other == other]
    entries += [
        Entry(call.at, call=call) for call in phone.calls if call.other == other and call.state == "ended"
    ]
    return sorted(entries, key=lambda entry: entry.at)


def find_call(phone: Phone) -> PhoneCall | None:
    """The call that rings or is talked on now, the newest of several."""
    return next((call for call in reversed(phone.calls) if call.state != "ended"), None)


async def name_others(pool: Pool, numbers: Sequence[OwnNumber], others: Sequence[str]) -> dict[str, str]:
    """What a phone shows for whoever it talks with: our numbers by their names, people by theirs."""
    owners = await find_owners(pool, others)
    named = {one.number: one.name for one in numbers if one.name}
    people = {other: owner.name for other, owner in owners.items() if owner.name != other}
    return {other: named.get(other) or people.get(other, "") for other in others}


async def act_on_call(
    phones: TestPhone, call_sid: str, deed: str, *, digits: str = "", text: str = ""
) -> None:
    """Do something on a call: answer, hang-up, press, speak. Raises NotFound, Conflict, InvalidInput."""
    match deed:
        case "answer":
            await phones.phones.answer(call_sid)
        case "hang-up":
            await phones.phones.hang_up(call_sid)
        case "press":
            await phones.phones.press(call_sid, digits)
        case "speak":
            await phones.phones.speak(call_sid, text)
        case _:
            raise NotFound(f"Nobody can {deed} on a call.")


async def play_trick(phones: TestPhone, trick: str, *, times: int | None = None, number: str = "") -> int:
    """Misbehave so the next `times` times, or until taken back; towards one phone when `number` is given.

    Gives the number by which it is taken back. Raises InvalidInput for an unknown trick.
    """
    try:
        chosen = Trick(trick)
    except ValueError as error:
        raise InvalidInput("trick", N_("There is no such trick."), N_("Choose one from the list.")) from error
    rule = Rule(
        trick=chosen,
        to_ends=number,
        times=times,
        seconds=_LATE if chosen is Trick.LATE else 2.0,
        code=_CODES.get(chosen, 0),
    )
    return await phones.mischief.add_rule(rule)


async def read_everything(phones: TestPhone, number: str) -> tuple[Phone, list[OwnNumber]]:
    """A phone, and our numbers."""
    phone, numbers = await asyncio.gather(phones.phones.show_phone(number), phones.phones.list_numbers())
    return phone, numbers
