"""What a message must be before it is offered to a provider: its numbers, its text, its options. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from channels.http.sending import TURN, Unfit
from channels.sms.numbers import is_e164, is_sender
from channels.sms.segments import count
from domain.messages import Outbound

#: Characters that providers take in one message (www.twilio.com/docs/api/errors/21617).
LONGEST: Final = 1600
_MOST_MEDIA: Final = 10
OPTIONS: Final = frozenset({"media", "service", "token", "validity"})


@dataclass(frozen=True, slots=True)
class Text:
    """A message as providers of short messages take it."""

    sender: str
    recipient: str
    body: str
    parts: int
    media: tuple[str, ...] = ()
    service: str = ""
    token: str = ""
    validity: int | None = None

    @property
    def paced_by(self) -> str:
        """Whose rate it keeps."""
        return self.service or self.sender


def read_text(message: Outbound, allowed: frozenset[str] = OPTIONS) -> Text:
    """The parts of a message. Raises Unfit naming what is wrong; an option that is not `allowed` is `unsupported`.

    Options: `media` (addresses of pictures and files, one a line), `service` (a messaging service, with or without a
    number of it as sender), `validity` (seconds), `token` (signed, for the reports).
    """
    options = message.options
    if unknown := sorted(set(options) - allowed - {TURN}):
        raise Unfit("unsupported", f"this channel has no option {unknown[0]}")
    service = options.get("service", "")
    if not is_e164(message.recipient):
        raise Unfit("number_invalid", "the recipient's number is not in the form of E.164, +33199000001")
    if message.sender.startswith("MG") and not service:
        service, sender = message.sender, ""
    else:
        sender = message.sender
    if sender and not is_sender(sender):
        raise Unfit(
            "sender_refused", "the sender is no number, no short code and no name of 11 letters and digits"
        )
    if not sender and not service:
        raise Unfit("sender_refused", "the message has neither a sender nor a messaging service")
    if service and not _is_service(service):
        raise Unfit(
            "sender_refused", "the messaging service has no number such as MG and 32 hexadecimal digits"
        )
    media = _read_media(options)
    if media and sender and not sender.lstrip("+").isdigit():
        raise Unfit("sender_refused", "a name as sender takes no pictures and files")
    body = _read_body(message.content, has_media=bool(media))
    parts = max(1, count(body).segments)
    return Text(
        sender,
        message.recipient,
        body,
        parts,
        media,
        service,
        options.get("token", ""),
        _read_validity(options),
    )


def _is_service(text: str) -> bool:
    return (
        len(text) == 34
        and text.startswith("MG")
        and all(char in "0123456789abcdefABCDEF" for char in text[2:])
    )


def _read_body(content: bytes, *, has_media: bool) -> str:
    try:
        body = content.decode("utf-8")
    except UnicodeDecodeError:
        raise Unfit("content_invalid", "the text is not in UTF-8") from None
    if "\0" in body:
        raise Unfit("content_invalid", "the text holds a NUL")
    if not body.strip() and not has_media:
        raise Unfit("content_invalid", "the message is empty")
    if len(body) > LONGEST:
        raise Unfit("too_big", f"the text has {len(body)} characters; providers take {LONGEST}")
    return body


def _read_media(options: Mapping[str, str]) -> tuple[str, ...]:
    links = tuple(options.get("media", "").split())
    if len(links) > _MOST_MEDIA:
        raise Unfit("too_big", f"a message takes {_MOST_MEDIA} pictures or files, this has {len(links)}")
    for link in links:
        if urlsplit(link).scheme not in ("http", "https"):
            raise Unfit("media_unreadable", "a picture's or file's address does not begin with https://")
    return links


def _read_validity(options: Mapping[str, str]) -> int | None:
    text = options.get("validity", "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 36_000):
        raise Unfit("unsupported", "the validity is a number of seconds from 1 to 36000")
    return int(text)
