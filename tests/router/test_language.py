"""What rules can say: priorities, a time in which they hold, what did not happen, lists, words, working time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.events import EventType
from router.rule_checks import check_rule
from router.rule_files import InvalidRules, read_rules
from tests.router.world import HOURS, World

NOTE = '  then: [{note: "%s"}]\n'


def a_rule(name: str, keys: str) -> str:
    return f"- name: {name}\n" + "".join(f"  {line}\n" for line in keys.strip().splitlines()) + NOTE % name


async def notes(world: World) -> list[str]:
    rows = await world.pool.fetch(
        "SELECT data ->> 'rule' AS rule FROM events WHERE type = 'Noted' ORDER BY id"
    )
    return [row["rule"] for row in rows]


async def test_rules_of_a_higher_priority_come_first_and_may_be_the_last(world: World) -> None:
    await world.apply(
        a_rule("a-general", "when: Opened")
        + a_rule(
            "b-important", "when: Opened\npriority: 10\nstop: true\nwhere: {field: contact.name, is: Vera}"
        )
        + a_rule("c-first", "when: Opened\npriority: 20")
    )
    await world.hit(await world.contact("Ana"))
    await world.route()
    assert await notes(world) == ["c-first", "a-general"]
    await world.hit(await world.contact("Vera"))
    await world.route()
    assert await notes(world) == ["c-first", "a-general", "c-first", "b-important"]


async def test_a_rule_holds_only_in_its_time(world: World) -> None:
    await world.apply(
        a_rule("spring", "when: Granted\nvalid: {from: 2026-03-03, to: 2026-03-05}\nonce: contact")
    )
    for _ in range(5):
        await world.tell(EventType.GRANTED, await world.contact())
        await world.route()
        world.clock.advance(timedelta(days=1))
    assert len(await notes(world)) == 2  # on the 3rd and on the 4th


async def test_what_waits_when_the_time_of_a_rule_ends_is_not_done(world: World) -> None:
    await world.apply(a_rule("short", "when: Granted\nhold: 3d\nvalid: {to: 2026-03-04}"))
    await world.tell(EventType.GRANTED, await world.contact())
    await world.route()
    await world.pass_time(timedelta(days=4))
    assert await notes(world) == []
    assert (await world.reasons())[-1] == "the time of the rule is over"


@pytest.mark.parametrize(
    ("campaign", "after", "verdict", "noted"),
    [
        ("spring", timedelta(hours=3), "human", False),
        ("autumn", timedelta(hours=3), "human", True),
        ("spring", timedelta(hours=3), "machine", True),
        ("spring", timedelta(hours=25), "human", True),
    ],
)
async def test_an_open_without_a_click_within_a_day(
    world: World, campaign: str, after: timedelta, verdict: str, noted: bool
) -> None:
    await world.apply(
        a_rule("silent", "when: {event: Opened, without: Clicked, within: 24h, same: campaign}")
    )
    ana = await world.contact()
    await world.hit(ana)
    await world.route()
    await world.pass_time(after)
    await world.hit(ana, type=EventType.CLICKED, campaign=getattr(world, campaign), verdict=verdict)
    await world.pass_time(timedelta(days=1))
    assert (await notes(world) == ["silent"]) is noted


async def test_a_click_before_the_open_does_not_count_as_its_answer(world: World) -> None:
    await world.apply(a_rule("silent", "when: {event: Opened, without: Clicked, within: 24h}"))
    ana = await world.contact()
    await world.hit(ana, type=EventType.CLICKED)
    await world.pass_time(timedelta(hours=1))
    await world.hit(ana)
    await world.route()
    await world.pass_time(timedelta(days=2))
    assert await notes(world) == ["silent"]


async def test_a_rule_counts_what_a_contact_did_at_most(world: World) -> None:
    await world.apply(a_rule("first-two", "when: Granted\nwhere: {did: Granted, at_least: 1, at_most: 2}"))
    ana = await world.contact()
    for _ in range(4):
        await world.tell(EventType.GRANTED, ana)
        await world.route()
    assert await notes(world) == ["first-two", "first-two"]


async def test_a_rule_asks_for_what_belongs_to_the_same_conversation(world: World) -> None:
    await world.apply(
        a_rule("twice", "when: Received\nwhere: {did: Received, same: conversation, at_least: 2}")
    )
    ana = await world.contact()
    for conversation in (1, 2, 3, 2):
        await world.tell(EventType.RECEIVED, ana, conversation_id=conversation)
    await world.tell(EventType.RECEIVED, ana)
    await world.route()
    about = [
        row["conversation_id"] for row in await world.pool.fetch("SELECT * FROM events WHERE type = 'Noted'")
    ]
    assert set(about) == {2}


async def test_a_rule_asks_whether_a_team_works_now(world: World) -> None:
    await world.pool.execute("UPDATE teams SET hours = $1, country = 'FR' WHERE id = $2", HOURS, world.sales)
    await world.apply(a_rule("away", "when: Received\nwhere: {not: {working_time: sales}}"))
    for hours in (
        0,
        3,
        2,
        4,
        9,
        110,
    ):  # 10:00, 13:00, 15:00, 19:00 on Monday; 04:00 and 18:00 later that week
        world.clock.advance(timedelta(hours=hours))
        await world.tell(EventType.RECEIVED, await world.contact())
        await world.route()
    assert len(await notes(world)) == 4


async def test_a_rule_asks_what_a_message_says_and_what_surrounds_it(world: World) -> None:
    await world.apply(
        a_rule(
            "resigns",
            "when: Received\nwhere: {all: [{field: content.text, mentions: [démission*, resign*]},"
            " {field: content.file_types, is: application/pdf}, {field: conversation.queue, is: HR},"
            " {field: conversation.messages, is: 1}, {field: contact.tags, in: [employee, trainee]},"
            " {field: content.recipients, contains: hr@}, {field: content.language, is: fr}]}",
        )
    )
    queue = await world.pool.fetchval("INSERT INTO queues (name) VALUES ('HR') RETURNING id")
    for text, tags in (
        ("Je vous présente ma DEMISSION", ["Employee"]),
        ("Je reste", ["Employee"]),
        ("démission", []),
    ):
        ana = await world.contact(tags=tags)
        conversation = await world.pool.fetchval(
            "INSERT INTO conversations (contact_id, queue_id) VALUES ($1, $2) RETURNING id", ana, queue
        )
        message = await world.pool.fetchval(
            "INSERT INTO messages (direction, channel, contact_id, conversation_id) VALUES ('in', 'mail', $1, $2)"
            " RETURNING id",
            ana,
            conversation,
        )
        await world.pool.execute(
            "INSERT INTO message_contents (message_id, body, new_text, language) VALUES ($1, $2, $2, 'fr')",
            message,
            text,
        )
        await world.pool.execute(
            "INSERT INTO message_parties (message_id, part, no, address) VALUES ($1, 'to', 0, 'hr@firm.example')",
            message,
        )
        await world.pool.execute(
            "INSERT INTO attachments (message_id, no, name, media_type, size, blob)"
            " VALUES ($1, 0, 'letter.pdf', 'application/pdf', 1, '')",
            message,
        )
        await world.tell(EventType.RECEIVED, ana, conversation_id=conversation, message_id=message)
    await world.route()
    assert len(await notes(world)) == 1


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("when: {event: Opened, without: Clicked}", "within"),
        ("when: {event: Opened, without: Clicked, within: 24h}\nhold: 2h", "the rule waits already"),
        ("when: {moment: contact.name, before: 3d}", "holds no date that is known ahead"),
        ("when: {moment: contact.fields.x, before: 3d, after: 2d}", "before or after, not both"),
        ("when: {moment: contact.fields.x, at: '25:00'}", "at"),
        ("when: Opened\nvalid: {from: 2026-03-05, to: 2026-03-04}", "has to lie after from"),
        ("when: Opened\npriority: 5000", "priority"),
        ("when: []", "when"),
        ("when: Opened\nwhere: {did: Opened, at_least: 3, at_most: 2}", "no number is both"),
        (
            "when: Opened\nwhere: {did: Opened, where: {field: content.text, contains: x}}",
            "is not known of past events",
        ),
        ("when: Opened\nwhere: {field: contact.tags, less: 3}", "a list of texts"),
        ("when: Opened\nwhere: {working_time: ''}", "working_time"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(keys: str, says: str) -> None:
    assert says in problems_of(a_rule("wrong", keys))


def problems_of(text: str) -> str:
    """All that reading and checking finds."""
    try:
        return "\n".join(str(problem) for written in read_rules(text) for problem in check_rule(written))
    except InvalidRules as error:
        return str(error)


async def test_a_team_that_does_not_exist_is_named_where_it_is_asked_for(world: World) -> None:
    with pytest.raises(
        InvalidRules, match=r"where\.not\.working_time: there is no team 'Sails'\. Known are sales"
    ):
        await world.apply(a_rule("away", "when: Received\nwhere: {not: {working_time: Sails}}"))
