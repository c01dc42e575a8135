"""Somebody calls us: menu, ringing, hold, voicemail, from one phone to another through the carrier's signed requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from channels.sandbox.carrier.mischief import Trick
from router.loop import Router, route_once
from router.rule_files import read_rules
from router.rule_store import apply_rules
from router.settings import RouterSettings
from storage.announce import Announcer
from storage.pool import Pool
from tests.flows.switch_room import ANNA, EVA, LINE, MAX, OLA, Room, eventually, open_line, open_room


@pytest.fixture
async def room(pool: Pool, tmp_path: Path) -> AsyncIterator[Room]:
    async with open_room(pool, tmp_path) as opened:
        yield opened
        assert opened.problems() == []


async def test_nobody_answers_and_the_message_comes_to_the_queue(room: Room) -> None:
    eva, _, _ = await open_line(room)
    anna = await room.contact("Anna Dubreuil", owner_id=eva, language="en")
    sid = await room.call_in("1")
    await room.phones.hang_up((await room.phone(EVA, "ringing")).sid)  # the owner first
    await room.phones.hang_up((await room.phone(OLA, "ringing")).sid)
    await room.leave(sid, "Please call me back about the sunflowers")
    call = await room.stored(state="ended", result="voicemail")
    assert call["contact_id"] == anna
    place = await room.conversation(call["conversation_id"])
    assert (place["queue"], place["state"], place["channel"], place["subject"]) == (
        "Sales", "open", "voice", "Main line",
    )  # fmt: skip
    assert place["waiting_since"] is not None

    async def written() -> bool:
        body = await room.pool.fetchval(
            "SELECT body FROM message_contents WHERE message_id = $1", call["message_id"]
        )
        return bool(body == "Please call me back about the sunflowers")

    await eventually(written)
    told = await room.events(call["message_id"])
    assert [kind for kind, _ in told] == ["Called", "Received", "CallEnded"]
    received = await room.pool.fetchrow("SELECT * FROM events WHERE type = 'Received'")
    assert received is not None
    assert received["contact_id"] == anna
    data = received["data"]
    assert (data["channel"], data["queue"], data["attachments"]) == ("voice", "Sales", 1)
    assert data["seconds"] >= 1
    assert (await room.hear(ANNA, "Thank you. We will call you back.")).state == "ended"
    await room.fetch_recordings()
    row = await room.pool.fetchrow(
        "SELECT a.name, a.media_type, r.state FROM attachments a JOIN recordings r USING (blob)"
    )
    assert row is not None
    assert row["name"].startswith("voicemail-")
    assert (row["media_type"], row["state"]) == ("audio/mpeg", "fetched")


async def test_the_second_of_the_team_answers_and_hears_who_calls(room: Room) -> None:
    _, max_, _ = await open_line(room)
    anna = await room.contact("Anna Dubreuil", language="en")
    sid = await room.call_in("2")
    await room.phones.hang_up((await room.phone(EVA, "ringing")).sid)
    ringing = await room.phone(MAX, "ringing")
    assert ringing.other == ANNA
    stored = await room.stored(state="ringing", user_id=max_)
    rung = await room.pool.fetch(
        "SELECT user_id FROM call_legs WHERE user_id IS NOT NULL AND ended_at IS NULL"
    )
    assert [row["user_id"] for row in rung] == [max_]
    await room.phones.answer(ringing.sid)
    heard = await room.phone(MAX, "digits")
    assert any(sound.text == "Call for Support, from Anna Dubreuil." for sound in heard.sounds)
    await room.phones.press(ringing.sid, "1")
    await room.stored(state="talking", user_id=max_)
    await room.hear(ANNA, "connected with")
    await room.phones.hang_up(ringing.sid)
    call = await room.stored(state="ended", result="answered", user_id=max_)
    assert call["seconds"] >= 1
    assert [kind for kind, _ in await room.events(stored["message_id"])] == [
        "Called",
        "Answered",
        "CallEnded",
    ]
    answered = await room.pool.fetchrow("SELECT contact_id, actor_id FROM events WHERE type = 'Answered'")
    assert answered is not None
    assert tuple(answered) == (anna, max_)
    place = await room.conversation(call["conversation_id"])
    assert place["state"] == "closed"  # nobody owes anything
    assert (await room.phone(ANNA, "ended")).sid == sid
    assert await room.pool.fetchval("SELECT count(*) FROM call_legs WHERE provider_id LIKE 'rung:%'") == 0


async def test_a_private_voicemail_does_not_swallow_the_caller(room: Room) -> None:
    _, max_, _ = await open_line(room)
    await room.contact("Anna", language="en")
    await room.call_in("2")
    await room.take(EVA, keys="")  # somebody, or something, answers and presses nothing
    await room.phone(MAX, "ringing")
    await room.stored(state="ringing", user_id=max_)


async def test_another_key_than_the_right_one_declines(room: Room) -> None:
    await open_line(room)
    await room.contact("Anna", language="en")
    await room.call_in("2")
    await room.take(EVA, keys="7")
    await room.phone(MAX, "ringing")


async def test_a_caller_waits_hears_the_place_and_is_connected_when_somebody_is_free(room: Room) -> None:
    eva, max_, _ = await open_line(room)
    await room.pool.execute("UPDATE users SET takes_calls = false WHERE id = $1", max_)
    await room.contact("Anna", language="en")
    await room.contact("Ben", "+33639980002", language="en")
    first = await room.call_in("2", "+33639980002")
    await room.take(EVA)
    await room.call_in("2")
    await room.hear(ANNA, "You are number 1 in line.")
    await room.stored(state="waiting")
    await room.hear(ANNA, "/callbacks/voice/hold.wav")
    await room.phones.hang_up(first)
    ringing = await room.phone(EVA, "ringing")
    assert ringing.other == ANNA
    await room.take(EVA)
    await room.stored(state="talking", user_id=eva)


async def test_a_key_leads_from_the_hold_to_a_message(room: Room) -> None:
    eva, max_, _ = await open_line(room)
    await room.pool.execute(
        "INSERT INTO calls (message_id, state, user_id, placed_at) VALUES (999999, 'talking', $1, now()), (999998, 'talking', $2, now())",
        eva, max_,
    )  # fmt: skip
    await room.contact("Anna", language="en")
    sid = await room.call_in("2")
    await room.hear(ANNA, "To leave a message instead, press 9.")
    await room.phone(ANNA, "digits")
    await room.phones.press(sid, "9")
    await room.leave(sid, "I could not wait", key="")

    async def left() -> bool:
        return bool(await room.pool.fetchval("SELECT count(*) FROM calls WHERE result = 'voicemail'"))

    await eventually(left)


async def test_an_unknown_caller_chooses_a_language_which_the_next_call_remembers(room: Room) -> None:
    await open_line(room)
    sid = await room.call_in("2")
    await room.hear(ANNA, "Ventes 1 ou assistance 2")
    await room.phones.hang_up(sid)
    call = await room.stored(state="ended", result="abandoned")
    assert await room.pool.fetchval("SELECT name FROM contacts WHERE id = $1", call["contact_id"]) == ANNA
    assert (await room.conversation(call["conversation_id"]))["state"] == "closed"
    await room.call_in()
    await room.phone(ANNA, "digits")
    again = await room.hear(ANNA, "Ventes 1 ou assistance 2")
    assert not any("For English" in sound.text for sound in again.sounds)
    assert await room.pool.fetchval("SELECT count(*) FROM contacts") == 1


async def test_a_closed_line_takes_messages(room: Room) -> None:
    await open_line(room)
    await room.contact("Anna", language="en")
    room.hours["open"] = False
    sid = await room.call_in()
    await room.hear(ANNA, "We are closed at the moment.")
    await room.leave(sid, "Good evening")
    call = await room.stored(state="ended", result="voicemail")
    assert (await room.conversation(call["conversation_id"]))["queue"] == "Support"


async def test_a_caller_who_hangs_up_while_it_rings_has_missed_us(room: Room) -> None:
    await open_line(room)
    await room.contact("Anna", language="en")
    sid = await room.call_in("2")
    await room.phone(EVA, "ringing")
    await room.phones.hang_up(sid)
    call = await room.stored(state="ended", result="missed")
    place = await room.conversation(call["conversation_id"])
    assert (place["state"], place["queue"]) == ("open", "Support")
    assert [kind for kind, _ in await room.events(call["message_id"])] == ["Called", "CallEnded"]
    await room.phone(EVA, "ended")
    late = await room.desk.board.pool.fetchval(
        "SELECT count(*) FROM call_legs WHERE user_id IS NOT NULL AND ended_at IS NULL"
    )
    assert late == 0


async def test_a_caller_who_says_nothing_after_the_tone_has_missed_us(room: Room) -> None:
    await open_line(room)
    await room.contact("Anna", language="en")
    room.hours["open"] = False
    sid = await room.call_in()
    await room.hear(ANNA, "beep")
    await room.phone(ANNA, "speech")
    await room.phones.hang_up(sid)
    await room.stored(state="ended", result="missed")
    assert await room.pool.fetchval("SELECT count(*) FROM recordings") == 0


async def test_whoever_hangs_up_while_speaking_has_left_a_message(room: Room) -> None:
    await open_line(room)
    await room.contact("Anna", language="en")
    await room.pool.execute("UPDATE queues SET language = 'fr'")
    room.hours["open"] = False
    room.misbehave(Trick.MISSING, resource="transcriptions")
    sid = await room.call_in()
    await room.leave(sid, "Bye", key="")
    call = await room.stored(state="ended", result="voicemail")
    assert [kind for kind, _ in await room.events(call["message_id"])] == ["Called", "Received", "CallEnded"]
    body = await room.pool.fetchval("SELECT body FROM message_contents")
    assert body == f"Message vocal de {call['seconds']} secondes."


async def test_a_second_message_joins_the_open_conversation(room: Room) -> None:
    await open_line(room)
    await room.contact("Anna", language="en")
    room.hours["open"] = False
    for words in ("First", "Second"):
        await room.leave(await room.call_in(), words)
        await room.stored(state="ended", result="voicemail")
        await room.phone(ANNA, "ended")
    rows = await room.pool.fetch("SELECT DISTINCT conversation_id FROM messages")
    assert len(rows) == 1


async def test_an_open_conversation_of_another_channel_is_offered(room: Room) -> None:
    await open_line(room)
    anna = await room.contact("Anna", language="en")
    mail = await room.pool.fetchval(
        "INSERT INTO conversations (contact_id, state, channel) VALUES ($1, 'open', 'mail') RETURNING id",
        anna,
    )
    room.hours["open"] = False
    await room.leave(await room.call_in(), "About my mail")
    call = await room.stored(state="ended", result="voicemail")
    row = await room.pool.fetchrow("SELECT message_id, conversation_id, reason FROM placements")
    assert row is not None
    assert tuple(row) == (call["message_id"], mail, "other_channel")


async def test_a_blocked_caller_is_not_let_in_and_nothing_is_kept(room: Room) -> None:
    await open_line(room, LINE + 'blocked: ["+3363998*"]\n')
    await room.call_in()
    ended = await room.phone(ANNA, "ended")
    assert ended.status in ("no-answer", "busy")
    assert await room.pool.fetchval("SELECT count(*) FROM messages") == 0


async def test_a_number_that_two_people_share_rings_nobodys_owner_and_belongs_to_neither(room: Room) -> None:
    _, max_, ola = await open_line(room)
    await room.contact("Anna", owner_id=max_, language="en")
    await room.contact("Ben", owner_id=ola, language="en")
    await room.call_in("12")
    await room.phone(EVA, "ringing")
    call = await room.stored(state="ringing")
    assert call["contact_id"] is None
    sharers = await room.pool.fetchval("SELECT data -> 'sharers' FROM events WHERE type = 'Called'")
    assert sharers == 2


async def test_an_owner_outside_of_a_confidential_queue_is_not_rung(room: Room) -> None:
    eva, max_, ola = await open_line(room)
    await room.pool.execute("UPDATE queues SET confidential = true WHERE name = 'Support'")
    await room.contact("Anna", owner_id=ola, language="en")
    await room.call_in("2")
    await room.stored(state="ringing")
    assert (await room.stored())["user_id"] in (eva, max_)


async def test_a_talk_is_recorded_after_saying_so(room: Room) -> None:
    await open_line(room, LINE + "record: true\n")
    await room.contact("Anna", language="en")
    await room.call_in("2")
    await room.hear(ANNA, "This call is recorded.")
    own = await room.take(EVA, keys="")
    await room.hear(EVA, "This call is recorded.")
    await room.phones.press(own.sid, "1")
    await room.hear(ANNA, "connected with")
    await room.phones.speak(own.sid, "Hello Anna")
    await room.phones.hang_up(own.sid)
    call = await room.stored(state="ended", result="answered")
    assert call["announced"]

    async def recorded() -> bool:
        return bool(await room.pool.fetchval("SELECT count(*) FROM recordings WHERE kind = 'talk'"))

    await eventually(recorded)
    assert await room.pool.fetchval("SELECT count(*) FROM events WHERE type = 'Received'") == 0


async def test_recordings_are_deleted_there_when_fetched_and_here_after_their_time(room: Room) -> None:
    await open_line(room)
    await room.contact("Anna", language="en")
    room.hours["open"] = False
    await room.leave(await room.call_in(), "Good evening")
    call = await room.stored(state="ended", result="voicemail")

    async def kept() -> bool:
        await room.fetch_recordings()
        row = await room.pool.fetchrow("SELECT state, kept_there FROM recordings")
        return row is not None and (row["state"], row["kept_there"]) == ("fetched", False)

    await eventually(kept)
    assert room.carrier.parts.exchange.memory.recordings == {}
    assert len([one for one in room.blobs.rglob("*") if one.is_file()]) == 1
    assert await room.keeper.delete_expired() == 0
    room.clock.offset += timedelta(days=91)
    assert await room.keeper.delete_expired() == 1
    assert [one for one in room.blobs.rglob("*") if one.is_file()] == []
    assert await room.pool.fetchval("SELECT count(*) FROM attachments") == 0
    row = await room.pool.fetchrow(
        "SELECT r.state, r.transcript, x.body FROM recordings r JOIN message_contents x USING (message_id)"
    )
    assert row is not None
    assert (row["state"], row["transcript"]) == ("deleted", None)
    assert "evening" not in row["body"]
    assert call["result"] == "voicemail"


RULE = """
- name: call-back
  when: Received
  where: {all: [{field: message.channel, is: voice}, {field: event.queue, is: Support}]}
  then:
    - open_task:
        kind: callback
        title: "{contact.name} left {event.seconds} seconds on {event.mailbox}"
        assign: {owner: true, else_team: Support}
