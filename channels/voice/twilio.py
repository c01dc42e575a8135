"""Calls through Twilio: the channel itself. What is heard is in twiml.py, what is reported in callbacks.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import BaseModel
from twilio.base.exceptions import TwilioRestException, TwilioServiceException

from channels.base import CallbackRequest, Capability, Received
from channels.http.dispatch import Flight
from channels.http.outcomes import judge_answer
from channels.http.sending import Posted, Sending
from channels.http.session import name_failure
from channels.twilio.client import make_client
from channels.twilio.media import Media, fetch_media
from channels.twilio.signatures import is_signed_request
from channels.voice.callbacks import LegReport, RecordingReport, TranscriptReport, read_envelope, read_leg
from channels.voice.codes import reason_of
from channels.voice.orders import Order, read_order
from channels.voice.reasons import VOCABULARY
from channels.voice.records import CallRecord, LookedUpCall, find_call, make_record
from channels.voice.settings import TwilioVoiceSettings
from channels.voice.twiml import write
from domain.calls import LEG_RANKS, Document
from domain.errors import InvalidInput, NotFound, Unavailable
from domain.events import EventType, NewEvent
from domain.messages import ChannelKind, DeliveryState, Outbound, Outcome

#: Calls that a look for one of ours goes through, newest first: all from one number to one phone.
_LISTED: Final = 200
_RECORDING_PATH: Final = re.compile(
    r"/[0-9-]{10}/Accounts/AC[0-9a-fA-F]{32}/Recordings/RE[0-9a-fA-F]{32}(?=(\.wav|\.mp3)?$)"
)


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of asking for a call.

    SENT: the provider has it, as `provider_id`. UNCERTAIN: nobody knows; it is never asked for again by itself.
    DEFERRED: it was not taken, and may be asked for again. REJECTED: refused for good.
    """

    state: DeliveryState
    provider_id: str = ""
    reason: str = ""  #: a word of channels.voice.reasons
    words: str = ""  #: the provider's


