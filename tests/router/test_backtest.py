"""A test on the past: it finds what was done, with what was known then, and changes nothing."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from domain.events import EventType
from router.backtest import Trial, backtest
from router.rule_files import read_rules
from tests.router.world import CALLBACK, MONDAY, World

_TABLES = ("events", "tasks", "rule_runs", "timers", "rule_episodes", "pending_events", "rule_deeds")


async def tried(world: World, text: str, days: int = 30, **options: Any) -> Trial:
    before = [await world.pool.fetchval(f"SELECT count(*) FROM {table}") for table in _TABLES]
    trial = await backtest(
        world.pool,
        [written.rule for written in read_rules(text)],
        MONDAY - timedelta(days=1),
        MONDAY + timedelta(days=days),
        world.router.settings,
        **options,
    )
    after = [await world.pool.fetchval(f"SELECT count(*) FROM {table}") for table in _TABLES]
    assert before == after
    return trial


MIXED = (
    CALLBACK
    + """
- name: silent
  when: {event: Opened, without: Clicked, within: 24h, same: campaign}
  where: {field: contact.country, is: FR}
  once: {per: contact, within: 2d}
  then: [{note: "{contact.name} did not click"}]
- name: wait-and-see
  when: Clicked
  hold: 3h
  unless: {did: Granted, within: 1d}
  then: [{open_task: {kind: todo, title: "Look at {contact.name}", assign: {team: sales}}}]
- name: at-night
  when: Granted
  where: {not: {working_time: sales}}
  then: [{note: night}]
- name: contract
  when: {moment: contact.fields.contract_end, before: 2d}
  then: [{note: ends}]
- name: newsletter-only
  when: Opened
  priority: 5
  stop: true
  where: {all: [{consent: newsletter}, {field: contact.name, starts_with: A}]}
  then: [{note: reader}]
