"""Calls of ours that nothing is heard of, and what calls cost: asked of the provider, never placed again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from channels.voice.records import CallRecord
from channels.voice.settings import VoiceSettings
from channels.voice.twilio import Placed
from domain.calls import CallPart
from domain.clock import SystemClock
from domain.errors import Conflict
from domain.messages import DeliveryState
from domain.tokens import TokenKeys
from inbox.calls.addresses import CallAddresses
from inbox.calls.bridging import connect
from inbox.calls.keeping import hold_call, keep_news, settle_call
from inbox.calls.legs import Leg
from inbox.calls.placing import Wish, hang_up, place_call
from inbox.calls.prices import CallPrices
from inbox.calls.sweeping import CallSweeper
from inbox.calls.switchboard import Switchboard
from storage.pool import Pool
from storage.unit_of_work import unit_of_work
from tests.inbox.scripted_calls import ScriptedCalls

OURS, ROSA, ANNA = "+33644600001", "+33639980021", "+33639980001"
KEYS = TokenKeys({1: b"k" * 32})
US, THEM = "CA" + "0a" * 16, "CA" + "0b" * 16


@dataclass
class Desk:
    """Rosa, the provider, and what looks after calls."""

    pool: Pool
    board: Switchboard
    provider: ScriptedCalls
    rosa: int
    anna: int

    async def place(self, theirs: str = ANNA) -> int:
        """Let Rosa call."""
        return await place_call(
            self.board, self.provider, Wish(self.rosa, ROSA, OURS, theirs, contact_id=self.anna)
        )

    async def sweep(self, count: int = 1) -> None:
        """Let the time for reports pass, so often."""
        sweeper = CallSweeper(self.board, self.provider)
        for _ in range(count):
            await self.pool.execute("UPDATE calls SET look_at = now() WHERE look_at IS NOT NULL")
            await sweeper.sweep_due()

    async def tell(self, call_id: int, leg: Leg) -> None:
        """A report."""
        async with unit_of_work(self.pool) as work:
            call = await hold_call(work.connection, call_id)
            await keep_news(work.connection, call_id, leg)
            await settle_call(self.board, work, call)

    async def look(self, call_id: int) -> tuple[str, str | None]:
        """State and result."""
        row = await self.pool.fetchrow("SELECT state, result FROM calls WHERE message_id = $1", call_id)
        assert row is not None
        return row["state"], row["result"]

    async def events(self) -> list[str]:
        """All events' types."""
        return [row["type"] for row in await self.pool.fetch("SELECT type FROM events ORDER BY id")]


def record(provider_id: str = US, status: str = "ringing", **more: Any) -> CallRecord:
    values = {"caller": OURS, "recipient": ROSA, "outbound": True, "created": datetime.now(UTC), **more}
    return CallRecord(provider_id, status, **values)


@pytest.fixture
async def desk(pool: Pool) -> Desk:
    rosa = await pool.fetchval(
        "INSERT INTO users (email, name, role, phone) VALUES ('r@x.example', 'Rosa', 'rep', $1) RETURNING id",
        ROSA,
    )
    anna = await pool.fetchval("INSERT INTO contacts (name) VALUES ('Anna') RETURNING id")
    board = Switchboard(pool, SystemClock(), CallAddresses("https://hub.example", KEYS), VoiceSettings())
    return Desk(pool, board, ScriptedCalls(), rosa, anna)


UNCERTAIN = Placed(DeliveryState.UNCERTAIN, "", "timeout", "no answer")


async def test_a_call_in_doubt_is_found_in_the_providers_list(desk: Desk) -> None:
    desk.provider.answer = UNCERTAIN
    call = await desk.place()
    assert await desk.look(call) == ("unconfirmed", None)
    desk.provider.add(record())
    await desk.sweep()
    assert await desk.look(call) == ("ringing_us", None)
    assert await desk.pool.fetchval("SELECT provider_id FROM calls") == US
    assert len(desk.provider.placed) == 1


async def test_of_two_calls_that_it_could_be_none_is_taken(desk: Desk) -> None:
    desk.provider.answer = UNCERTAIN
    call = await desk.place()
    desk.provider.add(record())
    desk.provider.add(record(THEM))
    await desk.sweep()
    assert await desk.look(call) == ("unconfirmed", None)


async def test_the_call_that_another_one_is_known_by_is_not_taken(desk: Desk) -> None:
    first = await desk.place()
    known = await desk.pool.fetchval("SELECT provider_id FROM calls")
    desk.provider.add(record(known, "completed"))
    await desk.sweep()
    assert await desk.look(first) == ("ended", "cancelled")
    desk.provider.answer = UNCERTAIN
    second = await desk.place()
    await desk.sweep()
    assert await desk.look(second) == ("unconfirmed", None)


