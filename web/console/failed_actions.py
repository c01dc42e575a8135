"""Actions of rules that failed for good: why, trying again, giving up."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from router.failures import give_up, list_failures, try_again
from web.access.permissions import Permission
from web.console.pages import page
from web.console.visit import Visit

PAGE: Final = 50


@page("GET", "/failed-actions", permission=Permission.RULES_SEE)
async def show_failed(visit: Visit) -> web.StreamResponse:
    """Latest first."""
    person = visit.person
    rows = await list_failures(
        visit.context.pool, person.id, person.teams, before=visit.query_number("before"), limit=PAGE + 1
    )
    return visit.page(
        "failed_actions.html",
        failures=rows[:PAGE],
        following=rows[PAGE - 1]["id"] if len(rows) > PAGE else None,
    )


@page("POST", "/failed-actions/{id}/again", permission=Permission.RULES_SEE)
async def again(visit: Visit) -> web.StreamResponse:
    """Try one again."""
    person = visit.person
    await try_again(visit.context.pool, visit.context.announcer, person.id, person.teams, visit.number("id"))
    return visit.redirect("/failed-actions", "action_again")


@page("POST", "/failed-actions/{id}/give-up", permission=Permission.RULES_SEE)
async def abandon(visit: Visit) -> web.StreamResponse:
    """Take one off the list."""
    person = visit.person
    await give_up(visit.context.pool, person.id, person.teams, visit.number("id"), person.name)
    return visit.redirect("/failed-actions", "action_given_up")
