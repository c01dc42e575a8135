"""Contacts are found by id and address; two that are one become one, and nothing of either is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contacts.consent import withdraw
from contacts.directory import find_by_address, load_contacts, resolve
from contacts.history import load_consents, load_history
from contacts.merging import merge_contacts
from contacts.notes import add_note
from contacts.segments import count_segment, load_segment, sample_segment, save_segment
from contacts.timeline import Viewer, read_case_timeline, read_timeline
from domain.conditions import read_condition
from domain.consent import ConsentEntry, ConsentState, Purpose
from domain.contacts import IdentityKind
from domain.errors import Conflict, InvalidInput, NotFound
from domain.events import EventType, NewEvent
from storage.event_store import record
from storage.pool import Pool, transaction

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
STRANGER = Viewer(99)


async def keep(pool: Pool, number: int, *, mail: str = "", phone: str = "", **columns: Any) -> None:
    names = ["id", *columns]
    places = ", ".join(f"${place + 1}" for place in range(len(names)))
    await pool.execute(
        f"INSERT INTO contacts ({', '.join(names)}) VALUES ({places})", number, *columns.values()
    )
    for kind, address in (("mail", mail), ("phone", phone)):
        if address:
            await pool.execute(
                "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, $2, $3, $3)", number, kind, address
            )  # fmt: skip


async def merge(pool: Pool, old: int, into: int) -> None:
    async with transaction(pool) as connection:
        await merge_contacts(connection, old, into, now=NOW, actor_id=None)


async def test_contacts_are_found_by_id_and_by_address(pool: Pool) -> None:
    await keep(pool, 1, name="Ana", mail="ana@b.example", phone="+33199000001")
    await keep(pool, 2, name="Bo", phone="+33199000001")
    found = await load_contacts(pool, [1, 2, 99])
    assert {number: (one["name"], one["email"], one["phone"]) for number, one in found.items()} == {
        1: ("Ana", "ana@b.example", "+33199000001"),
        2: ("Bo", None, "+33199000001"),
    }
    assert await find_by_address(pool, IdentityKind.MAIL, "ana@b.example") == [1]
    assert await find_by_address(pool, IdentityKind.PHONE, "+33199000001") == [1, 2]
    assert await find_by_address(pool, IdentityKind.MAIL, "bo@b.example") == []


async def test_merged_contacts_answer_to_both_ids_and_keep_what_only_one_of_them_knew(pool: Pool) -> None:
    await keep(
        pool, 1, name="A. Ruiz", country="FR", fields={"a": 1, "b": 1}, mail="a@b.example", phone="+331"
    )
    await keep(pool, 2, name="Ana Ruiz", country="ES", fields={"b": 2}, mail="ana@b.example", phone="+331")
    await keep(pool, 3, name="Ana R.", relation="customer", language="es")
    await merge(pool, 1, 2)
    await merge(pool, 2, 3)
    assert await resolve(pool, [1, 2, 3, 9]) == {1: 3, 2: 3, 3: 3, 9: 9}
    found = await load_contacts(pool, [1, 2, 3])
    assert {number: one["id"] for number, one in found.items()} == {1: 3, 2: 3, 3: 3}
    ana = found[1]
    assert (ana["name"], ana["country"], ana["relation"], ana["language"]) == (
        "Ana R.",
        "ES",
        "customer",
        "es",
    )
    assert ana["fields"] == {"a": 1, "b": 2}
    assert await find_by_address(pool, IdentityKind.MAIL, "a@b.example") == [3]
    assert await find_by_address(pool, IdentityKind.PHONE, "+331") == [3]
    changes = await pool.fetch("SELECT contact_id, data FROM events WHERE contact_id = 3 ORDER BY id")
    assert [(row["data"]["field"], row["data"]["old"], row["data"]["new"]) for row in changes] == [
        ("country", None, "ES"),
        ("fields.a", None, 1),
        ("fields.b", None, 2),
        ("merged", 2, 3),
    ]


async def test_of_two_consents_the_later_stands_after_a_merge_and_a_withdrawal_reaches_both(
    pool: Pool,
) -> None:
    await keep(pool, 1, name="A")
    await keep(pool, 2, name="B")
    for number, purpose, state, day in (
        (1, "newsletter", "withdrawn", 2),
        (2, "newsletter", "granted", 1),
        (1, "measure", "granted", 1),
        (1, "calls", "granted", 1),
        (2, "calls", "withdrawn", 1),
    ):
        await pool.execute(
            "INSERT INTO consents VALUES ($1, $2, $3, $4)", number, purpose, state, NOW + timedelta(days=day)
        )
    await merge(pool, 1, 2)
    assert await load_consents(pool, [2]) == {2: frozenset({"measure"})}
    entry = ConsentEntry(1, Purpose.MEASURE, ConsentState.WITHDRAWN, "", "link", NOW + timedelta(days=3))
    await withdraw(pool, [entry])
    assert await load_consents(pool, [2]) == {2: frozenset()}


async def test_who_cannot_be_merged_is_left_alone(pool: Pool) -> None:
    await keep(pool, 1, name="A")
    with pytest.raises(NotFound, match="no contact 2"):
        await merge(pool, 1, 2)
    with pytest.raises(InvalidInput, match="into itself"):
        await merge(pool, 1, 1)
    assert await pool.fetchval("SELECT count(*) FROM contacts") == 1


async def test_a_timeline_shows_events_with_the_names_they_refer_to(pool: Pool) -> None:
    await keep(pool, 1, name="A")
    await keep(pool, 2, name="B")
    await pool.execute("INSERT INTO users (id, email, name, role) VALUES (5, 'c@d.example', 'Claire', 'rep')")
    await pool.execute("INSERT INTO campaigns (id, name) VALUES (3, 'May')")
    await pool.execute("INSERT INTO campaign_links VALUES (3, 1, 'https://acme.example/', 'Price list')")
    async with transaction(pool) as connection:
        (clicked, _) = await record(
            connection,
            [
                NewEvent(
                    EventType.CLICKED, NOW, contact_id=1, campaign_id=3, message_id=8, data={"link_no": 1}
                ),
                NewEvent(EventType.QUEUED, NOW, contact_id=1, campaign_id=3),
            ],
        )
        await connection.execute(
            "INSERT INTO hits (event_id, occurred_at, message_id, contact_id, type, method, verdict, reasons, settle_at)"
            " VALUES ($1, $2, 8, 1, 'Clicked', 'GET', 'human', '{}', $2)",
            clicked, NOW,
        )  # fmt: skip
    await merge(pool, 1, 2)
    async with transaction(pool) as connection:
        await add_note(connection, 2, kind="meeting", body=" Wants a visit. ", occurred_at=NOW, actor_id=5)
    rows = await read_timeline(pool, 2, viewer=STRANGER)
    assert [row["type"] for row in rows] == ["Noted", "Changed", "Clicked"]
    assert (rows[0]["body"], rows[0]["actor_name"]) == ("Wants a visit.", "Claire")
    click = rows[2]
    assert (click["campaign_name"], click["link_label"], click["verdict"]) == ("May", "Price list", "human")
    assert [
        row["id"] for row in await read_timeline(pool, 2, viewer=STRANGER, before=rows[0]["id"], limit=1)
    ] == [rows[1]["id"]]


async def test_confidential_cases_of_others_stay_out_of_a_timeline(pool: Pool) -> None:
    await keep(pool, 1, name="A")
    await pool.execute(
        "INSERT INTO cases (id, kind, title, owner_id, confidential) VALUES (4, 'dispute', 'X', 5, true)"
    )
    async with transaction(pool) as connection:
        await add_note(connection, 1, kind="note", body="x", occurred_at=NOW, actor_id=None, case_id=4)
    assert [len(await read_timeline(pool, 1, viewer=Viewer(number))) for number in (5, 6)] == [1, 0]
    assert await read_timeline(pool, 1, viewer=Viewer(6, (), sees_all=True)) == []


async def test_whatever_joins_a_confidential_case_is_gone_from_the_timelines_of_others(pool: Pool) -> None:
    await keep(pool, 1, name="A")
    await pool.execute(
        "INSERT INTO users (id, email, name, role) VALUES (5, 'o@x', 'O', 'rep'), (6, 'm@x', 'M', 'rep'), (7, 't@x', 'T', 'rep')"
    )
    await pool.execute("INSERT INTO teams (id, name) VALUES (3, 'Legal')")
    await pool.execute("INSERT INTO team_members VALUES (3, 7)")
    await pool.execute(
        "INSERT INTO cases (id, kind, title, owner_id, team_id, confidential) VALUES (4, 'dispute', 'X', 5, 3, true)"
    )
    await pool.execute("INSERT INTO case_members VALUES (4, 6)")
    await pool.execute("INSERT INTO conversations (id, contact_id) VALUES (8, 1)")
    await pool.execute(
        "INSERT INTO messages (id, direction, channel, contact_id) VALUES (9, 'in', 'voice', 1)"
    )
    await keep_task(pool, 10)
    async with transaction(pool) as connection:
        await record(
            connection,
            [
                NewEvent(EventType.RECEIVED, NOW, contact_id=1, conversation_id=8),
                NewEvent(EventType.CALLED, NOW, contact_id=1, message_id=9),
            ],
        )
    stranger = Viewer(99, (4,), sees_all=True)
    assert len(await read_timeline(pool, 1, viewer=stranger)) == 4
    for table in ("conversations", "messages", "tasks"):
        await pool.execute(f"UPDATE {table} SET case_id = 4")
    assert await read_timeline(pool, 1, viewer=stranger) == []
    assert await read_case_timeline(pool, 4, viewer=stranger) == []
    for number in (5, 6, 7):
        viewer = Viewer(number)
        for rows in (
            await read_timeline(pool, 1, viewer=viewer),
            await read_case_timeline(pool, 4, viewer=viewer),
        ):
            assert [row["type"] for row in rows] == ["Called", "Received", "TaskDone", "TaskOpened"]
    assert len(await read_case_timeline(pool, 4, viewer=Viewer(5), limit=1)) == 1


async def keep_task(pool: Pool, number: int, *, kind: str = "callback", case_id: int | None = None) -> None:
    """A task of team 4, asked for by 6 and given to 5, with its two events and what was noted at its end."""
    await pool.execute(
        "INSERT INTO tasks (id, contact_id, kind, title, assignee_id, requester_id, team_id, case_id, decide_by, due, opened_at)"
        " VALUES ($1, 1, $2, 'About the warning', 5, 6, 4, $3, $4, $4, $4)",
        number, kind, case_id, NOW,
    )  # fmt: skip
    async with transaction(pool) as connection:
        _, done = await record(
            connection,
            [
                NewEvent(EventType.TASK_OPENED, NOW, contact_id=1, task_id=number, data={"title": "x"}),
                NewEvent(EventType.TASK_DONE, NOW, contact_id=1, task_id=number, data={"outcome": "reached"}),
            ],
        )
        await connection.execute("INSERT INTO event_texts (event_id, body) VALUES ($1, 'He cried.')", done)


async def test_of_the_tasks_of_others_a_timeline_shows_only_that_there_was_one(pool: Pool) -> None:
    await keep(pool, 1, name="A")
    await keep_task(pool, 7)
    for viewer in (Viewer(5), Viewer(6), Viewer(9, (3, 4)), Viewer(9, (), sees_all=True)):
        done, opened = await read_timeline(pool, 1, viewer=viewer)
        assert (done["body"], done["data"], opened["task_title"]) == (
            "He cried.",
            {"outcome": "reached"},
            "About the warning",
        )
    rows = await read_timeline(pool, 1, viewer=Viewer(9, (3,)))
    assert [(row["type"], row["task_id"]) for row in rows] == [("TaskDone", 7), ("TaskOpened", 7)]
    assert {(row["body"], row["data"], row["task_title"]) for row in rows} == {(None, None, None)}
    finding = NewEvent(EventType.CHANGED, NOW, contact_id=1, task_id=7, data={"field": "task.evidence"})
    async with transaction(pool) as connection:
        await record(connection, [finding])
    seen = [len(await read_timeline(pool, 1, viewer=viewer)) for viewer in (Viewer(5), Viewer(9, (3,)))]
    assert seen == [3, 2]


async def test_interviews_of_others_are_not_on_a_timeline_at_all(pool: Pool) -> None:
    await keep(pool, 1, name="A")
    await keep_task(pool, 7)
    await keep_task(pool, 8, kind="interview")
    assert [row["task_id"] for row in await read_timeline(pool, 1, viewer=Viewer(5), limit=3)] == [8, 8, 7]
    assert [row["task_id"] for row in await read_timeline(pool, 1, viewer=Viewer(9), limit=2)] == [7, 7]


async def test_whoever_supervises_does_not_see_the_tasks_of_confidential_cases(pool: Pool) -> None:
    await keep(pool, 1, name="A")
    await pool.execute(
        "INSERT INTO cases (id, kind, title, owner_id, confidential) VALUES (4, 'dispute', 'X', 5, true)"
    )
    await keep_task(pool, 7, case_id=4)
    for other in (Viewer(9, (), sees_all=True), Viewer(9, (4,))):
        assert await read_timeline(pool, 1, viewer=other) == []
    assert (await read_timeline(pool, 1, viewer=Viewer(5)))[0]["body"] == "He cried."


@pytest.mark.parametrize(
    ("kind", "body", "words"), [("note", " ", "empty"), ("rumour", "x", "no note of kind"), ("note", "x" * 20_001, "longer")]
)  # fmt: skip
async def test_a_note_that_says_nothing_is_refused(pool: Pool, kind: str, body: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        async with transaction(pool) as connection:
            await add_note(connection, 1, kind=kind, body=body, occurred_at=NOW, actor_id=None)


async def test_history_reaches_back_as_far_as_it_is_asked(pool: Pool) -> None:
    await pool.execute("INSERT INTO contact_aliases VALUES (7, 1)")
    async with transaction(pool) as connection:
        ids = await record(
            connection,
            [
                NewEvent(EventType.OPENED, NOW - timedelta(days=days), contact_id=contact, data={"x": days})
                for days, contact in ((9, 1), (5, 7), (1, 1))
            ],
        )
    history = await load_history(pool, [1, 2], [EventType.OPENED], since=NOW - timedelta(days=6))
    assert {number: [event["x"] for event in events] for number, events in history.items()} == {
        1: [5, 1],
        2: [],
    }
    until = await load_history(pool, [1], [EventType.OPENED], until_id=ids[1])
    assert [event["id"] for event in until[1]] == ids[:2]
    assert await load_history(pool, [1], []) == {1: []}


async def test_segments_are_kept_counted_and_sampled(pool: Pool) -> None:
    for number, country in enumerate(("FR", "fr", "DE", None), start=1):
        await keep(pool, number, name="x", country=country)
    condition = read_condition({"field": "contact.country", "is": "FR"})
    assert await count_segment(pool, condition, NOW) == 2
    assert await sample_segment(pool, condition, NOW, limit=1) == [1]
    number = await save_segment(pool, " France ", condition)
    assert await load_segment(pool, number) == condition
    with pytest.raises(Conflict, match="There is a segment “France” already"):
        await save_segment(pool, "France", condition)
    with pytest.raises(InvalidInput, match="needs a name"):
        await save_segment(pool, " ", condition)
    with pytest.raises(NotFound):
        await load_segment(pool, 99)
