"""Calls: place one from a task, a conversation or a contact, watch it, hang up; calls in both directions as a list."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from domain.calls import CallResult, CallState
from domain.messages import Direction
from domain.tasks import CallOutcome
from inbox.calls.outcomes import suggest_outcome
from web.access.permissions import Permission
from web.api.paging import PageQuery, after_id, next_id
from web.api.registry import Call, route
from web.queries.calls import CallScope, CallView, list_calls
from web.work.calls import hang_up, place_call, show_call


class CallInput(BaseModel):
    """Whom to call: name a task, a conversation or a contact."""

    model_config = ConfigDict(extra="forbid")

    contact_id: int | None = Field(None, ge=1, lt=2**63)
    task_id: int | None = Field(None, ge=1, lt=2**63, description="Calls the task's contact, about the task.")
    conversation_id: int | None = Field(None, ge=1, lt=2**63, description="Calls the conversation's contact.")
    address: str | None = Field(
        None, max_length=40, description="One of the contact's numbers; else the first."
    )


class CallModel(BaseModel):
    """A call as it stands. `seconds` are of talk; `price` is known some time after the end, negative for a cost."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    direction: Direction
    state: CallState
    result: CallResult | None = Field(description="How it ended.")
    contact_id: int | None
    contact_name: str | None
    task_id: int | None
    conversation_id: int | None
    user_id: int | None = Field(description="Who of us placed it, is rung or talks.")
    user_name: str | None
    ours: str = Field(description="The number of ours that is shown, or was called.")
    theirs: str
    line_name: str | None = Field(description="The line that was called.")
    placed_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    seconds: int | None
    price: Decimal | None
    currency: str | None
    trouble: str = Field(description="Why it failed, in the provider's words.")
    suggested_outcome: CallOutcome | None = Field(None, description="What the result suggests for the task.")


class CallPage(BaseModel):
    """Some calls, newest first."""

    items: list[CallModel]
    next: str | None


class CallsQuery(PageQuery):
    """Which calls."""

    scope: CallScope = CallScope.MINE
    contact_id: int | None = Field(None, ge=1, lt=2**63)


@route(
    "GET",
    "/calls",
    summary="Calls",
    permission=Permission.TASKS_WORK,
    query=CallsQuery,
    answer=CallPage,
)
async def get_calls(call: Call) -> CallPage:
    """Mine, missed ones or all that you may see; newest first."""
    query: CallsQuery = call.query
    rows = await list_calls(
        call.context.pool,
        call.person,
        query.scope,
        before=after_id(query),
        limit=query.limit + 1,
        contact_id=query.contact_id,
    )
    return CallPage(
        items=[_model(row) for row in rows[: query.limit]],
        next=next_id([row.id for row in rows], query.limit),
    )


@route(
    "POST",
    "/calls",
    summary="Place a call",
    permission=Permission.TASKS_WORK,
    body=CallInput,
    answer=CallModel,
    status=201,
)
async def post_call(call: Call) -> CallModel:
    """Your own phone rings first; press the key that you hear, and the contact's rings. Asked twice, it is one call.

    403 for a contact who does not want to be called, 409 while you are in another call.
    """
    given: CallInput = call.body
    call_id = await place_call(call.context, call.person, **given.model_dump())
    return _model(await show_call(call.context, call.person, call_id))


@route("GET", "/calls/{id}", summary="One call", permission=Permission.TASKS_WORK, answer=CallModel)
async def get_call(call: Call) -> CallModel:
    """As it stands."""
    return _model(await show_call(call.context, call.person, call.number()))


@route("POST", "/calls/{id}/hang-up", summary="End a call", permission=Permission.TASKS_WORK)
async def post_hang_up(call: Call) -> None:
    """For both sides. One that has ended is left alone."""
    await hang_up(call.context, call.person, call.number())


def _model(view: CallView) -> CallModel:
    return CallModel(
        **{name: view.row[name] for name in CallModel.model_fields if name != "suggested_outcome"},
        suggested_outcome=suggest_outcome(view.result),
    )
