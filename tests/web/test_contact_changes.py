"""Two people who change one contact at the same time both find their change in it."""

from __future__ import annotations

import asyncio

import pytest

from contacts.merging import merge_contacts
from domain.errors import NotFound
from storage.pool import Pool
from tests.web.house import House
from web.access.people import Person, load_person
from web.work.contacts import ContactInput, change_contact


async def somebody(house: House) -> Person:
    person = await load_person(house.pool, await house.user("rep"))
    assert person is not None
    return person


async def test_a_change_keeps_what_a_colleague_changed_meanwhile(house: House, pool: Pool) -> None:
    contact, person = await house.contact(organisation="Old workshop", fields={"a": 1}), await somebody(house)
    async with pool.acquire() as colleague, colleague.transaction():
        await colleague.execute(
            "UPDATE contacts SET organisation = 'New workshop', fields = $2 WHERE id = $1", contact, {"a": 2}
        )
        mine = asyncio.create_task(
            change_contact(
                house.context,
                person,
                contact,
                ContactInput.model_validate({"country": "BE", "fields": {"b": 1}}),
            )
        )
        await asyncio.sleep(0.3)
    await mine
    row = await pool.fetchrow("SELECT organisation, country, fields FROM contacts WHERE id = $1", contact)
    assert row is not None
    assert tuple(row) == ("New workshop", "BE", {"a": 2, "b": 1})
    events = await pool.fetch("SELECT data FROM events WHERE contact_id = $1 ORDER BY id", contact)
    assert [event["data"]["field"] for event in events] == ["country", "fields"]
    assert events[1]["data"]["old"] == {"a": 2}


async def test_a_change_of_a_merged_contact_reaches_the_one_it_lives_on_in(house: House, pool: Pool) -> None:
    old, kept, person = await house.contact("Old"), await house.contact("Kept"), await somebody(house)
    async with pool.acquire() as connection, connection.transaction():
        await merge_contacts(connection, old, kept, now=house.context.clock.now(), actor_id=None)
    await change_contact(house.context, person, old, ContactInput(country="SE"))
    assert await pool.fetchval("SELECT country FROM contacts WHERE id = $1", kept) == "SE"


async def test_a_change_of_a_contact_that_goes_meanwhile_says_so(house: House, pool: Pool) -> None:
    contact, person = await house.contact(), await somebody(house)
    async with pool.acquire() as colleague, colleague.transaction():
        await colleague.execute("DELETE FROM contacts WHERE id = $1", contact)
        mine = asyncio.create_task(change_contact(house.context, person, contact, ContactInput(country="BE")))
        await asyncio.sleep(0.2)
    with pytest.raises(NotFound):
        await mine
