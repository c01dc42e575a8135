"""Live updates: who is told what, how soon, and what a listener missed."""

from __future__ import annotations

import asyncio
import json
import re
import time
from datetime import UTC, datetime
from typing import Any, cast

import aiohttp
import pytest

from domain.events import EventType, NewEvent
from inbox.desk.drafts import Draft, save_draft
from storage.event_store import record
from storage.pool import Pool
from tests.web.house import House, Visitor
from web.access.sessions import SESSION_COOKIE, find_session
from web.live.clients import Client
from web.live.reader import ChangeReader
from web.live.stream import open_topics, read_topics


class Listener:
    """An open stream of a visitor."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.last_id = ""

    async def next(self, patience: float = 3.0) -> list[str]:
        """The topics of the next message."""
        async with asyncio.timeout(patience):
            while True:
                line = (await self.response.content.readline()).decode()
                if line.startswith("id: "):
                    self.last_id = line[4:].strip()
                if line.startswith("data: "):
                    return list(json.loads(line[6:]))
                if not line:
                    raise ConnectionError("the stream ended")

    async def silent(self, patience: float = 0.8) -> bool:
        """Whether nothing is told for a while."""
        try:
            await self.next(patience)
        except TimeoutError:
            return True
        return False


async def listen(visitor: Visitor, *topics: str, last_id: str = "", since: str = "") -> Listener:
    """Open the stream and wait until it answers."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    asked = [("topic", topic) for topic in topics] + ([("since", since)] if since else [])
    response = await visitor.session.get(f"{visitor.url}/live", params=asked, headers=headers)
    visitor.streams.append(response)
    assert response.status == 200
    assert (await response.content.readline()).startswith(b"retry:")
    return Listener(response)


async def tell(house: House, event: NewEvent) -> None:
    """Record an event as another process does."""
    async with house.pool.acquire() as connection:
        await record(connection, [event])
    house.context.announcer.touch()


def opened(contact: int) -> NewEvent:
    """A contact opened something."""
    return NewEvent(EventType.OPENED, datetime.now(UTC), contact)


async def test_a_contact_s_page_hears_of_its_events_within_a_second(house: House) -> None:
    contact = await house.contact()
    listener = await listen(await house.signed_in("rep"), f"contact:{contact}")
    await asyncio.sleep(0.3)
    began = time.monotonic()
    await tell(house, opened(contact))
    assert await listener.next() == [f"contact:{contact}"]
    assert time.monotonic() - began < 1.5


async def test_a_page_does_not_hear_of_other_contacts(house: House) -> None:
    contact, other = await house.contact(), await house.contact("Other")
    listener = await listen(await house.signed_in("rep"), f"contact:{contact}")
    await asyncio.sleep(0.3)
    await tell(house, opened(other))
    assert await listener.silent()


async def test_a_task_is_told_to_its_assignee_and_team_and_to_nobody_else(house: House) -> None:
    team = await house.team()
    contact = await house.contact()
    mate = await listen(await house.signed_in("rep", teams=(team,)), "tasks")
    chief = await listen(await house.signed_in("manager", email="chief@house.example"), "tasks")
    stranger = await listen(await house.signed_in("agent"), "tasks")
    await asyncio.sleep(0.3)
    task = await house.task(contact, team_id=team)
    await tell(house, NewEvent(EventType.TASK_OPENED, datetime.now(UTC), contact, task_id=task))
    assert await mate.next() == ["tasks"]
    assert await chief.next() == ["tasks"]
    assert await stranger.silent()


async def test_an_event_that_was_committed_late_is_not_missed(house: House, pool: Pool) -> None:
    contact = await house.contact()
    listener = await listen(await house.signed_in("rep"), f"contact:{contact}")
    await asyncio.sleep(0.3)
    async with pool.acquire() as slow:
        transaction = slow.transaction()
        await transaction.start()
        await record(slow, [opened(contact)])
        for _ in range(3):
            await tell(house, opened(await house.contact("Noise")))
            await asyncio.sleep(0.3)
        await transaction.commit()
    house.context.announcer.touch()
    assert await listener.next() == [f"contact:{contact}"]


async def test_whoever_comes_back_is_told_what_was_missed(house: House) -> None:
    contact = await house.contact()
    visitor = await house.signed_in("rep")
    keeper = await listen(visitor, f"contact:{contact}")
    await asyncio.sleep(0.3)
    await tell(house, opened(contact))
    await keeper.next()
    last_id = keeper.last_id
    await tell(house, opened(contact))
    await keeper.next()
    late = await listen(visitor, f"contact:{contact}", last_id=last_id)
    assert await late.next(1.0) == [f"contact:{contact}"]
    current = await listen(visitor, f"contact:{contact}", last_id=keeper.last_id)
    assert await current.silent()


