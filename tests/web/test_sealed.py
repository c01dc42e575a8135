"""What was moved into a confidential queue disappears elsewhere at once: from every page and every answer of the API."""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from aiohttp import web

from domain.clock import SystemClock
from domain.events import EventType, NewEvent
from inbox.desk.conversations import Desk, move_to_queue
from storage.event_store import record
from storage.pool import Pool
from tests.web.correspondence import Post
from tests.web.house import House, Visitor
from tests.web.test_conversation_pages import enter
from tests.web.test_live import listen
from tests.web.world import World, build_world
from web.app import build_app

SUBJECT: Final = "Zorglub leaves us"
WORDS: Final = "I zorglubly resign."
SECRET: Final = re.compile("zorglub", re.IGNORECASE)
#: pages that end the session, never end themselves, or belong to nobody who is signed in
_ELSEWHERE: Final = ("/live", "/sign-out", "/welcome", "/become", "/o/", "/c/", "/d/", "/u/", "/callbacks")
_SEARCHES: Final = (
    "?q=zorglub",
    "?box=open",
    "?box=unassigned",
    "?box=closed",
    "?box=mine",
    "?scope=all",
    "?scope=team",
)


@pytest.fixture
async def world(house: House, pool: Pool) -> World:
    """An organisation."""
    return await build_world(pool)


class Letter:
    """A letter in an ordinary queue, a task about it, a rule that acted on it."""

    def __init__(self, pool: Pool, house: House, world: World) -> None:
        self.pool, self.house, self.world = pool, house, world

    async def write(self) -> None:
        """Make it, and two queues."""
        pool, now = self.pool, datetime.now(UTC)
        post = Post(pool, self.house.context.blobs)
        self.support = await self.house.team("Desk")
        self.staff = await self.house.team("Personnel")
        for role, team in (("agent", self.support), ("manager", self.support), ("rep", self.staff)):
            await pool.execute("INSERT INTO team_members VALUES ($1, $2)", team, self.world.users[role])
        make = "INSERT INTO queues (name, team_id, confidential) VALUES ($1, $2, $3) RETURNING id"
        self.desk = await pool.fetchval(make, "Desk", self.support, False)
        self.hr = await pool.fetchval(make, "Staff matters", self.staff, True)
        self.contact = await self.house.contact("Renée Quitte", "renee@home.example")
        self.conversation = await post.conversation(
            SUBJECT, self.desk, contact_id=self.contact, waiting_since=now, last_message_at=now
        )
        self.message = await post.mail(
            self.conversation,
            ("Renée Quitte", "renee@home.example"),
            WORDS,
            now,
            subject=SUBJECT,
            contact=self.contact,
            files=[("zorglub.txt", "text/plain", b"zorglub", "")],
        )
        self.task = await self.house.task(
            self.contact,
            title=f"Answer {SUBJECT}",
            team_id=self.support,
            assignee_id=self.world.users["agent"],
            requester_id=self.world.users["manager"],
            conversation_id=self.conversation,
            rule_id=self.world.rule,
            opened_at=now - timedelta(minutes=1),
        )
        async with pool.acquire() as connection:
            told = NewEvent(
                EventType.TASK_OPENED,
                now,
                self.contact,
                conversation_id=self.conversation,
                task_id=self.task,
            )
            (event,) = await record(connection, [told])
        await pool.execute(
            "INSERT INTO rule_runs (rule_id, contact_id, event_id, task_id, result, matched)"
            " VALUES ($1, $2, $3, $4, 'acted', $5)",
            self.world.rule, self.contact, event, self.task, {"content.subject": SUBJECT},
        )  # fmt: skip

    async def seal(self) -> None:
        """A person moves it where it belongs."""
        desk = Desk(self.pool, SystemClock(), None, self.world.users["manager"])
        await move_to_queue(desk, self.conversation, self.hr)


@pytest.fixture
async def letter(house: House, pool: Pool, world: World) -> Letter:
    """The letter, where everybody of its queue sees it."""
    made = Letter(pool, house, world)
    await made.write()
    return made


def _templates(app: web.Application) -> Iterator[str]:
    """The paths that can be fetched."""
    for route in app.router.routes():
        resource = route.resource
        if route.method == "GET" and resource is not None:
            yield resource.canonical
    for part in app._subapps:
        yield from _templates(part)


