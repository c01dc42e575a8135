"""What a rule routes to a confidential queue is decided while it is stored: nobody else ever sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.events import EventType
from inbox.desk.conversations import Desk, move_to_queue
from router.confiding import Confider
from router.staff import find_supervisors
from storage.pool import Pool
from tests.inbox.post import PostRoom, open_post_room, write_mail
from tests.inbox.texts import open_phones
from tests.router.world import World

RULES = """
- name: resignations
  when: Received
  priority: -5
  where: {field: content.body, mentions: [I resign]}
  then:
    - route: HR
    - note: A letter
- name: copy-everything
  when: Received
  priority: 900
  then: [{note: "{content.subject} from {contact.name}"}]
- name: watch-hr
  when: Received
  where: {field: conversation.queue, is: HR}
  then: [{note: For HR}]
"""


@pytest.fixture
async def post(pool: Pool, world: World, tmp_path: Path) -> AsyncIterator[PostRoom]:
    """A post room that asks the rules before it commits, with an HR queue."""
    team = await pool.fetchval("INSERT INTO teams (name) VALUES ('HR') RETURNING id")
    await pool.execute("INSERT INTO queues (name, team_id, confidential) VALUES ('HR', $1, true)", team)
    await world.apply(RULES)
    async with open_post_room(pool, tmp_path, confide=Confider(world.clock).confide) as room:
        yield room


async def _notes(pool: Pool) -> list[str]:
    rows = await pool.fetch("SELECT body FROM event_texts ORDER BY event_id")
    return [row["body"] for row in rows]


async def _queue_of(pool: Pool, message: Any) -> str:
    name: str = await pool.fetchval(
        "SELECT q.name FROM conversations v JOIN queues q ON q.id = v.queue_id WHERE v.id = $1",
        message["conversation_id"],
    )
    return name


async def test_a_letter_is_in_the_confidential_queue_as_soon_as_it_is_stored(
    pool: Pool, world: World, post: PostRoom
) -> None:
    message = await post.receive(write_mail(text="I resign."))
    assert await _queue_of(pool, message) == "HR"
    assert await _notes(pool) == ["A letter"]


async def test_rules_that_do_not_name_the_queue_never_look_at_it_whatever_their_priority(
    pool: Pool, world: World, post: PostRoom
) -> None:
    await post.receive(write_mail(text="I resign."))
    await world.route()
    assert await _notes(pool) == ["A letter", "For HR"]
    assert ("copy-everything", "acted") not in await world.runs()


async def test_the_rule_acts_once_and_is_logged_once(pool: Pool, world: World, post: PostRoom) -> None:
    await post.receive(write_mail(text="I resign."))
    await world.route()
    await world.route()
    assert [run for run in await world.runs() if run[0] == "resignations"] == [("resignations", "acted")]


async def test_other_mail_is_routed_as_ever(pool: Pool, world: World, post: PostRoom) -> None:
    message = await post.receive(write_mail(subject="Parcel", text="Where is it?"))
    await world.route()
    assert await _queue_of(pool, message) == "Inbox"
    assert await _notes(pool) == ["Parcel from Ana Sousa"]


async def test_a_rule_that_stops_keeps_those_behind_it_from_the_letter(
    pool: Pool, world: World, post: PostRoom
) -> None:
    await world.apply(RULES.replace("priority: -5", "priority: 5\n  stop: true"))
    await post.receive(write_mail(text="I resign."))
    await world.route()
    assert await _notes(pool) == ["A letter"]


async def test_nothing_is_answered_by_itself_to_a_letter(pool: Pool, world: World, post: PostRoom) -> None:
    await post.queue("Support", "support@hub.example", auto_answer="We got your mail.")
    await post.receive(write_mail(text="I resign."))
    await post.receive(write_mail(text="Where is it?", sender="bo@client.example"))
    rows = await pool.fetch("SELECT conversation_id FROM messages WHERE direction = 'out'")
    assert len(rows) == 1


async def test_a_letter_in_a_running_conversation_takes_all_of_it_along(
    pool: Pool, world: World, post: PostRoom
) -> None:
    first = await post.receive(write_mail(text="Hello", message_id="1@client.example"))
    answer = await post.answer(first["conversation_id"], "ana@client.example")
    second = await post.receive(write_mail(text="I resign.", references=[answer["header_id"]]))
    assert second["conversation_id"] == first["conversation_id"]
    assert await _queue_of(pool, first) == "HR"
    [moved] = await world.events(EventType.CONVERSATION_MOVED)
    assert "arriving" not in moved["data"]  # those who had it before have to hear that it is gone


async def test_a_move_that_nobody_could_see_tells_the_old_team_nothing(
    pool: Pool, world: World, post: PostRoom
) -> None:
    await post.receive(write_mail(text="I resign."))
    [moved] = await world.events(EventType.CONVERSATION_MOVED)
    assert moved["data"]["arriving"] is True


async def test_events_of_a_confidential_conversation_are_shown_to_cleared_rules_only(
    pool: Pool, world: World, post: PostRoom
) -> None:
    await world.apply(
        RULES
        + "- {name: closed, when: ConversationClosed, then: [{note: Closed}]}\n"
        + "- {name: hr-closed, when: ConversationClosed, where: {field: conversation.queue, is: hr},"
        " then: [{note: HR closed}]}\n"
    )
    message = await post.receive(write_mail(text="I resign."))
    await world.tell(EventType.CONVERSATION_CLOSED, None, conversation_id=message["conversation_id"])
    await world.route()
    assert (await _notes(pool))[-1] == "HR closed"
    assert "Closed" not in await _notes(pool)


async def test_what_a_rule_of_ordinary_routing_makes_confidential_is_kept_from_the_others_too(
    pool: Pool, world: World, post: PostRoom
) -> None:
    """A message that came before the rule was there, or by a way that asks no rules first."""
    post.reader.confide = _confide_nothing
    message = await post.receive(write_mail(text="I resign."))
    await world.route()
    assert await _queue_of(pool, message) == "HR"
    assert await _notes(pool) == ["A letter"]


async def _confide_nothing(connection: Any, events: Any) -> tuple[int, ...]:
    return ()


async def test_a_held_rule_that_is_not_cleared_does_nothing_once_the_conversation_is_confidential(
    pool: Pool, world: World, post: PostRoom
) -> None:
    await world.apply("- {name: slow, when: Received, hold: 1h, then: [{note: Slow}]}")
    message = await post.receive(write_mail(text="Hello"))
    await world.route()
    queue = await pool.fetchval("SELECT id FROM queues WHERE name = 'HR'")
    await move_to_queue(Desk(pool, world.clock, None, world.mona), message["conversation_id"], queue)
    await world.pass_time(timedelta(days=90))
    assert await _notes(pool) == []


async def test_a_broken_rule_about_letters_leaves_the_mail_stored_and_confidential(
    pool: Pool, world: World, post: PostRoom
) -> None:
    await world.apply(
        RULES.replace(
            "    - note: A letter\n",
            "    - open_task: {kind: interview, title: Talk, assign: {team: sales}}\n",
        )
    )
    await pool.execute("UPDATE teams SET name = 'gone' WHERE name = 'sales'")
    message = await post.receive(write_mail(text="I resign."))
    assert await _queue_of(pool, message) == "HR"
    assert await pool.fetchval("SELECT count(*) FROM rule_deeds WHERE state = 'due'") == 1


async def test_moving_a_conversation_seals_it_and_moving_it_back_opens_it(
    pool: Pool, world: World, post: PostRoom
) -> None:
    message = await post.receive(write_mail(text="Hello"))
    desk = Desk(pool, world.clock, None, world.mona)
    for queue, sealed in (("HR", True), ("Inbox", False)):
        number = await pool.fetchval("SELECT id FROM queues WHERE name = $1", queue)
        await move_to_queue(desk, message["conversation_id"], number)
        row = await post.conversation(message["conversation_id"])
        assert (row["sealed_at"] is not None) is sealed


async def test_what_failed_is_not_tried_again_once_the_conversation_is_confidential(
    pool: Pool, world: World, post: PostRoom
) -> None:
    await world.apply(
        "- {name: ask, when: Received, then: [{open_task: {kind: callback, title: Call, assign: {team: sales}}}, {note: Hm}]}"
    )
    await pool.execute("UPDATE teams SET name = 'gone' WHERE name = 'sales'")
    message = await post.receive(write_mail(text="Hello"))
    await world.route()
    await pool.execute("UPDATE teams SET name = 'sales' WHERE name = 'gone'")
    queue = await pool.fetchval("SELECT id FROM queues WHERE name = 'HR'")
    await move_to_queue(Desk(pool, world.clock, None, world.mona), message["conversation_id"], queue)
    await pool.execute("UPDATE rule_deeds SET due_at = now()")
    await world.pass_time(timedelta(0))
    assert await world.tasks() == []
    assert "confidential" in await pool.fetchval("SELECT trouble FROM rule_deeds")


async def test_who_answers_for_a_team_with_a_confidential_queue_is_one_of_it(
    pool: Pool, world: World, post: PostRoom
) -> None:
    team = await pool.fetchval("SELECT id FROM teams WHERE name = 'HR'")
    async with pool.acquire() as connection:
        assert await find_supervisors(connection, [team, world.sales]) == {world.sales: world.mona}
        await pool.execute("INSERT INTO team_members (team_id, user_id) VALUES ($1, $2)", team, world.zoe)
        found = await find_supervisors(connection, [team, world.sales])
    assert found == {team: world.zoe, world.sales: world.mona}


async def test_a_short_message_is_routed_while_it_is_stored_too(
    pool: Pool, world: World, post: PostRoom, tmp_path: Path
) -> None:
    async with open_phones(pool, tmp_path / "phones") as phones:
        phones.reader.confide = Confider(world.clock).confide
        message = await phones.write("I resign.")
    assert await _queue_of(pool, message) == "HR"
    await world.route()
    assert await _notes(pool) == ["A letter", "For HR"]
