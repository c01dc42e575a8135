"""Segments and rules speak one language: SQL and Python give the same answer, whatever one makes up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.directory import load_contacts
from contacts.history import load_consents, load_history
from contacts.segments import select_contacts
from domain.conditions import parts_of, read_condition
from domain.fields import Place
from domain.folding import fold
from domain.predicates import Facts, compile_predicate, longest_within, needs_history
from storage.pool import prepare_connection
from tests.contacts import conditions as made


class World:
    """A connection on an event loop of its own; each state of the database is rolled back."""

    def __init__(self, url: str) -> None:
        self.runner = asyncio.Runner()
        self.connection: asyncpg.Connection = self.runner.run(self._open(url))

    async def _open(self, url: str) -> asyncpg.Connection:
        connection = await asyncpg.connect(url)
        await prepare_connection(connection)
        await connection.execute(
            "SET enable_seqscan = off; SET jit = off; SET TimeZone = 'Pacific/Kiritimati'"
        )
        await connection.execute(
            "INSERT INTO users (id, email, name, role) SELECT n, n::text, n::text, 'rep' FROM generate_series(1, 3) n"
        )
        await connection.execute(
            "INSERT INTO messages (id, direction, channel, tracking_level, created_at) VALUES"
            " (1, 'out', 'mail', 'full', '2026-03-01Z'), (2, 'in', 'sms', 'none', '2026-05-04 09:00Z')"
        )
        await connection.execute(
            "INSERT INTO campaigns (id, name, purpose) VALUES (1, 'May ΟΔΟΣ', 'newsletter')"
        )
        return connection

    async def fill(self, people: list[Any], events: list[Any], merges: list[tuple[int, int]]) -> list[int]:
        """Write the state; gives the ids of the contacts that were not merged away."""
        ids = list(range(10, 10 + len(people)))
        gone = {ids[old]: ids[new] for old, new in merges if old < len(ids) and new < len(ids) and new < old}
        gone = {old: new for old, new in gone.items() if new not in gone}
        for number, person in zip(ids, people, strict=True):
            owner = number if number in gone else gone.get(number, number)
            if number in gone:
                await self.connection.execute(
                    "INSERT INTO contact_aliases VALUES ($1, $2)", number, gone[number]
                )
            else:
                await self.connection.execute(
                    "INSERT INTO contacts (id, name, organisation, country, owner_id, created_at, fields, tags)"
                    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                    number, person["name"], person["organisation"], person["country"], person["owner_id"],
                    person["created_at"], person["fields"], person["tags"],
                )  # fmt: skip
            for mail in person["mails"]:
                await self.connection.execute(
                    "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'mail', $2, '')"
                    " ON CONFLICT DO NOTHING",
                    gone.get(owner, owner), mail,
                )  # fmt: skip
            for purpose, state in person["consents"].items():
                await self.connection.execute(
                    "INSERT INTO consents VALUES ($1, $2, $3, now())", number, purpose, state
                )
        for number, event in enumerate(events, 1):
            contact_id = None if event["contact"] is None else 10 + event["contact"]
            await self.connection.execute(
                "INSERT INTO events (id, occurred_at, type, contact_id, message_id, campaign_id, task_id, data)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                number, event["occurred_at"], event["type"], contact_id, event["message"], event["campaign"],
                event["task_id"], event["data"],
            )  # fmt: skip
            if event["verdict"] is not None:
                await self.connection.execute(
                    "INSERT INTO hits (event_id, occurred_at, message_id, contact_id, type, method, verdict, settle_at)"
                    " VALUES ($1, $2, 1, 1, $3, 'GET', $4, $2)",
                    number, event["occurred_at"], event["type"], event["verdict"],
                )  # fmt: skip
        return [number for number in ids if number not in gone]

    async def ask_sql(self, condition: Any) -> set[int]:
        sql, arguments = select_contacts(condition, made.NOW)
        return {row["id"] for row in await self.connection.fetch(sql, *arguments)}

    async def ask_python(self, condition: Any, ids: list[int]) -> set[int]:
        predicate = compile_predicate(condition, place=Place.SEGMENT)
        reach = longest_within(condition)
        people = await load_contacts(self.connection, ids)
        consents = await load_consents(self.connection, ids)
        history = await load_history(
            self.connection,
            ids,
            needs_history(condition),
            since=None if reach is None else made.NOW - max(reach, timedelta(seconds=1)),
            surroundings=True,
        )
        return {
            number
            for number in ids
            if predicate(Facts(people[number], None, None, None, consents[number], history[number], made.NOW))
        }


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made_world = World(database_url)
    yield made_world
    made_world.runner.run(made_world.connection.close())
    made_world.runner.close()


@settings(
    max_examples=150,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)
@given(made.worlds(batch=12))
def test_sql_and_python_agree_on_any_condition(world: World, state: dict[str, Any]) -> None:
    async def compare() -> None:
        transaction = world.connection.transaction()
        await transaction.start()
        try:
            ids = await world.fill(state["people"], state["events"], state["merges"])
            for written in [*state["conditions"], *leaves_of(state["conditions"])]:
                condition = read_condition(written)
                assert await world.ask_sql(condition) == await world.ask_python(condition, ids), written
        finally:
            await transaction.rollback()

    world.runner.run(compare())


def leaves_of(conditions: list[Any]) -> Iterator[Any]:
    """The parts of conditions that ask about contacts by themselves: a tree can hide that one of them is wrong."""
    for condition in conditions:
        for key in ("all", "any"):
            yield from leaves_of(condition.get(key, []))
        if "not" in condition:
            yield from leaves_of([condition["not"]])
        if "field" in condition or "did" in condition:
            yield condition


def test_the_past_of_merged_contacts_counts_in_both(world: World) -> None:
    async def compare() -> None:
        people = [{**NOBODY, "name": name, "fields": {}} for name in ("Ana", "A. Ruiz", "Bo")]
        past = {
            "type": "Clicked",
            "occurred_at": made.NOW,
            "message": None,
            "campaign": None,
            "task_id": None,
        }
        events = [{**past, "contact": contact, "verdict": "human", "data": None} for contact in (0, 1, 1, 2)]
        ids = await world.fill(people, events, [(1, 0)])
        condition = read_condition({"did": "Clicked", "at_least": 3, "judged": "human"})
        assert await world.ask_sql(condition) == await world.ask_python(condition, ids) == {10}

    world.runner.run(compare())


def test_every_awkward_value_compares_alike_with_every_other(world: World) -> None:
    stored = [*made.WORDS, *made.NUMBERS, *made.ODD]
    equalities = [*made.WORDS, *made.NUMBERS, True, False]
    bounds = [*made.NUMBERS, *made.MOMENTS]
    asked: list[dict[str, Any]] = [
        *({operator: value} for operator in ("is", "is_not") for value in equalities),
        *({operator: value} for operator in ("contains", "starts_with") for value in made.WORDS),
        *({operator: value} for operator in ("less", "at_most", "more", "at_least") for value in bounds),
        *({"missing": value} for value in (True, False)),
        {"in": []},
        {"in": equalities},
    ]

    async def compare() -> None:
        people = [{**NOBODY, "name": str(value), "fields": {"x": value}} for value in stored]
        ids = await world.fill(people, [], [])
        for test in asked:
            condition = read_condition({"field": "contact.fields.x", **test})
            assert await world.ask_sql(condition) == await world.ask_python(condition, ids), test
        for test in asked[: len(equalities) + 2 * len(made.WORDS)]:
            if all(isinstance(value, str) for value in test.values()):
                condition = read_condition({"field": "contact.name", **test})
                assert await world.ask_sql(condition) == await world.ask_python(condition, ids), test

    world.runner.run(compare())


NOBODY: dict[str, Any] = {
    "tags": [],
    "organisation": None,
    "country": None,
    "owner_id": None,
    "created_at": made.NOW,
    "mails": [],
    "consents": {},
}


def test_case_is_ignored_alike_in_all_of_unicode(world: World) -> None:
    rows = world.runner.run(
        world.connection.fetch(
            "SELECT chr(n) AS upper, lower(chr(n) COLLATE pg_c_utf8) AS lower FROM generate_series(1, 1114111) AS n"
            " WHERE n NOT BETWEEN 55296 AND 57343"
        )
    )
    assert [row["upper"] for row in rows if fold(row["upper"]) != row["lower"]] == []


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(made.characters), max_size=20))
def test_case_is_ignored_alike_in_whole_texts(world: World, texts: list[str]) -> None:
    lowered = world.runner.run(
        world.connection.fetchval(
            "SELECT array_agg(lower(t COLLATE pg_c_utf8) ORDER BY n)"
            " FROM unnest($1::text[]) WITH ORDINALITY AS i(t, n)",
            texts,
        )
    )
    assert (lowered or []) == [fold(text) for text in texts]


def test_the_made_up_conditions_reach_every_part_of_the_language() -> None:
    seen: set[str] = set()

    @settings(max_examples=300, database=None)
    @given(made.conditions_for({}))
    def collect(written: Any) -> None:
        stack = [read_condition(written)]
        while stack:
            part = stack.pop()
            seen.add(type(part).__name__)
            stack += [inner for _, inner in parts_of(part)]

    collect()
    assert seen == {"All", "Any_", "Not", "Compare", "Did", "Consent"}
