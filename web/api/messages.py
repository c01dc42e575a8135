"""Single mails of other programs: written once per Idempotency-Key, looked up with every attempt, called back."""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta
from email.utils import getaddresses
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from channels.mail.parsed import Mailbox
from contacts.addresses import read_mail_address
from domain.errors import Conflict, InvalidInput, NotFound
from domain.messages import DeliveryState
from outbox.addresses import plain_domain
from outbox.journal import journals
from outbox.letters.requests import FIELD, keep_answer, read_key, take_key
from outbox.letters.writing import Letter, LetterKind, cancel_letter, write_letter
from storage.pool import transaction
from web.access.permissions import Permission, Role
from web.api.files import LIMIT, FileInput, read_file
from web.api.registry import Call, route
from web.i18n import N_

#: How far ahead a mail may be written.
_AHEAD: Final = timedelta(days=366)

_Subject = Annotated[str, StringConstraints(max_length=998)]
_People = Annotated[list[str], Field(max_length=100)]

_FIND: Final = """
SELECT l.message_id, l.created_at, l.created_by, c.subject, m.contact_id
FROM letters AS l JOIN messages AS m ON m.id = l.message_id JOIN message_contents AS c USING (message_id)
WHERE l.message_id = $1 AND l.kind = 'transactional' AND l.copy_of IS NULL
"""


class MessageInput(BaseModel):
    """A mail to one person or a few. Addresses are written like `Ada <ada@example.org>`, or without a name."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    sender: str = Field(alias="from", description="Whom it is from.")
    to: _People = Field(default_factory=list, description="Whom it is for.")
    cc: _People = Field(default_factory=list, description="Who gets a copy.")
    bcc: _People = Field(default_factory=list, description="Who gets a copy that the others do not know of.")
    reply_to: _People = Field(default_factory=list, description="Where answers go; else to `from`.")
    subject: _Subject = Field(description="The subject.")
    text: str = Field("", description="The plain text.")
    html: str = Field("", description="The same as HTML.")
    attachments: list[FileInput] = Field(default_factory=list, max_length=50, description="Files.")
    headers: dict[str, str] = Field(default_factory=dict, description="Further headers, by name.")
    in_reply_to: str = Field("", description="Message-ID of the mail that this one answers.", max_length=998)
    not_before: AwareDatetime | None = Field(None, description="When it goes out; else at once.")


class AttemptModel(BaseModel):
    """One try: number 0 was refused by ourselves, before anything was sent."""

    model_config = ConfigDict(from_attributes=True)

    number: int
    at: datetime | None
    relay: str
    state: DeliveryState
    reason: str
    reply: str = Field(description="The server's words.")


class RecipientModel(BaseModel):
    """How the delivery to one recipient stands."""

    model_config = ConfigDict(from_attributes=True)

    message_id: int = Field(description="By which events of this recipient name it.")
    address: str
    state: DeliveryState
    reason: str = Field(description="Why it is not sent, or waits; empty when it is.")
    not_before: datetime | None = Field(description="When it is tried next.")
    attempts: list[AttemptModel]


class MessageModel(BaseModel):
    """A mail as it stands."""

    id: int
    subject: str
    contact_id: int | None
    created_at: datetime
    recipients: list[RecipientModel]


@route(
    "POST",
    "/messages",
    summary="Send a mail",
    permission=Permission.MESSAGES_SEND,
    body=MessageInput,
    answer=MessageModel,
    status=201,
    keyed=True,
    limit=LIMIT,
)
async def post_message(call: Call) -> MessageModel:
    """Written and queued when this answers. The same key and request give the same answer, and one mail."""
    given: MessageInput = call.body
    key = read_key(call.request.headers.get(FIELD))
    letter, digest = await asyncio.to_thread(
        lambda: (_letter(given, call), _digest(given))
    )  # it may be large
    async with transaction(call.context.pool) as connection:
        known = await take_key(connection, call.person.id, key, digest)
        if known is not None:
            return MessageModel.model_validate(known)
        message_id = await write_letter(connection, letter, call.context.stationery)
        answer = await _describe(connection, message_id, call)
        await keep_answer(connection, call.person.id, key, 201, answer.model_dump(mode="json"))
    call.context.announcer.touch()
    return answer


@route(
    "GET",
    "/messages/{id}",
    summary="A mail, and every attempt to deliver it",
    permission=Permission.MESSAGES_SEND,
    answer=MessageModel,
)
async def get_message(call: Call) -> MessageModel:
    """One that was sent through the API with one's own token; administrators see those of everybody."""
    async with call.context.pool.acquire() as connection:
        return await _describe(connection, call.number(), call)


