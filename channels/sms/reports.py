"""What the provider reports about a message of ours: a signed form, to the URL that carries the message's token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import unquote, urlsplit

from channels.http.forms import first, read_form
from channels.sms.reasons import is_hard
from channels.sms.statuses import STATUSES
from channels.sms.twilio_codes import reason_of
from domain.errors import InvalidInput
from domain.events import EventType, NewEvent
from domain.messages import DeliveryState

#: Below the channel's callback URL: {callback_url}/status/{token}, {callback_url}/inbound
STATUS_PATH: Final = "status"
INBOUND_PATH: Final = "inbound"

_TOKEN: Final = re.compile(rf"/{STATUS_PATH}/([A-Za-z0-9_-]{{1,64}})/?$")
_ID: Final = re.compile(r"(?:SM|MM)[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class Report:
    """The state of a message at the provider. `token` is empty when it comes from a listing, not from a callback."""

    provider_id: str
    token: str
    status: str  #: the provider's word
    rank: int  #: see channels.sms.statuses.moves_forward
    reason: str = ""  #: our word for its error, empty when there is none
    code: int | None = None  #: the provider's error code
    price: str = ""  #: decimal, negative for what we pay, in `currency`; known some time after sending
    currency: str = ""

    @property
    def delivery(self) -> DeliveryState | None:
        """How it settles a delivery that is uncertain: the provider has the message, or refused it."""
        return STATUSES[self.status].delivery

    @property
    def event(self) -> EventType | None:
        """What it is on the timeline; None for states on the way."""
        return STATUSES[self.status].event


def callback_address(callback_url: str, token: str) -> str:
    """The URL for the reports of one message."""
    return f"{callback_url}/{STATUS_PATH}/{token}"


def read_report(url: str, body: bytes) -> Report | None:
    """The report in a callback whose signature was checked; None for a state that we do not know.

    Raises InvalidInput when it is no report about a message.
    """
    fields = read_form(body)
    provider_id = first(fields, "MessageSid") or first(fields, "SmsSid")
    if not _ID.fullmatch(provider_id):
        raise InvalidInput(
            "MessageSid", "this is not the number of a message (SM…).", "Send a message's report."
        )
    status = (first(fields, "MessageStatus") or first(fields, "SmsStatus")).lower()
    if not status:
        raise InvalidInput(
            "MessageStatus", "the state of the message is missing.", "Send a message's report."
        )
    token = _TOKEN.search(unquote(urlsplit(url).path))
    return make_report(provider_id, status, first(fields, "ErrorCode"), token[1] if token else "")


def make_report(
    provider_id: str, status: str, code: object = None, token: str = "", price: str = "", currency: str = ""
) -> Report | None:
    """A report from the provider's words; None for a state that we do not know."""
    known = STATUSES.get(status)
    if known is None:
        return None
    number = int(str(code)) if str(code).isdecimal() and int(str(code)) else None
    reason = ""
    if known.event in (EventType.BOUNCED, EventType.FAILED):
        reason = "cancelled" if status == "canceled" else reason_of(number)
    return Report(provider_id, token, status, known.rank, reason, number, price, currency)


def to_event(report: Report, at: datetime) -> NewEvent | None:
    """The event of a report; None for states on the way. Ids of ours are the room's to add, from the token.

    The key makes it idempotent: the same state of the same message is recorded once, however often it is reported.
    """
    if report.event is None:
        return None
    data: dict[str, object] = {
        "channel": "sms",
        "provider_id": report.provider_id,
        "status": report.status,
        "rank": report.rank,
        "token": report.token,
    }
    if report.reason:
        data |= {"reason": report.reason, "hard": is_hard(report.reason), "code": report.code}
    key = f"sms:{report.provider_id}:{report.event.value}"
    return NewEvent(type=report.event, occurred_at=at, data=data, key=key)
