"""Rules open cases once, put what the event is about into them, move them on and close them; the log tells which."""

from __future__ import annotations

from typing import Any

import pytest

from domain.cases import CASE_EVENTS
from domain.events import EventType
from router.cases.changes import move_case
from router.cases.opening import NewCase, open_case
from router.cases.type_files import read_types
from router.cases.type_store import apply_types
from router.rule_files import InvalidRules
from tests.router.test_cases import desk_of
from tests.router.world import World

COMPLAINTS = """
- name: open-complaints
  when: Received
  where: {field: content.subject, mentions: "complain*"}
  then:
    - open_task: {kind: todo, title: "Answer {contact.name}", assign: {team: sales}}
    - open_case:
        type: complaint
        title: "Complaint of {contact.name}"
        per: contact
        role: complainant
        fields: {reference: "{content.subject}", about: service}
        owner: true
- name: go-on
  when: TaskDone
  where: {field: case.kind, is: complaint}
  then:
    - move_case: examined
- name: end
  when: Noted
  where: {field: case.stage, is: examined}
  then:
    - close_case: {stage: settled, type: complaint}
"""


async def receive(world: World, contact: int, subject: str = "I complain") -> tuple[int, int]:
    """A mail in a conversation of its own; gives the conversation and the message."""
    conversation = await world.pool.fetchval(
        "INSERT INTO conversations (contact_id, subject) VALUES ($1, $2) RETURNING id", contact, subject
    )
    message = await world.pool.fetchval(
        "INSERT INTO messages (direction, channel, contact_id, conversation_id) VALUES ('in', 'mail', $1, $2)"
        " RETURNING id",
        contact,
        conversation,
    )
    await world.pool.execute(
        "INSERT INTO message_contents (message_id, subject) VALUES ($1, $2)", message, subject
    )
    await world.tell(EventType.RECEIVED, contact, message_id=message, conversation_id=conversation)
    await world.route()
    return conversation, message


async def cases(world: World) -> list[Any]:
    rows: list[Any] = await world.pool.fetch("SELECT * FROM cases ORDER BY id")
    return rows


async def told(world: World) -> list[str]:
    return [row["type"] for row in await world.events(*CASE_EVENTS)]


async def test_a_complaint_opens_a_case_with_the_conversation_and_the_task_in_it(world: World) -> None:
    await world.apply(COMPLAINTS)
    ana = await world.contact("Ana Sousa")
    conversation, _ = await receive(world, ana, "I complain about the roof")
    (case,) = await cases(world)
    assert (case["kind"], case["title"], case["stage"]) == ("complaint", "Complaint of Ana Sousa", "received")
    assert (case["owner_id"], case["fields"]) == (
        world.claire,
        {"reference": "I complain about the roof", "about": "service"},
    )
    assert (
        await world.pool.fetchval("SELECT part FROM case_contacts WHERE contact_id = $1", ana)
        == "complainant"
    )
    assert (
        await world.pool.fetchval("SELECT case_id FROM conversations WHERE id = $1", conversation)
        == case["id"]
    )
    (task,) = await world.tasks()
    assert task["case_id"] == case["id"]
    assert await told(world) == ["CaseOpened", "CaseJoined"]
    (deeds,) = [row["deeds"] for row in await world.pool.fetch("SELECT deeds FROM rule_runs")]
    assert deeds[1] == {"action": "open_case", "state": "done", "case_id": case["id"]}


async def test_a_second_complaint_goes_into_the_open_case_and_a_new_one_after_it_closed(world: World) -> None:
    await world.apply(COMPLAINTS)
    ana, bo = await world.contact("Ana"), await world.contact("Bo")
    await receive(world, ana)
    second, _ = await receive(world, ana)
    await receive(world, bo)
    first, other = await cases(world)
    assert await world.pool.fetchval("SELECT case_id FROM conversations WHERE id = $1", second) == first["id"]
    await world.pool.execute("UPDATE cases SET state = 'closed' WHERE id = $1", first["id"])
    await receive(world, ana)
    assert len(await cases(world)) == 3
    assert other["id"] != first["id"]