async def test_an_import_and_a_mailbox_are_told_without_events(house: House, pool: Pool) -> None:
    listener = await listen(await house.signed_in("marketer"), "import:1", "mailbox")
    await pool.execute("INSERT INTO imports (id, name, path) VALUES (1, 'x', 'x')")
    await asyncio.sleep(1.5)
    await pool.execute("UPDATE imports SET line = 5 WHERE id = 1")
    assert await listener.next() == ["import:1"]
    await pool.execute(
        "INSERT INTO sandbox_mails (sender, recipient, raw) VALUES ('a@b.example', 'c@d.example', 'x')"
    )
    assert await listener.next() == ["mailbox"]


async def test_a_stream_is_only_for_whoever_is_signed_in(house: House) -> None:
    assert (await house.visitor().get("/live?topic=tasks")).status == 401


async def test_a_stream_ends_with_its_session(house: House, pool: Pool) -> None:
    house.context.settings.live_heartbeat = 0.2
    listener = await listen(await house.signed_in("rep"), "tasks")
    await pool.execute("DELETE FROM sessions")
    async with asyncio.timeout(3):
        rest = await listener.response.content.read()
    assert b"event:" not in rest


async def test_too_many_listeners_are_asked_to_come_back(house: House) -> None:
    house.context.settings.live_clients = 1
    visitor = await house.signed_in("rep")
    await listen(visitor, "tasks")
    answer = await visitor.get("/live?topic=tasks")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "20")


async def test_a_flood_of_events_costs_a_listener_nothing(house: House, pool: Pool) -> None:
    """Events that nobody watches are not fetched, however many there are."""
    contact, noisy = await house.contact(), await house.contact("Noisy")
    reader = ChangeReader(pool)
    watched = frozenset({f"contact:{contact}"})
    await reader.read(watched)
    async with pool.acquire() as connection:
        for _ in range(10):
            await record(connection, [opened(noisy)] * 1000)
        await record(connection, [opened(contact)])
    changes = await reader.read(watched)
    assert [set(change.topics) for change in changes] == [{f"contact:{contact}"}]
    assert await reader.read(watched) == []


def test_an_id_that_no_campaign_can_have_is_no_topic() -> None:
    """One listener with such a topic would break the look that serves everybody."""
    assert (
        read_topics(["campaign:99999999999", "campaign:2147483648", "campaign:٣", "contact:" + "9" * 19])
        == set()
    )
    assert read_topics(["campaign:7", "contact:99999999999", "tasks"]) == {
        "campaign:7", "contact:99999999999", "tasks",
    }  # fmt: skip


async def test_no_listener_s_topic_stops_the_others(house: House) -> None:
    contact = await house.contact()
    visitor = await house.signed_in("rep")
    await listen(visitor, "campaign:99999999999", "import:999999999999999999", "task:999999999999999999")
    listener = await listen(visitor, f"contact:{contact}")
    await asyncio.sleep(0.3)
    await tell(house, opened(contact))
    assert await listener.next() == [f"contact:{contact}"]


async def test_conversations_tell_of_events_drafts_and_deliveries(house: House, pool: Pool) -> None:
    agent = await house.signed_in("agent")
    number = await pool.fetchval("INSERT INTO conversations (subject) VALUES ('x') RETURNING id")
    listener = await listen(agent, "conversations", f"conversation:{number}")
    await asyncio.sleep(0.3)
    async with pool.acquire() as connection:
        told = NewEvent(EventType.RECEIVED, datetime.now(UTC), conversation_id=number)
        await record(connection, [told])
    house.context.announcer.touch()
    assert await listener.next() == [f"conversation:{number}", "conversations"]
    user = await pool.fetchval("SELECT id FROM users")
    await save_draft(pool, house.context.announcer, number, user, Draft("Dear"))
    assert await listener.next() == [f"conversation:{number}"]
    message = await pool.fetchval(
        "INSERT INTO messages (direction, channel, conversation_id) VALUES ('out', 'mail', $1) RETURNING id",
        number,
    )
    await pool.execute(
        "INSERT INTO deliveries (message_id, channel, address) VALUES ($1, 'mail', 'a@b.example')", message
    )
    assert await listener.next() == [f"conversation:{number}"]
    await pool.execute("UPDATE deliveries SET state = 'sent'")
    assert await listener.next() == [f"conversation:{number}"]


async def rendered(visitor: Visitor, path: str) -> str:
    """The cursor of a page that is made now."""
    text = (await visitor.get(path)).text
    found = re.search(r'data-cursor="([0-9-]+)"', text)
    assert found is not None
    return found[1]


