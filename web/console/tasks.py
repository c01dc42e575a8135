"""Tasks: the list, one task, and the moves a person makes on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web

from contacts.timeline import read_timeline
from domain.errors import Conflict, InvalidInput, NotFound
from domain.tasks import OUTCOME_FORMS, DeclineReason, TaskKind, TaskMove
from router.assignment.offers import list_offers
from web.access.permissions import Permission
from web.console.call_lines import fold_calls
from web.console.dialling import offer_call
from web.console.door import safe_path
from web.console.event_words import describe_event
from web.console.pages import page
from web.console.visit import Visit, find_number
from web.i18n import N_
from web.queries.people import list_candidates
from web.queries.reasons import read_runs, read_verdict
from web.queries.tasks import (
    Scope,
    TaskView,
    as_viewer,
    count_ended,
    find_task,
    group_tasks,
    list_tasks,
    see_outcome,
)
from web.sentences import translate_error
from web.times import local
from web.work.calls import suggest_for_task
from web.work.tasks import make_move, moves_for

_SCOPES: Final = frozenset(Scope)


@page("GET", "/tasks", permission=Permission.TASKS_WORK)
async def show_tasks(visit: Visit) -> web.StreamResponse:
    """The list; as a fragment only its rows."""
    asked = visit.request.query.get("scope", Scope.MINE.value)
    scope = Scope(asked) if asked in _SCOPES else Scope.MINE
    if scope is Scope.ALL:
        visit.require(Permission.TASKS_SUPERVISE)
    tasks = await list_tasks(visit.context.pool, visit.person, scope, visit.now)
    groups: list[tuple[str, list[TaskView]]]
    if scope is Scope.CLOSED:
        groups = [("closed", tasks)] if tasks else []
    elif scope is Scope.ASKED:
        ended = [task for task in tasks if not task.is_open]
        waiting = group_tasks(
            [task for task in tasks if task.is_open], end_of_today(visit.now, visit.person.timezone)
        )
        groups = [*([("ended", ended)] if ended else []), *waiting]
    else:
        groups = group_tasks(tasks, end_of_today(visit.now, visit.person.timezone))
    return visit.page(
        "task_list.html" if visit.is_fragment else "tasks.html",
        groups=groups,
        scope=scope.value,
        ended=0 if visit.is_fragment else await count_ended(visit.context.pool, visit.person),
    )


def end_of_today(now: datetime, zone: str) -> datetime:
    """Midnight after `now` on the wall clock of a time zone."""
    here = local(now, zone)
    return (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


@page("GET", "/tasks/{id}", permission=Permission.TASKS_WORK)
async def show_task(visit: Visit) -> web.StreamResponse:
    """One task; `?part=clocks` gives only its clocks."""
    task = await _find(visit)
    if visit.is_fragment:
        return visit.page("task_clocks.html", task=task)
    await see_outcome(visit.context.pool, visit.person, task)
    return await _task_page(visit, task)


async def _find(visit: Visit) -> TaskView:
    task = await find_task(visit.context.pool, visit.person, visit.number("id"), visit.now)
    if task is None:
        raise NotFound("There is no such task, or you may not see it.")
    return task


async def _task_page(
    visit: Visit,
    task: TaskView,
    *,
    status: int = 200,
    conflict: str = "",
    errors: dict[str, str] | None = None,
) -> web.Response:
    pool = visit.context.pool
    events: list[Any] = []
    if task.contact_id is not None:
        rows = await read_timeline(pool, task.contact_id, viewer=as_viewer(visit.person), limit=10)
        events = (await fold_calls(pool, rows))[:6]
    here = local(visit.now, visit.person.timezone)
    return visit.page(
        "task.html",
        status=status,
        task=task,
        conflict=conflict,
        errors=errors or {},
        fields=visit.fields,
        moves=moves_for(visit.person, task),
        results=OUTCOME_FORMS[TaskKind(task.kind)].results,
        decline_reasons=[reason.value for reason in DeclineReason if reason is not DeclineReason.OTHER],
        candidates=await list_candidates(pool) if TaskMove.OFFER in task.moves else [],
        runs=await read_runs(pool, task.id),
        offers=await list_offers(pool, task.id),
        call_right=_read_call_right(task.details.get("call")),
        verdict=await read_verdict(pool, task.event_id),
        timeline=[(event, describe_event(event)) for event in events],
        choice=await offer_call(visit, task=task.id),
        suggested=await suggest_for_task(visit.context, visit.person, task.id) if task.is_open else None,
        earliest=f"{here:%Y-%m-%dT%H:%M}",
        soonest=f"{_next_morning(here):%Y-%m-%dT%H:%M}",
    )


def _read_call_right(written: dict[str, str] | None) -> dict[str, Any] | None:
    """What allows the call, as it stood when the task was opened."""
    if not written:
        return None
    since = written.get("since")
    return {"basis": written["basis"], "since": datetime.fromisoformat(since) if since else None}


def _next_morning(here: datetime) -> datetime:
    """Nine o'clock on the next weekday: what rescheduling suggests."""
    day = here + timedelta(days=1)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return day.replace(hour=9, minute=0, second=0, microsecond=0)


@page("POST", "/tasks/{id}/{move}", permission=Permission.TASKS_WORK)
async def move(visit: Visit) -> web.StreamResponse:
    """Make a move; when somebody else was faster, show kindly how the task stands now."""
    try:
        wanted = TaskMove(visit.request.match_info["move"])
    except ValueError as error:
        raise web.HTTPNotFound() from error
    task = await _find(visit)
    try:
        await make_move(
            visit.context,
            visit.person,
            task.id,
            version=find_number(visit.fields.get("version", "")),
            move=wanted,
            words=visit.text("words", longest=4000) or visit.fields.get("reason", ""),
            until=_until(visit.fields.get("until", ""), visit.person.timezone),
            outcome={"result": visit.fields.get("result"), "note": visit.text("note")},
            **_offered_to(visit.fields.get("to", "")),
        )
    except Conflict as error:
        return await _task_page(visit, await _find(visit), status=409, conflict=translate_error(error))
    except InvalidInput as error:
        return await _task_page(visit, task, status=422, errors={error.field: translate_error(error)})
    there = await find_task(visit.context.pool, visit.person, task.id, visit.now)
    otherwise = f"/tasks/{task.id}" if there is not None else "/tasks"  # it may have gone to others
    back = safe_path(visit.fields.get("back", ""), otherwise=otherwise)
    return visit.redirect(back, f"task_{wanted.value}")


def _offered_to(text: str) -> dict[str, int]:
    """`team-3` or `user-7`: whom a task is offered to again."""
    kind, _dash, number = text.partition("-")
    found = find_number(number)
    if kind not in ("team", "user") or found is None:
        return {}
    return {"team_id" if kind == "team" else "assignee_id": found}


def _until(text: str, zone: str) -> datetime | None:
    if not text:
        return None
    try:
        written = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(
            "until", N_("This is not a date and time."), N_("Write it like 2026-03-31 09:00.")
        ) from error
    return written.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) if written.tzinfo is None else written
