"""Files in the API: sent along as base64, fetched one by one by whoever may see their conversation."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from domain.errors import InvalidInput, NotFound
from outbox.letters.writing import LetterFile
from web.access.permissions import Permission
from web.api.registry import Call, route
from web.console.mail_files import hand_out
from web.i18n import N_
from web.queries.messages import conversation_of
from web.work.conversations import see_message

#: largest request in bytes: a letter of the usual limit, in base64, and its texts
LIMIT: Final = 40 * 2**20


class FileInput(BaseModel):
    """A file to go with a mail."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=255)
    media_type: str = Field(
        "application/octet-stream", description="Such as application/pdf.", max_length=255
    )
    content: str = Field(description="The bytes, in base64.")
    content_id: str = Field("", description="For images that the HTML shows as cid:…", max_length=255)


def read_file(given: FileInput, number: int) -> LetterFile:
    """The file with its bytes. Raises InvalidInput."""
    try:
        content = b64decode(given.content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(
            f"attachments[{number}].content", N_("This is not base64."), N_("Encode the bytes of the file.")
        ) from error
    return LetterFile(given.name, given.media_type, content, given.content_id)


@route(
    "GET",
    "/messages/{id}/files/{no}",
    summary="A file of a message",
    permission=Permission.CONVERSATIONS_WORK,
    download="application/octet-stream",
)
async def get_file(call: Call) -> web.StreamResponse:
    """Of a message in a conversation that you may see. Always a download; never one of a mail with a virus."""
    message_id = call.number()
    conversation_id = await conversation_of(call.context.pool, message_id)
    if conversation_id is None:
        raise NotFound(f"There is no such file in message {message_id}.")
    try:
        await see_message(call.context, call.person, conversation_id, message_id)
    except NotFound as error:  # not even the number of the conversation is told
        raise NotFound(f"There is no such file in message {message_id}.") from error
    return await hand_out(call.context, message_id, call.number("no"))
