"""Unconfirmed deliveries through the API: listed, settled once, sent again only because a person says so."""

from __future__ import annotations

import pytest

from storage.pool import Pool
from tests.outbox.stock import stock_campaign
from tests.web.house import House
from tests.web.world import World, build_world
from web.access.sessions import make_api_token


@pytest.fixture
async def world(house: House, pool: Pool) -> World:
    """An organisation with something in every list."""
    return await build_world(pool)


async def test_a_person_settles_what_nobody_knows_the_end_of(house: House, pool: Pool, world: World) -> None:
    campaign_id = await stock_campaign(pool, 3, name="Lost")
    ids = [
        row["message_id"]
        for row in await pool.fetch(
            "UPDATE deliveries SET state = 'uncertain', reason = 'lease_expired', attempt = 1, settled_at = now()"
            " WHERE campaign_id = $1 RETURNING message_id",
            campaign_id,
        )
    ]
    headers = {"Authorization": f"Bearer {await make_api_token(pool, world.users['marketer'], 'x')}"}
    visitor = house.visitor()
    path = f"/campaigns/{campaign_id}/unconfirmed"
    status, page = await visitor.call("GET", f"{path}?limit=2", headers=headers)
    assert status == 200
    assert [one["message_id"] for one in page["items"]] == sorted(ids)[:2]
    status, rest = await visitor.call("GET", f"{path}?limit=2&after={page['next']}", headers=headers)
    assert [one["message_id"] for one in rest["items"]] == sorted(ids)[2:]
    for message_id, state in zip(ids, ("sent", "rejected", "queued"), strict=True):
        status, _ = await visitor.call("POST", f"{path}/{message_id}", {"state": state}, headers=headers)
        assert status == 204
        assert state == await pool.fetchval("SELECT state FROM deliveries WHERE message_id = $1", message_id)
    status, problem = await visitor.call("POST", f"{path}/{ids[0]}", {"state": "sent"}, headers=headers)
    assert (status, problem["type"]) == (409, "conflict")
    status, _ = await visitor.call(
        "POST", f"/campaigns/9999/unconfirmed/{ids[0]}", {"state": "sent"}, headers=headers
    )
    assert status == 404


async def test_a_campaign_s_page_asks_what_became_of_them(house: House, pool: Pool, world: World) -> None:
    campaign_id = await stock_campaign(pool, 3, name="Lost")
    ids = sorted(
        row["message_id"]
        for row in await pool.fetch(
            "UPDATE deliveries SET state = 'uncertain', reason = 'connection_lost', attempt = 1, settled_at = now()"
            " WHERE campaign_id = $1 RETURNING message_id",
            campaign_id,
        )
    )
    await pool.execute("UPDATE campaigns SET state = 'done', launched_at = now() WHERE id = $1", campaign_id)
    marketer = house.visitor()
    await marketer.sign_in("marketer@helianthe.example")
    page = await marketer.get(f"/campaigns/{campaign_id}")
    assert "Did these arrive?" in page.words
    assert "The connection broke." in page.words
    part = await marketer.get(f"/campaigns/{campaign_id}?part=report", headers={"X-Fragment": "1"})
    assert f'action="/campaigns/{campaign_id}/unconfirmed"' in part.text
    path = f"/campaigns/{campaign_id}/unconfirmed"
    for message_id, fate, said in zip(
        ids,
        ("sent", "rejected", "queued"),
        ("Noted: it arrived.", "Noted: it did not arrive.", "It is sent again"),
        strict=True,
    ):
        assert said in (await marketer.post(path, {"message": message_id, "fate": fate})).words
        assert fate == await pool.fetchval("SELECT state FROM deliveries WHERE message_id = $1", message_id)
    assert (await marketer.post(path, {"message": ids[0], "fate": "sent"})).status == 409
    assert (await marketer.post(path, {"message": ids[0], "fate": "odd"})).status == 422
    assert (await marketer.post(path, {"message": "9" * 5000, "fate": "sent"})).status == 422
    manager = house.visitor()
    await manager.sign_in("manager@helianthe.example")
    await manager.get("/")
    assert (await manager.post(path, {"message": ids[0], "fate": "sent"})).status == 403
