"""Rules move conversations to queues: by what a mail says of itself, and only to queues that exist."""

from __future__ import annotations

from typing import Any

import pytest

from domain.events import EventType
from router.rule_checks import check_rules
from router.rule_files import InvalidRules, read_rules
from tests.router.world import World

FORGED = """
- name: set-forged-mail-apart
  when: Received
  where:
    all:
      - {field: event.mailbox, is: sales@example.org}
      - {field: event.dmarc, is: fail}
  then:
    - route: Suspicious
"""


async def make_queue(world: World, name: str) -> int:
    id: int = await world.pool.fetchval("INSERT INTO queues (name) VALUES ($1) RETURNING id", name)
    return id


async def receive(world: World, queue: int, **data: Any) -> int:
    """A conversation in a queue whose mail was just told; gives its number."""
    contact = await world.contact()
    id: int = await world.pool.fetchval(
        "INSERT INTO conversations (contact_id, queue_id, assignee_id) VALUES ($1, $2, $3) RETURNING id",
        contact,
        queue,
        world.claire,
    )
    await world.tell(EventType.RECEIVED, contact, conversation_id=id, data=data)
    return id


async def where(world: World, conversation: int) -> Any:
    return await world.pool.fetchrow("SELECT * FROM conversations WHERE id = $1", conversation)


async def test_mail_to_sales_whose_dmarc_failed_goes_to_another_queue(world: World) -> None:
    sales, suspicious = await make_queue(world, "Sales"), await make_queue(world, "Suspicious")
    await world.apply(FORGED)
    forged = await receive(world, sales, mailbox="sales@example.org", dmarc="fail")
    good = await receive(world, sales, mailbox="sales@example.org", dmarc="pass")
    elsewhere = await receive(world, sales, mailbox="help@example.org", dmarc="fail")
    await world.route()
    moved = await where(world, forged)
    assert (moved["queue_id"], moved["assignee_id"]) == (suspicious, None)
    assert [(await where(world, one))["queue_id"] for one in (good, elsewhere)] == [sales, sales]
    [event] = await world.events(EventType.CONVERSATION_MOVED)
    assert (event["conversation_id"], event["data"]["old"], event["data"]["new"]) == (
        forged,
        sales,
        suspicious,
    )
    assert event["data"]["rule"] == "set-forged-mail-apart"


async def test_a_conversation_that_is_in_the_queue_already_is_left_as_it_is(world: World) -> None:
    suspicious = await make_queue(world, "Suspicious")
    await world.apply(FORGED)
    conversation = await receive(world, suspicious, mailbox="sales@example.org", dmarc="fail")
    await world.route()
    assert (await where(world, conversation))["assignee_id"] == world.claire
    assert await world.events(EventType.CONVERSATION_MOVED) == []


async def test_of_two_rules_the_last_one_decides(world: World) -> None:
    sales = await make_queue(world, "Sales")
    first, last = await make_queue(world, "A"), await make_queue(world, "B")
    await world.apply(
        "- {name: a, when: Received, then: [{route: A}]}\n- {name: b, when: Received, then: [{route: {queue: B}}]}"
    )
    conversation = await receive(world, sales)
    await world.route()
    assert (await where(world, conversation))["queue_id"] == last != first


async def test_a_rule_that_names_no_queue_of_the_house_is_refused_with_an_offer(world: World) -> None:
    await make_queue(world, "Suspicious")
    with pytest.raises(InvalidRules, match="Did you mean 'Suspicious'"):
        await world.apply(FORGED.replace("Suspicious", "Suspicous"))


async def test_a_word_that_no_check_ever_says_is_refused(world: World) -> None:
    rules = read_rules(FORGED.replace("is: fail", "is: failed"), file="rules.yaml")
    [problem] = await check_rules(None, rules)
    assert "event.dmarc is never 'failed'" in str(problem)


async def test_an_event_without_a_conversation_moves_nothing(world: World) -> None:
    await make_queue(world, "A")
    await world.apply("- {name: a, when: Received, then: [{route: A}]}")
    await world.tell(EventType.RECEIVED, await world.contact(), data={})
    await world.route()
    assert await world.events(EventType.CONVERSATION_MOVED) == []
