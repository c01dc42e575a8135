"""Short messages in the console: their queue by number, their conversation, what became of ours."""

from __future__ import annotations

from storage.pool import Pool
from tests.web.house import House


async def test_a_queue_may_have_numbers(house: House, pool: Pool) -> None:
    manager = await house.signed_in("manager")
    await manager.get("/queues")
    status, made = await manager.call(
        "POST", "/queues", {"name": "Shop", "addresses": ["+33 6 39 98 00 99", "shop@hub.example"]}
    )
    assert status == 201
    kept = await pool.fetch("SELECT address FROM queue_addresses WHERE queue_id = $1 ORDER BY 1", made["id"])
    assert [row[0] for row in kept] == ["+33639980099", "shop@hub.example"]
    sender = await pool.fetchval("SELECT from_address FROM queues WHERE id = $1", made["id"])
    assert sender == "shop@hub.example"  # a number sends no mail
    status, problem = await manager.call("POST", "/queues", {"name": "Odd", "addresses": ["+33 1"]})
    assert status in (400, 422)
    assert "addresses[0]" in str(problem)


async def _text(pool: Pool, conversation: int, direction: str, words: str, **facts: str) -> int:
    number: int = await pool.fetchval(
        "INSERT INTO messages (direction, channel, conversation_id) VALUES ($1, 'sms', $2) RETURNING id",
        direction,
        conversation,
    )
    await pool.execute(
        "INSERT INTO message_contents (message_id, body, new_text) VALUES ($1, $2, $2)", number, words
    )
    await pool.execute(
        "INSERT INTO sms_facts (message_id, status, reason) VALUES ($1, $2, $3)",
        number,
        facts["status"],
        facts.get("reason"),
    )
    return number


async def test_a_conversation_of_short_messages_shows_what_became_of_ours(house: House, pool: Pool) -> None:
    queue = await pool.fetchval("INSERT INTO queues (name) VALUES ('Shop') RETURNING id")
    conversation = await pool.fetchval(
        "INSERT INTO conversations (queue_id, channel) VALUES ($1, 'sms') RETURNING id", queue
    )
    await _text(pool, conversation, "in", "Where is my parcel?", status="received")
    await _text(pool, conversation, "out", "On its way.", status="delivered")
    await _text(pool, conversation, "out", "It is there.", status="undelivered", reason="opted_out")
    for language, badge, why in (
        ("en", "delivered", "The person answered STOP"),
        ("fr", "remis", "La personne a répondu STOP"),
    ):
        visitor = await house.signed_in("manager", language, email=f"{language}@house.example")
        page = await visitor.get(f"/conversations/{conversation}")
        assert page.status == 200
        assert "Where is my parcel?" in page.words
        assert badge in page.words
        assert why in page.words
    received = page.words.partition("On its way.")[0]
    assert "remis" in received.partition("Where is my parcel?")[2]
