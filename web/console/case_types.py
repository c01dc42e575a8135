"""Types of cases: the text that declares them, changed as a whole, with every mistake at its line."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from domain.errors import ClytieError
from router.cases.type_files import InvalidTypes
from web.access.permissions import Permission
from web.console.pages import page
from web.console.visit import Visit
from web.sentences import translate_error
from web.work.cases import LONGEST, apply_text, case_types, write_house_types


@page("GET", "/cases/types", permission=Permission.CASES_SETUP)
async def show_types(visit: Visit) -> web.StreamResponse:
    """As YAML."""
    return await _page(visit, await write_house_types(visit.context))


@page("POST", "/cases/types", permission=Permission.CASES_SETUP)
async def change_types(visit: Visit) -> web.StreamResponse:
    """Keep them, all at once."""
    text = visit.text("types", longest=LONGEST).replace("\r\n", "\n") + "\n"
    seen = visit.fields.get("seen", "").replace("\r\n", "\n")
    try:
        await apply_text(visit.context, visit.person, text, seen)
    except InvalidTypes as error:
        return await _page(visit, text, [str(problem) for problem in error.problems], seen)
    except ClytieError as error:
        return await _page(visit, text, [translate_error(error)], seen)
    return visit.redirect("/cases/types", "case_types_saved")


async def _page(
    visit: Visit, text: str, problems: Sequence[str] = (), seen: str | None = None
) -> web.Response:
    types = await case_types(visit.context)
    return visit.page(
        "case_types.html",
        status=422 if problems else 200,
        text=text,
        seen=text if seen is None else seen,
        problems=problems,
        types=types,
        language=visit.language,
    )