def _paths(house: House, letter: Letter) -> list[str]:
    """Every page and every answer of the API, about everything that belongs to the letter."""
    numbers = {letter.conversation, letter.contact, letter.task, letter.message, letter.world.rule}
    found: set[str] = set()
    for template in _templates(build_app(house.context)):
        if any(template.startswith(one) for one in _ELSEWHERE) or "static" in template:
            continue
        names = re.findall(r"\{([^}:]+)[^}]*\}", template)
        for values in itertools.product(sorted(numbers), repeat=min(len(names), 2)):
            path = template
            for name, value in itertools.zip_longest(names, values, fillvalue="1"):
                path = re.sub(r"\{" + re.escape(str(name)) + r"[^}]*\}", str(value), path)
            found.add(path)
        if not names:
            found |= {template + search for search in _SEARCHES}
    return sorted(found)


async def _leaks(visitor: Visitor, paths: list[str]) -> list[str]:
    """The paths whose answers tell of the letter; what was asked for does not count."""
    found = []
    for path in paths:
        async with visitor.session.get(visitor.url + path, allow_redirects=False) as response:
            if response.content_type == "text/event-stream":
                continue
            text = (await response.content.read(2_000_000)).decode("utf-8", "replace")
        text = re.sub(r'(value|href|action|hx-get|data-\w+)="[^"]*"', "", text).replace("?q=zorglub", "")
        if SECRET.search(text.replace("“zorglub”", "").replace("« zorglub »", "")):
            found.append(path)
    return found


async def test_before_the_move_its_people_find_it_in_many_places(house: House, letter: Letter) -> None:
    found = await _leaks(await enter(house, "agent"), _paths(house, letter))
    for path in (
        f"/conversations/{letter.conversation}",
        f"/api/v1/conversations/{letter.conversation}",
        f"/tasks/{letter.task}",
        f"/api/v1/tasks/{letter.task}",
        f"/contacts/{letter.contact}",
        f"/api/v1/contacts/{letter.contact}/events",
        "/conversations?q=zorglub",
        "/tasks",
    ):
        assert path in found, (path, [one for one in found if "api" in one])


@pytest.mark.parametrize("role", ["agent", "manager", "administrator", "marketer"])
@pytest.mark.timeout(180)
async def test_after_the_move_nobody_else_finds_it_anywhere(house: House, letter: Letter, role: str) -> None:
    await letter.seal()
    assert await _leaks(await enter(house, role), _paths(house, letter)) == []


async def test_after_the_move_the_people_of_the_queue_find_it(house: House, letter: Letter) -> None:
    await letter.seal()
    staff = await enter(house, "rep")
    paths = [
        f"/conversations/{letter.conversation}",
        "/conversations?q=zorglub",
        f"/contacts/{letter.contact}",
    ]
    assert await _leaks(staff, paths) == paths


async def test_a_task_that_is_asked_for_afterwards_is_its_assignee_s_and_no_supervisor_s(
    house: House, letter: Letter
) -> None:
    await letter.seal()
    task = await house.task(
        letter.contact,
        title="Zorglub: close the account",
        assignee_id=letter.world.users["agent"],
        conversation_id=letter.conversation,
    )
    assert (await (await enter(house, "agent")).get(f"/tasks/{task}")).status == 200
    assert (await (await enter(house, "manager")).get(f"/tasks/{task}")).status == 404


async def test_nobody_else_hears_of_what_goes_on_in_it(house: House, pool: Pool, letter: Letter) -> None:
    await letter.seal()
    chief = await listen(await enter(house, "administrator"), "conversations", f"contact:{letter.contact}")
    staff = await listen(await enter(house, "rep"), f"conversation:{letter.conversation}")
    await asyncio.sleep(0.5)
    async with pool.acquire() as connection:
        told = NewEvent(
            EventType.RECEIVED, datetime.now(UTC), letter.contact, conversation_id=letter.conversation
        )
        await record(connection, [told])
    assert await staff.next() == [f"conversation:{letter.conversation}"]
    assert await chief.silent(1.5)


async def test_a_letter_that_a_rule_moved_while_it_was_stored_is_told_to_its_people_only(
    house: House, pool: Pool, letter: Letter
) -> None:
    agent = await listen(await enter(house, "agent"), "conversations", f"conversation:{letter.conversation}")
    staff = await listen(await enter(house, "rep"), "conversations")
    await asyncio.sleep(0.5)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "UPDATE conversations SET queue_id = $2 WHERE id = $1", letter.conversation, letter.hr
        )
        moved = NewEvent(
            EventType.CONVERSATION_MOVED,
            datetime.now(UTC),
            letter.contact,
            conversation_id=letter.conversation,
            data={"old": letter.desk, "new": letter.hr, "arriving": True},
        )
        await record(connection, [moved])
    assert await staff.next() == ["conversations"]
    assert await agent.silent(1.5)


async def test_the_move_says_nothing_in_the_log(
    house: House, letter: Letter, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await letter.seal()
        await (await enter(house, "agent")).get(f"/conversations/{letter.conversation}")
    assert not SECRET.search(caplog.text)
