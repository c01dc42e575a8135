"""The action `pause_marketing`: a row that campaigns look at when they mark a message, and an event that tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.events import EventType, NewEvent
from router.actions.work import Planned, Shown, Work
from router.decide import Decision
from router.then.pauses import PauseMarketingAction

_PAUSE: Final = """
INSERT INTO marketing_pauses (contact_id, key, rule, conversation_id, case_id, until, created_at)
SELECT contact_id, key, rule, conversation_id, case_id, until, $7
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::timestamptz[])
  AS given (contact_id, key, rule, conversation_id, case_id, until)
ON CONFLICT (key) DO NOTHING RETURNING key
"""


@dataclass(frozen=True, slots=True)
class Pause:
    """How long: while something is open, and until a moment; the later end counts."""

    open_: str | None
    until: datetime | None


def plan(decision: Decision, number: int, work: Work) -> Pause:
    """How long it would last."""
    action = decision.rule.actions[number].action
    assert isinstance(action, PauseMarketingAction)
    order = action.pause_marketing
    return Pause(order.while_, None if order.for_ is None else work.now + order.for_)


def show(plan: Pause, work: Work) -> Shown:
    """How long."""
    parts = [
        *([f"while the {plan.open_} is open"] if plan.open_ else []),
        *([f"until {plan.until:%Y-%m-%d %H:%M}"] if plan.until else []),
    ]
    return Shown("pause_marketing", ", ".join(parts))


async def execute(work: Work, planned: Sequence[Planned]) -> None:
    """Pause them; an event without contact, or without what should be open, pauses nothing for that."""
    rows: dict[str, tuple[Planned, int | None, int | None]] = {}
    for item in planned:
        sighting, order = item.decision.sighting, item.plan
        talk = sighting.conversation_id if order.open_ == "conversation" else None
        case = sighting.case_id if order.open_ == "case" else None
        reason = None
        if sighting.contact_id is None:
            reason = "the event has no contact"
        elif order.open_ and talk is None and case is None and order.until is None:
            reason = f"the event has no {order.open_}"
        if reason is not None:
            item.decision.deeds[item.number] = {"state": "nothing", "reason": reason}
            continue
        rows[f"{item.decision.key}:{sighting.id}:{item.number}"] = (item, talk, case)
    if not rows:
        return
    made = await work.connection.fetch(
        _PAUSE,
        [item.decision.sighting.contact_id for item, _, _ in rows.values()],
        list(rows),
        [item.decision.rule.name for item, _, _ in rows.values()],
        [talk for _, talk, _ in rows.values()],
        [case for _, _, case in rows.values()],
        [item.plan.until for item, _, _ in rows.values()],
        work.now,
    )
    for row in made:
        item, talk, case = rows[row["key"]]
        sighting = item.decision.sighting
        work.acted = True
        until = item.plan.until and item.plan.until.isoformat()
        work.tell(
            NewEvent(
                EventType.CHANGED,
                work.now,
                contact_id=sighting.contact_id,
                conversation_id=talk,
                case_id=case,
                data={
                    "field": "marketing_pause",
                    "old": None,
                    "new": until or item.plan.open_,
                    "rule": item.decision.rule.name,
                    "depth": sighting.depth + 1,
                    "about": sighting.id,
                },
            )
        )
