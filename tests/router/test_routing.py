"""Behaviour becomes work: events through rules to tasks, on a real database."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.events import EventType
from router.loop import Router, route_once
from router.settings import RouterSettings
from router.tasks import get_task
from storage.announce import Announcer
from tests.router.world import CALLBACK, MONDAY, World


async def test_an_open_judged_human_becomes_a_callback_task_for_the_owner(world: World) -> None:
    await world.apply(CALLBACK)
    ana = await world.contact("Ana Sousa")
    event = await world.hit(ana)
    assert await world.route() == 1
    (task,) = await world.tasks()
    assert (task["kind"], task["title"]) == ("callback", "Call Ana Sousa about Spring letter")
    assert (task["state"], task["assignee_id"], task["team_id"]) == ("offered", world.claire, world.sales)
    assert (task["contact_id"], task["campaign_id"], task["event_id"]) == (ana, world.spring, event)
    assert task["decide_by"] == datetime(
        2026, 3, 2, 14, 30, tzinfo=UTC
    )  # 10:00 + 4 h around the midday break, in Paris
    (opened,) = await world.events(EventType.TASK_OPENED)
    assert (opened["contact_id"], opened["task_id"]) == (ana, task["id"])
    assert opened["data"]["rule"] == "call-openers"
    assert await world.runs() == [("call-openers", "acted")]


async def test_the_log_says_why_a_task_exists(world: World) -> None:
    await world.apply(CALLBACK)
    event = await world.hit(await world.contact())
    await world.route()
    (row,) = await world.tasks()
    task, why = await get_task(world.pool, row["id"])
    assert why is not None
    assert (why.rule, why.rule_version, why.event_id, why.event_type) == ("call-openers", 1, event, "Opened")
    assert why.matched == {"campaign.name": "Spring letter", "event.verdict": "human"}
    assert (task.rule_name, task.assignee_name, task.contact_name) == ("call-openers", "Claire", "Ana Sousa")


async def test_a_contact_without_an_active_owner_goes_to_the_team(world: World) -> None:
    await world.apply(CALLBACK)
    await world.pool.execute("UPDATE users SET active = false WHERE id = $1", world.paul)
    await world.hit(await world.contact("No Owner", owner_id=None))
    await world.hit(await world.contact("Owner Left", owner_id=world.paul))
    await world.route()
    assert [(task["assignee_id"], task["team_id"]) for task in await world.tasks()] == [
        (None, world.sales)
    ] * 2


@pytest.mark.parametrize("verdict", ["machine", "unsure"])
async def test_hits_not_judged_human_make_no_task_and_the_log_says_so(world: World, verdict: str) -> None:
    await world.apply(CALLBACK)
    await world.hit(await world.contact(), verdict=verdict)
    await world.route()
    assert await world.tasks() == []
    assert await world.runs() == [("call-openers", "refused")]
    assert await world.reasons() == [f"judged {verdict}"]


async def test_other_campaigns_and_other_types_leave_no_trace(world: World) -> None:
    await world.apply(CALLBACK)
    ana = await world.contact()
    await world.hit(ana, campaign=world.autumn)
    await world.hit(ana, type=EventType.DOWNLOADED)
    assert await world.route() == 1  # nobody is interested in downloads, so they were never pending
    assert await world.runs() == []


async def test_an_event_delivered_twice_acts_once(world: World) -> None:
    await world.apply(CALLBACK.replace("once: {per: [contact, campaign], within: 30d}", ""))
    event = await world.hit(await world.contact())
    await world.pool.execute("CREATE TABLE again AS SELECT * FROM pending_events")
    await world.route()
    await world.pool.execute("INSERT INTO pending_events SELECT * FROM again")
    assert await world.route() == 1
    assert len(await world.tasks()) == 1
    assert len(await world.events(EventType.TASK_OPENED)) == 1
    assert await world.runs() == [("call-openers", "acted"), ("call-openers", "repeated")]
    assert await world.reasons() == [None, "it acted on this event before"]
    assert event


async def test_a_rule_acts_once_for_a_contact_and_campaign_until_the_time_is_over(world: World) -> None:
    await world.apply(CALLBACK)
    ana, ben = await world.contact(), await world.contact("Ben Okri")
    await world.hit(ana)
    await world.hit(ana, type=EventType.CLICKED)
    await world.hit(ben)
    await world.route()
    await world.hit(ana, type=EventType.CLICKED)
    await world.route()
    assert [task["contact_id"] for task in await world.tasks()] == [ana, ben]
    world.clock.advance(timedelta(days=30))
    await world.hit(ana)
    await world.hit(ana)
    await world.route()
    assert [task["contact_id"] for task in await world.tasks()] == [ana, ben, ana]
    assert [result for _, result in await world.runs()].count("repeated") == 3


async def test_two_routers_at_once_do_everything_exactly_once(world: World) -> None:
    await world.apply(
        CALLBACK.replace("[contact, campaign]", "campaign")  # one episode over all lanes
        + CALLBACK.replace("call-openers", "each-open").replace(
            "once: {per: [contact, campaign], within: 30d}", ""
        )
    )
    contacts = [await world.contact(f"Contact {number}") for number in range(40)]
    for _ in range(3):
        for contact in contacts:
            await world.hit(contact)
    settings = RouterSettings(batch=7, lanes_at_once=3)
    routers = [Router(world.pool, world.clock, Announcer(world.pool), settings) for _ in range(4)]

    async def drain(router: Router) -> int:
        total = 0
        while await world.pool.fetchval("SELECT count(*) FROM pending_events"):
            total += await route_once(router)
        return total

    counts = await asyncio.gather(*(drain(router) for router in routers))
    assert sum(counts) == 120
    by_rule = await world.pool.fetch(
        "SELECT name, count(*) FROM tasks JOIN rules ON rules.id = rule_id GROUP BY name ORDER BY name"
    )
    assert [tuple(row) for row in by_rule] == [("call-openers", 1), ("each-open", 120)]
    for router in routers:
        await router.announcer.close()


async def test_events_of_a_contact_are_routed_in_their_order(world: World) -> None:
    await world.apply(
        "- name: log-clicks\n  when: [Clicked]\n  judged: any\n  then: [{note: 'link {event.link_no}'}]\n"
    )
    contacts = [await world.contact(f"Contact {number}") for number in range(5)]
    for number in range(30):
        for contact in contacts:
            await world.hit(contact, type=EventType.CLICKED, link_no=number)
    settings = RouterSettings(batch=11, lanes_at_once=2)
    routers = [Router(world.pool, world.clock, Announcer(world.pool), settings) for _ in range(3)]

    async def drain(router: Router) -> None:
        while await world.pool.fetchval("SELECT count(*) FROM pending_events"):
            await route_once(router)

    await asyncio.gather(*(drain(router) for router in routers))
    for contact in contacts:
        rows = await world.pool.fetch(
            "SELECT body FROM events JOIN event_texts ON event_id = id WHERE type = 'Noted' AND contact_id = $1"
            " ORDER BY id",
            contact,
        )
        assert [row["body"] for row in rows] == [f"link {number}" for number in range(30)]
    for router in routers:
        await router.announcer.close()


async def test_a_merged_contacts_events_become_tasks_of_the_one_it_lives_on_in(world: World) -> None:
    await world.apply(CALLBACK)
    ana, double = await world.contact("Ana Sousa"), await world.contact("A. Sousa")
    await world.hit(double)
    await world.pool.execute("INSERT INTO contact_aliases (old_id, contact_id) VALUES ($1, $2)", double, ana)
    await world.pool.execute("DELETE FROM contacts WHERE id = $1", double)
    await world.hit(ana)
    await world.route()
    (task,) = await world.tasks()
    assert task["contact_id"] == ana


async def test_rules_ask_about_messages_consents_history_and_addresses(world: World) -> None:
    await world.apply(
        """
