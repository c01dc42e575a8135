"""The actions `move_case` and `close_case`: the event's case goes to a stage, or ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from domain.cases import CaseState
from domain.errors import ClytieError
from router.actions.work import Planned, Shown, Work
from router.cases import moves
from router.cases.store import lock_case, type_of, write_case
from router.cases.type_store import load_types
from router.decide import Decision
from router.then.cases import CloseCaseAction, MoveCaseAction

_IS_OF: Final = "SELECT id FROM cases WHERE id = $1 AND ($2::text IS NULL OR kind = $2)"
_OF_CONTACT: Final = """
SELECT k.id FROM cases k JOIN case_contacts p ON p.case_id = k.id
WHERE p.contact_id = $1 AND k.kind = $2 AND k.state = 'open' ORDER BY k.id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class MovePlan:
    """Where a case is to go; `closes`: it ends there."""

    stage: str | None
    type: str | None
    closes: bool


def plan(decision: Decision, number: int, work: Work) -> MovePlan:
    """What is to become of the case."""
    match decision.rule.actions[number].action:
        case MoveCaseAction(move_case=order):
            return MovePlan(order.stage, order.type, closes=False)
        case CloseCaseAction(close_case=order):
            return MovePlan(order.stage, order.type, closes=True)
    raise TypeError(decision.rule.actions[number].action)  # EXECUTORS gives this file nothing else


def show(plan: MovePlan, work: Work) -> Shown:
    """The stage."""
    return Shown("close_case" if plan.closes else "move_case", plan.stage or "")


async def execute(work: Work, planned: Sequence[Planned]) -> None:
    """Move them one by one, in the order of the rules; tells each move."""
    types = await load_types(work.connection)
    for item in planned:
        number = await _find(work, item)
        if number is None:
            item.decision.deeds[item.number] = {"state": "nothing", "reason": "the event belongs to no case"}
            continue
        try:
            case = await lock_case(work.connection, number)
            kind = type_of(types, case)
            if case.state is CaseState.CLOSED:
                item.decision.deeds[item.number] = {"state": "nothing", "reason": "the case is closed"}
                continue
            if item.plan.closes:
                moved = moves.close(case, kind, work.now, item.plan.stage)
            else:
                moved = moves.move_to(case, kind, item.plan.stage, work.now)
        except ClytieError as error:
            work.fail(item, f"{type(error).__name__}: {error}")
            continue
        item.decision.deeds[item.number] = {"state": "done", "case_id": number}
        if not moved.told:
            continue
        await write_case(work.connection, moved.case)
        work.acted = True
        sighting = item.decision.sighting
        source = {"rule": item.decision.rule.name, "depth": sighting.depth + 1, "about": sighting.id}
        for event, data in moved.told:
            work.tell(case.tell(event, work.now, None, data | source))


async def _find(work: Work, item: Planned) -> int | None:
    plan, sighting = item.plan, item.decision.sighting
    found: int | None = None
    for near in (item.decision.case_id, sighting.case_id):
        if found is None and near is not None:
            found = await work.connection.fetchval(_IS_OF, near, plan.type)
    if found is None and plan.type is not None and sighting.contact_id is not None:
        found = await work.connection.fetchval(_OF_CONTACT, sighting.contact_id, plan.type)
    return found
