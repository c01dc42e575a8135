"""Rules: the active ones, and what they did."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from domain.errors import NotFound
from web.access.permissions import Permission
from web.api.paging import PageQuery, after_id, next_id
from web.api.registry import Call, route
from web.queries.rules import find_rule, list_rules, list_runs


class RuleModel(BaseModel):
    """An active rule."""

    id: int
    name: str
    version: int
    definition: dict[str, Any]
    created_at: datetime


class RuleList(BaseModel):
    """All active rules, by name."""

    items: list[RuleModel]


class RunModel(BaseModel):
    """What a rule did about one event."""

    id: int
    created_at: datetime
    result: str
    event_id: int
    contact_id: int | None
    task_id: int | None
    matched: dict[str, Any]


class RunPage(BaseModel):
    """Some runs, latest first."""

    items: list[RunModel]
    next: str | None


@route("GET", "/rules", summary="List active rules", permission=Permission.RULES_SEE, answer=RuleList)
async def get_rules(call: Call) -> RuleList:
    """By name."""
    rows = await list_rules(call.context.pool)
    return RuleList.model_validate(
        {"items": [{name: row[name] for name in RuleModel.model_fields} for row in rows]}
    )


@route(
    "GET",
    "/rules/{id}/runs",
    summary="What a rule did",
    permission=Permission.RULES_SEE,
    query=PageQuery,
    answer=RunPage,
)
async def get_runs(call: Call) -> RunPage:
    """Latest first."""
    number, query = call.number(), call.query
    if await find_rule(call.context.pool, number) is None:
        raise NotFound(f"There is no rule {number}.")
    rows = await list_runs(call.context.pool, call.person, number, after_id(query), query.limit + 1)
    return RunPage.model_validate(
        {
            "items": [{name: row[name] for name in RunModel.model_fields} for row in rows[: query.limit]],
            "next": next_id([row["id"] for row in rows], query.limit),
        }
    )
