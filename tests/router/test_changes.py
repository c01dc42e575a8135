"""Rules write fields and tags, assign and escalate; each change is an event with old and new, and chains end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain.events import EventType
from router.backtest import backtest
from router.rule_files import InvalidRules, read_rules
from router.settings import RouterSettings
from tests.router.world import World


async def conversation(world: World, contact: int, **columns: Any) -> int:
    values = {"contact_id": contact} | columns
    places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
    id: int = await world.pool.fetchval(
        f"INSERT INTO conversations ({', '.join(values)}) VALUES ({places}) RETURNING id", *values.values()
    )
    return id


async def contact(world: World, id: int) -> Any:
    return await world.pool.fetchrow("SELECT * FROM contacts WHERE id = $1", id)


async def talk(world: World, id: int) -> Any:
    return await world.pool.fetchrow("SELECT * FROM conversations WHERE id = $1", id)


async def deeds(world: World) -> Any:
    return await world.pool.fetchval("SELECT deeds FROM rule_runs ORDER BY id DESC LIMIT 1")


SET = """
- name: buyers
  when: Received
  where: {field: event.data.bought, is: true}
  then:
    - set:
        contact.relation: customer
        contact.owner: paul@example.org
        contact.fields.last_amount: "{event.data.amount}"
        contact.fields.greeting: "Dear {contact.name}"
        conversation.priority: high
    - tag: [buyer, spring]
    - tag: {tags: order, of: conversation}
