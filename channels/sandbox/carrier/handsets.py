"""The phones, in the process that runs the carrier."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, cast

from channels.sandbox.carrier.parts import Parts
from channels.sandbox.carrier.phone import (
    Attachment,
    OwnNumber,
    Phone,
    PhoneCall,
    PhoneSummary,
    Sound,
    Text,
)
from channels.sandbox.carrier.records import Message, Number
from channels.sandbox.carrier.voice.line import Line
from domain.errors import Conflict, InvalidInput, NotFound

_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}|client:[A-Za-z0-9_.@-]{1,64}")
_DIGITS: Final = re.compile(r"[0-9*#]{1,32}")
_TEXT_LIMIT: Final = 1600
_PREVIEW: Final = 120  #: characters
MOST_PHONES: Final = 200  #: phones in the list; after a campaign, those that were used last
_STATES: Final = {"in-progress": "talking", "ringing": "ringing"}


class Handsets:
    """What people do on their phones."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._names: dict[str, str] = {}

    async def list_phones(self) -> list[PhoneSummary]:
        """See Phones."""
        own = {number.phone_number for number in self._parts.exchange.memory.numbers.values()}
        numbers = dict.fromkeys(self._names)
        numbers |= dict.fromkeys(line.person for line in self._parts.switch.lines.values() if line.shown)
        for message in reversed(self._parts.exchange.memory.messages.values()):
            if len(numbers) >= MOST_PHONES:
                break
            if message.direction == "inbound":
                numbers[message.from_] = None
            elif message.arrived is not None:
                numbers[message.to] = None
        summaries = [self._summarise(number) for number in numbers if number not in own]
        return sorted(summaries, key=lambda one: (one.last is not None, one.last), reverse=True)

    async def list_numbers(self) -> list[OwnNumber]:
        """See Phones."""
        numbers = self._parts.exchange.memory.numbers.values()
        return sorted(
            (OwnNumber(number=one.phone_number, name=_name_of(one)) for one in numbers),
            key=lambda one: (one.name, one.number),
        )

    async def add_phone(self, number: str, name: str = "") -> None:
        """See Phones."""
        if not _NUMBER.fullmatch(number):
            raise InvalidInput(
                "number", f"{number!r} is no phone.", "Write it like +33639980001, or client:anna."
            )
        self._names[number] = name
        self._parts.exchange.changed()

    async def show_phone(self, number: str) -> Phone:
        """See Phones."""
        return Phone(
            number=number,
            name=self._names.get(number, ""),
            texts=tuple(self._texts(number)),
            calls=tuple(_show_call(line) for line in self._lines(number)),
        )

    async def send_text(
        self, number: str, to: str, body: str, media: Sequence[tuple[str, bytes]] = ()
    ) -> str:
        """See Phones."""
        if not body and not media:
            raise InvalidInput("body", "The message is empty.", "Write something.")
        if len(body) > _TEXT_LIMIT:
            raise InvalidInput("body", f"More than {_TEXT_LIMIT} characters.", "Write a shorter message.")
        return self._parts.inbound.receive(number, to, body, media).sid

    async def fetch_attachment(self, sid: str) -> tuple[str, bytes]:
        """See Phones."""
        media = self._parts.exchange.memory.media.get(sid)
        if media is None:
            raise NotFound("This file is gone.")
        return media.content_type, media.content

    async def call(self, number: str, to: str) -> str:
        """See Phones."""
        return self._parts.switch.take(number, to).call.sid

    async def answer(self, call_sid: str) -> None:
        """See Phones."""
        self._parts.switch.answer(self._parts.switch.find(call_sid))

    async def hang_up(self, call_sid: str) -> None:
        """See Phones."""
        self._parts.switch.hang_up(self._parts.switch.find(call_sid))

    async def press(self, call_sid: str, digits: str) -> None:
        """See Phones."""
        if not _DIGITS.fullmatch(digits):
            raise InvalidInput("digits", f"{digits!r} are no keys.", "Press 0 to 9, * or #.")
        self._talking(call_sid).press(digits)

    async def speak(self, call_sid: str, text: str) -> None:
        """See Phones."""
        if not text.strip() or len(text) > _TEXT_LIMIT:
            raise InvalidInput("text", "Nothing, or too much, to say.", f"Say 1 to {_TEXT_LIMIT} characters.")
        self._talking(call_sid).speak(" ".join(text.split()))

    async def wait(self, version: int, timeout: float) -> int:
        """See Phones."""
        return await self._parts.exchange.wait_for_change(version, timeout)

    def _talking(self, call_sid: str) -> Line:
        line = self._parts.switch.find(call_sid)
        if line.call.status != "in-progress":
            raise Conflict("Nobody is on this call.")
        return line

    def _lines(self, number: str) -> list[Line]:
        return [line for line in self._parts.switch.lines.values() if line.shown and line.person == number]

    def _texts(self, number: str) -> list[Text]:
        texts = []
        for message in self._parts.exchange.memory.messages_with(number):
            mine = message.direction == "inbound" and message.from_ == number
            if mine or (message.to == number and message.arrived is not None):
                texts.append(self._show_text(message, mine))
        return texts

    def _show_text(self, message: Message, mine: bool) -> Text:
        return Text(
            sid=message.sid,
            other=message.to if mine else message.from_,
            mine=mine,
            body=message.body,
            at=message.arrived or message.created,
            attachments=tuple(
                Attachment(sid=media.sid, content_type=media.content_type) for media in message.media
            ),
        )

    def _summarise(self, number: str) -> PhoneSummary:
        texts, lines = self._texts(number), self._lines(number)
        moments: list[datetime] = [text.at for text in texts[-1:]] + [line.call.updated for line in lines]
        return PhoneSummary(
            number=number,
            name=self._names.get(number, ""),
            texts=len(texts),
            preview=texts[-1].body[:_PREVIEW] if texts else "",
            last=max(moments, default=None),
            ringing=any(_state(line) == "ringing" for line in lines),
            talking=any(_state(line) == "talking" for line in lines),
        )


def _name_of(number: Number) -> str:
    return number.friendly_name if number.friendly_name != number.phone_number else ""


def _state(line: Line) -> Literal["calling", "ringing", "talking", "ended"]:
    if line.ended.is_set():
        return "ended"
    state = _STATES.get(line.call.status, "calling")
    if state == "ringing" and line.call.direction == "inbound":
        return "calling"
    return cast(Literal["calling", "ringing", "talking"], state)


def _show_call(line: Line) -> PhoneCall:
    call = line.call
    incoming = call.direction != "inbound"
    return PhoneCall(
        sid=call.sid,
        other=call.from_ if incoming else call.to,
        incoming=incoming,
        state=_state(line),
        status=call.status,
        listening=tuple(word for word in ("digits", "speech") if word in line.listening),
        at=call.created,
        answered_at=call.started,
        seconds=call.duration or 0,
        sounds=tuple(
            Sound.model_validate({"at": one.at, "kind": one.kind, "text": one.text, "language": one.language})
            for one in line.heard
        ),
    )
