"""Imports: upload a CSV, watch it, read what was rejected and why."""

from __future__ import annotations

from typing import Final

from aiohttp import BodyPartReader, web

from contacts.importing import list_imports, read_import, read_rejects, write_rejects
from domain.errors import InvalidInput
from web.access.permissions import Permission
from web.console.pages import page
from web.console.visit import Visit
from web.i18n import N_, _
from web.sentences import translate_error
from web.uploads import keep_upload
from web.work.imports import begin_import

#: the columns an import reads, with what they hold
COLUMNS: Final = (
    ("email", N_("E-mail address")),
    ("phone", N_("Phone number, with the country's code")),
    ("given_name", N_("Given name")),
    ("family_name", N_("Family name")),
    ("name", N_("Name, of an organisation for example")),
    ("organisation", N_("Organisation the person belongs to")),
    ("kind", N_("person or organisation")),
    ("relation", N_("prospect, customer, supplier, partner…")),
    ("country", N_("Two letters, such as FR")),
    ("language", N_("Two letters, such as fr")),
    ("owner", N_("E-mail address of the colleague who looks after them")),
    ("consent_purpose", N_("newsletter, measure, calls…; several with a semicolon")),
    ("consent_wording", N_("The words they agreed to")),
    ("consent_date", N_("When they agreed")),
    ("consent_source", N_("Where they agreed")),
    ("fields.…", N_("Any field of your own")),
)


@page("GET", "/imports", permission=Permission.IMPORTS_RUN)
async def show_imports(visit: Visit) -> web.StreamResponse:
    """Earlier imports, and the form for a new one."""
    return await _list_page(visit)


async def _list_page(visit: Visit, problem: str = "") -> web.Response:
    return visit.page(
        "imports.html",
        status=422 if problem else 200,
        imports=await list_imports(visit.context.pool),
        columns=[(name, _(gloss)) for name, gloss in COLUMNS],
        limit=visit.context.settings.upload_limit // 1024**2,
        problem=problem,
    )


@page("POST", "/imports", permission=Permission.IMPORTS_RUN, streamed=True)
async def upload(visit: Visit) -> web.StreamResponse:
    """Take a file: first the form's secret, then the file, streamed to disk."""
    try:
        number = await _take(visit)
    except InvalidInput as error:
        return await _list_page(visit, translate_error(error))
    return visit.redirect(f"/imports/{number}", "import_started")


async def _take(visit: Visit) -> int:
    if not visit.request.content_type.startswith("multipart/"):
        raise InvalidInput("file", N_("No file came with the form."), N_("Choose a file and send it again."))
    settings = visit.context.settings
    reader = await visit.request.multipart()
    trusted = False
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise InvalidInput(
                "file", N_("No file came with the form."), N_("Choose a file and send it again.")
            )
        if part.name == "csrf":
            visit.check_csrf((await part.read(decode=False))[:200].decode("ascii", "replace"))
            trusted = True
        elif part.name == "file" and trusted:
            name, path, _size = await keep_upload(part, settings.upload_folder, settings.upload_limit)
            return await begin_import(visit.context, name, path, visit.person.id)
    visit.check_csrf("" if not trusted else visit.csrf)
    raise InvalidInput("file", N_("No file came with the form."), N_("Choose a file and send it again."))


@page("GET", "/imports/{id}", permission=Permission.IMPORTS_RUN)
async def show_import(visit: Visit) -> web.StreamResponse:
    """One import; as a fragment only its state."""
    pool, number = visit.context.pool, visit.number("id")
    job = await read_import(pool, number)
    rejects = await read_rejects(pool, number, limit=50)
    return visit.page("import_state.html" if visit.is_fragment else "import.html", job=job, rejects=rejects)


@page("GET", "/imports/{id}/rejected.csv", permission=Permission.IMPORTS_RUN)
async def download_rejects(visit: Visit) -> web.StreamResponse:
    """All rejected lines as CSV, streamed."""
    pool, number = visit.context.pool, visit.number("id")
    job = await read_import(pool, number)
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="rejected-{job.id}.csv"',
            "X-Content-Type-Options": "nosniff",
        }
    )
    await response.prepare(visit.request)
    async for piece in write_rejects(pool, number):
        await response.write(piece)
    await response.write_eof()
    return response
