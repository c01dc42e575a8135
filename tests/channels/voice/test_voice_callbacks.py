"""The provider's forms about calls, read into values: what matters is there, what is odd does no harm."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import CallbackRequest
from channels.registry import open_channel
from channels.twilio.signatures import sign
from channels.voice.callbacks import (
    read_call,
    read_dial_ended,
    read_envelope,
    read_gathered,
    read_left_message,
    read_leg,
    read_recording,
    read_transcript,
)
from channels.voice.parties import PartyKind
from channels.voice.twilio import TwilioVoice
from domain.calls import LEG_ENDS, LEG_RANKS
from domain.errors import InvalidInput
from domain.events import EventType
from domain.messages import ChannelKind
from tests.channels.voice.provider import ACCOUNT, RECORDING, TOKEN

CALL = "CA" + "0c" * 16
LEG = "CA" + "0e" * 16
URL = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/{RECORDING}"
HOOK = "https://hub.example/callbacks/voice/token/status/us"


def form(**fields: str) -> bytes:
    return urlencode(
        {
            "CallSid": CALL,
            "AccountSid": ACCOUNT,
            "From": "+33612345678",
            "To": "+33199000001",
            "CallStatus": "ringing",
            "Direction": "inbound",
            "ApiVersion": "2010-04-01",
            **fields,
        }
    ).encode()


def test_a_call_that_comes_in_is_read() -> None:
    call = read_call(form(FromCountry="fr", CallerName="Anna", ForwardedFrom="+33188000000"))
    assert (call.provider_id, call.account, call.status, call.outbound) == (CALL, ACCOUNT, "ringing", False)
    assert (call.caller.number, call.called.number, call.country) == ("+33612345678", "+33199000001", "FR")
    assert call.caller_name == "Anna"
    assert call.forwarded_from is not None
    assert call.forwarded_from.number == "+33188000000"


@pytest.mark.parametrize("told", ["", "+266696687", "Restricted"])
def test_a_caller_who_hides_is_read(told: str) -> None:
    assert read_call(form(From=told)).caller.kind is PartyKind.HIDDEN


def test_a_leg_of_a_call_of_ours_names_its_parent() -> None:
    call = read_call(form(Direction="outbound-dial", ParentCallSid=LEG))
    assert (call.outbound, call.parent_id) == (True, LEG)


@pytest.mark.parametrize("sid", ["", "SM" + "0" * 32, "CA1", CALL + "0", "CA" + "0c" * 15 + "\n0"])
@pytest.mark.parametrize(
    "read",
    [read_call, read_gathered, read_dial_ended, read_left_message, read_leg],
)
def test_what_names_no_call_is_refused(read: Callable[[bytes], Any], sid: str) -> None:
    with pytest.raises(InvalidInput, match=r"^CallSid: "):
        read(form(CallSid=sid))


def test_keys_and_speech_are_read() -> None:
    assert read_gathered(form(Digits="12#")).keys == "12#"
    said = read_gathered(form(SpeechResult="Je voudrais un conseil.", Confidence="0.93"))
    assert (said.keys, said.speech, said.confidence) == ("", "Je voudrais un conseil.", 0.93)


@pytest.mark.parametrize("confidence", ["", "much", "nan", "1.5", "-1"])
def test_a_confidence_that_is_none_is_left_out(confidence: str) -> None:
    assert read_gathered(form(SpeechResult="x", Confidence=confidence)).confidence is None


def test_keys_hold_nothing_but_keys() -> None:
    assert read_gathered(form(Digits="1<b>\0*w")).keys == "1*"


def test_a_talk_that_has_ended_is_read_with_its_recording() -> None:
    ended = read_dial_ended(
        form(
            DialCallStatus="completed",
            DialCallSid=LEG,
            DialCallDuration="61",
            DialBridged="true",
            RecordingSid=RECORDING,
            RecordingUrl=URL,
            RecordingDuration="60",
        )
    )
    assert (ended.status, ended.leg_id, ended.seconds, ended.bridged) == ("completed", LEG, 61, True)
    assert ended.recording is not None
    assert (ended.recording.provider_id, ended.recording.url, ended.recording.seconds) == (RECORDING, URL, 60)
    assert (ended.recording.status, ended.recording.call_id) == ("completed", CALL)


@pytest.mark.parametrize(
    ("told", "status"),
    [
        *(("busy", "busy"), ("no-answer", "no-answer"), ("canceled", "canceled"), ("failed", "failed")),
        *(("answered", "completed"), ("", "failed"), ("flying", "failed")),
    ],
)
def test_every_end_of_ringing_is_one_of_ours(told: str, status: str) -> None:
    ended = read_dial_ended(form(DialCallStatus=told))
    assert ended.status == status
    assert not ended.bridged


def test_a_talk_of_some_length_was_bridged_where_the_provider_does_not_say() -> None:
    assert read_dial_ended(form(DialCallStatus="completed", DialCallDuration="3")).bridged
    assert not read_dial_ended(form(DialCallStatus="completed", DialCallDuration="0")).bridged


def test_a_number_that_the_network_does_not_know_says_so() -> None:
    assert read_dial_ended(form(DialCallStatus="failed", SipResponseCode="404")).reason == "number_unknown"
    assert read_dial_ended(form(DialCallStatus="failed", ErrorCode="13227")).reason == "region_closed"
    assert read_dial_ended(form(DialCallStatus="failed")).reason == "refused"


def test_a_message_that_was_left_is_read() -> None:
    left = read_left_message(form(RecordingSid=RECORDING, RecordingUrl=URL, Digits="hangup"))
    assert left.recording is not None
    assert read_left_message(form(Digits="#")).recording is None


def test_a_leg_is_read_with_its_place_in_the_order() -> None:
    leg = read_leg(
        form(
            CallStatus="completed",
            SequenceNumber="3",
            CallDuration="12",
            Timestamp="Tue, 31 Mar 2026 10:00:00 +0200",
        )
    )
    assert leg is not None
    assert (leg.status, leg.rank, leg.sequence, leg.seconds) == ("completed", 4, 3, 12)
    assert leg.at == datetime(2026, 3, 31, 8, tzinfo=UTC)
    assert leg.is_end


@pytest.mark.parametrize("status", LEG_RANKS)
def test_every_state_of_a_leg_has_its_rank(status: str) -> None:
    leg = read_leg(form(CallStatus=status.upper()))
    assert leg is not None
    assert (leg.status, leg.rank, leg.is_end) == (status, LEG_RANKS[status], status in LEG_ENDS)
    assert (leg.reason == "refused") == (status == "failed")


@pytest.mark.parametrize(("told", "status"), [("answered", "in-progress"), ("cancelled", "canceled")])
def test_states_told_by_other_words_are_the_same(told: str, status: str) -> None:
    leg = read_leg(form(CallStatus=told))
    assert leg is not None
    assert leg.status == status


def test_a_state_that_nobody_knows_is_no_report() -> None:
    assert read_leg(form(CallStatus="levitating")) is None


@pytest.mark.parametrize(
    "time", ["", "yesterday", "2026-03-31", "Tue, 99 Foo 2026 10:00:00", "Fri, 31 Dec 9999 23:59:59 -2300"]
)
def test_a_leg_without_a_readable_time_is_read_all_the_same(time: str) -> None:
    leg = read_leg(form(Timestamp=time, SequenceNumber="-1", CallDuration="soon"))
    assert leg is not None
    assert (leg.at, leg.sequence, leg.seconds) == (None, None, None)


def test_a_recording_and_its_trouble_are_read() -> None:
    fields = {
        "RecordingSid": RECORDING,
        "RecordingUrl": URL,
        "RecordingDuration": "5",
        "RecordingChannels": "2",
    }
    report = read_recording(
        form(RecordingStatus="completed", ErrorCode="0", RecordingSource="DialVerb", **fields)
    )
    assert (report.status, report.seconds, report.channels, report.source, report.reason) == (
        "completed",
        5,
        2,
        "DialVerb",
        "",
    )
    assert read_recording(form(RecordingStatus="absent", ErrorCode="20500", **fields)).reason == "unavailable"
    with pytest.raises(InvalidInput, match=r"^RecordingSid: "):
        read_recording(form(RecordingSid="RE1"))


def test_a_transcript_is_read_and_one_that_failed_is_empty() -> None:
    fields = {"RecordingSid": RECORDING, "TranscriptionSid": "TR" + "0" * 32, "TranscriptionText": "Ho\0la"}
    fields["RecordingUrl"] = URL
    told = read_transcript(form(TranscriptionStatus="completed", **fields))
    assert (told.recording_id, told.call_id, told.text, told.url) == (RECORDING, CALL, "Hola", URL)
    assert read_transcript(form(TranscriptionStatus="failed", **fields)).text == ""
    with pytest.raises(InvalidInput, match=r"^RecordingSid: "):
        read_transcript(form(TranscriptionStatus="completed"))


def test_the_envelope_tells_who_calls_whom() -> None:
    envelope = read_envelope(form())
    assert (envelope.sender, envelope.recipients, envelope.cursor, envelope.kind) == (
        "+33612345678",
        ("+33199000001",),
        CALL,
        ChannelKind.VOICE,
    )
    assert read_envelope(form(From="anonymous")).sender == ""


def _channel() -> TwilioVoice:
    channel = open_channel("voice", {"account": {"account_sid": ACCOUNT, "auth_token": TOKEN}})
    assert isinstance(channel, TwilioVoice)
    return channel


def _signed(**fields: str) -> CallbackRequest:
    values = {
        "CallSid": CALL,
        "From": "+33199000001",
        "To": "+33612345678",
        "Direction": "outbound-api",
        **fields,
    }
    return CallbackRequest(
        "POST", HOOK, {"X-Twilio-Signature": sign(HOOK, values, TOKEN)}, urlencode(values).encode()
    )


def test_a_signed_report_is_taken_and_its_end_is_an_event_recorded_once() -> None:
    channel = _channel()
    assert channel.parse_callback(_signed(CallStatus="ringing")) == []
    (event,) = channel.parse_callback(_signed(CallStatus="failed", SipResponseCode="404"))
    assert (event.type, event.key) == (EventType.CALL_ENDED, f"voice:{CALL}:ended")
    assert event.data["reason"] == "number_unknown"
    assert channel.parse_callback(_signed(CallStatus="completed", ParentCallSid=LEG)) == []


def test_a_report_that_was_changed_on_its_way_is_refused() -> None:
    request = _signed(CallStatus="ringing")
    forged = CallbackRequest(request.method, request.url, request.headers, request.body + b"&CallDuration=1")
    with pytest.raises(InvalidInput, match=r"^X-Twilio-Signature: "):
        _channel().parse_report(forged)


READERS = (
    *(read_call, read_gathered, read_dial_ended, read_left_message),
    *(read_leg, read_recording, read_transcript, read_envelope),
)
FIELDS = st.sampled_from(
    [
        *("CallSid", "From", "To", "CallStatus", "Digits", "SpeechResult", "Confidence", "Timestamp"),
        *("DialCallStatus", "DialCallDuration", "RecordingSid", "RecordingUrl", "QueueTime", "ErrorCode"),
        *("SequenceNumber", "TranscriptionText", "TranscriptionStatus", "ForwardedFrom", "SipResponseCode"),
    ]
)


@given(st.dictionaries(FIELDS, st.text() | st.sampled_from([CALL, RECORDING, "completed", "9" * 12, "²"])))
def test_whatever_a_form_holds_is_read_or_refused_with_a_sentence(fields: dict[str, str]) -> None:
    body = form(**{name: value.encode("utf-8", "replace").decode() for name, value in fields.items()})
    for read in READERS:
        with contextlib.suppress(InvalidInput):
            assert "\\x00" not in repr(read(body))
