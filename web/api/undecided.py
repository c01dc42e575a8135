"""What nobody decided on: every inbound message that nobody took, oldest first."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from domain.messages import ChannelKind
from web.access.permissions import Permission
from web.api.paging import PageQuery
from web.api.registry import Call, route
from web.console.conversations import read_place, write_place
from web.queries.undecided import list_undecided


class UndecidedModel(BaseModel):
    """A conversation whose last message nobody decided on."""

    model_config = ConfigDict(from_attributes=True)

    id: int = Field(description="Of the conversation.")
    channel: ChannelKind
    subject: str
    contact_id: int | None
    contact_name: str | None
    from_address: str | None
    queue_id: int | None
    queue_name: str | None
    waiting_since: datetime
    late: bool = Field(description="It has waited longer than the alarm's limit.")
    task_id: int | None = Field(description="A task about it that somebody was asked to take.")
    asked: str | None = Field(description="Who was asked.")
    decide_by: datetime | None


class UndecidedPage(BaseModel):
    """Some of them, oldest first."""

    items: list[UndecidedModel]
    next: str | None
    count: int = Field(description="All that you may see.")
    late: int = Field(description="Those beyond the limit.")
    limit_hours: float | None = Field(description="The alarm's limit; null where there is none.")


@route(
    "GET",
    "/undecided",
    summary="List messages that nobody decided on",
    permission=Permission.CONVERSATIONS_WORK,
    query=PageQuery,
    answer=UndecidedPage,
)
async def get_undecided(call: Call) -> UndecidedPage:
    """Those that you may see. Offering one to somebody decides nothing."""
    query: PageQuery = call.query
    hours = call.context.reading.undecided_hours
    found = await list_undecided(
        call.context.pool,
        call.person,
        call.now,
        hours,
        after=read_place(query.after or ""),
        limit=query.limit + 1,
    )
    return UndecidedPage(
        items=[
            UndecidedModel.model_validate({**dict(row), "late": found.is_late(row)})
            for row in found.rows[: query.limit]
        ],
        next=write_place(found.rows[query.limit - 1]) if len(found.rows) > query.limit else None,
        count=found.count,
        late=found.late,
        limit_hours=hours or None,
    )
