"""Deliveries that nobody knows the end of: a person says what became of them, or sends them again."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from campaigns.drafts import load_campaign
from outbox.unconfirmed import list_unconfirmed
from web.access.permissions import Permission
from web.api.paging import PageQuery, after_id, next_id
from web.api.registry import Call, route
from web.work.deliveries import settle_delivery


class UnconfirmedModel(BaseModel):
    """A delivery that may have arrived."""

    model_config = ConfigDict(from_attributes=True)

    message_id: int
    contact_id: int | None
    address: str
    reason: str = Field(description="How we lost sight of it.")
    since: datetime


class UnconfirmedPage(BaseModel):
    """Some unconfirmed deliveries of a campaign, by message."""

    items: list[UnconfirmedModel]
    next: str | None


class SettlementInput(BaseModel):
    """What became of a delivery, as a person knows it."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["sent", "rejected", "queued"] = Field(
        description="sent: it arrived. rejected: it did not. queued: send it again, even if it arrives twice."
    )
    reason: str = Field("", max_length=80, description="Why it was rejected.")


@route(
    "GET",
    "/campaigns/{id}/unconfirmed",
    summary="Deliveries that nobody knows the end of",
    permission=Permission.CAMPAIGNS_SEE,
    query=PageQuery,
    answer=UnconfirmedPage,
)
async def get_unconfirmed(call: Call) -> UnconfirmedPage:
    """By message, from the oldest on."""
    query = call.query
    async with call.context.pool.acquire() as connection:
        await load_campaign(connection, call.number())
        found = await list_unconfirmed(
            connection, call.number(), after=after_id(query) or 0, limit=query.limit + 1
        )
    return UnconfirmedPage(
        items=[UnconfirmedModel.model_validate(one) for one in found[: query.limit]],
        next=next_id([one.message_id for one in found], query.limit),
    )


@route(
    "POST",
    "/campaigns/{id}/unconfirmed/{message_id}",
    summary="Say what became of a delivery",
    permission=Permission.CAMPAIGNS_LAUNCH,
    body=SettlementInput,
)
async def post_settlement(call: Call) -> None:
    """409 when it was settled in the meantime."""
    given: SettlementInput = call.body
    await settle_delivery(
        call.context, call.person, call.number(), call.number("message_id"), given.state, given.reason
    )
