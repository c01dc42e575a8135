"""Queues: where mail comes in, and what answers look like."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from domain.errors import NotFound
from router.promises.model import Promises
from web.access.permissions import Permission
from web.api.registry import Call, route
from web.work.queues import QueueInput, list_queues, save_queue


class QueueModel(BaseModel):
    """A queue."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    addresses: list[str]
    team_id: int | None
    team_name: str | None
    from_name: str
    from_address: str | None
    signature: str
    language: str
    auto_answer: str | None
    confidential: bool
    promises: Promises
    hours: dict[str, list[list[str]]] | None
    open: int | None = Field(description="Conversations to answer; null in a confidential queue of others.")
    created_at: datetime


class QueueList(BaseModel):
    """All queues, by name."""

    items: list[QueueModel]


@route("GET", "/queues", summary="List queues", permission=Permission.QUEUES_EDIT, answer=QueueList)
async def get_queues(call: Call) -> QueueList:
    """With their addresses and the number of open conversations."""
    rows = await list_queues(call.context.pool, call.person)
    return QueueList.model_validate({"items": [dict(row) for row in rows]})


async def _one(call: Call, queue_id: int) -> QueueModel:
    rows = await list_queues(call.context.pool, call.person, queue_id)
    if not rows:
        raise NotFound(f"There is no queue {queue_id}.")
    return QueueModel.model_validate(dict(rows[0]))


@route("GET", "/queues/{id}", summary="One queue", permission=Permission.QUEUES_EDIT, answer=QueueModel)
async def get_queue(call: Call) -> QueueModel:
    """As it stands."""
    return await _one(call, call.number())


@route(
    "POST",
    "/queues",
    summary="Make a queue",
    permission=Permission.QUEUES_EDIT,
    body=QueueInput,
    answer=QueueModel,
    status=201,
)
async def post_queue(call: Call) -> QueueModel:
    """Mail to its addresses is taken in at once."""
    return await _one(call, await save_queue(call.context, call.person, call.body))


@route(
    "PUT",
    "/queues/{id}",
    summary="Change a queue",
    permission=Permission.QUEUES_EDIT,
    body=QueueInput,
    answer=QueueModel,
)
async def put_queue(call: Call) -> QueueModel:
    """As a whole: what is left out gets its default."""
    return await _one(call, await save_queue(call.context, call.person, call.body, call.number()))