class TwilioVoice(Sending[Order]):
    """Calls through Twilio: placed, watched, ended, recorded. Belongs to the event loop that first delivers."""

    name: ClassVar[str] = "voice"
    kind: ClassVar[ChannelKind] = ChannelKind.VOICE
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.SEND, Capability.RECEIVE, Capability.CALLBACKS, Capability.BULK}
    )
    settings_model: ClassVar[type[BaseModel]] = TwilioVoiceSettings
    vocabulary = VOCABULARY

    def __init__(
        self, settings: TwilioVoiceSettings, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """`now` dates the events of reports that tell no time."""
        super().__init__(settings)
        self.settings = settings
        self._now = now
        self._client = make_client(settings.account, self.web) if settings.account.is_complete else None

    # --- placing -----------------------------------------------------------------------------------------------

    async def place(
        self,
        to: str,
        caller_id: str,
        url: str,
        status_url: str = "",
        *,
        fallback_url: str = "",
        seconds: int | None = None,
        longest: int | None = None,
    ) -> Placed:
        """Ring `to` (E.164 or client:name), showing `caller_id`; `url` is asked what they hear when they answer.

        `status_url` is told of every state. `seconds` of ringing, `longest` of the whole call: the settings' when
        unset. Never raises; cancelled while the request is on its way, the call is in doubt as well.
        """
        options = {
            "url": url,
            "status": status_url,
            "fallback": fallback_url,
            "seconds": str(seconds or self.settings.our_seconds),
            "longest": str(longest or self.settings.longest),
        }
        settled: list[Outcome] = []
        order = Outbound(
            0, 1, caller_id, to, b"", options={name: value for name, value in options.items() if value}
        )
        await self.deliver([order], settled.append)
        (outcome,) = settled
        return Placed(outcome.state, outcome.provider_id, outcome.reason, outcome.reply)

    def _read(self, message: Outbound) -> Order:
        return read_order(message, self.settings.language, self.settings.voices)

    def _unready(self) -> str:
        return "" if self._client else "no account is set: fill in account_sid and auth_token"

    async def _post(self, item: Order, flight: Flight) -> Posted:
        fields: dict[str, Any] = {
            "to": item.recipient,
            "from_": item.caller,
            "url": item.url,
            "twiml": item.document,
            "fallback_url": item.fallback,
            "status_callback": item.status,
            "status_callback_event": ["initiated", "ringing", "answered", "completed"] if item.status else [],
            "timeout": item.seconds,
            "time_limit": item.longest,
        }
        try:
            made = await self._api.calls.create_async(
                **{name: value for name, value in fields.items() if value not in ("", [])}
            )
        except (TwilioRestException, TwilioServiceException) as error:
            return _refusal(error, flight)
        if not made.sid:
            raise ValueError("the answer names no call")
        return Posted(str(made.status), provider_id=made.sid)

    # --- calls that are there ----------------------------------------------------------------------------------

    async def end(self, provider_id: str) -> bool:
        """Hang up a leg, or stop it from ringing. False when it had ended already. Raises Unavailable."""
        try:
            await self._ask(self._api.calls(provider_id).update_async(status="completed"))
        except NotFound:
            return False
        return True

    async def look_up(
        self, to: str, caller_id: str, began: datetime, ended: datetime, taken: Collection[str] = ()
    ) -> LookedUpCall:
        """Whether the provider has a call whose placing ended in doubt; places nothing.

        `began` and `ended` bound the attempt, `taken` holds the provider's numbers of other calls of ours.
        Raises Unavailable when it cannot be asked now.
        """
        found = await self._ask(self._api.calls.list_async(to=to, from_=caller_id, limit=_LISTED))
        return find_call(map(make_record, found), to, caller_id, began, ended, taken)

    async def fetch_call(self, provider_id: str) -> CallRecord | None:
        """How a leg stands, its length and, some minutes after its end, its price. Raises Unavailable."""
        try:
            return make_record(await self._ask(self._api.calls(provider_id).fetch_async()))
        except NotFound:
            return None

    async def list_legs(self, provider_id: str) -> list[CallRecord]:
        """The legs that were rung for a call, in no order. Raises Unavailable."""
        found = await self._ask(self._api.calls.list_async(parent_call_sid=provider_id, limit=_LISTED))
        return [make_record(one) for one in found]

    # --- recordings --------------------------------------------------------------------------------------------

    async def list_recordings(self, call_id: str) -> list[RecordingReport]:
        """The recordings of a leg: for one whose report got lost. Raises Unavailable."""
        found = await self._ask(self._api.recordings.list_async(call_sid=call_id, limit=_LISTED))
        return [_recording(one, self.settings.account.base_url) for one in found]

    async def fetch_recording(self, url: str, limit: int | None = None, *, form: str = "mp3") -> Media:
        """The sound of a recording, as `mp3` or `wav`, at most `limit` bytes (the settings' when unset).

        Raises InvalidInput for an address that is not a recording's or a sound that is too long, NotFound when it
        is gone, or not there yet, Unavailable.
        """
        account = self.settings.account
        path = _RECORDING_PATH.match(urlsplit(url).path)
        if path is None:
            raise InvalidInput("recording", "this is not a recording's address.", "Nothing was fetched.")
        # By the address in the settings: the provider may name another of its hosts, which gets no login of ours.
        address = f"{account.base_url}{path[0]}.{form}"
        most = self.settings.largest_recording if limit is None else limit
        return await fetch_media(self.web, address, account.login, account.base_url, most)

    async def delete_recording(self, provider_id: str) -> None:
        """Delete a recording and its transcripts at the provider; what is gone is fine. Raises Unavailable.

        The transcripts go first: they are things of their own, which nobody finds once their recording is gone.
        """
        recording = self._api.recordings(provider_id)
        with suppress(NotFound):
            for one in await self._ask(recording.transcriptions.list_async(limit=_LISTED)):
                with suppress(NotFound):
                    await self._ask(self._api.transcriptions(str(one.sid)).delete_async())
        with suppress(NotFound):
            await self._ask(recording.delete_async())

    async def fetch_transcript(self, recording_id: str) -> TranscriptReport | None:
        """The transcript of a recording; None when there is none, or not yet. Raises Unavailable."""
        try:
            found = await self._ask(self._api.recordings(recording_id).transcriptions.list_async(limit=20))
        except NotFound:
            return None
        done = [one for one in found if str(one.status) in ("completed", "failed")]
        best = next((one for one in done if str(one.status) == "completed"), done[0] if done else None)
        if best is None:
            return None
        text = str(best.transcription_text or "").replace("\0", "")
        return TranscriptReport(str(best.sid), recording_id, "", str(best.status), text)

    # --- what the provider sends -------------------------------------------------------------------------------

    def write(self, document: Document) -> str:
        """A document with the language and the voices of the settings; see channels.voice.twiml.write."""
        return write(document, language=self.settings.language, voices=self.settings.voices)

    def verify(self, request: CallbackRequest) -> None:
        """Check that a request comes from the provider, before anything of it is read. Raises InvalidInput."""
        if not is_signed_request(request, self.settings.account.tokens):
            raise InvalidInput(
                "X-Twilio-Signature",
                "the signature does not hold for this address and content.",
                "Check the account's token, and that callback_url is the address as the provider calls it.",
            )

    def parse_report(self, request: CallbackRequest) -> LegReport | None:
        """The state of a leg in a callback; None for one that we do not know. Raises InvalidInput."""
        self.verify(request)
        return read_leg(request.body)

    def parse_callback(self, request: CallbackRequest) -> list[NewEvent]:
        """The event of a report that ends a call of ours; none before. Raises InvalidInput for a wrong signature.

        The rooms of calls read the reports themselves, since a call has two legs; this serves whoever sends spoken
        messages.
        """
        report = self.parse_report(request)
        return (
            [] if report is None or not report.is_end or report.parent_id else [to_event(report, self._now())]
        )

    def parse_inbound(self, raw: bytes) -> Received:
        """The envelope of a call that comes in: the form as it was posted; never raises."""
        return read_envelope(raw)

    @property
    def _api(self) -> Any:
        """The provider's client. Raises Unavailable without an account."""
        if self._client is None:
            raise Unavailable(self._unready())
        return self._client

    async def _ask(self, question: Any) -> Any:
        """The answer to a question that changes nothing twice. Raises NotFound, Unavailable."""
        try:
            return await question
        except TwilioRestException as error:
            if error.status == 404 or error.code == 21220:
                raise NotFound("the provider does not have it, or it has ended") from error
            raise Unavailable(f"the provider cannot be asked: {error.msg}") from error
        except Exception as error:
            raise Unavailable(f"the provider cannot be asked: {name_failure(error)[1]}") from error


def to_event(report: LegReport, at: datetime) -> NewEvent:
    """The event of a leg's end. Ids of ours are the room's to add. Its key makes it idempotent."""
    data: dict[str, object] = {
        "channel": "voice",
        "provider_id": report.provider_id,
        "status": report.status,
        "rank": LEG_RANKS[report.status],
        "seconds": report.seconds or 0,
    }
    if report.reason:
        data["reason"] = report.reason
    key = f"voice:{report.provider_id}:ended"
    return NewEvent(type=EventType.CALL_ENDED, occurred_at=report.at or at, data=data, key=key)


def _refusal(error: TwilioRestException | TwilioServiceException, flight: Flight) -> Posted:
    code = int(error.code) if str(error.code).isdecimal() else None
    words = str(error.msg if isinstance(error, TwilioRestException) else error.detail or error.title)
    words = words.removeprefix("Unable to create record: ")  # the client's, not the provider's
    judgement = judge_answer(error.status, reason_of(code), has_retry_after=bool(flight.retry_after))
    return Posted(f"{code}: {words}" if code else words, judgement=judgement)


def _recording(record: Any, base_url: str) -> RecordingReport:
    path = str(record.uri or "").removesuffix(".json")
    seconds = str(record.duration)
    return RecordingReport(
        provider_id=str(record.sid),
        call_id=str(record.call_sid or ""),
        status=str(record.status),
        url=base_url + path,
        seconds=int(seconds) if seconds.isdecimal() else None,
        channels=int(record.channels or 1),
        source=str(record.source or ""),
    )
