"""A message that arrived: the provider's form, stored as it came, read into values.

Form: www.twilio.com/docs/messaging/guides/webhook-request.
"""

from __future__ import annotations

from dataclasses import dataclass

from channels.base import Received
from channels.http.forms import first, read_form
from channels.sms.keywords import Command, Keyword, read_keyword
from domain.errors import InvalidInput

_MOST_MEDIA = 10
#: The provider's words for what it did by itself (advanced opt-out), as ours.
_OPT_OUTS = {"STOP": Command.STOP, "START": Command.START, "HELP": Command.HELP}


@dataclass(frozen=True, slots=True)
class MediaLink:
    """A picture or file of a message: where the provider keeps it; TwilioSms.fetch_media brings it."""

    url: str
    content_type: str


@dataclass(frozen=True, slots=True)
class InboundSms:
    """A message that arrived. `sender` and `recipient` are as the provider wrote them, E.164 or a short code."""

    provider_id: str
    account: str
    sender: str
    recipient: str
    body: str
    media: tuple[MediaLink, ...] = ()
    segments: int = 1
    service: str = ""  #: the messaging service of the recipient's number, if any
    country: str = ""  #: of the sender, as the provider believes
    #: What the provider did by itself: it refuses our messages now (STOP), takes them again (START), answered (HELP)
    opted: Command | None = None
    keyword: Keyword | None = None  #: the command that the text is

    @property
    def key(self) -> str:
        """Its name for idempotency: providers repeat themselves."""
        return f"sms:in:{self.provider_id}"

    @property
    def command(self) -> Command | None:
        """What the person asks for; the provider's word first, since it acts on it."""
        return self.opted or (self.keyword.command if self.keyword else None)


def read_inbound(raw: bytes) -> InboundSms:
    """The message in the body of a callback. Raises InvalidInput naming the field for what is no message."""
    fields = read_form(raw)
    for name in ("MessageSid", "From", "To"):
        if not first(fields, name):
            raise InvalidInput(
                name, "this is missing in the provider's message.", "Look at the bytes as they came."
            )
    body = _only(fields, "Body")
    return InboundSms(
        provider_id=first(fields, "MessageSid"),
        account=first(fields, "AccountSid"),
        sender=_number(fields, "From"),
        recipient=_number(fields, "To"),
        body=body,
        media=_media(fields),
        segments=_count(first(fields, "NumSegments"), 1000) or 1,
        service=first(fields, "MessagingServiceSid"),
        country=first(fields, "FromCountry").upper()[:2],
        opted=_OPT_OUTS.get(first(fields, "OptOutType").upper()),
        keyword=read_keyword(body),
    )


def read_envelope(raw: bytes) -> Received:
    """Just the envelope; never raises. What is no message has an empty one, and goes to quarantine."""
    fields = read_form(raw)
    recipient = _number(fields, "To")
    return Received(
        raw=raw,
        sender=_number(fields, "From"),
        recipients=(recipient,) if recipient else (),
        cursor=first(fields, "MessageSid"),
        meta={"account": first(fields, "AccountSid"), "service": first(fields, "MessagingServiceSid")},
    )


def _number(fields: dict[str, list[str]], name: str) -> str:
    """A number; its plus sign comes as a space from senders that forget to escape it."""
    value = first(fields, name)
    if value.isdecimal() and len(value) > 8 and _only(fields, name).startswith(" "):
        return f"+{value}"
    return value[:100]


def _only(fields: dict[str, list[str]], name: str) -> str:
    """A field as it came, without NUL, which PostgreSQL cannot hold."""
    return fields.get(name, [""])[0].replace("\0", "")


def _media(fields: dict[str, list[str]]) -> tuple[MediaLink, ...]:
    many = _count(first(fields, "NumMedia"), _MOST_MEDIA)
    links = (
        MediaLink(first(fields, f"MediaUrl{n}"), first(fields, f"MediaContentType{n}")) for n in range(many)
    )
    return tuple(link for link in links if link.url)


def _count(text: str, most: int) -> int:
    return min(int(text), most) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
