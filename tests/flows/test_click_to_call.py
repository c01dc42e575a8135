"""Click to call, from the API to two phones and back, through the test carrier, however it misbehaves."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator

import pytest

from channels.sandbox.carrier.mischief import Trick
from domain.clock import SystemClock
from router.loop import Router, route_once
from router.rule_files import read_rules
from router.rule_store import apply_rules
from router.settings import RouterSettings
from storage.announce import Announcer
from storage.pool import Pool
from tests.flows.sales_floor import ANNA, OURS, ROSA, Floor, eventually, open_floor


@pytest.fixture
async def floor(pool: Pool, database_url: str) -> AsyncIterator[Floor]:
    async with open_floor(pool, database_url) as opened:
        yield opened
        assert opened.problems() == []  # of our documents and addresses


async def test_a_rep_calls_from_a_task_talks_and_is_offered_the_outcome(floor: Floor) -> None:
    task = await floor.house.task(floor.anna, assignee_id=floor.rosa, team_id=floor.team, state="accepted")
    call = await floor.call(task_id=task)
    assert (await floor.show(call))["state"] in ("ringing_us", "placing")
    own = await floor.take(ROSA)
    listening = await floor.phone(ROSA, "digits")
    assert "This is your call to Anna Dubreuil." in [sound.text for sound in listening.sounds]
    assert await floor.events(call) == []  # nobody has called Anna yet
    await floor.carrier.phones.press(own.sid, "1")
    ringing = await floor.phone(ANNA, "ringing")
    assert ringing.other == OURS
    await floor.reach(call, state="ringing")
    await floor.carrier.phones.answer(ringing.sid)
    await floor.reach(call, state="talking")
    await asyncio.sleep(0.1)
    await floor.carrier.phones.hang_up(ringing.sid)
    shown = await floor.reach(call, state="ended")
    assert (shown["result"], shown["suggested_outcome"]) == ("answered", "reached")
    assert shown["seconds"] >= 1
    assert shown["answered_at"] is not None
    assert await floor.events(call) == [("Called", None), ("Answered", None), ("CallEnded", "answered")]
    row = await floor.pool.fetchrow("SELECT * FROM events WHERE type = 'CallEnded'")
    assert row is not None
    assert (row["contact_id"], row["task_id"], row["actor_id"]) == (floor.anna, task, floor.rosa)
    assert row["data"] == {
        "channel": "voice",
        "direction": "out",
        "line": OURS,
        "user": floor.rosa,
        "result": "answered",
        "seconds": shown["seconds"],
    }
    await floor.phone(ROSA, "ended")


@pytest.mark.parametrize(
    ("trick", "result", "outcome"),
    [
        (Trick.BUSY, "busy", "call_again"),
        (Trick.RINGS_OUT, "no_answer", "no_answer"),
        (Trick.UNREACHABLE, "unreachable", "no_answer"),
        (Trick.DECLINES, "busy", "call_again"),
    ],
)
async def test_whatever_becomes_of_the_contacts_phone_is_the_result(
    floor: Floor, trick: Trick, result: str, outcome: str
) -> None:
    floor.misbehave(trick, to_ends=ANNA[-3:])
    call = await floor.call()
    await floor.take_and_press()
    shown = await floor.reach(call, state="ended")
    assert (shown["result"], shown["suggested_outcome"], shown["seconds"]) == (result, outcome, None)
    assert await floor.events(call) == [("Called", None), ("CallEnded", result)]
    await floor.phone(ROSA, "ended")


async def test_a_rep_who_presses_no_key_has_called_nobody(floor: Floor) -> None:
    call = await floor.call()
    await floor.take(ROSA)
    shown = await floor.reach(call, state="ended")
    assert (shown["result"], shown["suggested_outcome"]) == ("cancelled", None)
    assert await floor.events(call) == []
    assert (await floor.carrier.phones.show_phone(ANNA)).calls == ()


async def test_a_rep_who_does_not_take_their_phone_has_called_nobody(floor: Floor) -> None:
    call = await floor.call()
    await floor.phone(ROSA, "ringing")
    shown = await floor.reach(call, state="ended")
    assert shown["result"] == "cancelled"
    assert await floor.events(call) == []


async def test_another_key_is_asked_for_again(floor: Floor) -> None:
    await floor.call()
    own = await floor.take_and_press("7")
    await floor.hear(ROSA, "This is your call", 2)
    await floor.phone(ROSA, "digits")
    await floor.carrier.phones.press(own.sid, "1")
    await floor.phone(ANNA, "ringing")


async def test_two_clicks_at_once_place_one_call(floor: Floor) -> None:
    first, second = await asyncio.gather(floor.call(), floor.call())
    assert first == second
    await floor.phone(ROSA, "ringing")
    assert len(floor.placed) == 1


async def test_whoever_talks_places_no_second_call(floor: Floor) -> None:
    other = await floor.house.contact("Ben Example")
    await floor.pool.execute(
        "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'phone', $2, $2)",
        other,
        "+33639980002",
    )
    await floor.call()
    status, body = await floor.rep.call("POST", "/calls", {"contact_id": other})
    assert status == 409
    assert "another call" in body["detail"]
    assert len(floor.placed) == 1


async def test_hanging_up_in_the_console_ends_both_phones(floor: Floor) -> None:
    call = await floor.call()
    await floor.talk()
    await floor.reach(call, state="talking")
    assert (await floor.rep.call("POST", f"/calls/{call}/hang-up"))[0] in (200, 204)
    await floor.phone(ROSA, "ended")
    await floor.phone(ANNA, "ended")
    assert (await floor.reach(call, state="ended"))["result"] == "answered"
    assert (await floor.rep.call("POST", f"/calls/{call}/hang-up"))[0] in (200, 204)  # it has ended already


async def test_a_call_taken_back_while_it_rings_reaches_nobody(floor: Floor) -> None:
    call = await floor.call()
    await floor.phone(ROSA, "ringing")
    await floor.rep.call("POST", f"/calls/{call}/hang-up")
    assert (await floor.reach(call, state="ended"))["result"] == "cancelled"
    await floor.phone(ROSA, "ended")


MISBEHAVIOUR = [Trick.TWICE, Trick.BACKWARDS, Trick.LATE, Trick.MISSING]


@pytest.mark.parametrize("trick", MISBEHAVIOUR)
async def test_a_talk_is_told_alike_however_its_reports_come(floor: Floor, trick: Trick) -> None:
    floor.misbehave(trick, seconds=5)
    call = await floor.call()
    own, _ = await floor.talk()
    await asyncio.sleep(0.1)
    await floor.carrier.phones.hang_up(own.sid)

    async def ended() -> bool:
        await floor.sweep(call)
        return bool((await floor.show(call))["state"] == "ended")

    await eventually(ended)
    shown = await floor.show(call)
    assert shown["result"] == "answered"
    assert shown["seconds"] >= 1
    await asyncio.sleep(0.3)
    assert sorted(await floor.events(call)) == [
        ("Answered", None),
        ("CallEnded", "answered"),
        ("Called", None),
    ]


@pytest.mark.parametrize("trick", MISBEHAVIOUR)
async def test_nobody_answering_is_told_alike_however_its_reports_come(floor: Floor, trick: Trick) -> None:
    floor.misbehave(Trick.RINGS_OUT, to_ends=ANNA[-3:])
    floor.misbehave(trick, seconds=5)
    call = await floor.call()
    await floor.take_and_press()
    shown = await floor.reach(call, state="ended")
    assert shown["result"] == "no_answer"
    await asyncio.sleep(0.3)
    assert await floor.events(call) == [("Called", None), ("CallEnded", "no_answer")]


@pytest.mark.parametrize("trick", MISBEHAVIOUR)
async def test_a_phone_of_ours_that_nobody_takes_ends_however_its_reports_come(
    floor: Floor, trick: Trick
) -> None:
    floor.misbehave(trick, seconds=5)
    call = await floor.call()
    await floor.phone(ROSA, "ended")

    async def ended() -> bool:
        await floor.sweep(call)
        return bool((await floor.show(call))["state"] == "ended")

    await eventually(ended)
    assert (await floor.show(call))["result"] == "cancelled"


RULES = """
- name: send-the-offer
  when: TaskDone
  where: {field: event.outcome, is: reached}
  then:
    - open_task:
        kind: todo
        title: Send {contact.name} the offer
        assign: {team: Sales}
        decide_within: 4h
        due_within: 24h
