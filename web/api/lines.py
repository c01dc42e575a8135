"""Phone lines: our numbers, and the text of what callers hear on each."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from domain.errors import NotFound
from inbox.lines.store import StoredLine, list_lines, save_line, switch_line
from web.access.permissions import Permission
from web.api.registry import Call, route


class PhoneLineModel(BaseModel):
    """A phone line."""

    id: int
    number: str
    name: str
    queue: str = Field(description="Where its messages and missed calls go.")
    languages: list[str]
    active: bool = Field(description="Whether it is heard; else callers leave a message.")
    version: int
    text: str = Field(
        description="The YAML that it is written in; docs/phone-lines.md tells what may stand there."
    )


class PhoneLineList(BaseModel):
    """All phone lines, by name."""

    items: list[PhoneLineModel]


class PhoneLineInput(BaseModel):
    """A phone line as it is written."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=200_000, description="YAML of one line; the line of its number is replaced.")


class PhoneLineSwitch(BaseModel):
    """Whether a line is heard."""

    model_config = ConfigDict(extra="forbid")

    active: bool


def _model(stored: StoredLine) -> PhoneLineModel:
    line = stored.line
    return PhoneLineModel(
        id=stored.id,
        number=line.number,
        name=line.name,
        queue=line.queue,
        languages=list(line.languages),
        active=stored.active,
        version=stored.version,
        text=stored.text,
    )


async def _one(call: Call, number: int) -> PhoneLineModel:
    for stored in await list_lines(call.context.pool):
        if stored.id == number:
            return _model(stored)
    raise NotFound(f"There is no line {number}.")


@route("GET", "/lines", summary="List phone lines", permission=Permission.QUEUES_EDIT, answer=PhoneLineList)
async def get_lines(call: Call) -> PhoneLineList:
    """With their texts."""
    return PhoneLineList(items=[_model(stored) for stored in await list_lines(call.context.pool)])


@route(
    "GET", "/lines/{id}", summary="One phone line", permission=Permission.QUEUES_EDIT, answer=PhoneLineModel
)
async def get_line(call: Call) -> PhoneLineModel:
    """As it stands."""
    return await _one(call, call.number())


@route(
    "PUT",
    "/lines",
    summary="Write a phone line",
    permission=Permission.QUEUES_EDIT,
    body=PhoneLineInput,
    answer=PhoneLineModel,
)
async def put_line(call: Call) -> PhoneLineModel:
    """The next caller hears it; calls that are under way keep what they began with."""
    return _model(await save_line(call.context.pool, call.body.text))


@route(
    "PUT",
    "/lines/{id}/active",
    summary="Switch a phone line on or off",
    permission=Permission.QUEUES_EDIT,
    body=PhoneLineSwitch,
    answer=PhoneLineModel,
)
async def put_active(call: Call) -> PhoneLineModel:
    """Callers on a number whose line is off leave a message."""
    await switch_line(call.context.pool, call.number(), active=call.body.active)
    return await _one(call, call.number())
