"""TwiML as the provider accepts it: the vocabulary agrees with the official builders."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.twiml import messaging_response, voice_response
from twilio.twiml.voice_response import Dial, Gather, VoiceResponse

from channels.sandbox.carrier.recordings import make_mp3, make_wave
from channels.sandbox.carrier.twiml import INSIDE, MESSAGING, VOICE, TwimlError, check_document, read_document


def builder_attributes(builder: object, method: str) -> set[str]:
    names = set(inspect.signature(getattr(builder, method)).parameters) - {"self", "kwargs"}
    parts = [name.rstrip("_").split("_") for name in names]
    return {first + "".join(part.title() for part in rest) for first, *rest in parts}


@pytest.mark.parametrize(
    ("builder", "method", "tag", "texts"),
    [
        (VoiceResponse, "say", "Say", {"message"}),
        (VoiceResponse, "play", "Play", {"url"}),
        (VoiceResponse, "pause", "Pause", set()),
        (VoiceResponse, "gather", "Gather", set()),
        (VoiceResponse, "dial", "Dial", {"number"}),
        (VoiceResponse, "record", "Record", set()),
        (VoiceResponse, "redirect", "Redirect", {"url"}),
        (VoiceResponse, "hangup", "Hangup", set()),
        (VoiceResponse, "leave", "Leave", set()),
        (VoiceResponse, "reject", "Reject", set()),
        (VoiceResponse, "enqueue", "Enqueue", {"name"}),
        (VoiceResponse, "start", "Start", set()),
        (VoiceResponse, "stop", "Stop", set()),
        (Dial, "number", "Number", {"phoneNumber"}),
        (Dial, "client", "Client", {"identity"}),
        (Dial, "sip", "Sip", {"sipUrl"}),
        (Dial, "queue", "Queue", {"name"}),
        (Dial, "conference", "Conference", {"name"}),
        (voice_response.Start, "recording", "Recording", set()),
    ],
)
def test_our_vocabulary_is_that_of_the_builders(
    builder: object, method: str, tag: str, texts: set[str]
) -> None:
    wanted = builder_attributes(builder, method) - texts
    assert VOICE[tag] == wanted


def test_documents_of_the_builders_are_accepted() -> None:
    document = VoiceResponse()
    gather = Gather(num_digits=1, action="/x", input="dtmf speech")
    gather.say("Hello", language="fr-FR")
    document.append(gather)
    dial = Dial(caller_id="+33644600001")
    dial.number("+33639980001", status_callback="/x")
    document.append(dial)
    assert check_document(str(document)) == []
    reply = messaging_response.MessagingResponse()
    reply.message("Hello", to="+33639980001")
    assert check_document(str(reply), MESSAGING) == []


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ("<Response><Fly/></Response>", "Fly is not allowed in Response."),
        ('<Response><Say speed="2">x</Say></Response>', "Say has no attribute speed."),
        ("<Response><Number>1</Number></Response>", "Number is not allowed in Response."),
        ("<Response><Gather><Dial>1</Dial></Gather></Response>", "Dial is not allowed in Gather."),
        ("<Response><Dial><Say>x</Say></Dial></Response>", "Say is not allowed in Dial."),
        ("<Reply/>", "The root of a TwiML document is Response, not Reply."),
    ],
)
def test_what_the_provider_does_not_know_is_complained_about(document: str, complaint: str) -> None:
    assert check_document(document) == [complaint]


def test_speech_marks_within_say_are_accepted() -> None:
    assert check_document('<Response><Say>One <break time="1s"/> two</Say></Response>') == []


def test_an_entity_is_never_expanded() -> None:
    with pytest.raises(TwimlError) as refused:
        read_document('<!DOCTYPE r [<!ENTITY a "aa">]><Response><Say>&a;</Say></Response>')
    assert refused.value.code == 12100


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert isinstance(check_document(text), list)


def test_everything_that_may_be_nested_has_a_vocabulary() -> None:
    for parent, children in INSIDE.items():
        assert parent in {*VOICE, *MESSAGING}
        assert children <= {*VOICE, *MESSAGING}


def test_sounds_have_the_length_of_the_recording() -> None:
    from datetime import UTC, datetime

    from channels.sandbox.carrier.records import Recording

    now = datetime.now(UTC)
    recording = Recording("RE", "AC", "CA", "RecordVerb", "completed", now, now, duration=3)
    assert len(make_wave(recording)) == 44 + 3 * 8000 * 2
    sound = make_mp3(recording)
    assert {sound[start : start + 4] for start in range(0, len(sound), 36)} == {b"\xff\xf3\x18\xc0"}
    assert abs(len(sound) / 36 * 0.036 - 3) < 0.1
