"""Who asks, and the description of this API."""

from __future__ import annotations

import json

from aiohttp import web
from pydantic import BaseModel, Field

from web.access.permissions import Permission
from web.api.openapi import describe_api
from web.api.registry import Call, route


class Me(BaseModel):
    """The person behind the session or token."""

    id: int
    name: str
    email: str
    role: str
    language: str
    timezone: str
    teams: list[int]
    permissions: list[str]
    csrf: str = Field("", description="For the header X-CSRF-Token; empty with an API token.")


@route("GET", "/me", summary="Who is asking", permission=None, answer=Me)
async def get_me(call: Call) -> Me:
    """The person, with role and permissions."""
    person = call.person
    return Me(
        id=person.id,
        name=person.name,
        email=person.email,
        role=person.role.value,
        language=person.language,
        timezone=person.timezone,
        teams=list(person.teams),
        permissions=[permission.value for permission in Permission if person.may(permission)],
        csrf=call.csrf,
    )


@route(
    "GET",
    "/openapi.json",
    summary="The description of this API",
    permission=None,
    download="application/json",
)
async def get_openapi(call: Call) -> web.Response:
    """OpenAPI 3.1."""
    return web.Response(text=json.dumps(describe_api()), content_type="application/json")
