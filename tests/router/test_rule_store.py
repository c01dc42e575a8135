"""Applying rules: versions, switching off, and what the router is interested in."""

from __future__ import annotations

import asyncio

import pytest

from router.closing import LOOKED_AT
from router.rule_files import InvalidRules, read_rules
from router.rule_store import RulesDiff, apply_rules, diff_rules
from router.rulebook import load_rule_book
from tests.router.world import CALLBACK, World

NOTE = "- {name: notes, when: [Received, Noted], once: contact, then: [{note: hello}]}\n"


async def stored(world: World) -> list[tuple[str, int, bool]]:
    rows = await world.pool.fetch("SELECT name, version, active FROM rules ORDER BY name, version")
    return [tuple(row) for row in rows]


async def interests(world: World) -> list[str]:
    """What rules look at, besides what closes tasks, which is looked at always."""
    rows = await world.pool.fetch("SELECT type FROM router_interests ORDER BY type")
    types = [row["type"] for row in rows]
    assert set(types) >= set(LOOKED_AT)
    return [type for type in types if type not in LOOKED_AT]


async def test_only_a_changed_definition_makes_a_new_version(world: World) -> None:
    assert await world.apply(CALLBACK + NOTE) == RulesDiff(added=("call-openers", "notes"))
    assert (await world.apply(CALLBACK + NOTE)).empty
    assert await world.apply(CALLBACK.replace("30d", "60d") + NOTE) == RulesDiff(
        changed=("call-openers",), unchanged=("notes",)
    )
    assert await stored(world) == [("call-openers", 1, False), ("call-openers", 2, True), ("notes", 1, True)]


async def test_what_is_no_longer_in_the_file_is_switched_off_and_kept(world: World) -> None:
    await world.apply(CALLBACK + NOTE)
    assert await interests(world) == ["Clicked", "Noted", "Opened", "Received"]
    assert await world.apply(NOTE) == RulesDiff(removed=("call-openers",), unchanged=("notes",))
    assert await stored(world) == [("call-openers", 1, False), ("notes", 1, True)]
    assert await interests(world) == ["Noted", "Received"]
    assert await world.apply(CALLBACK + NOTE) == RulesDiff(
        switched_on=("call-openers",), unchanged=("notes",)
    )
    assert await interests(world) == ["Clicked", "Noted", "Opened", "Received"]


async def test_switching_a_rule_off_is_no_new_version(world: World) -> None:
    await world.apply(NOTE)
    off = NOTE.replace("{name", "{active: false, name")
    assert await diff_rules(world.pool, read_rules(off)) == RulesDiff(switched_off=("notes",))
    assert await stored(world) == [("notes", 1, True)]  # a diff changes nothing
    await world.apply(off)
    assert await stored(world) == [("notes", 1, False)]
    assert await interests(world) == []
    assert (await world.apply(off)).empty


async def test_unsound_rules_change_nothing(world: World) -> None:
    await world.apply(NOTE)
    with pytest.raises(InvalidRules, match="there is no team 'salez'"):
        await world.apply(NOTE.replace("hello", "bye") + CALLBACK.replace("sales}", "salez}"))
    assert await stored(world) == [("notes", 1, True)]


async def test_two_who_apply_at_once_take_turns(world: World) -> None:
    texts = [NOTE.replace("hello", f"hello {number}") for number in range(8)]
    await asyncio.gather(*(apply_rules(world.pool, read_rules(text)) for text in texts))
    rows = await stored(world)
    assert [row[1] for row in rows] == list(range(1, 9))
    assert [row[2] for row in rows].count(True) == 1


async def test_a_stored_rule_that_cannot_be_read_is_left_out(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.apply(CALLBACK + NOTE)
    await world.pool.execute("UPDATE rules SET definition = '{\"name\": \"notes\"}' WHERE name = 'notes'")
    async with world.pool.acquire() as connection:
        book = await load_rule_book(connection)
    assert [rule.name for rule in book.rules] == ["call-openers"]
    assert "rule notes version 1 cannot be used" in caplog.text


async def test_an_event_meets_only_the_rules_for_its_type_and_campaign(world: World) -> None:
    by_id = f"- {{name: by-id, when: Opened, where: {{field: event.campaign_id, is: {world.spring}}}, then: [{{note: x}}]}}\n"
    either = (
        "- {name: either, when: [Opened, Received], where: {all: [{field: contact.country, is: FR},"
        " {field: campaign.name, in: [SPRING letter, Autumn letter]}]}, then: [{note: x}]}\n"
    )
    free = "- {name: free, when: Opened, where: {any: [{field: campaign.name, is: Autumn letter}]}, then: [{note: x}]}\n"
    await world.apply(by_id + either + free + CALLBACK)
    async with world.pool.acquire() as connection:
        book = await load_rule_book(connection)

    def names(kind: str, id: int | None, name: str = "") -> list[str]:
        campaign = None if id is None else {"id": id, "name": name}
        return [rule.name for rule in book.candidates(kind, campaign)]

    assert names("Opened", world.spring, "Spring letter") == ["by-id", "call-openers", "either", "free"]
    assert names("Opened", world.autumn, "Autumn letter") == ["either", "free"]
    assert names("Opened", None) == ["free"]
    assert names("Received", world.spring, "Spring letter") == ["either"]
    assert names("Sent", world.spring, "Spring letter") == []
