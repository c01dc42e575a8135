"""Message templates that rules send: by name, in several languages."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from router.message_templates import MessageTemplate, drop_template, list_templates, save_template
from web.access.permissions import Permission
from web.api.registry import Call, route


class TemplateModel(BaseModel):
    """A template in one language."""

    id: int
    name: str
    language: str
    channel: str
    subject: str
    body: str
    updated_at: datetime


class TemplateList(BaseModel):
    """All of them, by name and language."""

    items: list[TemplateModel]


class TemplateInput(BaseModel):
    """A template; one of the same name and language is replaced."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=200)
    language: str = Field("en", pattern="^[a-z]{2}$", description="ISO 639-1, such as fr.")
    channel: Literal["mail", "sms"] = "mail"
    subject: str = Field("", max_length=200, description="Of a mail, with fields such as {contact.name}.")
    body: str = Field(max_length=20_000, description="The text, with fields.")


class TemplateNumber(BaseModel):
    """Its number."""

    id: int


@route(
    "GET",
    "/message-templates",
    summary="Message templates of rules",
    permission=Permission.RULES_SEE,
    answer=TemplateList,
)
async def get_templates(call: Call) -> TemplateList:
    """By name and language."""
    rows = await list_templates(call.context.pool)
    return TemplateList.model_validate(
        {"items": [{name: row[name] for name in TemplateModel.model_fields} for row in rows]}
    )


@route(
    "POST",
    "/message-templates",
    summary="Write a message template",
    permission=Permission.RULES_SEE,
    body=TemplateInput,
    answer=TemplateNumber,
    status=201,
)
async def post_template(call: Call) -> TemplateNumber:
    """Rules send it from their next event on."""
    given: TemplateInput = call.body
    template = MessageTemplate(given.name, given.language, given.channel, given.subject, given.body)
    return TemplateNumber(id=await save_template(call.context.pool, template))


@route(
    "DELETE",
    "/message-templates/{id}",
    summary="Delete a message template",
    permission=Permission.RULES_SEE,
)
async def delete_template(call: Call) -> None:
    """422 while an active rule sends it and it has no other language."""
    await drop_template(call.context.pool, call.number())