async def test_a_call_that_the_provider_never_had_is_given_up_after_many_looks(desk: Desk) -> None:
    desk.provider.answer = UNCERTAIN
    call = await desk.place()
    await desk.sweep(11)
    assert await desk.look(call) == ("unconfirmed", None)
    await desk.sweep(1)
    assert await desk.look(call) == ("ended", "failed")
    assert await desk.pool.fetchval("SELECT look_at FROM calls") is None
    assert len(desk.provider.placed) == 1
    assert await desk.events() == []


async def test_looks_while_the_provider_is_away_do_not_count(desk: Desk) -> None:
    desk.provider.answer = UNCERTAIN
    call = await desk.place()
    desk.provider.away = True
    await desk.sweep(30)
    assert await desk.look(call) == ("unconfirmed", None)
    desk.provider.away = False
    desk.provider.add(record())
    await desk.sweep()
    assert await desk.look(call) == ("ringing_us", None)


async def test_a_long_talk_is_left_alone(desk: Desk) -> None:
    call = await desk.place()
    us = await desk.pool.fetchval("SELECT provider_id FROM calls")
    await connect(desk.board, call, us, "1")
    desk.provider.add(record(us, "in-progress"))
    desk.provider.add(record(THEM, "in-progress", parent_id=us, recipient=ANNA))
    await desk.sweep(40)
    assert await desk.look(call) == ("talking", None)


async def test_a_talk_whose_reports_stayed_away_is_brought_up_to_date(desk: Desk) -> None:
    call = await desk.place()
    us = await desk.pool.fetchval("SELECT provider_id FROM calls")
    await connect(desk.board, call, us, "1")
    began = datetime.now(UTC) - timedelta(minutes=3)
    ended = began + timedelta(seconds=90)
    done = {"started": began, "ended": ended, "seconds": 90}
    desk.provider.add(record(us, "completed", **done))
    desk.provider.add(record(THEM, "completed", parent_id=us, recipient=ANNA, **done))
    await desk.sweep()
    assert await desk.look(call) == ("ended", "answered")
    row = await desk.pool.fetchrow("SELECT seconds, answered_at, ended_at, look_at FROM calls")
    assert row is not None
    assert row["seconds"] == 90
    assert abs(row["ended_at"] - ended) < timedelta(seconds=2)
    assert row["look_at"] is None
    assert await desk.events() == ["Called", "Answered", "CallEnded"]


async def test_whoever_hung_up_before_the_contacts_phone_rang_has_called_in_vain(desk: Desk) -> None:
    call = await desk.place()
    us = await desk.pool.fetchval("SELECT provider_id FROM calls")
    await connect(desk.board, call, us, "1")
    desk.provider.add(record(us, "completed", seconds=4))
    await desk.sweep(2)  # a list may lag behind: one look is not enough
    assert await desk.look(call) == ("ended", "cancelled")
    assert await desk.events() == ["Called", "CallEnded"]


async def test_a_report_during_a_look_is_not_overwritten(desk: Desk) -> None:
    call = await desk.place()
    us = await desk.pool.fetchval("SELECT provider_id FROM calls")

    class Slow(ScriptedCalls):
        async def fetch_call(self, provider_id: str) -> CallRecord | None:
            await desk.tell(call, Leg(us, CallPart.US, "completed"))
            return record(us, "ringing")

    await desk.pool.execute("UPDATE calls SET look_at = now()")
    await CallSweeper(desk.board, Slow()).sweep_due()
    assert await desk.look(call) == ("ended", "cancelled")


async def test_two_sweepers_do_not_look_at_the_same_time(desk: Desk) -> None:
    desk.provider.answer = UNCERTAIN
    await desk.place()
    await desk.pool.execute("UPDATE calls SET look_at = now()")
    sweepers = [CallSweeper(desk.board, desk.provider) for _ in range(4)]
    await asyncio.gather(*(sweeper.sweep_due() for sweeper in sweepers))
    assert desk.provider.looked == 1


async def test_a_call_that_was_taken_back_in_doubt_is_ended_when_it_is_found(desk: Desk) -> None:
    desk.provider.answer = UNCERTAIN
    call = await desk.place()
    await desk.pool.execute("UPDATE calls SET position = position || '{\"hung_up\": true}'")
    desk.provider.add(record())
    await desk.sweep()
    assert desk.provider.ended == [US]
    assert (await desk.look(call))[0] == "ringing_us"  # its end is told by its report