- name: warm-callback
  when: Clicked
  where:
    all:
      - {field: message.channel, is: mail}
      - {field: contact.email_domain, is: acme.example}
      - {consent: calls}
      - {did: Opened, where: {field: campaign.name, is: Autumn letter}, judged: human, within: 90d}
  then:
    - open_task: {kind: callback, title: "Call {contact.email} ({contact.phone|no phone})", assign: {team: sales}}
"""
    )
    ana = await world.contact()
    await world.pool.execute(
        "INSERT INTO messages (id, direction, channel) OVERRIDING SYSTEM VALUE VALUES ($1, 'out', 'mail')",
        1000 + ana,
    )
    await world.pool.execute(
        "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'mail', 'ana@acme.example', '')",
        ana,
    )
    await world.hit(ana, type=EventType.CLICKED)
    await world.route()
    assert await world.tasks() == []
    await world.pool.execute(
        "INSERT INTO consents (contact_id, purpose, state, since) VALUES ($1, 'calls', 'granted', now())", ana
    )
    await world.hit(ana, type=EventType.OPENED, campaign=world.autumn)
    await world.hit(ana, type=EventType.CLICKED)
    await world.route()
    (task,) = await world.tasks()
    assert task["title"] == "Call ana@acme.example (no phone)"


async def test_new_rules_are_used_from_the_next_event_on(world: World) -> None:
    await world.apply(CALLBACK)
    ana = await world.contact()
    await world.hit(ana, type=EventType.DOWNLOADED)
    await world.route()
    await world.apply("- {name: downloads, when: Downloaded, then: [{note: brochure}]}")
    await world.hit(ana, type=EventType.DOWNLOADED)
    await world.hit(ana)  # the rule for opens is gone
    await world.route()
    assert await world.runs() == [("downloads", "acted")]
    assert await world.tasks() == []


async def test_rules_that_set_each_other_off_end_after_some_steps_and_say_so(world: World) -> None:
    await world.pool.execute("INSERT INTO router_interests VALUES ('Opened'), ('TaskOpened')")
    await world.apply(
        """
