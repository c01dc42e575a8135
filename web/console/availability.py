"""How people work: hours, skills, capacity and absences on the page of a person, one's own on the account page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web
from babel.dates import get_day_names

from domain.errors import InvalidInput, NotFound
from domain.tasks import WORK_CHANNELS
from router.working_time import DAYS
from web.access.permissions import Permission
from web.console.pages import page
from web.console.visit import Visit, find_number
from web.i18n import current_language
from web.queries.people import list_users
from web.sentences import translate_error
from web.work.availability import (
    add_absence,
    end_absence,
    list_absences,
    load_working,
    read_days,
    read_working,
    save_presence,
    save_working,
    write_hours,
)

_PEOPLE: Final = """
SELECT u.id, u.name, u.present, u.capacity,
       array(SELECT t.name FROM team_members m JOIN teams t ON t.id = m.team_id WHERE m.user_id = u.id ORDER BY t.name)
         AS teams,
       a.ends_at, d.name AS deputy,
       (SELECT count(*) FROM tasks t WHERE t.assignee_id = u.id
        AND t.state NOT IN ('done','cancelled','declined')) AS open,
       (SELECT count(*) FROM tasks t WHERE t.assignee_id = u.id
        AND t.state IN ('offered','escalated','rescheduled')) AS undecided
FROM users u
LEFT JOIN LATERAL (SELECT * FROM absences a WHERE a.user_id = u.id AND a.starts_at <= $1 AND a.ends_at > $1
                   ORDER BY a.ends_at DESC LIMIT 1) a ON true
LEFT JOIN users d ON d.id = a.deputy_id
WHERE u.active ORDER BY lower(u.name), u.id
"""


def name_days() -> list[tuple[str, str]]:
    """The days of the week as hours name them, with the reader's words."""
    names = get_day_names("wide", locale=current_language())
    return [(day, names[number].capitalize()) for number, day in enumerate(DAYS)]


@page("GET", "/presence", permission=Permission.TASKS_SUPERVISE)
async def show_presence(visit: Visit) -> web.StreamResponse:
    """Who is there, and how much everybody has to do."""
    return visit.page("presence.html", people=await visit.context.pool.fetch(_PEOPLE, visit.now))


async def _find(visit: Visit) -> Any:
    number = visit.number("id")
    for user in await list_users(visit.context.pool, gone_too=True):
        if user["id"] == number:
            return user
    raise NotFound(f"There is no user {number}.")


@page("GET", "/people/{id}/work", permission=Permission.TASKS_SUPERVISE)
async def show_work(visit: Visit) -> web.StreamResponse:
    """How somebody works, for whoever leads the team."""
    return await _work_page(visit, await _find(visit))


async def _work_page(visit: Visit, user: Any, error: InvalidInput | None = None) -> web.Response:
    working = await load_working(visit.context.pool, user["id"])
    values: Mapping[str, Any] = {
        "country": working.country or "",
        "skills": ", ".join(working.skills),
        "languages": ", ".join(working.languages),
        **{f"hours-{day}": text for day, text in write_hours(working.hours).items()},
        **{f"capacity-{name}": working.capacity.get(name, "") for name in WORK_CHANNELS},
    }
    return visit.page(
        "person_work.html",
        status=422 if error else 200,
        user=user,
        values={**values, **visit.fields} if error else values,
        present=working.present,
        days=name_days(),
        channels=WORK_CHANNELS,
        errors={error.field: translate_error(error)} if error else {},
        **await show_absences(visit, user["id"]),
    )


async def show_absences(visit: Visit, user_id: int) -> dict[str, Any]:
    """What absences.html needs: the absences as days of the visitor's own zone, and who could stand in."""
    zone = ZoneInfo(visit.person.timezone)
    absences = [
        {
            "id": row["id"],
            "first": row["starts_at"].astimezone(zone).date(),
            "last": (row["ends_at"].astimezone(zone) - timedelta(seconds=1)).date(),
            "deputy": row["deputy"],
            "now": row["starts_at"] <= visit.now,
        }
        for row in await list_absences(visit.context.pool, user_id, visit.now)
    ]
    people = await list_users(visit.context.pool)
    deputies = [(other["id"], other["name"]) for other in people if other["id"] != user_id]
    return {"absences": absences, "deputies": deputies}


@page("POST", "/people/{id}/work", permission=Permission.TASKS_SUPERVISE)
async def save_work(visit: Visit) -> web.StreamResponse:
    """Keep how somebody works."""
    user = await _find(visit)
    try:
        working = read_working(visit.fields)
    except InvalidInput as error:
        return await _work_page(visit, user, error)
    await save_working(visit.context.pool, user["id"], working)
    return visit.redirect(f"/people/{user['id']}/work", "settings_saved")


async def take_absence(visit: Visit, user_id: int) -> None:
    """Note the absence of a form. Raises InvalidInput."""
    starts_at, ends_at = read_days(
        visit.text("first_day"), visit.text("last_day") or visit.text("first_day"), visit.person.timezone
    )
    deputy = find_number(visit.fields.get("deputy", ""))
    await add_absence(visit.context.pool, user_id, starts_at, ends_at, deputy, visit.now)


@page("POST", "/people/{id}/absences", permission=Permission.TASKS_SUPERVISE)
async def new_absence(visit: Visit) -> web.StreamResponse:
    """Somebody will not be there."""
    user = await _find(visit)
    try:
        await take_absence(visit, user["id"])
    except InvalidInput as error:
        return await _work_page(visit, user, error)
    return visit.redirect(f"/people/{user['id']}/work", "settings_saved")


@page("POST", "/people/{id}/absences/{absence}/end", permission=Permission.TASKS_SUPERVISE)
async def drop_absence(visit: Visit) -> web.StreamResponse:
    """Somebody will be there after all."""
    user = await _find(visit)
    await end_absence(visit.context.pool, user["id"], visit.number("absence"))
    return visit.redirect(f"/people/{user['id']}/work", "settings_saved")


@page("POST", "/account/presence", permission=Permission.TASKS_WORK)
async def set_presence(visit: Visit) -> web.StreamResponse:
    """At the desk, or away for a while."""
    await save_presence(visit.context.pool, visit.person.id, visit.fields.get("present") == "1")
    return visit.redirect("/account", "settings_saved")


@page("POST", "/account/absences/{absence}/end", permission=Permission.TASKS_WORK)
async def drop_own_absence(visit: Visit) -> web.StreamResponse:
    """I am there after all."""
    await end_absence(visit.context.pool, visit.person.id, visit.number("absence"))
    return visit.redirect("/account", "settings_saved")