- name: try-again
  when: CallEnded
  where:
    all:
      - {field: event.direction, is: out}
      - {field: event.result, is: no_answer}
  then:
    - open_task:
        kind: callback
        title: Try {contact.name} again
        assign: {team: Sales}
        decide_within: 4h
        due_within: 24h
"""


@pytest.mark.parametrize("trick", [None, *MISBEHAVIOUR])
async def test_the_outcome_of_a_callback_sets_a_rule_in_motion(floor: Floor, trick: Trick | None) -> None:
    await apply_rules(floor.pool, read_rules(RULES, file="rules.yaml"))
    if trick is not None:
        floor.misbehave(trick, seconds=5)
    task = await floor.house.task(floor.anna, assignee_id=floor.rosa, team_id=floor.team)
    assert (await floor.rep.call("POST", f"/tasks/{task}/moves", {"move": "accept"}))[0] == 200
    call = await floor.call(task_id=task)
    _, other = await floor.talk()
    await floor.carrier.phones.hang_up(other.sid)

    async def ended() -> bool:
        await floor.sweep(call)
        return bool((await floor.show(call))["state"] == "ended")

    await eventually(ended)
    outcome = {"result": (await floor.show(call))["suggested_outcome"], "note": "Wants the offer."}
    status, body = await floor.rep.call(
        "POST", f"/tasks/{task}/moves", {"move": "finish", "outcome": outcome}
    )
    assert (status, body["state"]) == (200, "done")
    await _route(floor.pool)
    titles = await floor.pool.fetch("SELECT title FROM tasks WHERE id <> $1", task)
    assert [row["title"] for row in titles] == ["Send Anna Dubreuil the offer"]


async def test_a_call_that_nobody_took_sets_a_rule_in_motion(floor: Floor) -> None:
    await apply_rules(floor.pool, read_rules(RULES, file="rules.yaml"))
    await floor.pool.execute("UPDATE contacts SET relation = 'customer'")  # may be called back
    floor.misbehave(Trick.RINGS_OUT, to_ends=ANNA[-3:])
    call = await floor.call()
    await floor.take_and_press()
    await floor.reach(call, state="ended")
    await _route(floor.pool)
    assert await floor.pool.fetchval("SELECT title FROM tasks") == "Try Anna Dubreuil again"


async def _route(pool: Pool) -> None:
    announcer = Announcer(pool)
    router = Router(pool, SystemClock(), announcer, RouterSettings())
    while await route_once(router):
        pass
    await announcer.close()


async def test_a_recorded_talk_is_announced_on_both_phones_and_kept(pool: Pool, database_url: str) -> None:
    async with open_floor(pool, database_url, record_talks=True) as floor:
        call = await floor.call()
        own = await floor.take(ROSA)
        await floor.hear(ROSA, "This call is recorded.")
        await floor.carrier.phones.press(own.sid, "1")
        other = await floor.take(ANNA)
        await floor.hear(ANNA, "This call is recorded.")
        await eventually(lambda: _peers(floor, own.sid))
        await floor.carrier.phones.speak(other.sid, "Good morning, Rosa")
        await asyncio.sleep(0.1)
        await floor.carrier.phones.hang_up(other.sid)
        assert (await floor.reach(call, state="ended"))["result"] == "answered"

        async def kept() -> object:
            return await pool.fetchval(
                "SELECT kind FROM recordings WHERE message_id = $1 AND delete_after > now()", call
            )

        assert await eventually(kept) == "talk"
        assert await pool.fetchval("SELECT announced FROM calls") is True


async def _peers(floor: Floor, sid: str) -> object:
    return floor.carrier.parts.switch.lines[sid].peers


async def test_forged_reports_change_nothing(floor: Floor) -> None:
    floor.misbehave(Trick.FORGED)
    call = await floor.call()
    await floor.phone(ROSA, "ended")
    assert (await floor.show(call))["state"] == "ringing_us"


async def test_the_cost_is_told_once_the_provider_knows_it(floor: Floor) -> None:
    call = await floor.call()
    own, _ = await floor.talk()
    await floor.carrier.phones.hang_up(own.sid)
    await floor.reach(call, state="ended")

    async def priced() -> bool:
        await floor.pool.execute("UPDATE call_legs SET price_at = now() WHERE price_at IS NOT NULL")
        await floor.prices.fetch_due()
        return (await floor.show(call))["price"] is not None

    await eventually(priced)
    shown = await floor.show(call)
    assert float(shown["price"]) < 0
    assert shown["currency"] == "USD"
    due = await floor.pool.fetchval("SELECT count(*) FROM call_legs WHERE price_at IS NOT NULL")
    assert due == 0


@pytest.mark.parametrize("trick", [Trick.KEPT, Trick.SILENT, Trick.GARBLED])
async def test_a_call_whose_answer_was_lost_is_settled_by_its_first_report(
    floor: Floor, trick: Trick
) -> None:
    floor.misbehave(trick, times=1, resource="calls", method="POST")
    placing = asyncio.create_task(floor.call())
    await floor.talk()  # the answer may still be waited for
    await floor.reach(await placing, state="talking")
    assert len(floor.placed) == 1


async def test_a_call_whose_answer_was_lost_is_found_in_the_providers_list(floor: Floor) -> None:
    floor.misbehave(Trick.MISSING)
    floor.misbehave(Trick.KEPT, times=1, resource="calls", method="POST")
    call = await floor.call()
    assert (await floor.show(call))["state"] == "unconfirmed"
    await floor.phone(ROSA, "ringing")
    await floor.sweep(call)
    assert (await floor.show(call))["state"] == "ringing_us"
    assert len(floor.placed) == 1


async def test_a_call_that_was_never_taken_is_given_up_in_the_end_and_not_placed_again(floor: Floor) -> None:
    floor.misbehave(Trick.LOST, times=1, resource="calls", method="POST")
    call = await floor.call()
    assert (await floor.show(call))["state"] in ("unconfirmed", "ended")
    for _ in range(14):
        await floor.sweep(call)
    shown = await floor.show(call)
    assert (shown["state"], shown["result"]) == ("ended", "failed")
    assert floor.placed == []
    assert await floor.events(call) == []


@pytest.mark.parametrize("trick", [Trick.SILENT, Trick.LOST])
async def test_a_process_that_is_killed_while_it_places_a_call_leaves_one_call_or_none(
    floor: Floor, database_url: str, trick: Trick
) -> None:
    floor.misbehave(Trick.MISSING)
    if trick is Trick.SILENT:  # taken, and no answer before the blow; else the blow comes before the request
        floor.misbehave(Trick.SILENT, times=1, resource="calls", method="POST")
    order = {
        "database_url": database_url,
        "base_url": floor.carrier.url if trick is Trick.SILENT else "http://127.0.0.1:9",
        "user_id": floor.rosa,
        "contact_id": floor.anna,
        "phone": ROSA,
        "ours": OURS,
        "theirs": ANNA,
        "patience": 30 if trick is Trick.LOST else 0,
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.flows.call_placer", json.dumps(order)
    )

    async def begun() -> object:
        if trick is Trick.SILENT:
            return floor.placed
        return await floor.pool.fetchval("SELECT message_id FROM calls")

    await eventually(begun)
    child.send_signal(signal.SIGKILL)
    await child.wait()
    call = await floor.pool.fetchval("SELECT message_id FROM calls")
    assert (await floor.show(call))["state"] == "placing"
    status, _ = await floor.rep.call("POST", "/calls", {"contact_id": floor.anna})
    assert status == 201  # the same call
    assert await floor.pool.fetchval("SELECT count(*) FROM calls") == 1
    await floor.sweep(call)
    if trick is Trick.SILENT:
        await floor.take_and_press()
        await floor.phone(ANNA, "ringing")
        assert len(floor.placed) == 1
        assert (await floor.show(call))["state"] == "ringing"
    else:
        assert floor.placed == []
        assert (await floor.show(call))["state"] == "unconfirmed"
        assert await floor.call() != call  # a person may call again, knowing


@pytest.mark.parametrize("trick", [Trick.BUSY_API, Trick.BROKEN_API])
async def test_a_provider_that_takes_no_calls_is_told_to_the_rep(floor: Floor, trick: Trick) -> None:
    floor.misbehave(trick, resource="calls", method="POST")
    status, _body = await floor.rep.call("POST", "/calls", {"contact_id": floor.anna})
    assert status in (201, 503)
    row = await floor.pool.fetchrow("SELECT state, result, trouble FROM calls")
    assert row is not None
    assert (row["state"], row["result"]) in [("ended", "failed"), ("unconfirmed", None)]
    assert row["trouble"]
    assert floor.placed == []
