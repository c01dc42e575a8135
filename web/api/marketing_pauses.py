"""Pauses of marketing of a contact: those that hold, and lifting them."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from contacts.marketing_pauses import lift_pauses, list_pauses
from storage.pool import transaction
from web.access.permissions import Permission
from web.api.registry import Call, route


class PauseModel(BaseModel):
    """No campaign is sent to the contact meanwhile."""

    id: int
    rule: str = Field(description="The rule that made it.")
    conversation_id: int | None = Field(description="It lasts while this conversation is not closed.")
    case_id: int | None = Field(description="It lasts while this case is open.")
    until: datetime | None = Field(description="It lasts until then at least.")
    created_at: datetime


class PauseList(BaseModel):
    """Those that hold now."""

    items: list[PauseModel]


@route(
    "GET",
    "/contacts/{id}/marketing-pauses",
    summary="Whether marketing is paused",
    permission=Permission.CONTACTS_SEE,
    answer=PauseList,
)
async def get_pauses(call: Call) -> PauseList:
    """Empty when campaigns are sent."""
    rows = await list_pauses(call.context.pool, call.number(), call.context.clock.now())
    return PauseList.model_validate(
        {"items": [{name: row[name] for name in PauseModel.model_fields} for row in rows]}
    )


@route(
    "POST",
    "/contacts/{id}/marketing-pauses/lift",
    summary="Send campaigns again",
    permission=Permission.CONTACTS_EDIT,
)
async def lift_marketing_pause(call: Call) -> None:
    """Ends every pause; 404 when none holds."""
    async with transaction(call.context.pool) as connection:
        await lift_pauses(connection, call.number(), actor_id=call.person.id, now=call.context.clock.now())
    call.context.announcer.touch()
