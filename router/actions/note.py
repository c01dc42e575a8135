"""The action `note`: a note on the contact's timeline, its text apart from the event so that it can be erased."""

from __future__ import annotations

from collections.abc import Sequence

from domain.events import EventType, NewEvent
from router.actions.work import Planned, Shown, Work
from router.decide import Decision


def plan(decision: Decision, number: int, work: Work) -> str:
    """The text of the note."""
    return decision.rule.actions[number].texts["text"](decision.sighting.facts(work.now))


def show(plan: str, work: Work) -> Shown:
    """The note."""
    return Shown("note", plan)


async def execute(work: Work, planned: Sequence[Planned]) -> None:
    """Tell a Noted for each."""
    for item in planned:
        sighting = item.decision.sighting
        work.acted = True
        work.tell(
            NewEvent(
                EventType.NOTED,
                work.now,
                contact_id=sighting.contact_id,
                message_id=sighting.message_id,
                campaign_id=sighting.campaign_id,
                conversation_id=sighting.conversation_id,
                case_id=sighting.case_id,
                data={
                    "medium": "rule",
                    "rule": item.decision.rule.name,
                    "depth": sighting.depth + 1,
                    "about": sighting.id,
                },
                key=f"note:{item.decision.key}:{sighting.id}:{item.number}",
            ),
            item.plan,
        )