async def test_one_person_is_in_one_call_at_a_time(desk: Desk) -> None:
    first = await desk.place()
    assert await desk.place() == first
    with pytest.raises(Conflict, match="another call"):
        await desk.place("+33639980002")
    us = await desk.pool.fetchval("SELECT provider_id FROM calls")
    await connect(desk.board, first, us, "1")
    with pytest.raises(Conflict, match="another call"):
        await desk.place()
    await desk.tell(first, Leg(us, CallPart.US, "completed"))
    await desk.tell(first, Leg(THEM, CallPart.THEM, "no-answer"))
    assert await desk.place() != first


async def test_many_clicks_at_once_place_one_call(desk: Desk) -> None:
    calls = await asyncio.gather(*(desk.place() for _ in range(8)))
    assert len(set(calls)) == 1
    assert len(desk.provider.placed) == 1


async def test_whoever_leaves_while_the_call_is_placed_leaves_no_doubt(desk: Desk) -> None:
    class Slow(ScriptedCalls):
        async def place(self, *told: Any, **more: Any) -> Placed:
            await asyncio.sleep(0.2)
            return await super().place(*told, **more)

    placing = asyncio.create_task(
        place_call(desk.board, Slow(), Wish(desk.rosa, ROSA, OURS, ANNA, contact_id=desk.anna))
    )
    await asyncio.sleep(0.1)
    placing.cancel()
    await asyncio.sleep(0.4)
    assert await desk.pool.fetchval("SELECT state FROM calls") == "ringing_us"


async def _priced_talk(desk: Desk) -> tuple[int, str, CallPrices]:
    call = await desk.place()
    us = await desk.pool.fetchval("SELECT provider_id FROM calls")
    await connect(desk.board, call, us, "1")
    await desk.tell(call, Leg(THEM, CallPart.THEM, "completed", seconds=30))
    await desk.tell(call, Leg(us, CallPart.US, "completed", seconds=40))
    return call, us, CallPrices(desk.board, desk.provider)


async def _fetch(desk: Desk, prices: CallPrices) -> None:
    await desk.pool.execute("UPDATE call_legs SET price_at = now() WHERE price_at IS NOT NULL")
    await prices.fetch_due()


async def test_the_price_is_told_when_those_of_both_legs_are_known(desk: Desk) -> None:
    call, us, prices = await _priced_talk(desk)
    await _fetch(desk, prices)  # the provider knows of neither
    desk.provider.add(record(us, "completed", price=Decimal("-0.013"), currency="USD"))
    await _fetch(desk, prices)
    assert await desk.pool.fetchval("SELECT price FROM calls") is None
    desk.provider.add(record(THEM, "completed", price=Decimal("-0.02"), currency="USD"))
    await _fetch(desk, prices)
    row = await desk.pool.fetchrow("SELECT price, currency FROM calls WHERE message_id = $1", call)
    assert row is not None
    assert tuple(row) == (Decimal("-0.033"), "USD")
    assert await desk.pool.fetchval("SELECT count(*) FROM call_legs WHERE price_at IS NOT NULL") == 0


async def test_a_price_that_is_never_told_is_given_up(desk: Desk) -> None:
    _call, us, prices = await _priced_talk(desk)
    desk.provider.add(record(us, "completed", price=Decimal("-0.013"), currency="USD"))
    for _ in range(14):
        await _fetch(desk, prices)
    assert await desk.pool.fetchval("SELECT count(*) FROM call_legs WHERE price_at IS NOT NULL") == 0
    assert await desk.pool.fetchval("SELECT price FROM calls") == Decimal("-0.013")


async def test_calls_that_nobody_took_have_no_price_to_ask_for(desk: Desk) -> None:
    call = await desk.place()
    us = await desk.pool.fetchval("SELECT provider_id FROM calls")
    await desk.tell(call, Leg(us, CallPart.US, "no-answer"))
    assert await desk.pool.fetchval("SELECT count(*) FROM call_legs WHERE price_at IS NOT NULL") == 0


async def test_the_times_of_a_call_are_in_business_time_whoever_tells_them(desk: Desk) -> None:
    moved = timedelta(days=2)
    board = replace(desk.board, clock=SystemClock(moved))
    now = datetime.now(UTC)
    for told in (now, now + moved):  # by a provider elsewhere, and by the test carrier of a demo
        at = board.business_time(told)
        assert at is not None
        assert abs(at - now - moved) < timedelta(seconds=1)


