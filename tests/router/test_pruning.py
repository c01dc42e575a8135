"""What is forgotten of what rules did: episodes that can keep no rule from acting any more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from router.pruning import forget_episodes, lasting, prune
from router.settings import RouterSettings
from tests.router.world import World

RULES = """
- name: per-event
  when: Opened
  then: [{note: opened}]
- name: per-contact
  when: Opened
  once: contact
  then: [{note: first}]
- name: within-a-month
  when: Opened
  once: {per: contact, within: 30d}
  then: [{note: now and then}]
- name: within-years
  when: Opened
  once: {key: "a:{contact.name}", within: 1000d}
  then: [{note: seldom}]
"""
YEAR = timedelta(days=365)


async def left(world: World) -> set[str]:
    rows = await world.pool.fetch("SELECT DISTINCT split_part(key, ':', 1) AS rule FROM rule_episodes")
    return {row["rule"] for row in rows}


async def act(world: World, contact: int) -> int:
    """An open that the rules answer; gives how many of them acted."""
    before: int = await world.pool.fetchval("SELECT count(*) FROM rule_runs WHERE result = 'acted'")
    await world.hit(contact)
    await world.route()
    after: int = await world.pool.fetchval("SELECT count(*) FROM rule_runs WHERE result = 'acted'")
    return after - before


async def test_errands_that_are_done_are_forgotten_and_failed_ones_stay(world: World) -> None:
    for state, days in (("done", 100), ("given_up", 100), ("failed", 100), ("done", 10)):
        await world.pool.execute(
            "INSERT INTO rule_deeds (key, rule_id, event_id, event_recorded_at, number, action, state, due_at, settled_at)"
            " VALUES ($1, 1, 1, now(), 0, 'send', $2, now(), now() - make_interval(days => $3))",
            f"{state} {days}",
            state,
            days,
        )
    await prune(world.pool, world.clock.now(), world.router.settings)
    left = {row["key"] for row in await world.pool.fetch("SELECT key FROM rule_deeds")}
    assert left == {"failed 100", "done 10"}


async def test_old_episodes_go_unless_they_hold_for_ever_or_longer(world: World) -> None:
    await world.apply(RULES)
    contact = await world.contact()
    assert await act(world, contact) == 4
    everything = {"per-event", "per-contact", "within-a-month", "within-years"}
    assert await forget_episodes(world.pool, world.clock.now() + YEAR - timedelta(seconds=1), YEAR) == 0
    assert await left(world) == everything
    assert await forget_episodes(world.pool, world.clock.now() + YEAR + timedelta(seconds=1), YEAR) == 2
    assert await left(world) == {"per-contact", "within-years"}
    assert await forget_episodes(world.pool, world.clock.now() + timedelta(days=1001), YEAR) == 1
    assert await left(world) == {"per-contact"}


async def test_a_rule_that_acts_once_for_ever_does_so_also_after_a_pause(world: World) -> None:
    await world.apply(RULES)
    contact = await world.contact()
    await act(world, contact)
    await world.apply("[]")
    world.clock.advance(timedelta(days=2000))
    settings = RouterSettings(episodes_kept=365)
    assert not await prune(world.pool, world.clock.now(), settings)
    await world.apply(RULES)
    assert await act(world, contact) == 3


async def test_nothing_is_forgotten_when_the_settings_say_so(world: World) -> None:
    await world.apply(RULES)
    await act(world, await world.contact())
    assert not await prune(world.pool, world.clock.now() + 20 * YEAR, RouterSettings(episodes_kept=0))
    assert len(await left(world)) == 4


@pytest.mark.parametrize(
    ("once", "expected"),
    [
        (None, timedelta()),
        ("contact", None),
        ({"per": ["contact"]}, None),
        ({"per": ["contact"], "within": "30d"}, timedelta(days=30)),
    ],
)
def test_how_long_an_episode_matters(once: object, expected: timedelta | None) -> None:
    assert lasting(once) == expected
