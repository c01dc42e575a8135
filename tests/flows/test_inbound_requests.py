"""The provider's requests about a call that comes in, one by one: repeated, late, in the wrong order, at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from channels.voice.callbacks import (
    CallAsked,
    DialEnded,
    Gathered,
    LeftMessage,
    LegReport,
    RecordingReport,
    TranscriptReport,
)
from channels.voice.parties import read_party
from domain.calls import Document, Gather, Hangup, Record, Reject, Ring, Say
from domain.errors import NotFound
from inbox.lines.answering import (
    accept,
    take_choice,
    take_end,
    take_left,
    take_ring,
    take_rung_report,
    whisper,
)
from inbox.lines.arriving import find_incoming, take_call
from inbox.lines.documents import pack, unpack
from inbox.lines.recorded import keep_recording, keep_transcript
from inbox.lines.store import save_line
from inbox.lines.whispering import announce_caller, connect_caller
from storage.pool import Pool
from tests.flows.switch_room import ACCOUNT, ANNA, LINE, MAX, OURS, PUBLIC, Room, open_line, open_room

SID = "CA" + "1" * 32
RECORDING = RecordingReport(
    "RE" + "2" * 32, SID, "completed", "https://api.twilio.com/RE2", 7, source="RecordVerb"
)


@pytest.fixture
async def room(pool: Pool, tmp_path: Path) -> AsyncIterator[Room]:
    async with open_room(pool, tmp_path) as opened:
        yield opened


def asked(sid: str = SID, caller: str = ANNA, status: str = "ringing") -> CallAsked:
    return CallAsked(sid, read_party(caller), read_party(OURS), status, outbound=False)


def pressed(keys: str = "", speech: str = "", **call: str) -> Gathered:
    return Gathered(asked(**{"status": "in-progress", **call}), keys, speech)


def nobody(status: str = "no-answer", **changes: Any) -> DialEnded:
    return replace(DialEnded(asked(status="in-progress"), status), **changes)


def ended(status: str = "completed", sid: str = SID) -> LegReport:
    return LegReport(sid, status, 4, 3, read_party(ANNA), read_party(OURS), outbound=False, seconds=9)


def words(document: Document) -> list[str]:
    return [verb.text for verb in document if isinstance(verb, Say)]


async def call_of(room: Room) -> int:
    found = await find_incoming(room.desk, SID)
    assert found is not None
    return found


async def ring_support(room: Room) -> tuple[int, Document]:
    await open_line(room)
    await room.contact("Anna", language="en")
    await take_call(room.desk, asked())
    number = await call_of(room)
    return number, await take_choice(room.desk, number, 1, pressed("2"))


async def test_a_call_that_is_asked_about_twice_is_one_call_with_one_answer(room: Room) -> None:
    await open_line(room)
    first = await take_call(room.desk, asked())
    assert await take_call(room.desk, asked()) == first
    assert await room.pool.fetchval("SELECT count(*) FROM calls") == 1
    assert await room.pool.fetchval("SELECT count(*) FROM events") == 1


async def test_two_requests_for_a_new_call_at_the_same_time_make_one(room: Room) -> None:
    await open_line(room)
    answers = await asyncio.gather(*(take_call(room.desk, asked()) for _ in range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert await room.pool.fetchval("SELECT count(*) FROM contacts") == 1


async def test_a_step_that_is_asked_for_twice_is_taken_once(room: Room) -> None:
    number, first = await ring_support(room)
    again = await asyncio.gather(*(take_choice(room.desk, number, 1, pressed("2")) for _ in range(3)))
    assert all(answer == first for answer in again)
    assert await room.pool.fetchval("SELECT step FROM calls") == 2
    assert await room.pool.fetchval("SELECT count(*) FROM call_legs WHERE user_id IS NOT NULL") == 1


async def test_a_late_step_gets_the_answer_that_holds_now(room: Room) -> None:
    number, _ = await ring_support(room)
    third = await take_ring(room.desk, number, 2, nobody())
    assert await take_choice(room.desk, number, 1, pressed("1")) == third
    assert await room.pool.fetchval("SELECT step FROM calls") == 3


async def test_a_step_that_was_never_given_is_refused(room: Room) -> None:
    number, _ = await ring_support(room)
    for step in (3, 99, 0):
        with pytest.raises(NotFound):
            await take_choice(room.desk, number, step, pressed("1"))
    with pytest.raises(NotFound):
        await take_choice(room.desk, 12345, 1, pressed("1"))


async def test_a_call_that_has_ended_never_goes_on(room: Room) -> None:
    number, _ = await ring_support(room)
    await take_end(room.desk, number, ended())
    assert await take_ring(room.desk, number, 2, nobody()) == (Hangup(),)
    assert await take_choice(room.desk, number, 1, pressed("1")) == (Hangup(),)
    assert await take_call(room.desk, asked()) == (Hangup(),)
    assert not await accept(room.desk, number, 2, 1, "CA" + "3" * 32)
    row = await room.pool.fetchrow("SELECT state, result FROM calls")
    assert row is not None
    assert tuple(row) == ("ended", "missed")


async def test_the_end_is_told_once_whoever_tells_it(room: Room) -> None:
    number, _ = await ring_support(room)
    await asyncio.gather(*(take_end(room.desk, number, ended()) for _ in range(3)))
    await take_ring(room.desk, number, 2, nobody(call=asked(status="completed")))
    assert await room.events(number) == [("Called", None), ("CallEnded", "missed")]


async def test_a_state_that_is_no_end_ends_nothing(room: Room) -> None:
    number, _ = await ring_support(room)
    await take_end(room.desk, number, replace(ended("in-progress"), rank=3))
    assert await room.pool.fetchval("SELECT state FROM calls") == "ringing"


async def test_another_number_of_a_caller_hidden_by_the_network_joins_nothing(room: Room) -> None:
    await open_line(room)
    for sid, told in (("CA" + "4" * 32, "anonymous"), ("CA" + "5" * 32, "+266696687")):
        await take_call(room.desk, asked(sid, told))
    rows = await room.pool.fetch(
        "SELECT c.theirs, m.contact_id, m.conversation_id FROM calls c JOIN messages m ON m.id = c.message_id"
    )
    assert [(row["theirs"], row["contact_id"]) for row in rows] == [("", None), ("", None)]
    assert len({row["conversation_id"] for row in rows}) == 2
    assert await room.pool.fetchval("SELECT count(*) FROM contacts") == 0


async def test_a_caller_behind_a_gateway_is_the_contact_with_that_number(room: Room) -> None:
    await open_line(room)
    anna = await room.contact("Anna", language="en")
    await take_call(room.desk, asked(caller=f"sip:{ANNA}@gateway.example"))
    row = await room.pool.fetchrow(
        "SELECT c.theirs, m.contact_id FROM calls c JOIN messages m ON m.id = c.message_id"
    )
    assert row is not None
    assert tuple(row) == (ANNA, anna)


async def test_a_caller_whose_number_is_none_is_connected_all_the_same(room: Room) -> None:
    await open_line(room)
    await room.pool.execute(
        "UPDATE phone_lines SET definition = jsonb_set(definition, '{line,languages}', '[\"en\"]')"
    )
    await take_call(room.desk, asked(caller="+12"))
    ring = await take_choice(room.desk, await call_of(room), 1, pressed("2"))
    assert "<Dial" in room.channel.write(ring)


async def test_hidden_callers_are_rejected_where_the_line_says_so(room: Room) -> None:
    await open_line(room, LINE + "anonymous: reject\n")
    assert await take_call(room.desk, asked(caller="Restricted")) == (Reject(),)
    assert await find_incoming(room.desk, SID) is None


async def test_a_number_without_a_line_takes_a_message_for_the_default_queue(room: Room) -> None:
    document = await take_call(room.desk, asked())
    assert any(isinstance(verb, Record) for verb in document)
    number = await call_of(room)
    place = await room.conversation(
        await room.pool.fetchval("SELECT conversation_id FROM messages WHERE id = $1", number)
    )
    assert place["queue"] == "Inbox"


async def test_a_line_that_is_written_anew_does_not_change_calls_that_go_on(room: Room) -> None:
    await open_line(room)
    await room.contact("Anna", language="en")
    await take_call(room.desk, asked())
    await save_line(room.pool, LINE.replace('"2"', '"5"'))
    document = await take_choice(room.desk, await call_of(room), 1, pressed("2"))
    assert isinstance(document[-1], Ring)


async def test_two_callers_at_once_never_ring_the_same_phone(room: Room) -> None:
    await open_line(room)
    sids = [f"CA{digit * 32}" for digit in "67"]
    await room.contact("Anna", language="en")
    await room.contact("Ben", "+33639980002", language="en")
    for sid, caller in zip(sids, (ANNA, "+33639980002"), strict=True):
        await take_call(room.desk, asked(sid, caller))
    numbers = [await find_incoming(room.desk, sid) for sid in sids]
    answers = await asyncio.gather(
        *(take_choice(room.desk, number or 0, 1, pressed("2")) for number in numbers)
    )
    rung = [verb.targets[0].number for answer in answers for verb in answer if isinstance(verb, Ring)]
    assert len(rung) == 2
    assert len(set(rung)) == 2


async def test_whoever_of_us_calls_from_their_own_phone_is_not_rung_by_it(room: Room) -> None:
    await open_line(room)
    await room.pool.execute("UPDATE users SET phone = $1 WHERE name = 'Eva'", ANNA)
    await room.contact("Eva at home", language="en")
    await take_call(room.desk, asked())
    ring = (await take_choice(room.desk, await call_of(room), 1, pressed("2")))[-1]
    assert isinstance(ring, Ring)
    assert ring.targets[0].number == MAX


@pytest.mark.parametrize("open_", [True, False])
async def test_a_line_that_is_always_open_rings_people_in_their_working_time(room: Room, open_: bool) -> None:
    await open_line(room, LINE + "hours: always\n")
    tim = await room.person("Tim", "+33639970009")  # in no team
    await room.contact("Anna", owner_id=tim, language="en")
    room.hours["open"] = open_
    first = await take_call(room.desk, asked())
    assert any(isinstance(verb, Gather) for verb in first)
    last = (await take_choice(room.desk, await call_of(room), 1, pressed("1")))[-2:]
    assert isinstance(last[1], Ring) is open_
    assert isinstance(last[0], Record) is not open_


async def test_whoever_was_rung_last_is_rung_last_again(room: Room) -> None:
    eva, max_, _ = await open_line(room)
    await room.contact("Anna", language="en")
    rung = []
    for digit in "678":
        sid = f"CA{digit * 32}"
        await take_call(room.desk, asked(sid))
        number = await find_incoming(room.desk, sid)
        assert number is not None
        await take_choice(room.desk, number, 1, pressed("2"))
        rung.append(await room.pool.fetchval("SELECT user_id FROM calls WHERE message_id = $1", number))
        await take_end(room.desk, number, ended(sid=sid))
    assert rung == [eva, max_, eva]


# --- whoever is rung -------------------------------------------------------------------------------------------


async def rung_by(room: Room) -> tuple[int, int]:
    number, _ = await ring_support(room)
    user: int = await room.pool.fetchval("SELECT user_id FROM calls")
    return number, user


async def test_only_whoever_is_rung_can_take_the_call(room: Room) -> None:
    number, user = await rung_by(room)
    leg = "CA" + "8" * 32
    assert not await accept(room.desk, number, 2, user + 100, leg)
    assert not await accept(room.desk, number, 1, user, leg)
    assert await connect_caller(room.desk, number, 2, user, leg, "9") == (Hangup(),)
    assert await connect_caller(room.desk, number, 2, user, leg, "1") == ()
    assert await connect_caller(room.desk, number, 2, user, leg, "1") == ()  # asked twice
    assert [kind for kind, _ in await room.events(number)] == ["Called", "Answered"]


async def test_of_two_who_are_rung_together_the_first_gets_the_call(room: Room) -> None:
    text = LINE.replace('{seconds: 60, hold: {longest: 7000, leave_key: "9"}}', "{together: true}")
    eva, max_, _ = await open_line(room, text)
    await room.contact("Anna", language="en")
    await take_call(room.desk, asked())
    number = await call_of(room)
    await take_choice(room.desk, number, 1, pressed("2"))
    legs = {eva: "CA" + "8" * 32, max_: "CA" + "9" * 32}
    taken = await asyncio.gather(
        *(connect_caller(room.desk, number, 2, user, leg, "1") for user, leg in legs.items())
    )
    assert sorted(map(len, taken)) == [0, 2]
    assert "Somebody else" in words(max(taken, key=len))[0]
    winner = await room.pool.fetchval("SELECT user_id FROM calls")
    rows = await room.pool.fetch(
        "SELECT user_id, ended_at IS NULL AS live FROM call_legs WHERE user_id IS NOT NULL"
    )
    assert {row["user_id"]: row["live"] for row in rows} == {eva: winner == eva, max_: winner == max_}


async def test_a_phone_that_is_taken_too_late_hears_so(room: Room) -> None:
    number, user = await rung_by(room)
    await take_end(room.desk, number, ended())
    document = await announce_caller(room.desk, number, 2, user, "CA" + "8" * 32)
    assert "hung up" in words(document)[0]
    assert await whisper(room.desk, number, 2, user, "CA" + "8" * 32) is None


async def test_the_whisper_is_in_the_language_of_whoever_hears_it(room: Room) -> None:
    number, user = await rung_by(room)
    await room.pool.execute("UPDATE users SET language = 'fr'")
    document = await announce_caller(room.desk, number, 2, user, "CA" + "8" * 32)
    assert isinstance(document[0], Gather)
    said = [one.text for one in document[0].prompt if isinstance(one, Say)]
    assert said == ["Appel pour Support, de la part de Anna.", "Appuyez sur 1 pour le prendre."]


async def test_without_a_whisper_answering_the_phone_is_taking_the_call(room: Room) -> None:
    text = LINE.replace("{seconds: 60, hold", "{whisper: false, seconds: 60, hold")
    await open_line(room, text)
    await room.contact("Anna", language="en")
    await take_call(room.desk, asked())
    number = await call_of(room)
    ring = (await take_choice(room.desk, number, 1, pressed("2")))[-1]
    assert isinstance(ring, Ring)
    assert ring.targets[0].whisper == ""
    user: int = await room.pool.fetchval("SELECT user_id FROM calls")
    leg = replace(ended("in-progress", "CA" + "8" * 32), rank=3, outbound=True, seconds=None)
    await take_rung_report(room.desk, number, 2, user, leg)
    assert await room.pool.fetchval("SELECT state FROM calls") == "talking"
    assert await take_ring(room.desk, number, 2, nobody("completed", bridged=True, seconds=61)) == (Hangup(),)
    row = await room.pool.fetchrow("SELECT result, seconds, user_id FROM calls")
    assert row is not None
    assert tuple(row) == ("answered", 61, user)


# --- messages --------------------------------------------------------------------------------------------------


async def at_the_tone(room: Room) -> int:
    room.hours["open"] = False
    await open_line(room)
    await room.contact("Anna", language="en")
    await take_call(room.desk, asked())
    return await call_of(room)


@pytest.mark.parametrize("order", ["left end transcript recorded", "transcript recorded end left", "end recorded left transcript"])  # fmt: skip
async def test_a_message_is_the_same_in_whatever_order_it_is_told(room: Room, order: str) -> None:
    number = await at_the_tone(room)
    transcript = TranscriptReport("TR1", RECORDING.provider_id, SID, "completed", "Call me")
    deeds = {
        "left": lambda: take_left(
            room.desk, number, 1, LeftMessage(asked(status="in-progress"), replace(RECORDING, source=""))
        ),
        "end": lambda: take_end(room.desk, number, ended()),
        "transcript": lambda: keep_transcript(room.desk.board, number, transcript),
        "recorded": lambda: keep_recording(room.desk.board, number, "voicemail", RECORDING),
    }
    for name in order.split():
        for _ in range(2):
            await deeds[name]()  # type: ignore[no-untyped-call]
    row = await room.pool.fetchrow(
        """SELECT c.state, c.result, c.seconds, x.body, r.url, r.seconds AS said, v.state AS place
           FROM calls c JOIN message_contents x USING (message_id) JOIN recordings r USING (message_id)
           JOIN messages m ON m.id = c.message_id JOIN conversations v ON v.id = m.conversation_id"""
    )
    assert row is not None
    assert (row["state"], row["result"], row["body"]) == ("ended", "voicemail", "Call me")
    assert (row["url"], row["said"], row["place"]) == (RECORDING.url, 7, "open")
    kinds = [kind for kind, _ in await room.events(number)]
    assert sorted(kinds) == ["CallEnded", "Called", "Received"]


async def test_the_goodbye_is_said_again_when_its_answer_was_lost(room: Room) -> None:
    number = await at_the_tone(room)
    left = LeftMessage(asked(status="in-progress"), replace(RECORDING, source=""))
    goodbye = await take_left(room.desk, number, 1, left)
    assert words(goodbye) == ["Thank you. We will call you back."]
    assert await take_left(room.desk, number, 1, left) == goodbye
    await take_end(room.desk, number, ended())
    assert isinstance((await take_left(room.desk, number, 1, left))[-1], Hangup)


async def test_hanging_up_at_the_tone_is_decided_when_nothing_comes(room: Room) -> None:
    number = await at_the_tone(room)
    await take_end(room.desk, number, ended())
    assert await room.pool.fetchval("SELECT result FROM calls") is None
    await room.find_lost()
    assert await room.events(number) == [("Called", None), ("CallEnded", "missed")]
    await keep_recording(room.desk.board, number, "voicemail", RECORDING)  # it comes after all
    assert await room.pool.fetchval("SELECT result FROM calls") == "voicemail"
    assert [kind for kind, _ in await room.events(number)] == ["Called", "CallEnded", "Received"]


async def test_a_transcript_that_comes_after_the_retention_is_not_kept(room: Room) -> None:
    number = await at_the_tone(room)
    await keep_recording(room.desk.board, number, "voicemail", RECORDING)
    await room.pool.execute("UPDATE recordings SET delete_after = now() - interval '1 day'")
    await room.keeper.delete_expired()
    late = TranscriptReport("TR1", RECORDING.provider_id, SID, "completed", "Secret")
    await keep_transcript(room.desk.board, number, late)
    assert await room.pool.fetchval("SELECT transcript FROM recordings") is None
    assert "Secret" not in await room.pool.fetchval("SELECT body FROM message_contents")


async def test_a_recording_of_another_call_changes_nothing(room: Room) -> None:
    number = await at_the_tone(room)
    await keep_recording(room.desk.board, number, "voicemail", RECORDING)
    await take_call(room.desk, asked("CA" + "7" * 32))
    other = await find_incoming(room.desk, "CA" + "7" * 32)
    assert other is not None
    with pytest.raises(NotFound):
        await keep_recording(room.desk.board, other, "voicemail", RECORDING)


async def test_a_recording_that_cannot_be_fetched_is_tried_again_and_given_up_in_the_end(room: Room) -> None:
    number = await at_the_tone(room)
    gone = replace(
        RECORDING, url=f"{room.carrier.url}/2010-04-01/Accounts/{ACCOUNT}/Recordings/{RECORDING.provider_id}"
    )
    await keep_recording(room.desk.board, number, "voicemail", gone)
    await room.fetch_recordings()
    row = await room.pool.fetchrow("SELECT state, attempts, due_at > now() AS again, trouble FROM recordings")
    assert row is not None
    assert (row["state"], row["attempts"], row["again"]) == ("there", 1, True)
    assert row["trouble"]
    await room.pool.execute("UPDATE recordings SET attempts = 11")
    await room.fetch_recordings()
    row = await room.pool.fetchrow("SELECT state, due_at FROM recordings")
    assert row is not None
    assert tuple(row) == ("failed", None)


async def test_a_recording_elsewhere_than_at_the_provider_is_never_asked_for(room: Room) -> None:
    number = await at_the_tone(room)
    await keep_recording(
        room.desk.board, number, "voicemail", replace(RECORDING, url="http://127.0.0.1:1/secret")
    )
    await room.fetch_recordings()
    assert await room.pool.fetchval("SELECT state FROM recordings") == "failed"


async def test_the_music_on_hold_is_there_for_whoever_asks(room: Room) -> None:
    address = room.carrier.parts.exchange.settings.routes[PUBLIC]
    music = room.desk.links(1, 1).music.replace(PUBLIC, address)
    async with aiohttp.ClientSession() as session, session.get(music) as response:
        assert (response.status, response.content_type) == (200, "audio/wav")
        assert (await response.read()).startswith(b"RIFF")


async def test_an_unsigned_request_about_a_call_is_refused(room: Room) -> None:
    number, _ = await ring_support(room)
    address = room.carrier.parts.exchange.settings.routes[PUBLIC]
    links = room.desk.links(number, 2)
    told = [
        links.step,
        links.left,
        links.voicemail,
        links.transcript,
        links.talk,
        links.whisper(1),
        links.rang(1),
    ]
    told += [f"{PUBLIC}/callbacks/voice/inbound", f"{PUBLIC}/callbacks/voice/ended"]
    async with aiohttp.ClientSession() as session:
        for url in told:
            form = {"CallSid": SID, "CallStatus": "completed", "From": ANNA, "To": OURS}
            async with session.post(url.replace(PUBLIC, address), data=form) as response:
                assert response.status == 403, url
    assert await room.pool.fetchval("SELECT state FROM calls") == "ringing"


async def test_documents_survive_being_kept(room: Room) -> None:
    number, ring = await ring_support(room)
    menu = await take_call(room.desk, asked("CA" + "7" * 32))
    tone = await take_ring(room.desk, number, 2, nobody())
    for document in (ring, menu, tone):
        assert unpack(pack(document)) == document
