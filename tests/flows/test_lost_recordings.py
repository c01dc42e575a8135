"""Recordings whose reports never came: found in the provider's list, with their text, and deleted there in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from channels.sandbox.carrier.mischief import Trick
from channels.voice.callbacks import RecordingReport
from channels.voice.twilio import TwilioVoice
from domain.errors import NotFound, Unavailable
from inbox.calls.keeping import hold_call
from inbox.lines.lost import LostRecordings
from storage.pool import Pool
from storage.unit_of_work import unit_of_work
from tests.flows.sales_floor import open_floor
from tests.flows.switch_room import ANNA, EVA, LINE, PUBLIC, Room, eventually, open_line, open_room


@pytest.fixture
async def room(pool: Pool, tmp_path: Path) -> AsyncIterator[Room]:
    async with open_room(pool, tmp_path) as opened:
        yield opened


def cut_off(room: Room) -> None:
    """Nothing that the carrier tells reaches us any more."""
    exchange = room.carrier.parts.exchange
    exchange.settings = exchange.settings.model_copy(update={"routes": {PUBLIC: "http://127.0.0.1:9"}})


async def sweep(room: Room) -> None:
    """Let the time for requests pass."""
    await room.pool.execute("UPDATE calls SET look_at = now() WHERE look_at IS NOT NULL")
    await room.sweeper.sweep_due()


async def leave_unheard(room: Room) -> None:
    """Anna speaks and hangs up, and nothing of it is told."""
    await open_line(room)
    await room.contact("Anna", language="en")
    room.hours["open"] = False
    sid = await room.call_in()
    await room.hear(ANNA, "beep")
    await room.phone(ANNA, "speech")
    cut_off(room)
    await room.phones.speak(sid, "Please call me back")
    await asyncio.sleep(0.05)
    await room.phones.hang_up(sid)

    async def recorded() -> bool:
        recordings = room.carrier.parts.exchange.memory.recordings.values()
        return any(one.status == "completed" for one in recordings)

    await eventually(recorded)
    await sweep(room)


async def test_a_message_that_nobody_told_of_comes_to_its_queue(room: Room) -> None:
    await leave_unheard(room)
    call = await room.stored(state="ended", result=None)
    assert await room.pool.fetchval("SELECT count(*) FROM recordings") == 0
    await room.find_lost()
    call = await room.stored(state="ended", result="voicemail")
    assert [kind for kind, _ in await room.events(call["message_id"])] == ["Called", "Received", "CallEnded"]
    assert call["recordings_at"] is None
    await room.fetch_recordings()
    assert await room.pool.fetchval("SELECT count(*) FROM attachments") == 1


async def test_its_text_is_fetched_before_the_providers_copy_goes(room: Room) -> None:
    await leave_unheard(room)
    await room.find_lost()

    async def written() -> bool:
        return bool(room.carrier.parts.exchange.memory.transcriptions)

    await eventually(written)
    await room.fetch_recordings()
    assert await room.pool.fetchval("SELECT kept_there AND due_at > now() FROM recordings")
    await room.fetch_recordings()
    assert await room.pool.fetchval("SELECT body FROM message_contents") == "Please call me back"
    assert not await room.pool.fetchval("SELECT kept_there FROM recordings")
    assert room.carrier.parts.exchange.memory.recordings == {}


async def test_a_copy_that_may_stay_at_the_provider_stays(pool: Pool, tmp_path: Path) -> None:
    async with open_room(pool, tmp_path, delete_there=False) as room:
        await leave_unheard(room)
        await room.find_lost()
        for _ in range(3):
            await room.fetch_recordings()
        assert await pool.fetchval("SELECT kept_there AND due_at IS NULL FROM recordings")
        assert len(room.carrier.parts.exchange.memory.recordings) == 1


async def test_a_talk_that_was_recorded_is_found(room: Room) -> None:
    await open_line(room, LINE + "record: true\n")
    await room.contact("Anna", language="en")
    sid = await room.call_in("2")
    own = await room.take(EVA)
    await room.stored(state="talking")
    await room.hear(ANNA, "connected with")
    cut_off(room)
    await room.phones.speak(own.sid, "Hello Anna")
    await room.phones.hang_up(sid)

    async def recorded() -> bool:
        return bool(room.carrier.parts.exchange.memory.recordings)

    await eventually(recorded)
    await asyncio.sleep(0.2)
    await sweep(room)
    await room.stored(state="ended", result="answered")
    await room.find_lost()
    assert await room.pool.fetchval("SELECT kind FROM recordings") == "talk"


async def test_a_talk_of_ours_that_was_recorded_is_found(pool: Pool, database_url: str) -> None:
    async with open_floor(pool, database_url, record_talks=True) as floor:
        floor.misbehave(Trick.MISSING, resource="recordings")
        call = await floor.call()
        own, other = await floor.talk()
        await floor.carrier.phones.speak(other.sid, "Good morning, Rosa")
        await floor.carrier.phones.hang_up(own.sid)
        await floor.reach(call, state="ended")
        await pool.execute("DELETE FROM recordings")
        assert await pool.fetchval("SELECT recordings_at > now() FROM calls")
        await pool.execute("UPDATE calls SET recordings_at = now()")
        provider = floor.sweeper.provider
        assert isinstance(provider, TwilioVoice)
        await LostRecordings(floor.sweeper.board, provider).find_due()
        assert await pool.fetchval("SELECT kind FROM recordings WHERE message_id = $1", call) == "talk"


class Away:
    """A provider that cannot be asked, or has what it is told to have."""

    def __init__(self, *recordings: RecordingReport, error: Exception | None = None) -> None:
        self.recordings = list(recordings)
        self.error = error

    async def list_recordings(self, call_id: str) -> list[RecordingReport]:
        if self.error is not None:
            raise self.error
        return self.recordings


async def ask(room: Room, provider: Away) -> None:
    await room.pool.execute("UPDATE calls SET recordings_at = now() WHERE recordings_at IS NOT NULL")
    await LostRecordings(room.desk.board, provider).find_due()


async def test_while_the_provider_is_away_nothing_is_decided_and_then_the_call_was_missed(room: Room) -> None:
    await leave_unheard(room)
    away = Away(error=Unavailable("away"))
    await ask(room, away)
    assert (await room.stored(state="ended"))["result"] is None
    room.clock.offset += timedelta(minutes=11)
    await ask(room, away)
    call = await room.stored(state="ended", result="missed")
    assert call["recordings_at"] is not None
    room.clock.offset += timedelta(days=1)
    await ask(room, away)
    assert (await room.stored())["recordings_at"] is None


async def test_a_recording_that_is_still_made_is_waited_for(room: Room) -> None:
    await leave_unheard(room)
    call = await room.stored(state="ended")
    made = RecordingReport("RE" + "2" * 32, call["provider_id"], "in-progress", "", source="RecordVerb")
    await ask(room, Away(made))
    assert (await room.stored())["result"] is None
    await ask(room, Away(replace(made, status="completed", url="https://api.twilio.com/RE2", seconds=4)))
    assert (await room.stored())["result"] == "voicemail"


async def test_what_somebody_records_at_the_provider_is_left_there(room: Room) -> None:
    await leave_unheard(room)
    call = await room.stored(state="ended")
    theirs = RecordingReport(
        "RE" + "2" * 32, call["provider_id"], "completed", "https://x", source="StartCallRecordingAPI"
    )
    await ask(room, Away(theirs))
    assert (await room.stored())["result"] == "missed"
    assert await room.pool.fetchval("SELECT count(*) FROM recordings") == 0


async def test_a_call_that_the_provider_does_not_know_was_missed(room: Room) -> None:
    await leave_unheard(room)
    await ask(room, Away(error=NotFound("gone")))
    assert (await room.stored())["result"] == "missed"


async def test_a_copy_at_the_provider_is_deleted_however_long_that_cannot_be_asked(room: Room) -> None:
    await leave_unheard(room)
    await room.find_lost()
    for _ in range(2):
        await room.fetch_recordings()
    await room.pool.execute("UPDATE recordings SET kept_there = true, attempts = 5000, due_at = now()")
    room.misbehave(Trick.BROKEN_API)
    await room.fetch_recordings()
    row = await room.pool.fetchrow("SELECT kept_there, due_at > now() AS again FROM recordings")
    assert row is not None
    assert tuple(row) == (True, True)


async def test_a_message_is_still_fetched_after_hours_in_which_the_provider_was_away(room: Room) -> None:
    await leave_unheard(room)
    await room.find_lost()
    await room.pool.execute("UPDATE recordings SET attempts = 100, due_at = now()")
    room.misbehave(Trick.BROKEN_API, times=1)
    await room.fetch_recordings()
    assert await room.pool.fetchval("SELECT state FROM recordings") == "there"
    await room.fetch_recordings()
    assert await room.pool.fetchval("SELECT state FROM recordings") == "fetched"


@pytest.mark.parametrize("deletes", [False, True])
async def test_a_recording_waits_for_whoever_holds_its_call_and_holds_nothing_meanwhile(
    room: Room, deletes: bool
) -> None:
    await leave_unheard(room)
    await room.find_lost()
    if deletes:
        await room.pool.execute("UPDATE recordings SET delete_after = now() - interval '1 day'")
    number = (await room.stored())["message_id"]
    async with unit_of_work(room.pool) as work:
        await hold_call(work.connection, number)
        task = asyncio.create_task(room.keeper.delete_expired() if deletes else room.fetch_recordings())

        async def waits() -> bool:
            return bool(await room.pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

        await eventually(waits)
        await work.connection.execute("SET LOCAL lock_timeout = '2s'")
        await work.connection.execute("UPDATE recordings SET seconds = 5")
    await task
    state = await room.pool.fetchval("SELECT state FROM recordings")
    assert state == ("deleted" if deletes else "fetched")
