"""What the provider asks and reports about calls: its forms, read into values. Signatures are checked before.

Forms: www.twilio.com/docs/voice/twiml (requests for documents), …/voice/api/call-resource#statuscallback (legs),
…/voice/twiml/record and …/dial (recordings, results). Reading a form raises InvalidInput when it names no call;
any other field may be missing or odd.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from channels.base import Received
from channels.http.forms import first
from channels.voice.codes import reason_of, reason_of_sip
from channels.voice.fields import (
    Fields,
    call_number,
    count,
    fraction,
    is_call,
    is_recording,
    moment,
    read_fields,
    words,
)
from channels.voice.parties import Party, read_party
from domain.calls import LEG_ENDS, LEG_RANKS
from domain.errors import InvalidInput
from domain.messages import ChannelKind

_LONGEST_TEXT: Final = 20_000


@dataclass(frozen=True, slots=True)
class CallAsked:
    """A request for a document: which call, between whom. `outbound`: we placed it, or a leg of it."""

    provider_id: str
    caller: Party
    called: Party
    status: str  #: the provider's word for this leg
    outbound: bool
    parent_id: str = ""  #: the leg that this one was rung for
    account: str = ""
    forwarded_from: Party | None = None
    caller_name: str = ""
    country: str = ""  #: of the caller, as the provider believes


@dataclass(frozen=True, slots=True)
class Gathered:
    """What somebody pressed or said. Both are empty when a prompt was ended by its key at once."""

    call: CallAsked
    keys: str = ""
    speech: str = ""
    confidence: float | None = None  #: of the speech, 0 to 1


@dataclass(frozen=True, slots=True)
class RecordingReport:
    """A recording: where the provider keeps it. `status`: in-progress, completed, absent (nothing was said), failed."""

    provider_id: str
    call_id: str
    status: str
    url: str
    seconds: int | None = None
    channels: int = 1
    source: str = ""  #: the provider's word, e.g. RecordVerb, DialVerb
    reason: str = ""  #: our word for its error


@dataclass(frozen=True, slots=True)
class DialEnded:
    """How ringing somebody ended: nobody answered, or the talk is over."""

    call: CallAsked
    status: str  #: of the leg that tells most: completed, busy, no-answer, failed, canceled
    leg_id: str = ""
    seconds: int | None = None  #: of talk
    bridged: bool = False  #: two people spoke
    reason: str = ""  #: our word for why it failed
    recording: RecordingReport | None = None


@dataclass(frozen=True, slots=True)
class LeftMessage:
    """Recording what a caller says has ended; `recording` is None when nothing was said."""

    call: CallAsked
    recording: RecordingReport | None


@dataclass(frozen=True, slots=True)
class LegReport:
    """How a leg stands. Reports come in any order: the rank of its status only rises, `sequence` tells their order."""

    provider_id: str
    status: str
    rank: int  #: domain.calls.LEG_RANKS
    sequence: int | None  #: the provider's count of its reports about this leg, from 0
    caller: Party
    called: Party
    outbound: bool
    parent_id: str = ""
    at: datetime | None = None
    seconds: int | None = None  #: of the call, told at its end
    reason: str = ""  #: our word for why it did not come about

    @property
    def is_end(self) -> bool:
        """Whether nothing follows."""
        return self.status in LEG_ENDS


@dataclass(frozen=True, slots=True)
class TranscriptReport:
    """What was said, as the provider understood it; `text` is empty unless it succeeded."""

    provider_id: str
    recording_id: str
    call_id: str
    status: str  #: completed, failed
    text: str = ""
    url: str = ""  #: where the provider keeps the recording


def read_call(body: bytes) -> CallAsked:
    """The call in any request for a document. Raises InvalidInput."""
    return _call(read_fields(body))


def read_gathered(body: bytes) -> Gathered:
    """What was pressed or said. Raises InvalidInput."""
    fields = read_fields(body)
    keys = "".join(key for key in first(fields, "Digits") if key in "0123456789*#")[:100]
    speech = words(fields, "SpeechResult", 2_000)
    return Gathered(_call(fields), keys, speech, fraction(first(fields, "Confidence")))


def read_dial_ended(body: bytes) -> DialEnded:
    """The result of ringing somebody. Raises InvalidInput."""
    fields = read_fields(body)
    status = first(fields, "DialCallStatus").lower()
    status = {"answered": "completed", "in-progress": "completed"}.get(status, status)
    seconds = count(first(fields, "DialCallDuration"))
    told = first(fields, "DialBridged").lower()
    return DialEnded(
        call=_call(fields),
        status=status if status in LEG_ENDS else "failed",
        leg_id=call_number(fields, "DialCallSid"),
        seconds=seconds,
        bridged=told == "true" if told else status == "completed" and bool(seconds),
        reason=_trouble(fields) if status == "failed" else "",
        recording=_recording_of(fields),
    )


def read_left_message(body: bytes) -> LeftMessage:
    """The end of a message. Raises InvalidInput."""
    fields = read_fields(body)
    return LeftMessage(_call(fields), _recording_of(fields))


def read_leg(body: bytes) -> LegReport | None:
    """How a leg stands; None for a state that we do not know. Raises InvalidInput."""
    fields = read_fields(body)
    call = _call(fields)
    status = {"answered": "in-progress", "cancelled": "canceled"}.get(call.status, call.status)
    rank = LEG_RANKS.get(status)
    if rank is None:
        return None
    return LegReport(
        provider_id=call.provider_id,
        status=status,
        rank=rank,
        sequence=count(first(fields, "SequenceNumber")),
        caller=call.caller,
        called=call.called,
        outbound=call.outbound,
        parent_id=call.parent_id,
        at=moment(first(fields, "Timestamp")),
        seconds=count(first(fields, "CallDuration")) if status in LEG_ENDS else None,
        reason=_trouble(fields) if status == "failed" else "",
    )


def read_recording(body: bytes) -> RecordingReport:
    """A recording's state. Raises InvalidInput when it names none."""
    report = _recording_of(read_fields(body))
    if report is None:
        raise InvalidInput(
            "RecordingSid", "this is not the number of a recording (RE…).", "Send a recording's report."
        )
    return report


