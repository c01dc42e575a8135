"""Cases: the list, a board by stages, one case with its timeline, people, fields and work."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from typing import Any, Final

from aiohttp import web
from babel.dates import format_date
from babel.numbers import format_decimal

from contacts.timeline import PAGE as TIMELINE_PAGE
from contacts.timeline import read_case_timeline
from router.cases.types import CaseField, CaseType, FieldKind
from web.access.permissions import Permission
from web.console.call_lines import fold_calls, read_spoken
from web.console.event_words import describe_event
from web.console.pages import page
from web.console.visit import Visit
from web.i18n import _
from web.queries.case_things import list_addable, list_inside
from web.queries.cases import (
    PAGE,
    count_cases,
    list_cases,
    read_case_contacts,
    read_members,
    read_steps,
)
from web.queries.people import list_teams, list_users
from web.queries.tasks import as_viewer
from web.work.cases import case_types, see_case

_BOARD: Final = 400  #: cases of a board


@page("GET", "/cases", permission=Permission.CASES_WORK)
async def show_cases(visit: Visit) -> web.StreamResponse:
    """Those that are open, mine or closed; of one type as a board, too. As a fragment only the list."""
    pool, query = visit.context.pool, visit.request.query
    types = await case_types(visit.context)
    kind = types.get(query.get("kind", ""))
    box = query.get("box") if query.get("box") in ("mine", "closed") else "open"
    words = query.get("q", "").strip()[:200]
    board = kind is not None and query.get("view") == "board" and box != "closed"
    limit = _BOARD if board else PAGE
    rows = await list_cases(
        pool,
        visit.person,
        state="closed" if box == "closed" else "open",
        kind=kind.name if kind else None,
        owner_id=visit.person.id if box == "mine" else None,
        words=words,
        before=visit.query_number("before"),
        limit=limit + 1,
    )
    counts: dict[str, int] = {}
    for row in await count_cases(pool, visit.person):
        counts[row["kind"]] = counts.get(row["kind"], 0) + row["count"]
    return visit.page(
        "case_list.html" if visit.is_fragment else "cases.html",
        rows=rows[:limit],
        types=types,
        kind=kind,
        box=box,
        words=words,
        board=board,
        counts=counts,
        following=rows[limit - 1]["id"] if len(rows) > limit else None,
        first=not query.get("before"),
        language=visit.language,
    )


@page("GET", "/cases/{id}", permission=Permission.CASES_WORK)
async def show_case(visit: Visit) -> web.StreamResponse:
    """One case; `?part=timeline` and `?part=side` give only that."""
    found = await see_case(visit.context, visit.person, visit.number("id"))
    part = visit.request.query.get("part") if visit.is_fragment else None
    if part == "timeline":
        return visit.page("case_timeline.html", case=found, **await timeline_values(visit, found))
    if part == "side":
        return visit.page("case_side.html", **await side_values(visit, found))
    return await case_page(visit, found)


async def case_page(
    visit: Visit,
    found: Any,
    *,
    status: int = 200,
    conflict: str = "",
    errors: Mapping[str, str] | None = None,
) -> web.Response:
    """The whole page; `conflict` and `errors`: why what was asked for was not done."""
    return visit.page(
        "case.html",
        status=status,
        conflict=conflict,
        errors=errors or {},
        **{**await side_values(visit, found), **await timeline_values(visit, found)},
    )


async def timeline_values(visit: Visit, found: Any) -> dict[str, Any]:
    """What the timeline shows."""
    pool, before = visit.context.pool, visit.query_number("before")
    rows = await read_case_timeline(
        pool, found["id"], viewer=as_viewer(visit.person), before=before, limit=TIMELINE_PAGE + 1
    )
    shown = await fold_calls(pool, rows[:TIMELINE_PAGE])
    kind = (await case_types(visit.context)).get(found["kind"])
    return {
        "events": [(row, describe_event(row), tell_change(kind, row, visit.language)) for row in shown],
        "spoken": await read_spoken(pool, visit.person, [row["message_id"] for row in shown]),
        "earlier": rows[TIMELINE_PAGE - 1]["id"] if len(rows) > TIMELINE_PAGE else None,
        "before": before,
    }


def tell_change(kind: CaseType | None, row: Mapping[str, Any], language: str) -> str:
    """What became another, in the words of the type: the stage, a field with its old and new value."""
    data = row["data"] or {}
    if kind is None or row["type"] not in ("CaseMoved", "CaseChanged"):
        return ""
    old, new = data.get("old"), data.get("new")
    if row["type"] == "CaseMoved":
        return f"{say_stage(kind, old, language)} → {say_stage(kind, new, language)}"
    name = str(data.get("field", ""))
    field = kind.field(name.removeprefix("fields.")) if name.startswith("fields.") else None
    if field is None:
        return f"{old or '–'} → {new or '–'}" if name == "title" else ""
    told = {
        "field": field.said(language),
        "old": say_value(field, old, language),
        "new": say_value(field, new, language),
    }
    return _("%(field)s: %(old)s → %(new)s") % told


def say_value(field: CaseField, value: Any, language: str) -> str:
    """What a field holds, as people of a language write it."""
    if value is None:
        return "–"
    match field.kind:
        case FieldKind.NUMBER if isinstance(value, int | float):
            return str(format_decimal(value, locale=language))
        case FieldKind.DATE:
            with suppress(ValueError, TypeError):
                return str(format_date(date.fromisoformat(value), "d MMM y", locale=language))
        case FieldKind.YES_NO:
            return _("yes") if value else _("no")
        case FieldKind.CHOICE:
            return next((one.said(language) for one in field.choices if one.name == value), str(value))
    return str(value)


def say_stage(kind: CaseType | None, name: str | None, language: str) -> str:
    """A stage in the reader's language; its bare name when the type has it no more."""
    stage = kind.stage(name) if kind is not None else None
    return stage.said(language) if stage is not None else name or "–"


async def side_values(visit: Visit, found: Any) -> dict[str, Any]:
    """Stage, owner, fields, people, what belongs to it, and what might."""
    pool = visit.context.pool
    types = await case_types(visit.context)
    kind = types.get(found["kind"])
    contacts = await read_case_contacts(pool, found["id"])
    steps = await read_steps(pool, found["id"])
    templates: dict[str, list[Any]] = {}
    for step in steps:
        templates.setdefault(step["template"], []).append(step)
    return {
        "case": found,
        "kind": kind,
        "stage_name": say_stage(types.get(found["kind"]), found["stage"], visit.language),
        "shown_fields": [
            (field.said(visit.language), say_value(field, found["fields"][field.name], visit.language))
            for field in (kind.fields if kind is not None else ())
            if found["fields"].get(field.name) is not None
        ],
        "contacts": contacts,
        "members": await read_members(pool, found["id"]),
        "inside": await list_inside(pool, visit.person, found["id"], visit.now),
        "addable": await list_addable(pool, visit.person, [row["contact_id"] for row in contacts], visit.now),
        "work": templates,
        "users": await list_users(pool),
        "teams": [(row["id"], row["name"]) for row in await list_teams(pool)],
        "language": visit.language,
    }
