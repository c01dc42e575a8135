"""Short messages to one person: count a text, list who they can come from, write to a contact first."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from inbox.texts.answers import SmsAnswer
from web.access.permissions import Permission
from web.api.registry import Call, route
from web.api.text_models import ReplacementModel, SegmentsModel
from web.work.senders import list_senders
from web.work.texts import begin_by_text, count_text

_WORK = Permission.CONVERSATIONS_WORK


class CountInput(BaseModel):
    """A text before it is sent."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=20_000)
    to: str = Field("", max_length=40, description="A number, for the cost.")


class CountModel(BaseModel):
    """What it takes."""

    segments: SegmentsModel
    replaced: str = Field(description="The text with look-alikes replaced, a proposal.")
    replaced_segments: SegmentsModel
    replacements: list[ReplacementModel]
    amount: str | None = Field(description="What it costs, a decimal number; null when that is not known.")
    currency: str


class SenderModel(BaseModel):
    """A number, name or messaging service of ours."""

    value: str
    name: str = Field(description="Of its queue or line.")
    can_be_answered: bool
    takes_files: bool


class SenderList(BaseModel):
    """All of them, numbers first."""

    items: list[SenderModel]


class FirstTextInput(BaseModel):
    """A short message to a contact."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=20_000)
    to: str = Field("", max_length=40, description="Left out: the contact's oldest number that takes texts.")
    sender: str = Field(
        "", max_length=40, description="One of GET /texts/senders; left out: the first of them."
    )


class FirstTextModel(BaseModel):
    """A message on its way; until `undo_until` it can be taken back."""

    conversation_id: int
    message_id: int
    undo_until: datetime


@route(
    "POST",
    "/texts/count",
    summary="Count a short message",
    permission=_WORK,
    body=CountInput,
    answer=CountModel,
)
async def post_count(call: Call) -> CountModel:
    """Without sending anything."""
    given: CountInput = call.body
    counted = count_text(call.context, given.text, given.to)
    weighed = counted.weighed
    return CountModel(
        segments=SegmentsModel.of(weighed.segments),
        replaced=weighed.replaced.text,
        replaced_segments=SegmentsModel.of(weighed.replaced_segments),
        replacements=[ReplacementModel.of(change) for change in weighed.replaced.replacements],
        amount=None if counted.amount is None else str(counted.amount),
        currency=counted.currency,
    )


@route("GET", "/texts/senders", summary="List senders of short messages", permission=_WORK, answer=SenderList)
async def get_senders(call: Call) -> SenderList:
    """Numbers of queues and lines, and what the settings name."""
    return SenderList(
        items=[
            SenderModel(
                value=one.value,
                name=one.name,
                can_be_answered=one.can_be_answered,
                takes_files=one.takes_files,
            )
            for one in await list_senders(call.context)
        ]
    )


@route(
    "POST",
    "/contacts/{id}/texts",
    summary="Write a short message to a contact",
    permission=_WORK,
    body=FirstTextInput,
    answer=FirstTextModel,
    status=201,
)
async def post_first_text(call: Call) -> FirstTextModel:
    """In the open talk between the same numbers, else in a new one; it leaves after some seconds."""
    given: FirstTextInput = call.body
    answer = SmsAnswer(given.text, given.to, given.sender)
    started = await begin_by_text(call.context, call.person, call.number(), answer)
    return FirstTextModel(
        conversation_id=started.conversation_id,
        message_id=started.sent.message_id,
        undo_until=started.sent.undo_until,
    )