async def test_what_happened_between_a_page_and_its_stream_is_told_at_once(house: House) -> None:
    contact, other = await house.contact(), await house.contact("Other")
    visitor = await house.signed_in("rep")
    since = await rendered(visitor, f"/contacts/{contact}")
    await tell(house, opened(contact))
    listener = await listen(visitor, f"contact:{contact}", f"contact:{other}", since=since)
    assert await listener.next() == [f"contact:{contact}"]
    assert await listener.silent(1.2)


async def test_a_page_to_which_nothing_happened_is_told_nothing(house: House) -> None:
    contact = await house.contact()
    await tell(house, opened(contact))
    visitor = await house.signed_in("rep")
    since = await rendered(visitor, f"/contacts/{contact}")
    assert await (await listen(visitor, f"contact:{contact}", "tasks", since=since)).silent(1.2)


async def test_an_event_that_was_open_while_the_page_was_made_is_told(house: House, pool: Pool) -> None:
    contact, visitor = await house.contact(), await house.signed_in("rep")
    async with pool.acquire() as connection:
        async with connection.transaction():
            await record(connection, [opened(contact)])
            await tell(house, opened(await house.contact("Other")))
            since = await rendered(visitor, f"/contacts/{contact}")
        listener = await listen(visitor, f"contact:{contact}", since=since)
        assert await listener.next() == [f"contact:{contact}"]


async def test_rows_that_change_without_an_event_are_told_from_the_page_on(house: House, pool: Pool) -> None:
    visitor = await house.signed_in("agent")
    me = await pool.fetchval("SELECT id FROM users")
    number = await pool.fetchval("INSERT INTO conversations (subject) VALUES ('x') RETURNING id")
    message = await pool.fetchval(
        "INSERT INTO messages (direction, channel, conversation_id) VALUES ('in', 'voice', $1) RETURNING id",
        number,
    )
    await pool.execute(
        "INSERT INTO calls (message_id, state, user_id, placed_at) VALUES ($1, 'talking', $2, now())",
        message,
        me,
    )
    topics = (f"call:{message}", f"conversation:{number}", f"ringing:{me}")
    since = await rendered(visitor, f"/conversations/{number}")
    assert await (await listen(visitor, *topics, since=since)).silent(1.2)
    since = await rendered(visitor, f"/conversations/{number}")
    await pool.execute("UPDATE calls SET version = version + 1, changed_at = now()")
    assert await (await listen(visitor, *topics, since=since)).next() == sorted(topics)


@pytest.mark.parametrize("since", ["", "x", "1", "-1-5", "1-2-3", "9" * 30 + "-1"])
async def test_an_odd_cursor_begins_now(house: House, since: str) -> None:
    contact = await house.contact()
    listener = await listen(await house.signed_in("rep"), f"contact:{contact}", since=since)
    assert await listener.silent(0.6)


async def test_the_list_of_calls_hears_of_the_team_s_and_of_no_confidential_one(
    house: House, pool: Pool
) -> None:
    team = await house.team("HR")
    queue = await pool.fetchval(
        "INSERT INTO queues (name, team_id, confidential) VALUES ('HR', $1, true) RETURNING id", team
    )
    line = await pool.fetchval(
        "INSERT INTO phone_lines (number, name, queue_id, definition) VALUES ('+33639980020', 'HR', $1, '{}') RETURNING id",
        queue,
    )
    mate = await listen(await house.signed_in("agent", teams=(team,), email="hr@house.example"), "calls")
    chief = await listen(await house.signed_in("administrator"), "calls")
    await asyncio.sleep(0.3)
    message = await pool.fetchval(
        "INSERT INTO messages (direction, channel) VALUES ('in', 'voice') RETURNING id"
    )
    await pool.execute(
        "INSERT INTO calls (message_id, state, result, line_id, placed_at, ended_at) VALUES ($1, 'ended', 'missed', $2, now(), now())",
        message,
        line,
    )
    assert await mate.next() == ["calls"]
    assert await chief.silent(1.5)


async def test_an_unreadable_message_is_told(house: House, pool: Pool) -> None:
    listener = await listen(await house.signed_in("manager"), "quarantine")
    await asyncio.sleep(1.2)
    await pool.execute(
        "INSERT INTO raw_mails (content_hash, size, sender, state) VALUES ('\\x01', 1, '', 'quarantined')"
    )
    assert await listener.next() == ["quarantine"]


async def test_a_stream_with_an_odd_last_id_begins_at_the_end(house: House) -> None:
    await listen(await house.signed_in("rep"), "tasks", last_id="²")


