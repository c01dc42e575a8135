"""What rules tell you: notices that you have not seen."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from web.access.permissions import Permission
from web.api.paging import PageQuery, after_id, next_id
from web.api.registry import Call, route
from web.queries.notices import list_notices, mark_seen


class NoticeModel(BaseModel):
    """What a rule tells you."""

    id: int
    words: str
    rule: str
    contact_id: int | None
    conversation_id: int | None
    case_id: int | None
    task_id: int | None
    created_at: datetime


class NoticePage(BaseModel):
    """Some notices, latest first."""

    items: list[NoticeModel]
    next: str | None


@route(
    "GET",
    "/me/notices",
    summary="What rules tell you",
    permission=Permission.TASKS_WORK,
    query=PageQuery,
    answer=NoticePage,
)
async def get_notices(call: Call) -> NoticePage:
    """Those that you have not seen."""
    query = call.query
    rows = await list_notices(call.context.pool, call.person, before=after_id(query), limit=query.limit + 1)
    return NoticePage.model_validate(
        {
            "items": [{name: row[name] for name in NoticeModel.model_fields} for row in rows[: query.limit]],
            "next": next_id([row["id"] for row in rows], query.limit),
        }
    )


@route("POST", "/me/notices/{id}/seen", summary="You have seen it", permission=Permission.TASKS_WORK)
async def post_seen(call: Call) -> None:
    """And those before it."""
    await mark_seen(call.context.pool, call.person, call.number())
