"""The action `notify`: what people who work here will be told, written down in the transaction of the rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from router.actions.errands import about, put_down
from router.actions.work import Planned, Shown, Work
from router.decide import Decision
from router.then.notices import NotifyAction


def plan(decision: Decision, number: int, work: Work) -> dict[str, Any]:
    """Whom, by which ways, and what."""
    compiled, sighting = decision.rule.actions[number], decision.sighting
    assert isinstance(compiled.action, NotifyAction)
    order = compiled.action.notify
    return {
        "text": compiled.texts["text"](sighting.facts(work.now)),
        "by": list(order.by),
        "owner_id": sighting.contact.get("owner_id") if order.owner else None,
        "owner": bool(order.owner),
        "assignee": bool(order.assignee),
        "person": order.person,
        "team": order.team,
    }


def show(plan: dict[str, Any], work: Work) -> Shown:
    """Whom, and the words."""
    names = [
        *(["owner"] if plan["owner"] else []),
        *(["assignee"] if plan["assignee"] else []),
        *(name for name in (plan["person"], plan["team"]) if name),
    ]
    return Shown("notify", f"{', '.join(names)} ({', '.join(plan['by'])}): {plan['text']}")


async def execute(work: Work, planned: Sequence[Planned]) -> None:
    """Put them down; people are told after the commit, once."""
    for item in planned:
        put_down(work, item, {**about(item), **item.plan})
