"""Mails of other programs: one mail per key whatever happens, every attempt told, nobody else's mails seen."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections import Counter
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest

from storage.pool import Pool
from tests.outbox.post import make_postman
from tests.outbox.stock import ObedientChannel, run_until
from tests.web.house import House
from tests.web.world import World, build_world
from web.access.sessions import make_api_token

MAIL: dict[str, Any] = {
    "from": "Shop <shop@helianthe.example>",
    "to": ["Ada <ada@example.net>"],
    "subject": "Your order",
    "text": "It is on its way.",
    "html": "<p>It is on its way.</p>",
    "attachments": [
        {
            "name": "Rechnung für Ada.pdf",
            "media_type": "application/pdf",
            "content": b64encode(b"%PDF").decode(),
        }
    ],
}


@pytest.fixture
async def world(house: House, pool: Pool) -> World:
    """An organisation with something in every list."""
    return await build_world(pool)


class Program:
    """A program that calls the API with a token of its own."""

    def __init__(self, house: House, secret: str) -> None:
        self._visitor = house.visitor()
        self._secret = secret

    async def call(self, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self._secret}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self._visitor.call(method, path, body, headers=headers)


async def program(house: House, pool: Pool, world: World, role: str = "administrator") -> Program:
    return Program(house, await make_api_token(pool, world.users[role], "shop"))


async def test_a_mail_is_sent_and_tells_every_attempt(house: House, pool: Pool, world: World) -> None:
    shop = await program(house, pool, world)
    status, written = await shop.call("POST", "/messages", {**MAIL, "cc": ["bob@example.net"]}, "order-1")
    assert status == 201
    assert [one["state"] for one in written["recipients"]] == ["queued", "queued"]
    channel = ObedientChannel()

    async def sent() -> bool:
        return len(channel.taken) == 2

    await run_until(make_postman(pool, channel, house.context.stationery), sent)
    status, found = await shop.call("GET", f"/messages/{written['id']}")
    assert status == 200
    assert [one["address"] for one in found["recipients"]] == ["ada@example.net", "bob@example.net"]
    assert [
        (attempt["number"], attempt["state"], attempt["reply"])
        for one in found["recipients"]
        for attempt in one["attempts"]
    ] == [(1, "sent", "250 ok")] * 2
    assert b"Your order" in channel.taken[0].content


async def test_the_same_key_and_request_give_one_mail_and_one_answer(
    house: House, pool: Pool, world: World
) -> None:
    shop = await program(house, pool, world)
    answers = [await shop.call("POST", "/messages", MAIL, "order-1") for _ in range(3)]
    assert answers[0][0] == 201
    assert answers[1:] == answers[:1] * 2
    assert await shop.call("POST", "/messages", MAIL, '"order-1"') == answers[0]
    assert await pool.fetchval("SELECT count(*) FROM letters") == 1


async def test_twins_at_the_same_moment_give_one_mail(house: House, pool: Pool, world: World) -> None:
    programs = [await program(house, pool, world) for _ in range(3)]
    answers = await asyncio.gather(
        *(programs[number % 3].call("POST", "/messages", MAIL, f"order-{number % 4}") for number in range(24))
    )
    assert {status for status, _ in answers} == {201}
    assert sorted(Counter(answer["id"] for _, answer in answers).values()) == [6] * 4
    assert await pool.fetchval("SELECT count(*) FROM letters") == 4


async def test_the_order_of_names_makes_no_other_request(house: House, pool: Pool, world: World) -> None:
    shop = await program(house, pool, world)
    mail = {**MAIL, "headers": {"X-Order": "1", "X-Shop": "2"}}
    first = await shop.call("POST", "/messages", mail, "order-1")
    turned = dict(reversed({**mail, "headers": {"X-Shop": "2", "X-Order": "1"}}.items()))
    assert await shop.call("POST", "/messages", turned, "order-1") == first


@pytest.mark.parametrize(
    "changes",
    [
        {"text": "half of a character: \ud800"},
        {"headers": {"X-A": "\ud800"}, "to": ["\ud800 <ada@example.net>"]},
        {"not_before": "0001-01-01T00:00:00+14:00"},
        {"attachments": [{"name": "\0", "content": "", "media_type": "\0/x"}]},
    ],
)
async def test_odd_requests_are_no_fault_of_ours(
    house: House, pool: Pool, world: World, changes: dict[str, Any]
) -> None:
    status, _ = await (await program(house, pool, world)).call("POST", "/messages", {**MAIL, **changes}, "k")
    assert status == 201


async def test_a_hundred_recipients_are_told_apart(house: House, pool: Pool, world: World) -> None:
    shop = await program(house, pool, world)
    people = [f"person{number}@example.net" for number in range(100)]
    status, written = await shop.call(
        "POST", "/messages", {**MAIL, "to": people[:60], "bcc": people[60:]}, "k"
    )
    assert (status, [one["address"] for one in written["recipients"]]) == (201, people)


async def test_a_key_of_another_request_is_refused(house: House, pool: Pool, world: World) -> None:
    shop = await program(house, pool, world)
    await shop.call("POST", "/messages", MAIL, "order-1")
    status, problem = await shop.call("POST", "/messages", {**MAIL, "subject": "Other"}, "order-1")
    assert (status, problem["field"]) == (422, "Idempotency-Key")
    assert problem["remedy"]
    assert await pool.fetchval("SELECT count(*) FROM letters") == 1


async def test_each_program_has_keys_of_its_own(house: House, pool: Pool, world: World) -> None:
    for role in ("administrator", "manager"):
        status, _ = await (await program(house, pool, world, role)).call("POST", "/messages", MAIL, "order-1")
        assert status == 201
    assert await pool.fetchval("SELECT count(*) FROM letters") == 2


async def test_a_refused_request_leaves_its_key_free(house: House, pool: Pool, world: World) -> None:
    shop = await program(house, pool, world)
    status, _ = await shop.call(
        "POST", "/messages", {**MAIL, "headers": {"Bcc": "eve@example.net"}}, "order-1"
    )
    assert status == 422
    status, _ = await shop.call("POST", "/messages", MAIL, "order-1")
    assert status == 201


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"to": []}, "to"),
        ({"to": ["nobody"]}, "to[0]"),
        ({"to": ["Ada <ada@example.net>, eve@example.net"]}, "to[0]"),  # or Eve would not get it
        ({"to": ["ada@example.net", "eve@example.net bob@example.net"]}, "to[1]"),
        ({"from": "shop@helianthe.example, boss@helianthe.example"}, "from"),
        ({"attachments": [{"name": "a", "content": "", "content_id": "x\0y"}], "html": ""}, "attachments"),
        ({"not_before": "9999-12-31T23:59:59-14:00"}, "not_before"),
        ({"from": "shop"}, "from"),
        ({"text": "", "html": ""}, "text"),
        ({"attachments": [{"name": "a", "content": "***"}]}, "attachments[0].content"),
        ({"headers": {"Subject": "x"}}, "headers"),
        ({"colour": "blue"}, "colour"),
        ({"not_before": "tomorrow"}, "not_before"),
        ({"in_reply_to": "a b"}, "in_reply_to"),
    ],
)
async def test_what_is_wrong_is_named_with_its_remedy(
    house: House, pool: Pool, world: World, changes: dict[str, Any], field: str
) -> None:
    status, problem = await (await program(house, pool, world)).call(
        "POST", "/messages", {**MAIL, **changes}, "k"
    )
    assert (status, problem["field"]) == (422, field)
    assert problem["remedy"]


@pytest.mark.parametrize("key", [None, "", "x" * 256])
async def test_a_mail_without_a_key_is_refused(
    house: House, pool: Pool, world: World, key: str | None
) -> None:
    status, problem = await (await program(house, pool, world)).call("POST", "/messages", MAIL, key)
    assert (status, problem["field"]) == (422, "Idempotency-Key")


async def test_a_file_of_ten_megabytes_may_be_sent(house: House, pool: Pool, world: World) -> None:
    files = [{"name": "big", "content": b64encode(bytes(10_000_000)).decode()}]
    secret = await make_api_token(pool, world.users["administrator"], "shop")
    async with house.visitor().session.post(
        f"{house.url}/api/v1/messages",
        data=BytesIO(json.dumps({**MAIL, "attachments": files}).encode()),
        headers={
            "Authorization": f"Bearer {secret}",
            "Idempotency-Key": "k",
            "Content-Type": "application/json",
        },
    ) as response:
        assert response.status == 201


async def test_a_mail_can_be_called_back_before_its_time(house: House, pool: Pool, world: World) -> None:
    shop = await program(house, pool, world)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    _, written = await shop.call("POST", "/messages", {**MAIL, "not_before": later}, "k")
    status, called_back = await shop.call("POST", f"/messages/{written['id']}/cancel")
    assert (status, called_back["recipients"][0]["state"]) == (200, "cancelled")
    status, problem = await shop.call("POST", f"/messages/{written['id']}/cancel")
    assert (status, problem["type"]) == (409, "conflict")


async def test_nobody_sees_the_mails_of_others_or_of_conversations(
    house: House, pool: Pool, world: World
) -> None:
    shop = await program(house, pool, world)
    _, written = await shop.call("POST", "/messages", MAIL, "k")
    other = await program(house, pool, world, "manager")
    assert (await other.call("GET", f"/messages/{written['id']}"))[0] == 404
    assert (await other.call("POST", f"/messages/{written['id']}/cancel"))[0] == 404
    await pool.execute("UPDATE letters SET kind = 'answer'")
    assert (await shop.call("GET", f"/messages/{written['id']}"))[0] == 404


async def test_programs_write_only_from_addresses_that_are_allowed(
    house: House, pool: Pool, world: World
) -> None:
    settings = house.context.kitchen.settings.model_copy(
        update={"senders": ("Helianthe.example", "Müller.example")}
    )
    house.context.kitchen._settings = settings
    shop = await program(house, pool, world)
    assert (await shop.call("POST", "/messages", MAIL, "k"))[0] == 201
    status, problem = await shop.call("POST", "/messages", {**MAIL, "from": "x@other.example"}, "l")
    assert (status, problem["field"]) == (422, "from")
    assert (await shop.call("POST", "/messages", {**MAIL, "from": "x@xn--mller-kva.example"}, "l"))[0] == 201