def read_transcript(body: bytes) -> TranscriptReport:
    """A transcript. Raises InvalidInput when it names no recording."""
    fields = read_fields(body)
    recording = first(fields, "RecordingSid")
    if not is_recording(recording):
        raise InvalidInput(
            "RecordingSid", "this is not the number of a recording (RE…).", "Send a transcript's report."
        )
    status = first(fields, "TranscriptionStatus").lower()[:100] or "failed"
    text = words(fields, "TranscriptionText", _LONGEST_TEXT) if status == "completed" else ""
    return TranscriptReport(
        first(fields, "TranscriptionSid")[:100],
        recording,
        call_number(fields, "CallSid"),
        status,
        text,
        first(fields, "RecordingUrl")[:2_000],
    )


def read_envelope(raw: bytes) -> Received:
    """Just the envelope of a call that comes in; never raises."""
    fields = read_fields(raw)
    caller, called = _party(fields, "From"), _party(fields, "To")
    return Received(
        raw=raw,
        sender=caller.shown,
        recipients=(called.shown,) if called.shown else (),
        cursor=first(fields, "CallSid")[:100],
        meta={"account": first(fields, "AccountSid")[:100]},
        kind=ChannelKind.VOICE,
    )


def _call(fields: Fields) -> CallAsked:
    provider_id = first(fields, "CallSid")
    if not is_call(provider_id):
        raise InvalidInput("CallSid", "this is not the number of a call (CA…).", "Send a call's request.")
    forwarded = _party(fields, "ForwardedFrom")
    return CallAsked(
        provider_id=provider_id,
        caller=_party(fields, "From"),
        called=_party(fields, "To"),
        status=first(fields, "CallStatus").lower()[:100],
        outbound=first(fields, "Direction").lower().startswith("outbound"),
        parent_id=call_number(fields, "ParentCallSid"),
        account=first(fields, "AccountSid")[:100],
        forwarded_from=forwarded if forwarded.number else None,
        caller_name=words(fields, "CallerName", 100),
        country=first(fields, "FromCountry").upper()[:2],
    )


def _party(fields: Fields, name: str) -> Party:
    return read_party(fields.get(name, [""])[0])


def _recording_of(fields: Fields) -> RecordingReport | None:
    """The recording in a report, or in the result of a verb; a result tells no status and means it is there."""
    recording = first(fields, "RecordingSid")
    if not is_recording(recording):
        return None
    code = count(first(fields, "ErrorCode"))
    return RecordingReport(
        provider_id=recording,
        call_id=call_number(fields, "CallSid"),
        status=first(fields, "RecordingStatus").lower()[:100] or "completed",
        url=first(fields, "RecordingUrl")[:2_000],
        seconds=count(first(fields, "RecordingDuration")),
        channels=count(first(fields, "RecordingChannels")) or 1,
        source=first(fields, "RecordingSource")[:100],
        reason=reason_of(code) if code else "",
    )


def _trouble(fields: Fields) -> str:
    code = count(first(fields, "ErrorCode"))
    if code:
        return reason_of(code)
    answer = first(fields, "SipResponseCode") or first(fields, "DialSipResponseCode")
    return reason_of_sip(count(answer) or 0)
