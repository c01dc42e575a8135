"""A call to place, as it is offered to the provider: whose phone, the number shown, and what is heard. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from channels.http.sending import Unfit
from channels.sms.numbers import is_e164
from channels.voice.parties import is_client
from channels.voice.speech import clean
from channels.voice.twiml import is_address, write
from domain.calls import Say
from domain.errors import InvalidInput
from domain.messages import Outbound

#: `url`: asked for the document when the phone is answered; without it the content is spoken. `status`: told how the
#: call stands. `fallback`: asked when `url` fails. `seconds`: of ringing. `longest`: of the whole call. `language`: of
#: the content.
OPTIONS: Final = frozenset({"url", "status", "fallback", "seconds", "longest", "language"})
#: Characters of a document that is sent along with the request
#: (www.twilio.com/docs/voice/api/call-resource#twiml).
LONGEST_DOCUMENT: Final = 4_000


@dataclass(frozen=True, slots=True)
class Order:
    """A call as providers take it. Either `url` or `document` says what is heard."""

    recipient: str
    caller: str
    url: str = ""
    document: str = ""
    status: str = ""
    fallback: str = ""
    seconds: int = 30
    longest: int = 14_400

    @property
    def paced_by(self) -> str:
        """Whose rate it keeps."""
        return self.caller

    @property
    def parts(self) -> int:
        """Places that it takes."""
        return 1


def read_order(message: Outbound, language: str = "", voices: Mapping[str, str] | None = None) -> Order:
    """The call that a message asks for, spoken in `language` unless it names one. Raises Unfit naming what is wrong."""
    options = message.options
    if unknown := sorted(set(options) - OPTIONS):
        raise Unfit("unsupported", f"this channel has no option {unknown[0]}")
    if not is_e164(message.recipient) and not is_client(message.recipient):
        raise Unfit("number_invalid", "the recipient's number is not in the form of E.164, +33199000001")
    if not is_e164(message.sender):
        raise Unfit("sender_refused", "the number to show is not in the form of E.164, +33199000001")
    for name in ("url", "status", "fallback"):
        if options.get(name) and not is_address(options[name]):
            raise Unfit("content_invalid", f"the address {name} does not begin with https://")
    url = options.get("url", "")
    return Order(
        recipient=message.recipient,
        caller=message.sender,
        url=url,
        document="" if url else _speak(message.content, options.get("language", language), voices or {}),
        status=options.get("status", ""),
        fallback=options.get("fallback", ""),
        seconds=_read_count(options, "seconds", 30, 600),
        longest=_read_count(options, "longest", 14_400, 14_400),
    )


def _speak(content: bytes, language: str, voices: Mapping[str, str]) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise Unfit("content_invalid", "the text is not in UTF-8") from None
    if "\0" in text:
        raise Unfit("content_invalid", "the text holds a NUL")
    if not clean(text):
        raise Unfit("content_invalid", "there is nothing to say")
    try:
        document = write((Say(text, language),), voices=voices)
    except InvalidInput as error:
        raise Unfit("content_invalid", str(error)) from error
    if len(document) > LONGEST_DOCUMENT:
        raise Unfit("content_invalid", f"what is to be said is longer than {LONGEST_DOCUMENT} characters")
    return document


def _read_count(options: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = options.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= most):
        raise Unfit("unsupported", f"{name} is a number of seconds from 1 to {most}")
    return int(text)
