"""Placing calls through the API: who may call whom, from which number, what one is told when it cannot be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.voice.settings import VoiceSettings
from channels.voice.twilio import Placed
from contacts.consent import withdraw
from domain.clock import SystemClock
from domain.consent import ConsentEntry, ConsentState, Purpose
from domain.messages import DeliveryState
from inbox.calls.addresses import CallAddresses
from inbox.calls.switchboard import Switchboard
from storage.announce import Announcer
from storage.pool import Pool
from tests.inbox.scripted_calls import ScriptedCalls
from tests.web.house import KEY, House, Visitor, open_house
from tests.web.test_live import listen
from web.access.people import load_person
from web.callbacks.voice_door import VoiceCallbacks
from web.live.stream import open_topics
from web.work.calls import suggest_for_task

OURS, ROSA, ANNA, BRANCH = "+33644600001", "+33639980021", "+33639980001", "+33644600002"


@dataclass
class Desk:
    """A rep with a phone, and Anna."""

    house: House
    provider: ScriptedCalls
    rep: Visitor
    rosa: int
    anna: int
    team: int

    async def call(self, visitor: Visitor | None = None, **whom: Any) -> tuple[int, Any]:
        """Ask for a call; gives status and body."""
        return await (visitor or self.rep).call("POST", "/calls", whom or {"contact_id": self.anna})

    async def colleague(self, role: str, *teams: int) -> Visitor:
        """Somebody else, with a phone of their own."""
        visitor = await self.house.signed_in(role, teams=teams, email=f"{role}@else.example")
        await self.house.pool.execute(
            "UPDATE users SET phone = '+33639980099' WHERE email = $1", f"{role}@else.example"
        )
        return visitor


@pytest.fixture
async def desk(pool: Pool, database_url: str) -> AsyncIterator[Desk]:
    announcer, provider = Announcer(pool), ScriptedCalls()
    board = Switchboard(
        pool, SystemClock(), CallAddresses("https://hub.example", KEY), VoiceSettings(concurrent=3), announcer
    )
    async with open_house(pool, database_url, voice=VoiceCallbacks(provider, board)) as house:
        team = await house.team()
        await pool.execute("UPDATE teams SET caller_id = $1", OURS)
        rep = await house.signed_in("rep", name="Rosa Martin", teams=(team,))
        rosa = await pool.fetchval("UPDATE users SET phone = $1 RETURNING id", ROSA)
        anna = await house.contact("Anna Dubreuil")
        await pool.execute(
            "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'phone', $2, $2)",
            anna,
            ANNA,
        )
        yield Desk(house, provider, rep, rosa, anna, team)
    await announcer.close()


async def test_a_call_rings_the_reps_own_phone_and_shows_the_teams_number(desk: Desk) -> None:
    status, body = await desk.call()
    assert status == 201
    assert desk.provider.placed == [(ROSA, OURS)]
    assert (body["state"], body["theirs"], body["contact_name"]) == ("ringing_us", ANNA, "Anna Dubreuil")
    assert (await desk.rep.call("GET", "/calls"))[1]["items"][0]["id"] == body["id"]


async def test_a_tasks_team_shows_its_own_number(desk: Desk, pool: Pool) -> None:
    branch = await desk.house.team("Branch")
    await pool.execute("UPDATE teams SET caller_id = $2 WHERE id = $1", branch, BRANCH)
    task = await desk.house.task(desk.anna, team_id=branch, assignee_id=desk.rosa)
    assert (await desk.call(task_id=task))[0] == 201
    assert desk.provider.placed == [(ROSA, BRANCH)]


async def test_without_a_number_of_a_team_that_of_a_line_is_shown(desk: Desk, pool: Pool) -> None:
    await pool.execute("UPDATE teams SET caller_id = NULL")
    status, body = await desk.call()
    assert status == 422
    assert "administrator" in str(body)
    await pool.execute("INSERT INTO phone_lines (number, name, definition) VALUES ($1, 'Main', '{}')", BRANCH)
    assert (await desk.call())[0] == 201
    assert desk.provider.placed == [(ROSA, BRANCH)]


async def test_without_a_phone_one_is_told_where_to_write_it_down(desk: Desk, pool: Pool) -> None:
    await pool.execute("UPDATE users SET phone = NULL")
    status, body = await desk.call()
    assert status == 422
    assert "page of your account" in str(body)
    assert await pool.fetchval("SELECT count(*) FROM calls") == 0


async def test_a_contact_without_a_number_cannot_be_called(desk: Desk) -> None:
    nobody = await desk.house.contact("Ben Example", email="ben@example.org")
    status, body = await desk.call(contact_id=nobody)
    assert status == 422
    assert "No phone number" in str(body)


async def test_only_numbers_of_the_contact_are_called(desk: Desk, pool: Pool) -> None:
    second = "+33639980002"
    assert (await desk.call(contact_id=desk.anna, address=second))[0] == 422
    await pool.execute(
        "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'phone', $2, $2)",
        desk.anna,
        second,
    )
    status, body = await desk.call(contact_id=desk.anna, address="+33 6 39 98 00 02")
    assert (status, body["theirs"]) == (201, second)


async def test_costly_numbers_are_not_called(desk: Desk, pool: Pool) -> None:
    await pool.execute("UPDATE identities SET address = '+33899123456' WHERE kind = 'phone'")
    status, body = await desk.call()
    assert status == 422
    assert "costly" in str(body)


async def _withdraw_calls(desk: Desk) -> None:
    entry = ConsentEntry(desk.anna, Purpose.CALLS, ConsentState.WITHDRAWN, "", "letter", datetime.now(UTC))
    await withdraw(desk.house.pool, [entry])


async def test_whoever_does_not_want_calls_is_not_called_on_our_own_account(desk: Desk) -> None:
    await _withdraw_calls(desk)
    task = await desk.house.task(desk.anna, assignee_id=desk.rosa)
    for whom in (("contact_id", desk.anna), ("task_id", task)):
        status, body = await desk.call(None, **dict([whom]))
        assert status == 403
        assert "does not want to be called" in body["detail"]
    assert desk.provider.placed == []


async def test_a_number_on_the_do_not_contact_list_is_not_called(desk: Desk, pool: Pool) -> None:
    await pool.execute(
        "INSERT INTO suppressions (kind, address, reason, source) VALUES ('phone', $1, 'by_hand', 'Ada')",
        ANNA,
    )
    status, body = await desk.call()
    assert status == 403
    assert "do-not-contact list" in body["detail"]
    await pool.execute("UPDATE suppressions SET reason = 'number_fixed'")  # takes no texts, and calls
    assert (await desk.call())[0] == 201


async def test_in_a_running_matter_of_theirs_anybody_can_be_called(desk: Desk, pool: Pool) -> None:
    await _withdraw_calls(desk)
    case = await pool.fetchval("INSERT INTO cases (kind, title) VALUES ('claim', 'Roof') RETURNING id")
    task = await desk.house.task(desk.anna, assignee_id=desk.rosa, case_id=case)
    status, body = await desk.call(task_id=task)
    assert status == 201
    row = await pool.fetchrow("SELECT case_id, contact_id FROM messages WHERE id = $1", body["id"])
    assert row is not None
    assert tuple(row) == (case, desk.anna)


async def _conversation(desk: Desk, *, confidential: bool) -> tuple[int, int]:
    hr = await desk.house.team("HR")
    queue = await desk.house.pool.fetchval(
        "INSERT INTO queues (name, team_id, confidential) VALUES ('HR', $1, $2) RETURNING id",
        hr,
        confidential,
    )
    number: int = await desk.house.pool.fetchval(
        "INSERT INTO conversations (contact_id, queue_id) VALUES ($1, $2) RETURNING id", desk.anna, queue
    )
    return number, hr


async def test_a_call_about_a_confidential_conversation_stays_with_its_people(desk: Desk) -> None:
    conversation, hr = await _conversation(desk, confidential=True)
    assert (await desk.call(conversation_id=conversation))[0] == 404
    agent, manager = await desk.colleague("agent", hr), await desk.colleague("manager")
    await desk.house.pool.execute("UPDATE teams SET caller_id = $1", OURS)
    status, body = await desk.call(agent, conversation_id=conversation)
    assert status == 201, body
    call = body["id"]
    assert (await agent.call("GET", f"/calls/{call}"))[0] == 200
    for outsider in (desk.rep, manager):
        assert (await outsider.call("GET", f"/calls/{call}"))[0] == 404
        assert (await outsider.call("POST", f"/calls/{call}/hang-up"))[0] == 404
        for scope in ("all", "mine"):
            assert (await outsider.call("GET", f"/calls?scope={scope}"))[1]["items"] == []
        person = await load_person(desk.house.pool, desk.rosa)
        assert person is not None
        assert await open_topics(desk.house.context, person, frozenset({f"call:{call}"})) == frozenset()


async def test_the_task_of_others_is_no_way_to_a_call(desk: Desk) -> None:
    task = await desk.house.task(desk.anna, team_id=await desk.house.team("Branch"))
    assert (await desk.call(task_id=task))[0] == 404


async def test_only_whoever_is_in_a_call_ends_it(desk: Desk) -> None:
    _, body = await desk.call()
    manager = await desk.colleague("manager", desk.team)
    assert (await manager.call("GET", f"/calls/{body['id']}"))[0] == 200
    assert (await manager.call("POST", f"/calls/{body['id']}/hang-up"))[0] == 403
    assert desk.provider.ended == []
    assert (await desk.rep.call("POST", f"/calls/{body['id']}/hang-up"))[0] == 204
    assert desk.provider.ended == [f"CA{1:032x}"]


async def test_an_unconfirmed_call_that_is_taken_back_has_ended(desk: Desk) -> None:
    desk.provider.answer = Placed(DeliveryState.UNCERTAIN, "", "timeout", "no answer")
    _, body = await desk.call()
    assert (body["state"], body["trouble"]) == ("unconfirmed", "no answer")
    assert (await desk.rep.call("POST", f"/calls/{body['id']}/hang-up"))[0] == 204
    shown = (await desk.rep.call("GET", f"/calls/{body['id']}"))[1]
    assert (shown["state"], shown["result"]) == ("ended", "cancelled")


async def test_a_refusal_of_the_provider_is_shown_in_its_words(desk: Desk) -> None:
    desk.provider.answer = Placed(DeliveryState.REJECTED, "", "region_closed", "21215: not authorized")
    status, body = await desk.call()
    assert status == 201
    assert (body["state"], body["result"], body["trouble"]) == ("ended", "failed", "21215: not authorized")
    assert await desk.house.pool.fetchval("SELECT count(*) FROM events WHERE type LIKE 'Call%'") == 0


async def test_a_provider_with_no_room_is_told(desk: Desk) -> None:
    desk.provider.answer = Placed(DeliveryState.DEFERRED, "", "throttled", "429")
    status, body = await desk.call()
    assert status == 503
    assert "minute" in body["detail"]
    assert (await desk.rep.call("GET", "/calls"))[1]["items"][0]["result"] == "failed"


async def test_no_more_calls_are_placed_at_a_time_than_there_are_lines(desk: Desk) -> None:
    for number in range(3):
        user = await desk.house.user("rep", email=f"rep{number}@house.example")
        message = await desk.house.pool.fetchval(
            "INSERT INTO messages (direction, channel) VALUES ('out', 'voice') RETURNING id"
        )
        await desk.house.pool.execute(
            "INSERT INTO calls (message_id, state, user_id, placed_at) VALUES ($1, 'talking', $2, now())",
            message,
            user,
        )
    status, body = await desk.call()
    assert status == 503
    assert "busy" in body["detail"]


async def test_without_an_account_one_is_told_so(desk: Desk) -> None:
    desk.house.context.voice = None
    status, body = await desk.call()
    assert status == 503
    assert "account" in body["detail"]


async def test_the_last_call_of_a_task_suggests_its_outcome(desk: Desk, pool: Pool) -> None:
    task = await desk.house.task(desk.anna, assignee_id=desk.rosa)
    person = await load_person(pool, desk.rosa)
    assert person is not None
    assert await suggest_for_task(desk.house.context, person, task) is None
    _, body = await desk.call(task_id=task)
    await pool.execute("UPDATE calls SET state = 'ended', result = 'answered'")
    assert await suggest_for_task(desk.house.context, person, task) == "reached"
    assert (await desk.rep.call("GET", f"/calls/{body['id']}"))[1]["suggested_outcome"] == "reached"


async def test_pages_hear_of_a_call_that_moves(desk: Desk, pool: Pool) -> None:
    _, body = await desk.call()
    listener = await listen(desk.rep, f"call:{body['id']}", f"ringing:{desk.rosa}", "ringing:99")
    assert await listener.silent(1.5)
    await pool.execute("UPDATE calls SET state = 'talking', version = version + 1, changed_at = now()")
    await pool.execute("NOTIFY clytie_events")
    assert await listener.next() == [f"call:{body['id']}", f"ringing:{desk.rosa}"]
