"""The test phones: what people would have read and heard, and playing them."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field

from channels.sandbox.carrier.mischief import Trick
from channels.sandbox.carrier.phone import OwnNumber, Phone, PhoneSummary
from domain.errors import InvalidInput
from web.access.permissions import Permission
from web.api.registry import Call, route
from web.console.visit import read_number
from web.i18n import N_
from web.work.handsets import (
    FILE_LIMIT,
    MOST_FILES,
    act_on_call,
    check_phone,
    find_test_phone,
    play_trick,
)

_SEE = Permission.MAILBOX_SEE


class PhoneList(BaseModel):
    """Phones that were used, the one used last comes first."""

    items: list[PhoneSummary]


class NumberList(BaseModel):
    """Numbers of ours, which phones write to and call."""

    items: list[OwnNumber]


class NewFile(BaseModel):
    """A picture or file of a message."""

    content_type: str = Field(max_length=100)
    content: str = Field(max_length=FILE_LIMIT * 4 // 3 + 4, description="In base 64.")


class NewText(BaseModel):
    """A message that the phone's owner writes."""

    to: str = Field(max_length=64, description="A number of ours.")
    text: str = Field("", max_length=1600)
    files: list[NewFile] = Field(default_factory=list, max_length=MOST_FILES)


class NewCall(BaseModel):
    """A call that the phone's owner makes."""

    to: str = Field(max_length=64, description="A number of ours.")


class Made(BaseModel):
    """What was made, by the carrier's identifier."""

    sid: str


class Deed(BaseModel):
    """What is done on a call: `answer`, `hang-up`, `press` with digits, `speak` with text."""

    deed: str = Field(max_length=20)
    digits: str = Field("", max_length=32)
    text: str = Field("", max_length=1600)


class NewTrick(BaseModel):
    """How the carrier is to misbehave."""

    trick: Trick
    times: int | None = Field(None, ge=1, le=1000, description="How often; for ever when null.")
    phone: str = Field("", max_length=80, description="Towards this phone only; empty: every one.")


class MadeTrick(BaseModel):
    """The number by which a trick is taken back."""

    rule: int


@route("GET", "/sandbox/numbers", summary="Numbers of ours", permission=_SEE, answer=NumberList)
async def get_numbers(call: Call) -> dict[str, Any]:
    """Those that the test carrier holds for us; none where an account is set."""
    if call.context.test_phone is None:
        return {"items": []}
    return {"items": await find_test_phone(call.context).phones.list_numbers()}


@route("GET", "/sandbox/phones", summary="List test phones", permission=_SEE, answer=PhoneList)
async def get_phones(call: Call) -> dict[str, Any]:
    """Those that were used; none where an account is set."""
    if call.context.test_phone is None:
        return {"items": []}
    return {"items": await find_test_phone(call.context).phones.list_phones()}


def _phone(call: Call) -> str:
    return check_phone(call.request.match_info["phone"])


@route("GET", "/sandbox/phones/{phone}", summary="One test phone", permission=_SEE, answer=Phone)
async def get_phone(call: Call) -> Phone:
    """With its messages and calls."""
    return await find_test_phone(call.context).phones.show_phone(_phone(call))


@route(
    "POST",
    "/sandbox/phones/{phone}/texts",
    summary="Write from a test phone",
    permission=_SEE,
    body=NewText,
    answer=Made,
    status=201,
    limit=MOST_FILES * FILE_LIMIT * 4 // 3 + 100_000,
)
async def write_from_phone(call: Call) -> Made:
    """The message reaches us as any person's."""
    body: NewText = call.body
    try:
        media = [(file.content_type, base64.b64decode(file.content, validate=True)) for file in body.files]
    except binascii.Error as error:
        raise InvalidInput("files", N_("This is not base 64."), N_("Encode the file.")) from error
    phones = find_test_phone(call.context).phones
    return Made(sid=await phones.send_text(_phone(call), body.to, body.text, media))


@route(
    "POST",
    "/sandbox/phones/{phone}/calls",
    summary="Call from a test phone",
    permission=_SEE,
    body=NewCall,
    answer=Made,
    status=201,
)
async def call_from_phone(call: Call) -> Made:
    """One of our numbers rings."""
    return Made(sid=await find_test_phone(call.context).phones.call(_phone(call), call.body.to))


@route(
    "POST",
    "/sandbox/calls/{sid}",
    summary="Answer, press, speak, hang up",
    permission=_SEE,
    body=Deed,
)
async def act_on_phone(call: Call) -> None:
    """As the person at the phone."""
    body: Deed = call.body
    await act_on_call(
        find_test_phone(call.context),
        call.request.match_info["sid"],
        body.deed,
        digits=body.digits,
        text=body.text,
    )


@route(
    "POST",
    "/sandbox/tricks",
    summary="Let the test carrier misbehave",
    permission=_SEE,
    body=NewTrick,
    answer=MadeTrick,
    status=201,
)
async def add_trick(call: Call) -> MadeTrick:
    """From now on."""
    body: NewTrick = call.body
    number = check_phone(body.phone) if body.phone else ""
    phones = find_test_phone(call.context)
    return MadeTrick(rule=await play_trick(phones, body.trick, times=body.times, number=number))


@route("DELETE", "/sandbox/tricks/{id}", summary="Take a trick back", permission=_SEE)
async def remove_trick(call: Call) -> web.Response:
    """The carrier behaves again."""
    number = read_number(call.request.match_info["id"], "id")
    await find_test_phone(call.context).mischief.remove_rule(number)
    return web.Response(status=204)