async def test_an_event_of_a_case_moves_it_and_closes_it(world: World) -> None:
    await world.apply(COMPLAINTS)
    ana = await world.contact("Ana")
    conversation, _ = await receive(world, ana)
    (case,) = await cases(world)
    (task,) = await world.tasks()
    await world.tell(EventType.TASK_DONE, ana, task_id=task["id"], data={"outcome": "done"})
    await world.route()
    assert (await cases(world))[0]["stage"] == "examined"
    await world.tell(EventType.NOTED, ana, conversation_id=conversation)
    await world.route()
    (case,) = await cases(world)
    assert (case["state"], case["stage"]) == ("closed", "settled")
    assert await told(world) == ["CaseOpened", "CaseJoined", "CaseMoved", "CaseMoved", "CaseClosed"]
    moved = (await world.events(EventType.CASE_MOVED))[0]["data"]
    assert (moved["rule"], moved["old"], moved["new"]) == ("go-on", "received", "examined")


async def test_a_rule_that_looks_at_cases_is_set_off_by_their_moves(world: World) -> None:
    await world.apply(
        """
- name: congratulate
  when: CaseMoved
  where: {all: [{field: event.new, is: won}, {field: case.fields.amount, more: 1000}]}
  then: [{note: "Sold {case.title}"}]
"""
    )
    number = await open_case(
        desk_of(world),
        NewCase("sale", "Roof", contacts=((await world.contact("Ana"), "buyer"),), fields={"amount": 2000}),
    )
    await move_case(desk_of(world), number, "won")
    await world.route()
    (note,) = await world.events(EventType.NOTED)
    assert note["case_id"] == number
    assert (
        await world.pool.fetchval("SELECT body FROM event_texts WHERE event_id = $1", note["id"])
        == "Sold Roof"
    )


async def test_without_a_case_nothing_is_moved_and_the_log_says_so(world: World) -> None:
    await world.apply(COMPLAINTS.replace("where: {field: case.kind, is: complaint}\n  ", ""))
    await world.tell(EventType.TASK_DONE, await world.contact("Ana"))
    await world.route()
    (deeds,) = [row["deeds"] for row in await world.pool.fetch("SELECT deeds FROM rule_runs")]
    assert deeds == [{"action": "move_case", "state": "nothing", "reason": "the event belongs to no case"}]


async def test_a_case_that_nobody_would_see_is_put_down_and_told(world: World) -> None:
    await world.apply(
        """
- name: suit
  when: Received
  then: [{open_case: {type: dispute, title: "Suit of {contact.name}", owner: true}}, {note: seen}]
"""
    )
    await world.tell(EventType.RECEIVED, await world.contact("Ana", owner_id=None))
    await world.route()
    assert await cases(world) == []
    deeds = (await world.pool.fetch("SELECT deeds FROM rule_runs ORDER BY id"))[0]["deeds"]
    assert deeds[0]["state"] == "failed"
    assert "would be seen by nobody" in deeds[0]["reason"]
    assert await world.pool.fetchval("SELECT count(*) FROM rule_deeds WHERE action = 'open_case'") == 1


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("type: complaint\n        title", "type: complant\n        title", "no type of case 'complant'. Did you mean 'complaint'?"),
        ("role: complainant", "role: buyer", "no stage, role or field 'complaint: buyer'."),
        ("{reference:", "{referenc:", "Did you mean 'complaint: reference'?"),
        ("move_case: examined", "move_case: examin", "Did you mean 'examined'?"),
        ("stage: settled", "stage: won", "no stage, role or field 'complaint: won'."),
    ],
)  # fmt: skip
async def test_a_rule_that_names_what_no_type_has_is_refused(
    world: World, before: str, after: str, says: str
) -> None:
    assert before in COMPLAINTS
    with pytest.raises(InvalidRules) as caught:
        await world.apply(COMPLAINTS.replace(before, after))
    assert says in str(caught.value)


async def test_cases_that_open_each_other_are_found_before_they_do(world: World) -> None:
    with pytest.raises(InvalidRules, match="sets itself off"):
        await world.apply(
            "- name: ever\n  when: CaseOpened\n  then: [{open_case: {type: sale, title: Again}}]\n"
        )


async def test_rules_name_the_types_of_the_house(world: World) -> None:
    await apply_types(world.pool, read_types("- name: loan\n  stages: [{name: asked}]\n"))
    loan = "- name: lend\n  when: Noted\n  then: [{open_case: {type: loan, title: A drill}}]\n"
    await world.apply(loan)
    await world.tell(EventType.NOTED, await world.contact("Ana"))
    await world.route()
    assert [case["kind"] for case in await cases(world)] == ["loan"]
    with pytest.raises(InvalidRules, match="no type of case 'sale'"):
        await world.apply(loan.replace("type: loan", "type: sale"))
