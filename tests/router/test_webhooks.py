"""Webhooks of rules: signed, at least once under one id, tried again with growing waits, never to addresses inside."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from channels.http.hooks import Hooks, read_secret, write_secret
from channels.http.public import is_allowed, read_networks
from domain.events import EventType
from router.backtest import backtest
from router.errands.webhook import WebhookErrand
from router.performing import Performer
from router.rule_files import InvalidRules, read_rules
from router.settings import RouterSettings, WebhookSettings
from tests.router.receiver import Receiver, open_receiver
from tests.router.world import World

SECRET = b"s" * 32
RULE = """
- name: tell
  when: Received
  then:
    - webhook: {url: "%s/hook", data: {who: "{contact.name}"}}
    - note: told
"""


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as opened:
        yield opened


_OPENED: list[Hooks] = []


@pytest.fixture(autouse=True)
async def close_hooks() -> AsyncIterator[None]:
    yield
    while _OPENED:
        await _OPENED.pop().close()


def performer(world: World, *, allowed: tuple[str, ...] = ("127.0.0.1",), timeout: float = 5.0) -> Performer:
    settings = RouterSettings(webhooks=WebhookSettings(timeout=timeout, allowed=allowed))
    hooks = Hooks(SECRET, read_networks(allowed), timeout, 4)
    _OPENED.append(hooks)
    return Performer(
        world.pool, world.clock, world.router.announcer, settings, outside={"webhook": WebhookErrand(hooks)}
    )


async def state(world: World) -> Any:
    return await world.pool.fetchrow(
        "SELECT state, attempts, trouble, due_at - now() AS wait FROM rule_deeds"
    )


async def log(world: World) -> Any:
    return (await world.pool.fetchval("SELECT deeds FROM rule_runs ORDER BY id DESC LIMIT 1"))[0]


async def due_now(world: World) -> None:
    await world.pool.execute("UPDATE rule_deeds SET due_at = now() WHERE state = 'due'")


async def fire(world: World, receiver: Receiver) -> int:
    await world.apply(RULE % receiver.url)
    ana = await world.contact()
    event = await world.tell(EventType.RECEIVED, ana, data={"mailbox": "sales@example.org"})
    await world.route()
    return event


async def test_a_webhook_is_posted_after_the_commit_with_a_signed_body(
    world: World, receiver: Receiver
) -> None:
    event = await fire(world, receiver)
    assert receiver.requests == []
    assert (await log(world))["state"] == "under way"
    await performer(world).perform_outside()
    [(headers, body)] = receiver.requests
    said = json.loads(body)
    assert (said["rule"], said["event"]["id"], said["event"]["type"]) == ("tell", event, "Received")
    assert (said["data"], said["event"]["data"]["mailbox"]) == ({"who": "Ana Sousa"}, "sales@example.org")
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["idempotency-key"] == f'"{headers["webhook-id"]}"'
    assert (await state(world))["state"] == "done"
    assert (await log(world))["state"] == "done"


async def test_a_failed_webhook_is_posted_again_under_the_same_id_with_growing_waits(
    world: World, receiver: Receiver
) -> None:
    await fire(world, receiver)
    receiver.answers = [(500, {}), (503, {"Retry-After": "3600"})]
    doer = performer(world)
    await doer.perform_outside()
    first = await state(world)
    assert (first["state"], first["attempts"]) == ("due", 1)
    assert timedelta(seconds=50) < first["wait"] <= timedelta(minutes=1)
    assert (await log(world))["reason"] == "The receiver answered 500: so it is"
    await doer.perform_outside()
    assert len(receiver.requests) == 1  # not due yet
    await due_now(world)
    await doer.perform_outside()
    assert (await state(world))["wait"] > timedelta(minutes=55)
    await due_now(world)
    await doer.perform_outside()
    assert (await state(world))["state"] == "done"
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 1


async def test_a_webhook_that_nobody_takes_ends_in_the_list_of_failures(
    world: World, receiver: Receiver
) -> None:
    await fire(world, receiver)
    receiver.answers = [(500, {})] * 9
    doer = performer(world)
    for _ in range(8):
        await doer.perform_outside()
        await due_now(world)
    assert ((await state(world))["state"], (await state(world))["attempts"]) == ("failed", 5)
    assert (await log(world))["state"] == "failed"
    assert len(receiver.requests) == 5


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(world: World, receiver: Receiver, status: int) -> None:
    await fire(world, receiver)
    receiver.answers = [(status, {"Location": f"{receiver.url}/elsewhere"})]
    await performer(world).perform_outside()
    assert len(receiver.requests) == 1
    assert "redirects are not followed" in (await state(world))["trouble"]


async def test_a_receiver_that_is_gone_is_not_asked_again(world: World, receiver: Receiver) -> None:
    await fire(world, receiver)
    receiver.answers = [(410, {})]
    await performer(world).perform_outside()
    assert ((await state(world))["state"], (await state(world))["attempts"]) == ("failed", 1)


async def test_a_slow_receiver_counts_as_a_failure(world: World, receiver: Receiver) -> None:
    await fire(world, receiver)
    receiver.delay = 2.0
    await performer(world, timeout=0.2).perform_outside()
    assert (await state(world))["trouble"] == "The receiver did not answer in time."


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"])
async def test_an_address_inside_is_refused_for_good(world: World, receiver: Receiver, host: str) -> None:
    port = receiver.url.rpartition(":")[2]
    await world.apply(f"- {{name: tell, when: Received, then: [{{webhook: 'http://{host}:{port}/'}}]}}")
    await world.tell(EventType.RECEIVED, await world.contact())
    await world.route()
    await performer(world, allowed=()).perform_outside()
    row = await state(world)
    assert row["state"] == "failed"
    assert "router.webhooks.allowed" in row["trouble"]
    assert receiver.requests == []


async def test_an_address_that_is_written_oddly_leads_nowhere(world: World, receiver: Receiver) -> None:
    port = receiver.url.rpartition(":")[2]
    await world.apply(f"- {{name: tell, when: Received, then: [{{webhook: 'http://127.1:{port}/'}}]}}")
    await world.tell(EventType.RECEIVED, await world.contact())
    await world.route()
    await performer(world).perform_outside()
    assert (await state(world))["state"] == "failed"
    assert receiver.requests == []


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "127.9.9.9", "224.0.0.1",
     "255.255.255.255", "198.18.0.1", "::", "::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:10.0.0.1",
     "64:ff9b::a00:1", "2002:0a00:0001::1", "2001:db8::1", "not an address"],
)  # fmt: skip
def test_no_address_inside_is_taken_for_a_public_one(address: str) -> None:
    assert not is_allowed(address, ())


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"]
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(address, ())


def test_the_settings_allow_a_network_inside_and_nothing_else() -> None:
    allowed = read_networks(["10.1.0.0/16"])
    assert is_allowed("10.1.2.3", allowed)
    assert is_allowed("::ffff:10.1.2.3", allowed)
    assert not is_allowed("10.2.0.1", allowed)


def test_a_secret_reads_back_as_it_was_written() -> None:
    assert read_secret(write_secret(SECRET)) == SECRET
    with pytest.raises(ValueError, match="24 to 64"):
        read_secret("whsec_c2hvcnQ=")


async def test_what_is_confidential_is_told_to_nobody_outside(world: World, receiver: Receiver) -> None:
    await world.apply(RULE % receiver.url)
    ana = await world.contact()
    queue = await world.pool.fetchval(
        "INSERT INTO queues (name, confidential) VALUES ('HR', true) RETURNING id"
    )
    there = await world.pool.fetchval(
        "INSERT INTO conversations (contact_id, queue_id) VALUES ($1, $2) RETURNING id", ana, queue
    )
    await world.tell(EventType.RECEIVED, ana, conversation_id=there)
    await world.pool.execute("UPDATE queues SET confidential = false")
    await world.route()
    await world.pool.execute("UPDATE queues SET confidential = true")
    await performer(world).perform_outside()
    assert receiver.requests == []
    assert (await log(world))["state"] == "nothing"
    assert "confidential" in (await log(world))["reason"]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("ftp://example.org", "no address of the web"),
        ("https://u:p@example.org/", "no names or passwords"),
        ("'https://example.org/{contact.name}'", "shows no fields"),
        ("{url: https://example.org, data: {a: '{contact.nam}'}}", "there is no field contact.nam"),
    ],
)
async def test_a_webhook_that_cannot_work_is_refused(world: World, written: str, problem: str) -> None:
    with pytest.raises(InvalidRules, match=problem):
        await world.apply(f"- {{name: a, when: Received, then: [{{webhook: {written}}}]}}")


async def test_the_test_on_the_past_posts_nothing_and_shows_who_would_be_told(
    world: World, receiver: Receiver
) -> None:
    begun = world.clock.now()
    await world.tell(EventType.RECEIVED, await world.contact())
    world.clock.advance(timedelta(hours=1))
    rules = [one.rule for one in read_rules(RULE % "https://crm.example.org", file="r.yaml")]
    trial = await backtest(world.pool, rules, begun, world.clock.now(), RouterSettings())
    assert (trial.draft.shown[0].action, trial.draft.shown[0].words) == ("webhook", "crm.example.org")
    assert await world.pool.fetchval("SELECT count(*) FROM rule_deeds") == 0


async def _start(database_url: str) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.router.errand_process",
        database_url,
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    return process


async def test_a_webhook_whose_process_is_killed_is_posted_again_under_the_same_id(
    world: World, receiver: Receiver, database_url: str
) -> None:
    receiver.delay = 20.0
    await fire(world, receiver)
    process = await _start(database_url)
    try:
        await asyncio.wait_for(receiver.arrived.wait(), 20)
    finally:
        process.send_signal(signal.SIGKILL)
        await process.communicate()
    assert ((await state(world))["state"], (await state(world))["attempts"]) == ("due", 1)
    receiver.delay = 0.0
    doer = performer(world)
    await doer.perform_outside()
    assert len(receiver.requests) == 1  # the claim of the dead process still runs
    await due_now(world)  # it has run out
    await doer.perform_outside()
    first, second = (headers["webhook-id"] for headers, _ in receiver.requests)
    assert first == second
    assert (await state(world))["state"] == "done"
    assert await world.pool.fetchval("SELECT count(*) FROM events WHERE type = 'Noted'") == 1


async def test_two_performers_side_by_side_post_each_webhook_once(world: World, receiver: Receiver) -> None:
    await world.apply(RULE % receiver.url)
    for number in range(30):
        await world.tell(EventType.RECEIVED, await world.contact(f"Contact {number}"))
    await world.route()

    async def work(doer: Performer) -> None:
        while await world.pool.fetchval("SELECT count(*) FROM rule_deeds WHERE state = 'due'"):
            await doer.perform_outside()

    await asyncio.wait_for(asyncio.gather(work(performer(world)), work(performer(world))), 30)
    ids = [headers["webhook-id"] for headers, _ in receiver.requests]
    assert len(ids) == len(set(ids)) == 30


async def test_a_late_result_of_an_older_claim_changes_nothing(world: World, receiver: Receiver) -> None:
    await fire(world, receiver)
    receiver.delay = 0.5
    slow = asyncio.create_task(performer(world).perform_outside())
    await asyncio.wait_for(receiver.arrived.wait(), 10)
    await world.pool.execute(
        "UPDATE rule_deeds SET attempts = attempts + 1, due_at = now() + interval '1 hour'"
    )
    await slow
    assert ((await state(world))["state"], (await state(world))["attempts"]) == ("due", 2)
