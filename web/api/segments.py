"""Segments: contacts by a condition."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from campaigns.audience import count_audience
from contacts.segments import sample_segment, save_segment
from domain.conditions import read_condition
from domain.consent import Purpose
from web.access.permissions import Permission
from web.api.registry import Call, route
from web.queries.campaigns import list_segments


class SegmentInput(BaseModel):
    """A segment before it is kept."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    condition: dict[str, Any] = Field(
        description="all, any, not, field, did or consent; see docs on conditions."
    )


class SegmentModel(BaseModel):
    """A segment."""

    id: int
    name: str
    condition: dict[str, Any]


class SegmentList(BaseModel):
    """All segments, by name."""

    items: list[SegmentModel]


class ConditionInput(BaseModel):
    """A condition to try."""

    model_config = ConfigDict(extra="forbid")

    condition: dict[str, Any]
    purpose: Purpose = Purpose.NEWSLETTER


class SegmentCount(BaseModel):
    """How many a condition comes to, after each sieve, and the first contacts."""

    in_segment: int
    with_consent: int
    with_address: int
    recipients: int
    measured: int
    sample: list[int]


@route("GET", "/segments", summary="List segments", permission=Permission.CAMPAIGNS_SEE, answer=SegmentList)
async def get_segments(call: Call) -> SegmentList:
    """By name."""
    rows = await list_segments(call.context.pool)
    return SegmentList(items=[SegmentModel.model_validate(dict(row)) for row in rows])


@route(
    "POST",
    "/segments",
    summary="Keep a segment",
    permission=Permission.CAMPAIGNS_EDIT,
    body=SegmentInput,
    answer=SegmentModel,
    status=201,
)
async def post_segment(call: Call) -> SegmentModel:
    """409 when the name is taken."""
    given: SegmentInput = call.body
    number = await save_segment(call.context.pool, given.name, read_condition(given.condition))
    return SegmentModel(id=number, name=given.name.strip(), condition=given.condition)


@route(
    "POST",
    "/segments/count",
    summary="Count a condition",
    permission=Permission.CAMPAIGNS_SEE,
    body=ConditionInput,
    answer=SegmentCount,
)
async def count_condition(call: Call) -> SegmentCount:
    """Without keeping anything."""
    given: ConditionInput = call.body
    condition = read_condition(given.condition)
    async with call.context.pool.acquire() as connection:
        count = await count_audience(connection, condition, given.purpose, call.now)
        sample = await sample_segment(connection, condition, call.now)
    return SegmentCount(
        in_segment=count.in_segment,
        with_consent=count.with_consent,
        with_address=count.with_address,
        recipients=count.recipients,
        measured=count.measured,
        sample=sample,
    )
