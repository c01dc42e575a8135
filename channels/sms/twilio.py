"""SMS and MMS through Twilio: the channel itself. What its answers mean is in outcomes.py and twilio_codes.py."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import BaseModel
from twilio.base.exceptions import TwilioRestException, TwilioServiceException

from channels.base import CallbackRequest, Capability, Received
from channels.http.dispatch import Flight
from channels.http.outcomes import Judgement, judge_answer
from channels.http.sending import Posted, Sending, Unfit
from channels.http.session import name_failure
from channels.sms.content import Text, read_text
from channels.sms.inbound import read_envelope
from channels.sms.lookup import Listed, LookedUp, find_message
from channels.sms.reasons import VOCABULARY
from channels.sms.reports import Report, callback_address, make_report, read_report, to_event
from channels.sms.settings import TwilioSettings
from channels.sms.twilio_codes import OF_ONE_SENDER, reason_of
from channels.twilio.client import make_client
from channels.twilio.media import Media, fetch_media
from channels.twilio.signatures import is_signed_request
from domain.errors import InvalidInput, Unavailable
from domain.events import NewEvent
from domain.messages import ChannelKind, DeliveryState, Outbound

#: Messages that a look for one of ours goes through, newest first: all to one number.
_LISTED = 200
_LARGEST_MEDIA = 20_000_000


class TwilioSms(Sending[Text]):
    """SMS and MMS through Twilio, with its reports and answers. Belongs to the event loop that first delivers."""

    name: ClassVar[str] = "sms"
    kind: ClassVar[ChannelKind] = ChannelKind.SMS
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.SEND, Capability.RECEIVE, Capability.CALLBACKS, Capability.ATTACHMENTS, Capability.BULK}
    )
    settings_model: ClassVar[type[BaseModel]] = TwilioSettings
    vocabulary = VOCABULARY

    def __init__(
        self, settings: TwilioSettings, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """`now` dates the events of reports."""
        super().__init__(settings)
        self.settings = settings
        self._now = now
        self._client = make_client(settings, self.web) if settings.is_complete else None

    def _unready(self) -> str:
        return "" if self._client else "no account is set: fill in account_sid and auth_token of this channel"

    def _read(self, message: Outbound) -> Text:
        return read_text(message)

    async def _post(self, text: Text, flight: Flight) -> Posted:
        assert self._client is not None
        try:
            made = await self._client.messages.create_async(**self._fields(text))
        except (TwilioRestException, TwilioServiceException) as error:
            return _refusal(error, flight)
        if not made.sid:
            raise ValueError("the answer names no message")
        report = make_report(made.sid, str(made.status), made.error_code)
        if report is not None and report.delivery is DeliveryState.REJECTED:
            words = f"{made.error_code or ''}: {made.error_message or report.status}".lstrip(": ")
            return Posted(words, judgement=Judgement(DeliveryState.REJECTED, report.reason))
        return Posted(str(made.status), provider_id=made.sid)

    def _fields(self, text: Text) -> dict[str, Any]:
        """The request for a message, in the client's names. What is not set is left out."""
        callback = self.settings.callback_url
        fields: dict[str, Any] = {
            "to": text.recipient,
            "body": text.body,
            "validity_period": text.validity or self.settings.validity,
            "smart_encoded": False,  # signs were replaced, or not, where somebody saw it
            "from_": text.sender,
            "messaging_service_sid": text.service,
            "media_url": list(text.media),
            "status_callback": callback_address(callback, text.token) if callback and text.token else "",
        }
        return {name: value for name, value in fields.items() if value not in ("", [])}

    async def look_up(
        self, message: Outbound, began: datetime, ended: datetime, taken: Collection[str] = ()
    ) -> LookedUp:
        """Whether the provider has a message whose sending ended in doubt (UNCERTAIN); sends nothing.

        `began` and `ended` bound the attempt; `taken` holds the provider's numbers that other messages of ours
        have. The list is asked by recipient (and sender) without a date: messages still in the queue have no date
        of sending. Raises Unavailable when it cannot be asked now.
        """
        if self._client is None:
            raise Unavailable(self._unready())
        try:
            text = read_text(message)
        except Unfit:
            return LookedUp(None, 0)  # was never offered
        sender = {"from_": text.sender} if text.sender else {}
        try:
            found = await self._client.messages.list_async(to=text.recipient, limit=_LISTED, **sender)
        except Exception as error:
            raise Unavailable(f"the provider's list cannot be read: {name_failure(error)[1]}") from error
        listed = [one for record in found if (one := _listed(record)) is not None]
        return find_message(text, listed, began, ended, taken)

    async def fetch_report(self, provider_id: str) -> Report | None:
        """The state of a message now, with its price once it is known. Raises Unavailable when it cannot be asked."""
        if self._client is None:
            raise Unavailable(self._unready())
        try:
            record = await self._client.messages(provider_id).fetch_async()
        except TwilioRestException as error:
            if error.status == 404:
                return None
            raise Unavailable(f"the provider cannot be asked: {error.msg}") from error
        except Exception as error:
            raise Unavailable(f"the provider cannot be asked: {name_failure(error)[1]}") from error
        return _report(record)

    async def fetch_media(self, url: str, limit: int = _LARGEST_MEDIA) -> Media:
        """A picture or file of a message that arrived; see channels.twilio.media.fetch_media."""
        return await fetch_media(self.web, url, self.settings.login, self.settings.base_url, limit)

    def verify(self, request: CallbackRequest) -> None:
        """Check that a request comes from the provider, before anything of it is read. Raises InvalidInput."""
        if not is_signed_request(request, self.settings.tokens):
            raise InvalidInput(
                "X-Twilio-Signature",
                "the signature does not hold for this address and content.",
                "Check the account's token, and that callback_url is the address as the provider calls it.",
            )

    def parse_report(self, request: CallbackRequest) -> Report | None:
        """The report in a callback; None for a state that we do not know. Raises InvalidInput."""
        self.verify(request)
        return read_report(request.url, request.body)

    def parse_callback(self, request: CallbackRequest) -> list[NewEvent]:
        """The event of a report; none for states on the way. Raises InvalidInput when its signature does not hold."""
        report = self.parse_report(request)
        event = to_event(report, self._now()) if report is not None else None
        return [] if event is None else [event]

    def parse_inbound(self, raw: bytes) -> Received:
        """The envelope of a message that arrived: the form as it was posted; never raises."""
        return read_envelope(raw)


def _refusal(error: TwilioRestException | TwilioServiceException, flight: Flight) -> Posted:
    code = int(error.code) if str(error.code).isdecimal() else None
    words = str(error.msg if isinstance(error, TwilioRestException) else error.detail or error.title)
    words = words.removeprefix("Unable to create record: ")  # the client's, not the provider's
    judgement = judge_answer(error.status, reason_of(code), has_retry_after=bool(flight.retry_after))
    words = f"{code}: {words}" if code else words
    return Posted(words, judgement=judgement, of_sender=code in OF_ONE_SENDER)


def _report(record: Any) -> Report | None:
    price = str(record.price or "")
    return make_report(
        record.sid, str(record.status), record.error_code, "", price, str(record.price_unit or "")
    )


def _listed(record: Any) -> Listed | None:
    """A message of the list; None for one that arrived, or that tells no time."""
    report = _report(record)
    if report is None or record.date_created is None or record.direction == "inbound":
        return None
    created = record.date_created
    if created.tzinfo is None:
        created = created.replace(tzinfo=UTC)
    return Listed(report, record.from_ or "", record.to or "", record.body or "", created)