@route(
    "POST",
    "/messages/{id}/cancel",
    summary="Call a mail back that nobody has begun to send",
    permission=Permission.MESSAGES_SEND,
    answer=MessageModel,
)
async def post_message_cancel(call: Call) -> MessageModel:
    """For all its recipients, or for none."""
    async with transaction(call.context.pool) as connection:
        await _describe(connection, call.number(), call)
        if not await cancel_letter(connection, call.number()):
            raise Conflict(N_("It is being sent, or was; it cannot be called back."))
        return await _describe(connection, call.number(), call)


def _digest(given: MessageInput) -> bytes:
    """What makes two requests the same, in whatever order their names stand."""
    body = json.dumps(given.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(b"POST /messages\n" + body.encode()).digest()


def _letter(given: MessageInput, call: Call) -> Letter:
    sender = _person(given.sender, "from")
    _check_sender(sender, call.context.kitchen.settings.senders)
    if not (given.text or given.html):
        raise InvalidInput("text", N_("The mail says nothing."), N_("Give a text, or HTML, or both."))
    return Letter(
        kind=LetterKind.TRANSACTIONAL,
        from_=sender,
        to=_people(given.to, "to"),
        cc=_people(given.cc, "cc"),
        bcc=_people(given.bcc, "bcc"),
        reply_to=_people(given.reply_to, "reply_to"),
        subject=given.subject,
        text=given.text,
        html=given.html,
        attachments=tuple(read_file(file, number) for number, file in enumerate(given.attachments)),
        headers=tuple(given.headers.items()),
        in_reply_to=given.in_reply_to.strip("<> "),
        references=(given.in_reply_to.strip("<> "),) if given.in_reply_to else (),
        author_id=call.person.id,
        not_before=_moment(given.not_before),
    )


def _moment(given: datetime | None) -> datetime | None:
    now = datetime.now(UTC)
    if given is None or given <= now:
        return None
    if given > now + _AHEAD:
        raise InvalidInput("not_before", N_("This is more than a year ahead."), N_("Choose an earlier time."))
    return given


def _people(given: list[str], field: str) -> tuple[Mailbox, ...]:
    return tuple(_person(one, f"{field}[{number}]") for number, one in enumerate(given))


def _person(given: str, field: str) -> Mailbox:
    people = getaddresses([given])
    if len(people) != 1:
        raise InvalidInput(
            field, N_("This is not one mail address."), N_("Give each address as an entry of its own.")
        )
    ((name, address),) = people
    read_mail_address(address, field)
    return Mailbox(name, address)


def _check_sender(sender: Mailbox, allowed: tuple[str, ...]) -> None:
    address = read_mail_address(sender.address, "from")
    known = {read_mail_address(one) if "@" in one else plain_domain(one) for one in allowed}
    if known and not {address, address.rpartition("@")[2]} & known:
        raise InvalidInput(
            "from", N_("Programs may not write from this address."), N_("Ask an administrator to allow it.")
        )


async def _describe(connection: Any, message_id: int, call: Call) -> MessageModel:
    """Raises NotFound for what is no mail of the API, and for those of others."""
    row = await connection.fetchrow(_FIND, message_id)
    if row is None or (row["created_by"] != call.person.id and call.person.role is not Role.ADMINISTRATOR):
        raise NotFound(N_("There is no such mail."))
    return MessageModel(
        id=row["message_id"],
        subject=row["subject"],
        contact_id=row["contact_id"],
        created_at=row["created_at"],
        recipients=[
            RecipientModel.model_validate(one, from_attributes=True)
            for one in await journals(connection, message_id)
        ],
    )
