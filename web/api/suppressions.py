"""The do-not-contact list: who is on it and why; adding and lifting."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from domain.contacts import IdentityKind
from outbox.suppression import explain, list_suppressions
from web.access.permissions import Permission
from web.api.paging import PageQuery
from web.api.registry import Call, route
from web.console.suppressions import read_place, write_place
from web.work.suppressions import add_suppression, lift_suppression


class SuppressionModel(BaseModel):
    """Why nothing is sent to an address."""

    model_config = ConfigDict(from_attributes=True)

    kind: IdentityKind
    address: str
    reason: str
    source: str = Field(description="Who or what asked for it.")
    words: str = Field(description="What the other side said.")
    message_id: int | None = Field(description="The message of ours that it follows from.")
    campaign_id: int | None
    contact_id: int | None
    created_at: datetime


class SuppressionPage(BaseModel):
    """Some entries, latest first."""

    items: list[SuppressionModel]
    next: str | None


class SuppressionQuery(PageQuery):
    """Which entries."""

    q: str = Field("", max_length=320, description="A part of the address.")
    reason: str = Field("", max_length=60)


class SuppressionInput(BaseModel):
    """An address that nothing may be sent to."""

    model_config = ConfigDict(extra="forbid")

    kind: IdentityKind = IdentityKind.MAIL
    address: str = Field(max_length=320)
    words: str = Field("", max_length=500, description="Why.")


class LiftInput(BaseModel):
    """An address that may be written to again."""

    model_config = ConfigDict(extra="forbid")

    kind: IdentityKind = IdentityKind.MAIL
    address: str = Field(max_length=320)
    note: str = Field(max_length=500, description="Why; it stays on the timeline.")


@route(
    "GET",
    "/suppressions",
    summary="The do-not-contact list",
    permission=Permission.SUPPRESSIONS_SEE,
    query=SuppressionQuery,
    answer=SuppressionPage,
)
async def get_suppressions(call: Call) -> SuppressionPage:
    """Latest first."""
    query: SuppressionQuery = call.query
    rows = await list_suppressions(
        call.context.pool,
        after=read_place(query.after or ""),
        containing=query.q,
        reason=query.reason,
        limit=query.limit + 1,
    )
    return SuppressionPage(
        items=[SuppressionModel.model_validate(row) for row in rows[: query.limit]],
        next=write_place(rows[query.limit - 1]) if len(rows) > query.limit else None,
    )


@route(
    "POST",
    "/suppressions",
    summary="Add an address",
    permission=Permission.SUPPRESSIONS_EDIT,
    body=SuppressionInput,
    answer=SuppressionModel,
    status=201,
)
async def post_suppression(call: Call) -> SuppressionModel:
    """From now on nothing leaves for it; 409 when it is on the list."""
    given: SuppressionInput = call.body
    one = await add_suppression(call.context, call.person, given.kind.value, given.address, given.words)
    return SuppressionModel.model_validate(await explain(call.context.pool, given.kind, one))


@route(
    "POST",
    "/suppressions/lift",
    summary="Take an address off",
    permission=Permission.SUPPRESSIONS_EDIT,
    body=LiftInput,
)
async def post_lift(call: Call) -> None:
    """The timeline of its owner tells who did it and why; 404 when it is not on the list."""
    given: LiftInput = call.body
    await lift_suppression(call.context, call.person, given.kind.value, given.address, given.note)
