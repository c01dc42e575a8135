"""Imports: send a CSV, watch it, read what was rejected."""

from __future__ import annotations

from datetime import datetime

from aiohttp import BodyPartReader
from pydantic import BaseModel

from contacts.importing import ImportReport, list_imports, read_import, read_rejects
from domain.errors import InvalidInput
from web.access.permissions import Permission
from web.api.paging import PageQuery, after_id, next_id
from web.api.registry import Call, route
from web.i18n import N_
from web.sentences import translate_sentence
from web.uploads import keep_upload
from web.work.imports import begin_import


class ImportModel(BaseModel):
    """An import; `offset` of `size` bytes and `line` lines are done."""

    id: int
    name: str
    state: str
    size: int
    offset: int
    line: int
    created: int
    joined: int
    rejected: int
    error: str | None
    created_at: datetime
    finished_at: datetime | None


class ImportPage(BaseModel):
    """Some imports, newest first."""

    items: list[ImportModel]
    next: str | None


class RejectModel(BaseModel):
    """A line that was not taken, and why."""

    line: int
    field: str
    problem: str
    content: str


class RejectPage(BaseModel):
    """Some rejected lines, in the order of the file."""

    items: list[RejectModel]
    next: str | None


def _model(report: ImportReport) -> ImportModel:
    return ImportModel.model_validate({name: getattr(report, name) for name in ImportModel.model_fields})


@route(
    "GET",
    "/imports",
    summary="List imports",
    permission=Permission.IMPORTS_RUN,
    query=PageQuery,
    answer=ImportPage,
)
async def get_imports(call: Call) -> ImportPage:
    """Newest first."""
    query = call.query
    rows = await list_imports(call.context.pool, before_id=after_id(query), limit=query.limit + 1)
    return ImportPage(
        items=[_model(row) for row in rows[: query.limit]],
        next=next_id([row.id for row in rows], query.limit),
    )


@route(
    "POST",
    "/imports",
    summary="Import a CSV file",
    permission=Permission.IMPORTS_RUN,
    upload="multipart/form-data",
    answer=ImportModel,
    status=202,
)
async def post_import(call: Call) -> ImportModel:
    """The file is the part `file`; it is streamed to disk, and imported by a worker."""
    settings = call.context.settings
    if not call.request.content_type.startswith("multipart/"):
        raise InvalidInput(
            "file",
            N_("No file came with the form."),
            N_("Send it as the part “file” of multipart/form-data."),
        )
    async for part in await call.request.multipart():
        if isinstance(part, BodyPartReader) and part.name == "file":
            name, path, _size = await keep_upload(part, settings.upload_folder, settings.upload_limit)
            number = await begin_import(call.context, name, path, call.person.id)
            return _model(await read_import(call.context.pool, number))
    raise InvalidInput(
        "file", N_("No file came with the form."), N_("Send it as the part “file” of multipart/form-data.")
    )


@route("GET", "/imports/{id}", summary="One import", permission=Permission.IMPORTS_RUN, answer=ImportModel)
async def get_import(call: Call) -> ImportModel:
    """How far it is."""
    return _model(await read_import(call.context.pool, call.number()))


@route(
    "GET",
    "/imports/{id}/rejects",
    summary="Lines that were rejected",
    permission=Permission.IMPORTS_RUN,
    query=PageQuery,
    answer=RejectPage,
)
async def get_rejects(call: Call) -> RejectPage:
    """In the order of the file, with the reason."""
    query = call.query
    job = await read_import(call.context.pool, call.number())
    rows = await read_rejects(
        call.context.pool, job.id, after_line=after_id(query) or 0, limit=query.limit + 1
    )
    return RejectPage(
        items=[
            RejectModel(
                line=row.line,
                field=row.field,
                problem=translate_sentence(row.problem),
                content=row.content,
            )
            for row in rows[: query.limit]
        ],
        next=next_id([row.line for row in rows], query.limit),
    )
