"""The action `assign`: gives the event's conversation to somebody, or takes it from whoever has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from router.actions.changes import load_people_by_mail
from router.actions.editing import Edit, write_edits
from router.actions.work import Planned, Shown, Work
from router.decide import Decision
from router.then.people import AssignAction, AssignConversation

_OWNERS: Final = "SELECT id FROM users WHERE active AND id = ANY ($1::bigint[])"
#: $1 conversations. Who may be told of those in confidential queues: their team's people; null for the others.
_CONFIDENTIAL: Final = """
SELECT v.id, ARRAY(SELECT m.user_id FROM team_members m WHERE m.team_id = q.team_id) AS people
FROM conversations v JOIN queues q ON q.id = v.queue_id WHERE v.id = ANY ($1::bigint[]) AND q.confidential
"""
#: the active members of teams, with how many conversations that are not closed each has
_MEMBERS: Final = """
SELECT t.name AS team, u.id,
       (SELECT count(*) FROM conversations v WHERE v.assignee_id = u.id AND v.state <> 'closed') AS load
FROM teams t JOIN team_members m ON m.team_id = t.id JOIN users u ON u.id = m.user_id AND u.active
WHERE t.name = ANY ($1::text[]) ORDER BY t.name, u.id
"""


@dataclass(slots=True)
class _House:
    """Who is there, and how much each has to do."""

    people: Mapping[str, int]
    active: frozenset[int]
    confidential: Mapping[int, frozenset[int]]
    loads: dict[str, dict[int, int]] = field(default_factory=dict)


def plan(decision: Decision, number: int, work: Work) -> AssignConversation:
    """Whom the rule names."""
    action = decision.rule.actions[number].action
    assert isinstance(action, AssignAction)
    return action.assign


def show(plan: AssignConversation, work: Work) -> Shown:
    """Whom it names, in order."""
    names = [
        *(["the contact's owner"] if plan.owner else []),
        *([plan.person] if plan.person else []),
        *([f"somebody of {plan.team}"] if plan.team else []),
    ]
    return Shown("assign", ", else ".join(names) or "nobody", team=plan.team)


async def execute(work: Work, planned: Sequence[Planned]) -> None:
    """Assign the conversations, and tell a ConversationAssigned for each that somebody else had."""
    ready: list[tuple[Planned, Sequence[Edit]]] = []
    house = await _load(work, planned)
    for item in planned:
        conversation = item.decision.sighting.conversation_id
        order: AssignConversation = item.plan
        if conversation is None or order.nobody:
            ready.append((item, [Edit("conversation", "assignee_id", None)]))
            continue
        may = house.confidential.get(conversation)
        owner = item.decision.sighting.contact.get("owner_id")
        person = _choose(order, owner, may, house)
        if person is None:
            only = "; its queue is confidential, so only its team may have it" if may is not None else ""
            work.fail(item, f"Nobody that the rule names can take the conversation{only}.")
            continue
        ready.append((item, [Edit("conversation", "assignee_id", person)]))
    await write_edits(work, ready)


async def _load(work: Work, planned: Sequence[Planned]) -> _House:
    orders: list[AssignConversation] = [item.plan for item in planned]
    sightings = [item.decision.sighting for item in planned]
    owners = [
        sighting.contact.get("owner_id")
        for sighting, order in zip(sightings, orders, strict=True)
        if order.owner and sighting.contact.get("owner_id") is not None
    ]
    connection = work.connection
    house = _House(
        await load_people_by_mail(work, {order.person for order in orders if order.person is not None}),
        frozenset(row["id"] for row in await connection.fetch(_OWNERS, owners)) if owners else frozenset(),
        {
            row["id"]: frozenset(row["people"])
            for row in await connection.fetch(
                _CONFIDENTIAL,
                [sighting.conversation_id for sighting in sightings if sighting.conversation_id is not None],
            )
        },
    )
    teams = list({order.team for order in orders if order.team is not None})
    rows: Sequence[Any] = await connection.fetch(_MEMBERS, teams) if teams else ()
    for row in rows:
        house.loads.setdefault(row["team"], {})[row["id"]] = row["load"]
    return house


def _choose(
    order: AssignConversation, owner: int | None, may: frozenset[int] | None, house: _House
) -> int | None:
    """The first person of the rule who is there and may have it. Counts what it gives to members of teams."""
    if order.owner and owner in house.active and (may is None or owner in may):
        return owner
    person = house.people.get((order.person or "").lower())
    if person is not None and (may is None or person in may):
        return person
    loads = house.loads.get(order.team or "", {})
    free = [one for one in loads if may is None or one in may]
    if not free:
        return None
    chosen = min(free, key=lambda one: (loads[one], one))
    for members in house.loads.values():
        if chosen in members:
            members[chosen] += 1
    return chosen
