"""Actions that are not done at once: what leaves the house, and letters. They are put down, and done after the commit.

See router/performing.py for whoever does them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from router.actions.work import UNDER_WAY, Errand, Planned, Work


def put_down(work: Work, item: Planned, payload: Mapping[str, Any]) -> None:
    """Leave an action to be done right after this work; the payload holds all that it takes, and is never empty."""
    assert payload
    work.acted = True
    item.decision.deeds[item.number] = {"state": UNDER_WAY}
    work.errands.append(Errand(item.decision, item.number, payload))


def about(item: Planned) -> dict[str, Any]:
    """The facts that every errand carries: which rule, and what the event belongs to."""
    sighting = item.decision.sighting
    return {
        "rule": item.decision.rule.name,
        "depth": sighting.depth + 1,
        "contact_id": sighting.contact_id,
        "message_id": sighting.message_id,
        "campaign_id": sighting.campaign_id,
        "conversation_id": sighting.conversation_id,
        "case_id": sighting.case_id,
        "task_id": sighting.task_id,
    }
