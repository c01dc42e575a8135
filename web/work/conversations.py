"""What people and programs do with conversations: who may see one may work on it, inbox/ does the rest."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Final

from contacts.addresses import read_mail_address
from domain.errors import Forbidden, InvalidInput, NotFound
from inbox.desk.answers import Answer, Sent, send_answer, undo_answer
from inbox.desk.authors import take_original_author
from inbox.desk.conversations import Desk, set_contact
from inbox.desk.drafts import Draft
from inbox.desk.placements import Placed, decide_placement
from inbox.desk.preparation import Agent, Prepared, prepare_answer
from storage.unit_of_work import unit_of_work
from web.access.people import Person
from web.console.visit import read_number
from web.context import WebContext
from web.i18n import N_
from web.mails.file_names import file_name
from web.queries.conversations import find_conversation
from web.queries.messages import conversation_of
from web.work.contacts import ContactInput, create_contact

_PLACEMENT: Final = "SELECT conversation_id FROM placements WHERE message_id = $1"
_WHOSE: Final = "SELECT contact_id FROM identities WHERE kind = 'mail' AND address = $1"


def desk_of(context: WebContext, person: Person) -> Desk:
    """Where this person works."""
    return Desk(context.pool, context.clock, context.announcer, person.id)


def agent_of(person: Person) -> Agent:
    """The person as the author of an answer."""
    return Agent(person.id, person.name, person.timezone)


async def see_conversation(context: WebContext, person: Person, conversation_id: int) -> Any:
    """The conversation, when this person may see it. Raises NotFound."""
    found = await find_conversation(context.pool, person, conversation_id)
    if found is None:
        raise NotFound(f"There is no conversation {conversation_id}.")
    return found


async def see_message(context: WebContext, person: Person, conversation_id: int, message_id: int) -> Any:
    """The conversation, when this person may see it and the message belongs to it. Raises NotFound."""
    found = await see_conversation(context, person, conversation_id)
    if await conversation_of(context.pool, message_id) != conversation_id:
        raise NotFound(f"There is no message {message_id} in conversation {conversation_id}.")
    return found


async def prepare(context: WebContext, person: Person, conversation_id: int) -> Prepared:
    """What an answer begins with."""
    return await prepare_answer(
        context.pool,
        conversation_id,
        agent_of(person),
        reply_local=context.kitchen.settings.reply_local,
    )


async def answer(context: WebContext, person: Person, conversation_id: int, given: Answer) -> Sent:
    """Send an answer. Raises NotFound and what inbox.desk.answers.send_answer raises."""
    await see_conversation(context, person, conversation_id)
    return await send_answer(
        desk_of(context, person),
        conversation_id,
        agent_of(person),
        given,
        context.stationery,
        undo_seconds=context.settings.undo_seconds,
        uploads=context.answer_files,
    )


async def take_back(context: WebContext, person: Person, conversation_id: int, message_id: int) -> Draft:
    """Undo an answer. Raises NotFound, Conflict."""
    await see_conversation(context, person, conversation_id)
    return await undo_answer(desk_of(context, person), conversation_id, message_id, agent_of(person))


async def place(context: WebContext, person: Person, message_id: int, join: bool) -> Placed:
    """Decide where a message belongs: for whoever may see both the message and the conversation it may belong to.

    Raises NotFound, Forbidden, Conflict.
    """
    suggested = await context.pool.fetchval(_PLACEMENT, message_id)
    own = await conversation_of(context.pool, message_id)
    if suggested is None or not await find_conversation(context.pool, person, own or suggested):
        raise NotFound(f"Nobody asks where message {message_id} belongs.")
    if join and not await find_conversation(context.pool, person, suggested):
        raise Forbidden(N_("The conversation that it may belong to is not open to you."))
    return await decide_placement(desk_of(context, person), message_id, join)


async def adopt_contact(
    context: WebContext, person: Person, conversation_id: int, address: str, name: str = ""
) -> int:
    """Make the owner of an address the contact of a conversation, as a new contact when nobody has it.

    The address takes part from then on. Gives the contact's id. Raises NotFound, InvalidInput.
    """
    await see_conversation(context, person, conversation_id)
    known = read_mail_address(address.strip(), "address")
    contact_id: int | None = await context.pool.fetchval(_WHOSE, known)
    if contact_id is None:
        given = ContactInput(name=(name.strip() or address.strip())[:300], email=known)
        contact_id = await create_contact(context, person, given)
    await set_contact(desk_of(context, person), conversation_id, contact_id, known)
    return contact_id


async def take_author(context: WebContext, person: Person, conversation_id: int, message_id: int) -> None:
    """Make the author of a forwarded mail the contact of the conversation. Raises NotFound, Conflict."""
    await see_message(context, person, conversation_id, message_id)
    async with unit_of_work(context.pool, context.announcer) as work:
        await take_original_author(work, message_id, actor_id=person.id, now=context.clock.now())


def bare_name(name: str) -> str:
    """A file's name without folders, as it goes into a mail."""
    return file_name(PurePosixPath(name.replace("\\", "/")).name)[:200]


def refuse_too_large(size: int, limit: int) -> None:
    """Raises InvalidInput when the files of an answer are too large for one mail."""
    if size > limit:
        raise InvalidInput(
            "file", N_("The files are too large for one mail."), N_("Leave some out, or send a link to them.")
        )


def read_choice(text: str, field: str) -> int | None:
    """An id from a chooser, None for nobody. Raises InvalidInput."""
    return read_number(text, field) if text else None
