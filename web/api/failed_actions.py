"""Actions of rules that failed for good: listed, tried again, given up."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from router.failures import give_up, list_failures, try_again
from web.access.permissions import Permission
from web.api.paging import PageQuery, after_id, next_id
from web.api.registry import Call, route


class FailedActionModel(BaseModel):
    """An action that was tried as often as the settings say, and never done."""

    id: int
    action: str = Field(description="The key that it is written with: webhook, send and others.")
    trouble: str = Field(description="Why the last attempt came to nothing.")
    attempts: int
    rule_id: int
    rule: str | None
    event_id: int
    event_type: str | None
    contact_id: int | None
    conversation_id: int | None
    case_id: int | None
    created_at: datetime
    settled_at: datetime | None


class FailedActionPage(BaseModel):
    """Some of them, latest first."""

    items: list[FailedActionModel]
    next: str | None


@route(
    "GET",
    "/failed-actions",
    summary="Actions of rules that failed",
    permission=Permission.RULES_SEE,
    query=PageQuery,
    answer=FailedActionPage,
)
async def get_failed(call: Call) -> FailedActionPage:
    """Latest first."""
    query, person = call.query, call.person
    rows = await list_failures(
        call.context.pool, person.id, person.teams, before=after_id(query), limit=query.limit + 1
    )
    return FailedActionPage.model_validate(
        {
            "items": [
                {name: row[name] for name in FailedActionModel.model_fields} for row in rows[: query.limit]
            ],
            "next": next_id([row["id"] for row in rows], query.limit),
        }
    )


@route("POST", "/failed-actions/{id}/again", summary="Try it again", permission=Permission.RULES_SEE)
async def retry_failed_action(call: Call) -> None:
    """At once, with all its attempts."""
    person = call.person
    await try_again(call.context.pool, call.context.announcer, person.id, person.teams, call.number())


@route("POST", "/failed-actions/{id}/give-up", summary="Give it up", permission=Permission.RULES_SEE)
async def give_up_failed_action(call: Call) -> None:
    """It leaves the list for good; the rule's log keeps who said so."""
    person = call.person
    await give_up(call.context.pool, person.id, person.teams, call.number(), person.name)