"""
)


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6, 7, 8])
async def test_the_past_through_the_same_rules_gives_what_was_done(world: World, seed: int) -> None:
    dice = random.Random(seed)
    await world.apply(MIXED)
    people = [
        await world.contact(name, country=country, fields={"contract_end": f"2026-03-{day:02}"})
        for name, country, day in (("Ana", "FR", 7), ("Bo", "FR", 20), ("Abe", "DE", 9), ("Cy", "FR", 30))
    ]
    for _ in range(60):
        person = dice.choice(people)
        match dice.randrange(7):
            case 0 | 1:
                await world.hit(person, verdict=dice.choice(["human", "human", "machine"]))
            case 2 | 3:
                await world.hit(person, type=EventType.CLICKED)
            case 4:
                await world.tell(EventType.GRANTED, person)
            case 5:
                state = dice.choice(["granted", "withdrawn"])
                await world.consent(person, "newsletter", state)
                await world.pool.execute(
                    "INSERT INTO consent_ledger (contact_id, purpose, state, wording, source, occurred_at)"
                    " VALUES ($1, 'newsletter', $2, $3, '', $4)",
                    person, state, str(dice.random()), world.clock.now(),
                )  # fmt: skip
            case 6:
                old = await world.pool.fetchval("SELECT country FROM contacts WHERE id = $1", person)
                new = dice.choice(["FR", "DE"])
                await world.pool.execute("UPDATE contacts SET country = $2 WHERE id = $1", person, new)
                await world.tell(EventType.CHANGED, person, data={"field": "country", "old": old, "new": new})
        await world.route()
        await _live_on(world, timedelta(minutes=dice.randrange(1, 400)))
    await _live_on(world, timedelta(days=3))
    end = (world.clock.now() - MONDAY).days + 1
    # The consents of the world's contacts are no entries of the ledger; here they are.
    await world.pool.execute(
        "INSERT INTO consent_ledger (contact_id, purpose, state, wording, source, occurred_at)"
        " SELECT contact_id, purpose, 'granted', 'w', '', $1 FROM consents WHERE purpose = 'measure'",
        MONDAY - timedelta(days=2),
    )
    done = {
        row["name"]: row["count"]
        for row in await world.pool.fetch(
            "SELECT r.name, count(*) FROM rule_runs n JOIN rules r ON r.id = n.rule_id"
            " WHERE n.result = 'acted' GROUP BY r.name"
        )
    }
    trial = await tried(world, MIXED, end)
    assert len(done) >= 4
    assert dict(trial.draft.by_rule) == done
    assert trial.draft.by_rule == trial.active.by_rule


async def test_a_new_rule_stands_beside_nothing_and_a_changed_one_beside_its_active_version(
    world: World,
) -> None:
    await world.apply(CALLBACK)
    for name in ("Ana", "Bo"):
        await world.hit(await world.contact(name))
    await world.hit(await world.contact("Cy"), type=EventType.CLICKED)
    await world.route()
    await _believe(world)
    narrower = CALLBACK.replace("[Opened, Clicked]", "Clicked")
    trial = await tried(world, narrower + narrower.replace("call-openers", "another"))
    assert (trial.draft.by_rule["call-openers"], trial.active.by_rule["call-openers"]) == (1, 3)
    assert (trial.draft.by_rule["another"], trial.active.by_rule["another"]) == (1, 0)
    assert {would.words for would in trial.draft.shown} == {"Call Cy about Spring letter"}
    assert trial.active.busiest() == [(world.claire, None, 3.0, 3)]
    assert trial.names[world.claire]


async def test_what_a_contact_allowed_and_was_then_counts_not_what_it_is_now(world: World) -> None:
    ana = await world.contact(country="FR")
    await _believe(world)
    await world.hit(ana)
    world.clock.advance(timedelta(hours=1))
    await world.pool.execute("UPDATE contacts SET country = 'DE' WHERE id = $1", ana)
    await world.tell(EventType.CHANGED, ana, data={"field": "country", "old": "FR", "new": "DE"})
    await world.consent(ana, "measure", "withdrawn")
    await world.pool.execute(
        "INSERT INTO consent_ledger (contact_id, purpose, state, wording, source, occurred_at)"
        " VALUES ($1, 'measure', 'withdrawn', '', '', $2)",
        ana,
        world.clock.now(),
    )
    world.clock.advance(timedelta(hours=1))
    await world.hit(ana)
    french = "- {name: french, when: Opened, where: {field: contact.country, is: FR}, then: [{note: x}]}\n"
    german = french.replace("french", "german").replace("FR", "DE")
    trial = await tried(world, french + german)
    assert trial.draft.by_rule == {"french": 1}  # the German one is refused: by then measuring was withdrawn
    assert trial.draft.results == {"acted": 1, "refused": 1}


async def test_events_of_confidential_queues_are_tried_only_for_who_may_see_them(world: World) -> None:
    queue = await world.pool.fetchval(
        "INSERT INTO queues (name, confidential) VALUES ('HR', true) RETURNING id"
    )
    talk = await world.pool.fetchval("INSERT INTO conversations (queue_id) VALUES ($1) RETURNING id", queue)
    await world.tell(EventType.RECEIVED, await world.contact(), conversation_id=talk)
    rule = "- {name: any, when: Received, then: [{note: x}]}\n"
    assert (await tried(world, rule)).events == 0
    assert (await tried(world, rule, may_see=[queue])).events == 1


async def test_progress_is_told_and_a_long_past_is_read_in_batches(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.backtest._BATCH", 3)
    ana = await world.contact()
    for _ in range(8):
        await world.tell(EventType.GRANTED, ana)
    told: list[tuple[int, int]] = []

    async def progress(done: int, total: int) -> None:
        told.append((done, total))

    trial = await tried(
        world, "- {name: any, when: Granted, once: contact, then: [{note: x}]}\n", progress=progress
    )
    assert told == [(3, 8), (6, 8), (8, 8)]
    assert trial.draft.results == {"acted": 1, "repeated": 7}


async def _live_on(world: World, by: timedelta) -> None:
    """Let time pass as it does: whatever is due is done at its moment."""
    end = world.clock.now() + by
    while (
        due := await world.pool.fetchval("SELECT min(due_at) FROM timers WHERE due_at <= $1", end)
    ) is not None:
        await world.pass_time(max(due - world.clock.now(), timedelta()))
    await world.pass_time(end - world.clock.now())


async def _believe(world: World) -> None:
    """What the world's contacts allow stands in the ledger, too."""
    await world.pool.execute(
        "INSERT INTO consent_ledger (contact_id, purpose, state, wording, source, occurred_at)"
        " SELECT contact_id, purpose, state, '', '', $1 FROM consents",
        MONDAY - timedelta(days=2),
    )