- name: first
  when: [Opened]
  then: [{open_task: {kind: todo, title: one, assign: {team: sales}}}]
- name: second
  when: [TaskOpened]
  where: {field: event.kind, is: todo}
  then: [{note: seen}]
"""
    )
    circle = {
        "name": "second",
        "when": ["TaskOpened"],
        "then": [{"open_task": {"kind": "todo", "title": "again", "assign": {"team": "sales"}}}],
    }
    # a circle that the check refuses, put in behind its back
    await world.pool.execute("UPDATE rules SET definition = $1 WHERE name = 'second'", circle)
    await world.hit(await world.contact())
    await world.route()
    assert [task["title"] for task in await world.tasks()] == ["one", "again", "again", "again", "again"]
    assert (await world.runs())[-1] == ("second", "refused")
    assert (await world.reasons())[-1] == "5 rules set each other off in a row; the chain ends here"


async def test_one_poisonous_event_does_not_block_its_lane(world: World) -> None:
    await world.apply(CALLBACK)
    await world.pool.execute(
        """
        CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN IF NEW.title LIKE '%Poison%' THEN RAISE EXCEPTION 'poison'; END IF; RETURN NEW; END$$
        """
    )
    await world.pool.execute(
        "CREATE TRIGGER poison BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION poison()"
    )
    await world.contact("Poison", id=320)
    await world.contact("Good", id=640)
    await world.hit(320)
    await world.hit(640)  # the same lane, behind the poison
    assert await world.route() == 2
    assert [task["contact_id"] for task in await world.tasks()] == [640]
    assert sorted(result for _, result in await world.runs()) == ["acted", "failed"]
    for _ in range(10):
        await world.pass_time(timedelta(days=1))
    failed = [row for row in await world.runs() if row[1] == "failed"]
    assert len(failed) == 5  # tried five times, then left in the list
    assert await world.pool.fetchval("SELECT count(*) FROM timers WHERE kind = 'retry'") == 0
    assert await world.pool.fetchval("SELECT count(*) FROM rule_episodes") == 1


async def test_a_failing_rule_acts_once_its_cause_is_mended(world: World) -> None:
    await world.apply(CALLBACK)
    await world.pool.execute("UPDATE teams SET name = 'vente' WHERE id = $1", world.sales)
    await world.hit(await world.contact())
    await world.route()
    assert await world.runs() == [("call-openers", "failed")]
    assert "There is no team 'sales' any more" in str((await world.reasons())[0])
    await world.pool.execute("UPDATE teams SET name = 'sales' WHERE id = $1", world.sales)
    await world.pass_time(timedelta(minutes=2))
    assert len(await world.tasks()) == 1
    assert await world.runs() == [("call-openers", "failed"), ("call-openers", "acted")]


async def test_a_rule_that_breaks_leaves_the_others_alone(world: World) -> None:
    await world.apply(CALLBACK + CALLBACK.replace("call-openers", "second-rule"))
    await world.hit(await world.contact())
    book = world.router.book
    assert not book.rules
    await world.route()
    ana = await world.contact("Ana")

    def broken(facts: object) -> bool:
        raise ZeroDivisionError("a bug")

    rules = world.router.book.rules
    world.router.book.__init__(  # type: ignore[misc]
        [replace(rules[0], where=broken), rules[1]], world.router.book.version
    )
    await world.hit(ana)
    await world.route()
    assert (await world.runs())[2:] == [("call-openers", "failed"), ("second-rule", "acted")]
    assert (await world.reasons())[2] == "ZeroDivisionError: a bug"


async def test_a_team_without_hours_works_those_of_the_settings(world: World) -> None:
    await world.pool.execute("UPDATE teams SET hours = '{}'::jsonb")
    await world.apply(CALLBACK)
    await world.hit(await world.contact())
    await world.route()
    (task,) = await world.tasks()
    assert task["decide_by"] > MONDAY + timedelta(hours=4)