class BrokenOnce:
    """A pool whose look at the test mailbox fails once."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.broken = False

    async def fetch(self, *query: Any) -> Any:
        return await self.pool.fetch(*query)

    async def fetchval(self, query: str) -> Any:
        if self.broken and "sandbox_mails" in query:
            self.broken = False
            raise ConnectionResetError("the database left")
        return await self.pool.fetchval(query)


async def test_a_look_that_breaks_halfway_is_told_by_the_next(house: House, pool: Pool) -> None:
    contact, source = await house.contact(), BrokenOnce(pool)
    reader = ChangeReader(cast(Pool, source))
    watched = frozenset({f"contact:{contact}", "mailbox"})
    await reader.read(watched)
    before = reader.position
    await tell(house, opened(contact))
    source.broken = True
    with pytest.raises(ConnectionResetError):
        await reader.read(watched)
    assert reader.position == before
    assert [set(change.topics) for change in await reader.read(watched)] == [{f"contact:{contact}"}]
    assert await reader.read(watched) == []


async def test_live_updates_go_on_after_any_error(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    read, broken = ChangeReader.read, 0

    async def break_once(self: ChangeReader, watched: frozenset[str]) -> Any:
        nonlocal broken
        broken += 1
        if broken == 2:
            raise RuntimeError("nobody thought of this")
        return await read(self, watched)

    monkeypatch.setattr(ChangeReader, "read", break_once)
    contact = await house.contact()
    listener = await listen(await house.signed_in("rep"), f"contact:{contact}")
    await asyncio.sleep(0.3)
    await tell(house, opened(contact))
    assert await listener.next() == [f"contact:{contact}"]
    assert broken > 2


async def test_only_their_people_hear_of_conversations_in_confidential_queues(
    house: House, pool: Pool
) -> None:
    team = await house.team("HR")
    queue = await pool.fetchval(
        "INSERT INTO queues (name, team_id, confidential) VALUES ('HR', $1, true) RETURNING id", team
    )
    contact = await house.contact()
    number = await pool.fetchval(
        "INSERT INTO conversations (subject, queue_id, contact_id) VALUES ('x', $1, $2) RETURNING id",
        queue,
        contact,
    )
    topics = ("conversations", f"conversation:{number}", f"contact:{contact}")
    hr = await listen(await house.signed_in("agent", teams=(team,), email="hr@house.example"), *topics)
    chief = await listen(await house.signed_in("administrator"), *topics)
    await asyncio.sleep(0.3)
    told = NewEvent(EventType.RECEIVED, datetime.now(UTC), contact, conversation_id=number)
    await tell(house, told)
    assert await hr.next() == sorted(topics)
    assert await chief.silent(1.5)


async def test_topics_that_a_role_does_not_include_are_left_out(house: House) -> None:
    asked = frozenset({"campaign:1", "import:1", "mailbox", "conversations", "quarantine", "task:9", "tasks"})
    people = {}
    for role in ("rep", "marketer", "manager"):
        await house.user(role)
        session = house.visitor()
        await session.sign_in(f"{role}@house.example")
        found = await find_session(house.pool, session_cookie(session))
        assert found is not None
        people[role] = await open_topics(house.context, found.person, asked)
    assert people["rep"] == {"conversations", "tasks"}
    assert people["marketer"] == {"campaign:1", "import:1", "mailbox", "tasks"}
    assert people["manager"] == {"campaign:1", "conversations", "quarantine", "tasks"}


def session_cookie(visitor: Visitor) -> str:
    """What the browser sends back."""
    return next(one.value for one in visitor.session.cookie_jar if one.key == SESSION_COOKIE)


async def test_a_busy_list_is_told_once_a_second_and_misses_nothing(house: House, pool: Pool) -> None:
    number = await pool.fetchval("INSERT INTO conversations (subject) VALUES ('x') RETURNING id")
    listener = await listen(await house.signed_in("agent"), "conversations")
    await asyncio.sleep(0.3)
    began = time.monotonic()
    messages = 0

    async def count() -> None:
        nonlocal messages
        while True:
            await listener.next(30)
            messages += 1

    counting = asyncio.create_task(count())
    for _ in range(8):
        await tell(house, NewEvent(EventType.RECEIVED, datetime.now(UTC), conversation_id=number))
        await asyncio.sleep(0.3)
    await asyncio.sleep(1.5)
    counting.cancel()
    assert 2 <= messages <= time.monotonic() - began + 1


async def test_a_stream_that_is_to_end_waits_for_no_first_look() -> None:
    client = Client(frozenset({"tasks"}), 1, frozenset(), False)
    waits = asyncio.ensure_future(client.rest_until_heard(30))
    await asyncio.sleep(0)
    client.end()
    await asyncio.wait_for(waits, 1)
