"""Placing calls and ending them, as the console and the API do: who may call whom, and with which number shown.

A contact who took back the consent to calls, or whose number is on the do-not-contact list, is not called on our own
account: only in a running matter of theirs, which is a conversation, or a task that belongs to one or to a case
(docs/decisions/0034-calls-of-ours.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from channels.sms.numbers import NumberKind, read_e164
from contacts.addresses import read_phone
from contacts.directory import resolve
from domain.errors import Forbidden, InvalidInput, NotFound, Unavailable
from domain.tasks import CallOutcome
from inbox.calls import placing
from inbox.calls.outcomes import suggest_outcome
from inbox.calls.placing import Wish
from web.access.people import Person
from web.access.permissions import Permission
from web.callbacks.voice_door import VoiceCallbacks
from web.context import WebContext
from web.i18n import N_
from web.queries.calls import CallView, find_call
from web.queries.conversations import find_conversation
from web.queries.tasks import find_task

_TASK: Final = "SELECT contact_id, conversation_id, case_id, team_id FROM tasks WHERE id = $1"
_NUMBERS: Final = """
SELECT address, given FROM identities WHERE kind = 'phone' AND contact_id = $1 ORDER BY id
"""
_PARTIES: Final = """
SELECT address, address AS given FROM conversation_parties WHERE conversation_id = $1 AND address LIKE '+%' ORDER BY since
"""
_CONTACT: Final = "SELECT EXISTS (SELECT FROM contacts WHERE id = $1)"
_PHONE: Final = "SELECT phone FROM users WHERE id = $1"
_REFUSED: Final = (
    "SELECT EXISTS (SELECT FROM consents WHERE contact_id = $1 AND purpose = 'calls' AND state = 'withdrawn')"
)
#: a landline takes no short messages, and calls
_LISTED: Final = """
SELECT EXISTS (SELECT FROM suppressions WHERE kind = 'phone' AND address = $1 AND reason <> 'number_fixed')
"""
#: the team of the task shows its number, else a team of the person, else a line on which people call us
_CALLER_ID: Final = """
SELECT caller_id FROM (
    SELECT caller_id, 0 AS place, 0 AS id FROM teams WHERE id = $1
    UNION ALL SELECT t.caller_id, 1, t.id FROM teams t JOIN team_members m ON m.team_id = t.id WHERE m.user_id = $2
    UNION ALL SELECT number, 2, id FROM phone_lines WHERE active
) found WHERE caller_id IS NOT NULL AND caller_id <> '' ORDER BY place, id LIMIT 1
"""
_LAST_OF_TASK: Final = "SELECT max(message_id) FROM calls WHERE task_id = $1"
_COSTLY: Final = frozenset(
    {NumberKind.PREMIUM, NumberKind.SHORT_CODE, NumberKind.PAGER, NumberKind.VOICEMAIL}
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a contact: as it is called, and as it was written."""

    address: str
    given: str


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom a call from some page would reach, and at which numbers."""

    contact_id: int | None
    numbers: tuple[Number, ...]
    task_id: int | None = None
    conversation_id: int | None = None
    case_id: int | None = None
    team_id: int | None = None

    @property
    def is_matter(self) -> bool:
        """Whether it is about something that the contact has with us, and not our own idea."""
        return self.conversation_id is not None or self.case_id is not None


async def find_reach(
    context: WebContext,
    person: Person,
    *,
    contact_id: int | None = None,
    task_id: int | None = None,
    conversation_id: int | None = None,
) -> Reach:
    """The numbers that can be called from a task, a conversation or a contact, first the oldest.

    Name one of the three; with a task or a conversation the contact is theirs. Raises NotFound for what this person
    may not see, InvalidInput for a matter without a contact.
    """
    case_id = team_id = None
    if task_id is not None:
        if await find_task(context.pool, person, task_id, context.clock.now()) is None:
            raise NotFound(f"There is no task {task_id}.")
        row = await context.pool.fetchrow(_TASK, task_id)
        assert row is not None  # found just now, and tasks stay
        contact_id, conversation_id, case_id = row["contact_id"], row["conversation_id"], row["case_id"]
        team_id = row["team_id"]
    elif conversation_id is not None:
        found = None
        if person.may(Permission.CONVERSATIONS_WORK):
            found = await find_conversation(context.pool, person, conversation_id)
        if found is None:
            raise NotFound(f"There is no conversation {conversation_id}.")
        contact_id, case_id = found["contact_id"], found["case_id"]
    if contact_id is not None:
        contact_id = (await resolve(context.pool, [contact_id])).get(contact_id, contact_id)
        if not await context.pool.fetchval(_CONTACT, contact_id):
            raise NotFound(f"There is no contact {contact_id}.")
        rows = await context.pool.fetch(_NUMBERS, contact_id)
    elif conversation_id is not None:
        rows = await context.pool.fetch(_PARTIES, conversation_id)
    else:
        raise InvalidInput(
            "contact_id", N_("Nobody is named who could be called."), N_("Choose a contact first.")
        )
    numbers = tuple(Number(row["address"], row["given"]) for row in rows)
    return Reach(contact_id, numbers, task_id, conversation_id, case_id, team_id)


async def place_call(
    context: WebContext,
    person: Person,
    *,
    contact_id: int | None = None,
    task_id: int | None = None,
    conversation_id: int | None = None,
    address: str | None = None,
) -> int:
    """Ring the person's own phone, then the contact's; gives the call's id.

    Asked twice at a time, it is one call, whose id both get. `address`: one of the contact's numbers; else the first.
    Raises Unavailable without an account, or when the provider takes no calls now; InvalidInput without a phone of the
    person, a number of the contact or a number of ours to show; Forbidden for whoever may not be called; Conflict
    while the person is in another call; NotFound for what they may not see.
    """
    voice = _require_voice(context)
    whom = await find_reach(
        context, person, contact_id=contact_id, task_id=task_id, conversation_id=conversation_id
    )
    theirs = _choose_number(whom, address)
    if not whom.is_matter:
        await _refuse_unwanted(context, whom.contact_id, theirs)
    phone = await context.pool.fetchval(_PHONE, person.id)
    if not phone:
        raise InvalidInput(
            "phone",
            N_("Nothing can ring: your own phone is not known."),
            N_("Write its number on the page of your account."),
        )
    ours = await context.pool.fetchval(_CALLER_ID, whom.team_id, person.id)
    if not ours:
        raise InvalidInput(
            "caller_id",
            N_("There is no number of ours that the contact would see."),
            N_("An administrator sets one for your team, on the page of people."),
        )
    wish = Wish(
        person.id, phone, ours, theirs, whom.contact_id, whom.task_id, whom.conversation_id, whom.case_id
    )
    return await placing.place_call(voice.switchboard, voice.provider, wish)


async def hang_up(context: WebContext, person: Person, call_id: int) -> None:
    """End a call that the person placed or talks in, for both sides.

    Raises NotFound, Forbidden for a call of somebody else, Conflict, Unavailable.
    """
    voice = _require_voice(context)
    found = await show_call(context, person, call_id)
    if found.user_id != person.id:
        raise Forbidden(N_("This is the call of somebody else."))
    await placing.hang_up(voice.switchboard, voice.provider, call_id)


async def show_call(context: WebContext, person: Person, call_id: int) -> CallView:
    """One call, when this person may see it. Raises NotFound."""
    found = await find_call(context.pool, person, call_id)
    if found is None:
        raise NotFound(f"There is no call {call_id}.")
    return found


async def suggest_for_task(context: WebContext, person: Person, task_id: int) -> CallOutcome | None:
    """The outcome that the last call from a task speaks for; None without one, or for a call they may not see."""
    call_id = await context.pool.fetchval(_LAST_OF_TASK, task_id)
    found = await find_call(context.pool, person, call_id) if call_id is not None else None
    return suggest_outcome(found.result) if found is not None else None


def _require_voice(context: WebContext) -> VoiceCallbacks:
    if context.voice is None:
        raise Unavailable(N_("Calls need an account at a provider; none is set."))
    if not context.voice.switchboard.reachable:
        raise Unavailable(
            N_("Calls need an address at which the provider reaches us; set the public address.")
        )
    return context.voice


def _choose_number(whom: Reach, address: str | None) -> str:
    known = [number.address for number in whom.numbers]
    if not known:
        raise InvalidInput(
            "address",
            N_("No phone number of this contact is known."),
            N_("Write one down on the contact's page."),
        )
    chosen = read_phone(address, field="address") if address else known[0]
    if chosen not in known:
        raise InvalidInput(
            "address",
            N_("This number does not belong to the contact."),
            N_("Choose one of theirs, or write it down on the contact's page."),
        )
    if read_e164(chosen, "address").kind in _COSTLY:
        raise InvalidInput(
            "address",
            N_("This number is a costly service or none that a person answers."),
            N_("Choose another number."),
        )
    return chosen


async def _refuse_unwanted(context: WebContext, contact_id: int | None, address: str) -> None:
    """Raises Forbidden when the contact does not want to be called."""
    if contact_id is not None and await context.pool.fetchval(_REFUSED, contact_id):
        raise Forbidden(
            N_(
                "This contact does not want to be called. In a matter of theirs they can be: call from the conversation, or from a task of the case."
            )
        )
    if await context.pool.fetchval(_LISTED, address):
        raise Forbidden(
            N_(
                "This number is on the do-not-contact list. In a matter of the contact's it can be called: from the conversation, or from a task of the case."
            )
        )
