"""A contact's timeline for whoever looks at it (contacts/timeline.py has the query)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contacts import timeline
from contacts.timeline import PAGE as PAGE
from storage.pool import Pool
from web.people import Person


async def read_timeline(
    pool: Pool, person: Person, contact_id: int, before: int | None = None, limit: int = PAGE
) -> Sequence[Any]:
    """At most `limit` events older than the event `before`; the contact's merged selves are included."""
    return await timeline.read_timeline(pool, contact_id, viewer_id=person.id, before=before, limit=limit)
