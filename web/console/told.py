"""What rules tell a person: on their first page until they have seen it."""

from __future__ import annotations

from aiohttp import web

from web.access.permissions import Permission
from web.console.pages import page
from web.console.visit import Visit
from web.queries.notices import mark_seen


@page("POST", "/notices/{id}/seen", permission=Permission.TASKS_WORK)
async def seen(visit: Visit) -> web.StreamResponse:
    """They have seen it, and those before it."""
    await mark_seen(visit.context.pool, visit.person, visit.number("id"))
    return visit.redirect("/", "notices_seen")
