"""What happens to a task, as an event on everything that the task is about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.events import EventType, NewEvent


def tell_of(task: Mapping[str, Any], type: EventType, now: datetime, data: Mapping[str, Any]) -> NewEvent:
    """An event of this type about a task: a row with its id, its kind and what it belongs to. `data` comes after the kind."""
    return NewEvent(
        type,
        now,
        contact_id=task["contact_id"],
        campaign_id=task["campaign_id"],
        conversation_id=task["conversation_id"],
        case_id=task["case_id"],
        task_id=task["id"],
        data={"kind": task["kind"], **data},
    )