"""


async def test_a_rule_writes_fields_and_tags_and_tells_old_and_new(world: World) -> None:
    await world.apply(SET)
    ana = await world.contact(fields={"kept": 1})
    there = await conversation(world, ana)
    await world.tell(EventType.RECEIVED, ana, conversation_id=there, data={"bought": True, "amount": 12.5})
    await world.route()
    row = await contact(world, ana)
    assert (row["relation"], row["owner_id"]) == ("customer", world.paul)
    assert row["fields"] == {"kept": 1, "last_amount": 12.5, "greeting": "Dear Ana Sousa"}
    assert row["tags"] == ["buyer", "spring"]
    assert ((await talk(world, there))["priority"], (await talk(world, there))["tags"]) == ("high", ["order"])
    told = {event["data"]["field"]: event["data"] for event in await world.events(EventType.CHANGED)}
    assert (told["relation"]["old"], told["relation"]["new"]) == ("prospect", "customer")
    assert (told["fields.last_amount"]["old"], told["fields.last_amount"]["new"]) == (None, 12.5)
    assert (told["conversation.priority"]["old"], told["conversation.priority"]["new"]) == ("normal", "high")
    assert told["tags"]["rule"] == "buyers"


async def test_what_is_so_already_changes_nothing_and_tells_nothing(world: World) -> None:
    await world.apply(
        "- {name: a, when: Received, then: [{set: {contact.relation: prospect}}, {untag: old}]}"
    )
    ana = await world.contact()
    await world.tell(EventType.RECEIVED, ana)
    await world.route()
    assert await world.events(EventType.CHANGED) == []
    assert await world.runs() == [("a", "acted")]


async def test_of_several_events_at_once_each_change_follows_the_one_before(world: World) -> None:
    await world.apply('- {name: a, when: Received, then: [{set: {contact.fields.last: "{event.data.n}"}}]}')
    ana = await world.contact()
    for number in (1, 2, 3):
        await world.tell(EventType.RECEIVED, ana, data={"n": number})
    await world.route()
    steps = [(event["data"]["old"], event["data"]["new"]) for event in await world.events(EventType.CHANGED)]
    assert steps == [(None, 1), (1, 2), (2, 3)]
    assert (await contact(world, ana))["fields"] == {"last": 3}


async def test_tags_are_taken_off_again(world: World) -> None:
    await world.apply("- {name: a, when: Received, then: [{untag: [cold, never]}]}")
    ana = await world.contact(tags=["cold", "vip"])
    await world.tell(EventType.RECEIVED, ana)
    await world.route()
    assert (await contact(world, ana))["tags"] == ["vip"]


async def test_a_rule_closes_a_conversation_and_opens_it_again(world: World) -> None:
    await world.apply(
        "- {name: close, when: Received, then: [{set: {conversation.state: closed}}]}\n"
        "- {name: open, when: Noted, then: [{set: {conversation.state: open}}]}"
    )
    ana = await world.contact()
    there = await conversation(world, ana)
    await world.tell(EventType.RECEIVED, ana, conversation_id=there)
    await world.route()
    closed = await talk(world, there)
    assert (closed["state"], closed["closed_at"], closed["waiting_since"]) == (
        "closed",
        world.clock.now(),
        None,
    )
    await world.tell(EventType.NOTED, ana, conversation_id=there)
    await world.route()
    assert ((await talk(world, there))["state"], (await talk(world, there))["closed_at"]) == ("open", None)
    assert len(await world.events(EventType.CONVERSATION_CLOSED)) == 1
    assert len(await world.events(EventType.CONVERSATION_REOPENED)) == 1


async def test_an_event_without_a_conversation_says_so_in_the_log(world: World) -> None:
    await world.apply("- {name: a, when: Received, then: [{set: {conversation.priority: high}}]}")
    await world.tell(EventType.RECEIVED, await world.contact())
    await world.route()
    assert await deeds(world) == [
        {"action": "set", "state": "nothing", "reason": "the event has no conversation"}
    ]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("{contact.id: 3}", "contact.id cannot be written by a rule"),
        ("{contact.relation: friend}", "contact.relation is never 'friend'"),
        ("{contact.country: France}", "write two letters"),
        ("{contact.timezone: Paris}", "is no time zone"),
        ("{contact.owner: nobody@example.org}", "there is no person 'nobody@example.org'"),
        ('{contact.fields.x: "{contact.nam}"}', "there is no field contact.nam"),
    ],
)
async def test_what_no_rule_may_write_is_refused_with_the_remedy(
    world: World, written: str, problem: str
) -> None:
    with pytest.raises(InvalidRules, match=problem.replace(".", r"\.")):
        await world.apply(f"- {{name: a, when: Received, then: [{{set: {written}}}]}}")


async def test_rules_that_change_the_field_that_they_look_at_are_a_circle(world: World) -> None:
    with pytest.raises(InvalidRules, match="sets itself off again"):
        await world.apply(
            "- {name: a, when: Changed, where: {field: event.field, is: relation},"
            " then: [{set: {contact.relation: customer}}]}"
        )


async def test_rules_that_change_another_field_than_they_look_at_are_none(world: World) -> None:
    await world.apply(
        "- {name: a, when: Changed, where: {field: event.field, is: relation}, then: [{tag: changed}]}"
    )
    ana = await world.contact()
    await world.tell(EventType.CHANGED, ana, data={"field": "relation", "old": "prospect", "new": "customer"})
    await world.route()
    assert (await contact(world, ana))["tags"] == ["changed"]


async def test_rules_that_change_back_and_forth_end_after_the_longest_chain(world: World) -> None:
    world.router.settings = RouterSettings(longest_chain=3)
    await world.apply(
        "- {name: a, when: Received, once: contact, then: [{set: {contact.fields.n: 1}}]}\n"
        "- {name: b, when: Changed, where: {field: event.new, is: 1}, once: {key: '{event.id}'},"
        " then: [{set: {contact.fields.n: 2}}]}\n"
        "- {name: c, when: Changed, where: {field: event.new, is: 2}, once: {key: '{event.id}'},"
        " then: [{set: {contact.fields.n: 1}}]}"
    )
    await world.tell(EventType.RECEIVED, await world.contact())
    await world.route()
    assert len(await world.events(EventType.CHANGED)) == 3
    assert any("the chain ends here" in (reason or "") for reason in await world.reasons())


async def test_a_conversation_goes_to_the_owner_or_else_to_whoever_has_least_to_do(world: World) -> None:
    await world.apply("- {name: a, when: Received, then: [{assign: {owner: true, team: sales}}]}")
    owned = await world.contact(owner_id=world.zoe)
    theirs = await conversation(world, owned)
    await conversation(world, owned, assignee_id=world.claire)
    strangers = [await world.contact(owner_id=None) for _ in range(3)]
    talks = [await conversation(world, stranger) for stranger in strangers]
    await world.tell(EventType.RECEIVED, owned, conversation_id=theirs)
    for stranger, there in zip(strangers, talks, strict=True):
        await world.tell(EventType.RECEIVED, stranger, conversation_id=there)
    await world.route()
    assert (await talk(world, theirs))["assignee_id"] == world.zoe
    given = {(await talk(world, there))["assignee_id"] for there in talks}
    assert given == {world.claire, world.paul, world.mona} or given == {world.paul, world.mona}
    assert len(await world.events(EventType.CONVERSATION_ASSIGNED)) == 4


async def test_a_confidential_conversation_goes_to_its_own_people_only(world: World) -> None:
    await world.apply(
        "- {name: a, when: Received, where: {field: conversation.queue, is: HR}, then: [{assign: zoe@example.org}]}\n"
        "- {name: b, when: Noted, where: {field: conversation.queue, is: HR},"
        " then: [{assign: {person: zoe@example.org, team: sales}}]}"
    )
    queue = await world.pool.fetchval(
        "INSERT INTO queues (name, team_id, confidential) VALUES ('HR', $1, true) RETURNING id", world.sales
    )
    ana = await world.contact()
    there = await conversation(world, ana, queue_id=queue)
    await world.tell(EventType.RECEIVED, ana, conversation_id=there)
    await world.route()
    assert (await talk(world, there))["assignee_id"] is None
    [deed] = await deeds(world)
    assert deed["state"] == "failed"
    assert "confidential" in deed["reason"]
    await world.tell(EventType.NOTED, ana, conversation_id=there)
    await world.route()
    assert (await talk(world, there))["assignee_id"] in (world.claire, world.paul, world.mona)


async def test_an_escalated_task_goes_to_the_manager_of_its_team(world: World) -> None:
    await world.apply(
        "- {name: ask, when: Opened, then: [{open_task: {kind: callback, title: Call, assign: {team: sales}}}]}\n"
        "- {name: help, when: TaskDeclined, then: [{escalate: true}]}"
    )
    ana = await world.contact()
    await world.hit(ana)
    await world.route()
    [task] = await world.tasks()
    await world.tell(EventType.TASK_DECLINED, ana, task_id=task["id"])
    await world.route()
    [task] = await world.tasks()
    assert (task["state"], task["assignee_id"]) == ("escalated", world.mona)
    offers = await world.pool.fetch(
        "SELECT user_id, state FROM task_offers WHERE task_id = $1 ORDER BY id", task["id"]
    )
    assert tuple(offers[-1]) == (world.mona, "offered")
    assert [offer["state"] for offer in offers].count("offered") == 1
    [event] = await world.events(EventType.TASK_ESCALATED)
    assert (event["data"]["to"], event["data"]["rule"]) == (world.mona, "help")


async def test_an_escalated_conversation_goes_to_the_manager_with_high_priority(world: World) -> None:
    await world.apply("- {name: a, when: Received, then: [{escalate: {}}]}")
    queue = await world.pool.fetchval(
        "INSERT INTO queues (name, team_id) VALUES ('Sales', $1) RETURNING id", world.sales
    )
    ana = await world.contact()
    there = await conversation(world, ana, queue_id=queue)
    await world.tell(EventType.RECEIVED, ana, conversation_id=there)
    await world.route()
    row = await talk(world, there)
    assert (row["assignee_id"], row["priority"]) == (world.mona, "high")


async def test_an_owner_who_left_makes_the_action_fail_and_it_is_done_when_they_are_back(
    world: World,
) -> None:
    await world.apply("- {name: a, when: Received, then: [{set: {contact.owner: paul@example.org}}]}")
    await world.pool.execute("UPDATE users SET active = false WHERE id = $1", world.paul)
    ana = await world.contact()
    await world.tell(EventType.RECEIVED, ana)
    await world.route()
    [deed] = await deeds(world)
    assert deed["state"] == "failed"
    await world.pool.execute("UPDATE rule_deeds SET due_at = now()")
    await world.pass_time(timedelta(minutes=1))
    assert await world.pool.fetchval("SELECT attempts FROM rule_deeds") == 2
    await world.pool.execute("UPDATE users SET active = true WHERE id = $1", world.paul)
    await world.pool.execute("UPDATE rule_deeds SET due_at = now()")
    await world.pass_time(timedelta(minutes=1))
    assert (await contact(world, ana))["owner_id"] == world.paul
    assert await deeds(world) == [{"action": "set", "state": "done"}]


async def test_the_test_on_the_past_shows_what_would_be_written_and_sees_the_tags_of_that_time(
    world: World,
) -> None:
    ana = await world.contact()
    await world.apply("- {name: a, when: Received, then: [{tag: vip}]}")
    begun = world.clock.now()
    await world.tell(EventType.RECEIVED, ana)
    world.clock.advance(timedelta(hours=1))
    await world.route()
    world.clock.advance(timedelta(hours=1))
    draft = read_rules(
        "- {name: b, when: Received, unless: {field: contact.tags, is: vip},"
        " then: [{set: {contact.relation: customer}}, {tag: met}, {assign: owner}, {escalate: true}]}",
        file="b.yaml",
    )
    trial = await backtest(
        world.pool, [one.rule for one in draft], begun, world.clock.now(), RouterSettings()
    )
    assert [(one.action, one.words) for one in trial.draft.shown] == [
        ("set", "contact.relation: customer"),
        ("tag", "contact: met"),
        ("assign", "the contact's owner"),
        ("escalate", "the supervisor"),
    ]