@pytest.mark.parametrize("created_after", [timedelta(0), timedelta(days=2)])
async def test_a_call_in_doubt_is_found_though_a_demo_moved_its_clock(
    desk: Desk, created_after: timedelta
) -> None:
    desk.board = replace(desk.board, clock=SystemClock(timedelta(days=2)))
    desk.provider.answer = UNCERTAIN
    call = await desk.place()
    desk.provider.add(record(created=datetime.now(UTC) + created_after))
    await desk.sweep()
    assert await desk.look(call) == ("ringing_us", None)


async def test_whoever_hangs_up_a_call_that_is_over_is_soon_free_for_another(desk: Desk) -> None:
    call = await desk.place()
    us = await desk.pool.fetchval("SELECT provider_id FROM calls")
    await connect(desk.board, call, us, "1")
    await desk.tell(call, Leg(THEM, CallPart.THEM, "in-progress"))
    desk.provider.add(record(us, "completed"))  # the reports of the end got lost
    desk.provider.add(
        record(THEM, "completed", parent_id=us, recipient=ANNA, seconds=7, ended=datetime.now(UTC))
    )
    await hang_up(desk.board, desk.provider, call)
    assert await desk.pool.fetchval("SELECT look_at < now() + interval '10 seconds' FROM calls")
    await desk.sweep()
    assert await desk.look(call) == ("ended", "answered")
    assert await desk.place() != call


async def test_a_call_in_doubt_that_is_taken_back_keeps_the_time_of_its_request(desk: Desk) -> None:
    """A look before the request can have been answered would find nothing, and say that nobody knows."""
    await desk.place()
    await desk.pool.execute("UPDATE calls SET state = 'placing', provider_id = NULL")
    await desk.pool.execute("UPDATE calls SET look_at = now() + interval '1 minute'")
    await hang_up(desk.board, desk.provider, await desk.pool.fetchval("SELECT message_id FROM calls"))
    assert await desk.pool.fetchval("SELECT look_at > now() + interval '30 seconds' FROM calls")


async def test_a_call_that_cannot_be_looked_at_does_not_keep_the_others_waiting(desk: Desk) -> None:
    first = await desk.place()
    await desk.pool.execute("UPDATE calls SET look_at = now() - interval '1 hour'")
    max_ = await desk.pool.fetchval(
        "INSERT INTO users (email, name, role, phone) VALUES ('m@x.example', 'Max', 'rep', $1) RETURNING id",
        "+33639980022",
    )
    second = await place_call(
        desk.board, desk.provider, Wish(max_, "+33639980022", OURS, "+33639980003", contact_id=desk.anna)
    )
    us = [row[0] for row in await desk.pool.fetch("SELECT provider_id FROM calls ORDER BY message_id")]
    desk.provider.add(record(us[0]))
    desk.provider.add(record(us[1], "completed"))
    odd = record(THEM, parent_id=us[0])
    desk.provider.add(odd)
    await desk.tell(second, Leg(odd.provider_id, CallPart.THEM, "ringing"))  # a leg that both would have
    await desk.sweep()
    assert (await desk.look(first))[0] == "ringing_us"
    assert (await desk.look(second))[0] == "ringing"
    assert await desk.pool.fetchval("SELECT look_at > now() FROM calls WHERE message_id = $1", first)
    assert (
        await desk.pool.fetchval("SELECT status FROM call_legs WHERE provider_id = $1", us[1]) == "completed"
    )


async def test_nobody_is_asked_about_the_next_call_while_the_provider_is_away(desk: Desk) -> None:
    for number in range(3):
        desk.provider.answer = UNCERTAIN
        user = await desk.pool.fetchval(
            "INSERT INTO users (email, name, role) VALUES ($1, 'Max', 'rep') RETURNING id",
            f"{number}@x.example",
        )
        await place_call(desk.board, desk.provider, Wish(user, ROSA, OURS, ANNA, contact_id=desk.anna))
    desk.provider.away = True
    await desk.sweep()
    assert desk.provider.looked == 1


@pytest.mark.parametrize(("taken_back", "looks"), [(False, 3), (True, 1)])
async def test_a_call_that_the_provider_has_forgotten_does_not_block_its_person(
    desk: Desk, taken_back: bool, looks: int
) -> None:
    call = await desk.place()
    if taken_back:
        await hang_up(desk.board, desk.provider, call)
    await desk.sweep(looks - 1)
    assert (await desk.look(call))[0] == "ringing_us"
    await desk.sweep()
    assert await desk.look(call) == ("ended", "failed")
    assert await desk.place() != call
