"""The action `open_case`: a case with the contact in it and the event's conversation, once for what it is once for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from domain.errors import ClytieError
from domain.events import EventType
from router.actions.work import Planned, Shown, Work
from router.cases.belonging import JOIN
from router.cases.opening import NewCase, insert_case
from router.cases.store import lock_case
from router.cases.type_store import find_type, load_types
from router.cases.types import CaseType
from router.decide import Decision
from router.then.cases import OpenCaseAction

#: one router at a time looks whether there is one, and opens one; in the order of the keys, as everybody
_ALONE: Final = """
SELECT pg_advisory_xact_lock(key) FROM (
  SELECT DISTINCT hashtextextended(key, 0) AS key FROM unnest($1::text[]) AS given (key) ORDER BY 1) AS keys
"""
_OF_CONTACT: Final = """
SELECT k.id FROM cases k JOIN case_contacts p ON p.case_id = k.id
WHERE p.contact_id = $2 AND k.kind = $1 AND k.state = 'open' ORDER BY k.id LIMIT 1
"""
_OF_CONVERSATION: Final = """
SELECT k.id FROM conversations v JOIN cases k ON k.id = v.case_id WHERE v.id = $2 AND k.kind = $1
"""
_OWNER: Final = "SELECT id FROM users WHERE id = $1 AND active"
_TEAM: Final = "SELECT id FROM teams WHERE name = $1"


@dataclass(frozen=True, slots=True)
class CasePlan:
    """A case before it is looked for, and opened."""

    type: str
    title: str
    per: str | None
    role: str
    fields: Mapping[str, str]
    owner_id: int | None
    team: str | None
    confidential: bool | None
    key: str


def plan(decision: Decision, number: int, work: Work) -> CasePlan:
    """What would be opened."""
    compiled, sighting = decision.rule.actions[number], decision.sighting
    assert isinstance(compiled.action, OpenCaseAction)
    wanted = compiled.action.open_case
    facts = sighting.facts(work.now)
    return CasePlan(
        type=wanted.type,
        title=compiled.texts["title"](facts),
        per=wanted.per,
        role=wanted.role or "",
        fields={name: compiled.texts[f"fields.{name}"](facts) for name in wanted.fields},
        owner_id=sighting.contact.get("owner_id") if wanted.owner else None,
        team=wanted.team,
        confidential=wanted.confidential,
        key=f"{decision.key}:{sighting.id}:{number}",
    )


def show(plan: CasePlan, work: Work) -> Shown:
    """Its type and title."""
    return Shown("open_case", f"{plan.type}: {plan.title}", plan.owner_id, plan.team)


async def execute(work: Work, planned: Sequence[Planned]) -> None:
    """Open the cases one by one: they are rare. Tells a CaseOpened for each, and what joined it."""
    types = await load_types(work.connection)
    await work.connection.execute(_ALONE, [f"case:{item.plan.type}:{_what(item)}" for item in planned])
    for item in planned:
        try:
            number, opened = await _find_or_open(work, item, find_type(types, item.plan.type, field="type"))
        except ClytieError as error:
            work.fail(item, f"{type(error).__name__}: {error}")
            continue
        item.decision.case_id = number
        item.decision.deeds[item.number] = {"state": "done" if opened else "nothing", "case_id": number}
        if not opened:
            item.decision.deeds[item.number]["reason"] = "such a case is open already"
        await _join(work, item, number)


def _what(item: Planned) -> str:
    sighting = item.decision.sighting
    if item.plan.per == "conversation" and sighting.conversation_id is not None:
        return f"conversation={sighting.conversation_id}"
    return f"contact={sighting.contact_id}"


async def _find_or_open(work: Work, item: Planned, kind: CaseType) -> tuple[int, bool]:
    plan, sighting = item.plan, item.decision.sighting
    there = await _find(work, item)
    if there is not None:
        return there, False
    owner = plan.owner_id and await work.connection.fetchval(_OWNER, plan.owner_id)
    team = None if plan.team is None else await work.connection.fetchval(_TEAM, plan.team)
    contacts = () if sighting.contact_id is None else ((sighting.contact_id, plan.role),)
    number, events = await insert_case(
        work.connection,
        kind,
        NewCase(
            kind=plan.type,
            title=plan.title,
            team_id=team,
            confidential=plan.confidential,
            fields=plan.fields,
            contacts=contacts,
            rule_id=item.decision.rule.id,
            key=plan.key,
        ),
        now=work.now,
        owner_id=owner or None,
        actor_id=None,
        data=_source(item),
    )
    if number is None:
        known: int = await work.connection.fetchval(
            "SELECT id FROM cases WHERE idempotency_key = $1", plan.key
        )
        return known, False
    work.acted = True
    for event in events:
        work.tell(event)
    return number, True


async def _find(work: Work, item: Planned) -> int | None:
    plan, sighting = item.plan, item.decision.sighting
    found: int | None = None
    if sighting.conversation_id is not None:
        found = await work.connection.fetchval(_OF_CONVERSATION, plan.type, sighting.conversation_id)
    if found is None and plan.per == "contact" and sighting.contact_id is not None:
        found = await work.connection.fetchval(_OF_CONTACT, plan.type, sighting.contact_id)
    return found


async def _join(work: Work, item: Planned, case_id: int) -> None:
    """The event's conversation, or its message when it has none, belongs to the case from then on, if to no other."""
    sighting = item.decision.sighting
    thing, number = "conversation", sighting.conversation_id
    if number is None:
        thing, number = "message", sighting.message_id
    if number is None or sighting.campaign_id is not None:
        return
    if not await work.connection.fetchval(JOIN[thing], number, case_id):
        return
    work.acted = True
    case = await lock_case(work.connection, case_id)
    told = case.tell(
        EventType.CASE_JOINED,
        work.now,
        None,
        {"what": thing} | _source(item),
        **{f"{thing}_id": number},
    )
    work.tell(replace(told, contact_id=sighting.contact_id or told.contact_id))


def _source(item: Planned) -> dict[str, Any]:
    sighting = item.decision.sighting
    return {"rule": item.decision.rule.name, "depth": sighting.depth + 1, "about": sighting.id}
