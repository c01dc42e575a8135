"""Queues: where mail comes in, who answers it, what the answers look like. For managers and administrators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from domain.errors import InvalidInput, NotFound
from router.working_time import DAYS
from web.access.permissions import Permission
from web.console.availability import name_days
from web.console.pages import page
from web.console.rendering import current_locale
from web.console.visit import Visit
from web.forms import read_model
from web.queries.people import list_teams
from web.sentences import translate_error
from web.work.availability import read_hours, write_hours
from web.work.queues import ANSWER_LANGUAGES, QueueInput, list_queues, save_queue

#: the times of a queue's promises, as the form names them
_TIMES: Final = ("first_answer", "next_answer", "resolution")


@page("GET", "/queues", permission=Permission.QUEUES_EDIT)
async def show_queues(visit: Visit) -> web.StreamResponse:
    """All queues."""
    return visit.page("queues.html", queues=await list_queues(visit.context.pool, visit.person))


@page("GET", "/queues/new", permission=Permission.QUEUES_EDIT)
async def show_new_queue(visit: Visit) -> web.StreamResponse:
    """An empty form."""
    blank = QueueInput(name="x", signature="{agent}", language=visit.language).model_dump()
    return await _form(visit, None, {**blank, "name": ""})


@page("POST", "/queues/new", permission=Permission.QUEUES_EDIT)
async def make_queue(visit: Visit) -> web.StreamResponse:
    """Keep a new queue."""
    return await _save(visit, None)


@page("GET", "/queues/{id}", permission=Permission.QUEUES_EDIT)
async def show_queue(visit: Visit) -> web.StreamResponse:
    """The form of a queue."""
    queue = await _find(visit)
    return await _form(visit, queue, dict(queue))


@page("POST", "/queues/{id}", permission=Permission.QUEUES_EDIT)
async def change_queue(visit: Visit) -> web.StreamResponse:
    """Keep what was changed."""
    return await _save(visit, await _find(visit))


async def _find(visit: Visit) -> Any:
    rows = await list_queues(visit.context.pool, visit.person, visit.number("id"))
    if not rows:
        raise NotFound(f"There is no queue {visit.number('id')}.")
    return rows[0]


def _given(visit: Visit) -> dict[str, Any]:
    fields = visit.fields
    return {
        "name": visit.text("name", longest=200),
        "addresses": [
            one for one in fields.get("addresses", "").replace(",", "\n").split("\n") if one.strip()
        ],
        "team_id": fields.get("team_id") or None,
        "from_name": visit.text("from_name"),
        "from_address": visit.text("from_address") or None,
        "signature": visit.text("signature").replace("\r\n", "\n"),
        "language": fields.get("language", "en"),
        "auto_answer": visit.text("auto_answer").replace("\r\n", "\n") or None,
        "confidential": fields.get("confidential") == "yes",
        "promises": {
            **{name: written for name in _TIMES if (written := visit.text(name, longest=60))},
            "warn_after": fields.get("warn_after") or 75,
            "escalate": fields.get("escalate") == "yes",
        },
        "hours": read_hours({day: fields.get(f"hours-{day}", "") for day in DAYS}) or None,
    }


def _as_written(visit: Visit) -> dict[str, Any]:
    """The fields as they stand, when hours among them cannot be read."""
    fields = visit.fields
    return {
        **fields,
        "addresses": fields.get("addresses", "").split("\n"),
        "promises": {**{name: fields.get(name) for name in _TIMES}, "warn_after": fields.get("warn_after")},
        "hours": None,
    }


async def _save(visit: Visit, queue: Any | None) -> web.StreamResponse:
    given: dict[str, Any] = {}
    try:
        given = _given(visit)
        await save_queue(
            visit.context, visit.person, read_model(QueueInput, given), queue["id"] if queue else None
        )
    except InvalidInput as error:
        field = error.field.partition("[")[0].removeprefix("promises.")
        return await _form(visit, queue, given or _as_written(visit), {field: translate_error(error)})
    return visit.redirect("/queues", "queue_saved")


async def _form(
    visit: Visit, queue: Any | None, values: Mapping[str, Any], errors: Mapping[str, str] | None = None
) -> web.Response:
    return visit.page(
        "queue.html",
        status=422 if errors else 200,
        queue=queue,
        values=values,
        errors=errors or {},
        teams=[(row["id"], row["name"]) for row in await list_teams(visit.context.pool)],
        days=name_days(),
        hours={
            day: visit.fields.get(f"hours-{day}", text)
            for day, text in write_hours(values["hours"] or {}).items()
        },
        languages=[(code, current_locale().languages.get(code, code)) for code in ANSWER_LANGUAGES],
    )