- name: missed
  when: CallEnded
  where: {field: event.result, is: missed}
  then: [{note: "We missed a call"}]
"""


async def test_a_rule_opens_a_task_for_a_message_and_notes_what_was_missed(room: Room) -> None:
    await open_line(room)
    anna = await room.contact("Anna", language="en")
    announcer = Announcer(room.pool)
    await apply_rules(room.pool, read_rules(RULE), announcer)
    room.hours["open"] = False
    await room.leave(await room.call_in(), "Please call me")
    call = await room.stored(state="ended", result="voicemail")
    await room.phone(ANNA, "ended")
    missed = await room.call_in()
    await room.hear(ANNA, "beep")
    await room.phones.hang_up(missed)
    await room.stored(state="ended", result="missed")
    router = Router(room.pool, room.clock, announcer, RouterSettings())
    while await route_once(router):
        pass
    await announcer.close()
    task = await room.pool.fetchrow("SELECT * FROM tasks")
    assert task is not None
    assert (task["contact_id"], task["kind"], task["conversation_id"]) == (
        anna, "callback", call["conversation_id"],
    )  # fmt: skip
    assert task["title"] == f"Anna left {call['seconds']} seconds on {call['ours']}"
    assert await room.pool.fetchval("SELECT count(*) FROM events WHERE type = 'Noted'") == 1


# --- misbehaviour ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trick", [Trick.TWICE, Trick.BACKWARDS, Trick.LATE, Trick.MISSING, Trick.FORGED])
async def test_a_message_is_kept_once_however_its_reports_come(room: Room, trick: Trick) -> None:
    await open_line(room)
    await room.contact("Anna", language="en")
    room.hours["open"] = False
    room.misbehave(trick)
    await room.leave(await room.call_in(), "Good evening")
    call = await room.stored(state="ended", result="voicemail")
    await room.phone(ANNA, "ended")
    await asyncio.sleep(0.1)
    kinds = [kind for kind, _ in await room.events(call["message_id"])]
    assert kinds == ["Called", "Received", "CallEnded"]
    assert await room.pool.fetchval("SELECT count(*) FROM recordings") == 1

    async def fetched() -> bool:
        await room.fetch_recordings()
        return bool(await room.pool.fetchval("SELECT count(*) FROM attachments"))

    await eventually(fetched)


async def test_a_call_goes_on_when_the_process_that_answered_it_is_gone(room: Room) -> None:
    eva, _, _ = await open_line(room)
    await room.contact("Anna", language="en")
    sid = await room.call_in()
    await room.phone(ANNA, "digits")
    await room.serve()
    await room.phones.press(sid, "2")
    ringing = await room.phone(EVA, "ringing")
    await room.serve()
    await room.phones.answer(ringing.sid)
    await room.phone(EVA, "digits")
    await room.serve()
    await room.phones.press(ringing.sid, "1")
    await room.stored(state="talking", user_id=eva)
    await room.hear(ANNA, "connected with")
    await room.serve()
    await room.phones.hang_up(sid)
    await room.stored(state="ended", result="answered")


async def test_a_call_whose_end_is_never_told_is_asked_about(pool: Pool, tmp_path: Path) -> None:
    async with open_room(pool, tmp_path, tells_ends=False) as room:
        await open_line(room)
        await room.contact("Anna", language="en")
        sid = await room.call_in()
        await room.phone(ANNA, "digits")
        await pool.execute("UPDATE calls SET look_at = now()")
        assert await room.sweeper.sweep_due() == 1
        await room.stored(state="menu")  # it goes on
        await room.phones.hang_up(sid)
        await pool.execute("UPDATE calls SET look_at = now()")
        await room.sweeper.sweep_due()
        await room.stored(state="ended", result="abandoned")
        assert await room.sweeper.sweep_due() == 0
