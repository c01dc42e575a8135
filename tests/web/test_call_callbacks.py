"""What the provider asks and reports about calls of ours: signed, repeated, out of order, forged, at a bad moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import permutations

import pytest

from domain.tokens import TokenUse
from storage.pool import Pool
from tests.web.voice_provider import KEYS, PUBLIC, THEM, US, Caller, open_caller
from web.callbacks import requests


@pytest.fixture
async def caller(pool: Pool) -> AsyncIterator[Caller]:
    async with open_caller(pool) as opened:
        yield opened


async def test_our_person_hears_in_their_language_whom_they_call(caller: Caller) -> None:
    call = await caller.make_call()
    text = await caller.ask(call, "bridge")
    assert "Voici votre appel à Anna Dubreuil." in text
    assert 'language="fr-FR"' in text
    assert f"{PUBLIC}/callbacks/voice/" in text
    assert await caller.look(call) == ("ringing_us", None, None)
    assert await caller.events(call) == []


async def test_a_document_that_is_asked_for_twice_is_given_twice(caller: Caller) -> None:
    call = await caller.make_call()
    assert await caller.ask(call, "bridge") == await caller.ask(call, "bridge")
    first = await caller.ask(call, "connect", Digits="1")
    assert await caller.ask(call, "connect", Digits="1") == first
    assert "<Number" in first
    assert await caller.look(call) == ("ringing", None, None)
    assert await caller.events(call) == ["Called"]


async def test_the_contact_sees_the_teams_number(caller: Caller) -> None:
    call = await caller.make_call()
    text = await caller.ask(call, "connect", Digits="1")
    assert 'callerId="+33644600001"' in text
    assert ">+33639980001</Number>" in text


async def test_a_call_that_was_taken_back_rings_nobody(caller: Caller) -> None:
    call = await caller.make_call(position={"phone": "+33639980021", "hung_up": True})
    for what in ("bridge", "connect"):
        text = await caller.ask(call, what, Digits="1")
        assert "<Hangup" in text
        assert "<Dial" not in text
        assert "<Gather" not in text
    assert await caller.events(call) == []


async def test_a_call_that_has_ended_is_not_begun_again(caller: Caller) -> None:
    call = await caller.make_call(state="ended")
    assert "<Dial" not in await caller.ask(call, "connect", Digits="1")


async def test_reports_in_any_order_end_a_call_alike(caller: Caller) -> None:
    reports = [
        ("us", "in-progress", None),
        ("them", "ringing", None),
        ("them", "in-progress", None),
        ("them", "completed", 42),
        ("us", "completed", 55),
    ]
    for order in list(permutations(reports))[::7]:
        await caller.pool.execute("TRUNCATE call_legs, events, event_keys")
        call = await caller.make_call()
        await caller.ask(call, "connect", Digits="1")
        for part, status, seconds in order:
            assert await caller.report(call, part, status, seconds) == 204
        assert await caller.look(call) == ("ended", "answered", 42)
        assert sorted(await caller.events(call)) == ["Answered", "CallEnded", "Called"]


async def test_reports_at_the_same_time_wait_for_each_other(caller: Caller) -> None:
    call = await caller.make_call()
    await caller.ask(call, "connect", Digits="1")
    statuses = ["initiated", "ringing", "in-progress", "completed"] * 3
    answers = await asyncio.gather(*(caller.report(call, "them", status, 9) for status in statuses))
    assert set(answers) == {204}
    assert await caller.look(call) == ("ended", "answered", 9)
    assert sorted(await caller.events(call)) == ["Answered", "CallEnded", "Called"]


async def test_the_end_of_ringing_tells_what_the_reports_did_not(caller: Caller) -> None:
    call = await caller.make_call()
    await caller.ask(call, "connect", Digits="1")
    text = await caller.ask(
        call, "talked", DialCallStatus="completed", DialCallSid=THEM, DialCallDuration="17"
    )
    assert "<Hangup" in text
    assert await caller.look(call) == ("ended", "answered", 17)
    assert await caller.report(call, "them", "completed", 17) == 204
    assert await caller.events(call) == ["Called", "Answered", "CallEnded"]


async def test_the_leg_of_another_call_is_not_taken(caller: Caller) -> None:
    first, second = await caller.make_call(), await caller.make_call()
    assert await caller.report(first, "us", "ringing") == 204
    assert await caller.report(second, "us", "ringing") == 404
    assert await caller.look(second) == ("placing", None, None)


async def test_forged_requests_change_nothing(caller: Caller) -> None:
    call = await caller.make_call()
    for what in ("bridge", "connect", "talked", "status/us", "status/them", "notice"):
        fields = {"CallStatus": "completed", "Digits": "1"}
        assert (await caller.post(call, what, fields, token="wrong"))[0] == 403
    assert await caller.look(call) == ("placing", None, None)
    assert await caller.events(call) == []


@pytest.mark.parametrize("use", [TokenUse.REPLY, TokenUse.MEASURE])
async def test_a_token_for_another_use_opens_nothing(caller: Caller, use: TokenUse) -> None:
    call = await caller.make_call()
    path = f"/callbacks/voice/{KEYS.sign(use, 0, call)}/bridge"
    assert (await caller.post(call, "", {"CallStatus": "in-progress"}, path=path))[0] == 404


async def test_what_is_no_call_is_not_found(caller: Caller) -> None:
    mail = await caller.pool.fetchval(
        "INSERT INTO messages (direction, channel) VALUES ('out', 'mail') RETURNING id"
    )
    assert await caller.report(mail, "us", "ringing") == 404
    assert (await caller.post(99_999, "bridge", {"CallStatus": "in-progress"}))[0] == 404


async def test_odd_requests_are_refused_and_change_nothing(caller: Caller) -> None:
    call = await caller.make_call()
    assert await caller.report(call, "us", "teleported") == 204
    assert (await caller.post(call, "bridge", {"CallSid": "nothing"}))[0] == 400
    assert (await caller.post(call, "bridge", {"Body": "x" * 100_000}))[0] == 413
    assert (await caller.post(call, "status/nobody", {}))[0] == 404
    assert await caller.look(call) == ("placing", None, None)


async def test_a_leg_that_is_told_before_the_request_was_answered_settles_the_doubt(caller: Caller) -> None:
    call = await caller.make_call(state="unconfirmed")
    assert await caller.report(call, "us", "ringing") == 204
    assert await caller.look(call) == ("ringing_us", None, None)
    assert await caller.pool.fetchval("SELECT provider_id FROM calls") == US


async def test_without_the_database_the_provider_is_asked_to_come_again(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "PATIENCE", 0.6)
    call = await caller.make_call()
    caller.pool.terminate()
    status, _ = await caller.post(call, "bridge", {"CallStatus": "in-progress"})
    assert status == 503


async def test_a_talk_that_is_recorded_is_announced_to_both_sides(pool: Pool) -> None:
    async with open_caller(pool, record_talks=True) as caller:
        call = await caller.make_call()
        assert "Cet appel est enregistré." in await caller.ask(call, "bridge")
        text = await caller.ask(call, "connect", Digits="1")
        assert 'record="' in text
        assert "/recorded/talk" in text
        assert "/notice" in text
        notice = await caller.ask(call, "notice", CallSid=THEM)
        assert "Dieses Gespräch wird aufgezeichnet." in notice  # in the contact's language
        assert await pool.fetchval("SELECT announced FROM calls") is True


async def test_a_recording_is_not_announced_where_that_is_set(pool: Pool) -> None:
    async with open_caller(pool, record_talks=True, announce="never") as caller:
        call = await caller.make_call()
        assert "enregistré" not in await caller.ask(call, "bridge")
        text = await caller.ask(call, "connect", Digits="1")
        assert "/recorded/talk" in text
        assert "/notice" not in text
