"""What people and programs do with cases: who may know of one may work on it, router/cases does the rest.

What is put into a case has to be something that the person may see, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from contacts.notes import add_note
from domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from inbox.desk.conversations import Desk
from router.cases.belonging import Thing, put_into_case, take_out_of_case
from router.cases.type_files import read_types
from router.cases.type_store import TypesDiff, apply_types, load_types, write_types
from router.cases.types import CaseType
from storage.unit_of_work import unit_of_work
from web.access.people import Person
from web.access.permissions import Permission
from web.context import WebContext
from web.i18n import N_
from web.queries.calls import find_call
from web.queries.cases import find_case
from web.queries.conversations import find_conversation
from web.queries.messages import conversation_of
from web.queries.tasks import find_task

LONGEST: Final = 500_000  #: characters of a text of types
_MESSAGE: Final = "SELECT channel, campaign_id, case_id FROM messages WHERE id = $1"


def desk_of(context: WebContext, person: Person) -> Desk:
    """Where this person works."""
    return Desk(context.pool, context.clock, context.announcer, person.id)


async def see_case(context: WebContext, person: Person, case_id: int) -> Any:
    """The case, when this person may know of it. Raises NotFound."""
    found = await find_case(context.pool, person, case_id)
    if found is None:
        raise NotFound(f"There is no case {case_id}.")
    return found


async def case_types(context: WebContext) -> Mapping[str, CaseType]:
    """The types of the house."""
    return await load_types(context.pool)


async def put(context: WebContext, person: Person, case_id: int, thing: Thing, number: int) -> None:
    """Put something into a case. Raises NotFound when the person may not see both, Conflict."""
    await see_case(context, person, case_id)
    await _see_thing(context, person, thing, number)
    await put_into_case(desk_of(context, person), case_id, thing, number)


async def take_out(context: WebContext, person: Person, case_id: int, thing: Thing, number: int) -> None:
    """Take it out again. Raises NotFound."""
    await see_case(context, person, case_id)
    await _see_thing(context, person, thing, number)
    await take_out_of_case(desk_of(context, person), case_id, thing, number)


async def _see_thing(context: WebContext, person: Person, thing: Thing, number: int) -> None:
    pool = context.pool
    if thing is Thing.TASK:
        seen = await find_task(pool, person, number, context.clock.now()) is not None
    elif thing is Thing.CONVERSATION:
        seen = await _sees_conversation(context, person, number)
    else:
        seen = await _sees_message(context, person, number)
    if not seen:
        raise NotFound(f"There is no {thing.value} {number}.")


async def _sees_conversation(context: WebContext, person: Person, number: int) -> bool:
    if not person.may(Permission.CONVERSATIONS_WORK):
        return False
    return await find_conversation(context.pool, person, number) is not None


async def _sees_message(context: WebContext, person: Person, number: int) -> bool:
    conversation = await conversation_of(context.pool, number)
    if conversation is not None:
        return await _sees_conversation(context, person, conversation)
    row = await context.pool.fetchrow(_MESSAGE, number)
    if row is None:
        return False
    if row["channel"] == "voice":
        return await find_call(context.pool, person, number) is not None
    if row["case_id"] is not None and await find_case(context.pool, person, row["case_id"]) is None:
        return False
    return row["campaign_id"] is not None  # a newsletter: on the timeline of its contact for everybody


async def note(context: WebContext, person: Person, case_id: int, text: str, kind: str = "note") -> int:
    """Put a note on the timeline of the case; gives the event's id. Raises NotFound, InvalidInput."""
    found = await see_case(context, person, case_id)
    async with unit_of_work(context.pool, context.announcer) as work:
        return await add_note(
            work.connection,
            found["contact_id"],
            kind=kind,
            body=text,
            occurred_at=context.clock.now(),
            actor_id=person.id,
            case_id=case_id,
        )


async def write_house_types(context: WebContext) -> str:
    """The types of the house, as the text that `apply_text` takes."""
    return write_types(await load_types(context.pool))


async def apply_text(context: WebContext, person: Person, text: str, seen: str | None = None) -> TypesDiff:
    """Make the types of a YAML text those of the house. `seen`: the text that it was made from.

    Raises InvalidTypes with every problem, Conflict when they changed meanwhile, Forbidden.
    """
    if not person.may(Permission.CASES_SETUP):
        raise Forbidden(N_("Your role does not include this. Ask an administrator."))
    if len(text) > LONGEST:
        raise InvalidInput("types", N_("This text is too long."), N_("Shorten it."))
    if seen is not None and seen != await write_house_types(context):
        raise Conflict(N_("Somebody changed the types meanwhile. Look at them again."))
    return await apply_types(context.pool, read_types(text), context.announcer)
