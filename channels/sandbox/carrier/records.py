"""What the carrier remembers: accounts, numbers, services, messages, calls, recordings. Plain values, one owner."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

API_VERSION: Final = "2010-04-01"


def make_sid(prefix: str) -> str:
    """A fresh identifier: two letters that tell the kind, and 32 hexadecimals."""
    return prefix + secrets.token_hex(16)


@dataclass(slots=True)
class Account:
    """A customer of the carrier. A subaccount has an `owner_sid` of another account."""

    sid: str
    auth_token: str
    friendly_name: str
    owner_sid: str
    created: datetime
    updated: datetime
    status: str = "active"  #: active, suspended or closed


@dataclass(slots=True)
class Number:
    """A number of an account, and whom to ask about what arrives at it."""

    sid: str
    account_sid: str
    phone_number: str
    friendly_name: str
    created: datetime
    updated: datetime
    sms_url: str = ""
    sms_method: str = "POST"
    sms_fallback_url: str = ""
    sms_fallback_method: str = "POST"
    voice_url: str = ""
    voice_method: str = "POST"
    voice_fallback_url: str = ""
    voice_fallback_method: str = "POST"
    status_callback: str = ""
    status_callback_method: str = "POST"


@dataclass(slots=True)
class Service:
    """A messaging service: senders that share what is sent through it."""

    sid: str
    account_sid: str
    friendly_name: str
    senders: tuple[str, ...]
    inbound_url: str = ""
    status_callback: str = ""
    sent: int = 0  #: messages so far; the senders take turns


@dataclass(slots=True)
class Media:
    """A picture or file that belongs to a message."""

    sid: str
    account_sid: str
    message_sid: str
    content_type: str
    content: bytes
    created: datetime


@dataclass(slots=True)
class Message:
    """An SMS or MMS in either direction."""

    sid: str
    account_sid: str
    from_: str
    to: str
    body: str
    direction: str  #: inbound, outbound-api, outbound-call, outbound-reply
    status: str
    created: datetime
    updated: datetime
    segments: int = 1
    service_sid: str = ""
    status_callback: str = ""
    validity: int = 36000  #: seconds that it may wait in a queue
    sent_at: datetime | None = None
    arrived: datetime | None = None  #: when the phone showed it
    send_at: datetime | None = None
    error_code: int | None = None
    price: str | None = None
    media: list[Media] = field(default_factory=list)
    media_urls: tuple[str, ...] = ()  #: where the media of an outgoing message is still to be fetched


@dataclass(slots=True)
class Webhooks:
    """Whom a call asks for its next document, and whom it tells of its changes."""

    url: str = ""
    method: str = "POST"
    fallback_url: str = ""
    fallback_method: str = "POST"
    document: str = ""  #: TwiML given outright instead of an address
    status_callback: str = ""
    status_callback_method: str = "POST"
    status_events: tuple[str, ...] = ("completed",)


@dataclass(slots=True)
class Call:
    """One leg of a call: the carrier on one side, the person at a phone on the other."""

    sid: str
    account_sid: str
    from_: str
    to: str
    direction: str  #: inbound, outbound-api, outbound-dial
    status: str
    created: datetime
    updated: datetime
    hooks: Webhooks = field(default_factory=Webhooks)
    parent_sid: str = ""
    number_sid: str = ""
    ring_seconds: float = 60.0
    limit_seconds: float = 14_400.0
    started: datetime | None = None
    ended: datetime | None = None
    answered_by: str = ""
    price: str | None = None
    told: int = 0  #: status callbacks so far, their SequenceNumber
    duration: int | None = None  #: seconds of the carrier, when it has ended
    queue_seconds: int = 0


@dataclass(slots=True)
class Recording:
    """Sound of a call. The carrier knows what was said, as text; the sound itself is a tone of the same length."""

    sid: str
    account_sid: str
    call_sid: str
    source: str  #: RecordVerb, DialVerb, OutboundAPI, StartCallRecordingAPI, Conference
    status: str
    created: datetime
    updated: datetime
    channels: int = 1
    duration: int = 0
    words: list[str] = field(default_factory=list)
    conference_sid: str = ""
    callback: str = ""
    callback_method: str = "POST"
    callback_events: tuple[str, ...] = ("completed",)


@dataclass(slots=True)
class Transcription:
    """The text of a recording."""

    sid: str
    account_sid: str
    recording_sid: str
    status: str
    created: datetime
    updated: datetime
    text: str = ""
    duration: int = 0


@dataclass(slots=True)
class CallQueue:
    """Callers who wait for somebody, in their order."""

    sid: str
    account_sid: str
    friendly_name: str
    created: datetime
    updated: datetime
    max_size: int = 1000
    members: list[str] = field(default_factory=list)  #: calls, the first waits longest
    since: dict[str, datetime] = field(default_factory=dict)  #: call → when it joined


@dataclass(slots=True)
class Participant:
    """A call in a conference."""

    call_sid: str
    joined: datetime
    muted: bool = False
    hold: bool = False
    start_on_enter: bool = True
    end_on_exit: bool = False
    label: str = ""


@dataclass(slots=True)
class Conference:
    """Calls that hear each other."""

    sid: str
    account_sid: str
    friendly_name: str
    created: datetime
    updated: datetime
    status: str = "init"
    participants: dict[str, Participant] = field(default_factory=dict)
    reason_ended: str = ""
    ended_by: str = ""
    callback: str = ""
    callback_method: str = "POST"
    callback_events: tuple[str, ...] = ()
    told: int = 0
