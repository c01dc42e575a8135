"""Documents in the provider's language: every verb, whatever is said in it, is one that the provider takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sandbox.carrier.twiml import check_document, words_of
from channels.voice.reference import write_reference
from channels.voice.speech import LONGEST_PIECE, clean, name_language, part
from channels.voice.twiml import LARGEST, MOST_TARGETS, write
from domain.calls import (
    Document,
    Gather,
    Hangup,
    Pause,
    Play,
    Record,
    Redirect,
    Reject,
    Ring,
    Say,
    Target,
    Verb,
)
from domain.errors import InvalidInput

HUB = "https://hub.example/callbacks/voice/token"
ANNA = "+33612345678"


def written(*document: Verb, **options: Any) -> list[Element]:
    text = write(document, **options)
    assert check_document(text) == []
    return list(fromstring(text.encode()))


def only(*document: Verb, **options: Any) -> Element:
    (verb,) = written(*document, **options)
    return verb


def test_a_text_is_said_in_its_language() -> None:
    verb = only(Say("Bonjour à toutes & à tous", "fr"))
    assert (verb.tag, verb.text, verb.attrib) == ("Say", "Bonjour à toutes & à tous", {"language": "fr-FR"})


def test_a_text_without_a_language_is_said_in_that_of_the_settings_with_its_voice() -> None:
    verb = only(Say("Good morning"), language="en-GB", voices={"en-GB": "Polly.Amy"})
    assert verb.attrib == {"language": "en-GB", "voice": "Polly.Amy"}
    assert only(Say("Good morning")).attrib == {}


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("fr", "fr-FR"),
        ("FR_ca", "fr-CA"),
        ("pt-BR", "pt-BR"),
        ("cmn-hans-cn", "cmn-hans-cn"),
        ("eo", "eo"),
        ("", ""),
        ("french!", ""),
        ("en-GB onload=x", ""),
    ],
)
def test_a_language_is_named_as_the_provider_names_it(tag: str, name: str) -> None:
    assert name_language(tag) == name


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("<Dial>+33199</Dial>", "<Dial>+33199</Dial>"),
        ("]]></Say><Hangup/>", "]]></Say><Hangup/>"),
        ("a\x00b\x1fc\x0bd\ufffee\ud800f", "a b c d e f"),
        ("one\r\n\ttwo", "one two"),
        ("&lt;&#0;", "&lt;&#0;"),
    ],
)
def test_markup_is_spoken_and_signs_that_are_no_characters_are_left_out(text: str, heard: str) -> None:
    verb = only(Say(text))
    assert (verb.text, len(verb)) == (heard, 0)


@pytest.mark.parametrize("text", ["", " \n", "\x00\x01"])
def test_nothing_to_say_is_not_said(text: str) -> None:
    assert written(Say(text), Hangup())[0].tag == "Hangup"


def test_a_long_text_is_said_in_pieces_that_end_with_a_sentence() -> None:
    text = " ".join(f"This is sentence number {number}." for number in range(500))
    pieces = [verb.text or "" for verb in written(Say(text))]
    assert len(pieces) == 4
    assert all(len(piece) <= LONGEST_PIECE and piece.endswith(".") for piece in pieces)
    assert " ".join(pieces) == text


def test_a_text_without_spaces_is_parted_where_it_must_be() -> None:
    assert [len(piece) for piece in part("x" * 10_000)] == [4096, 4096, 1808]


def test_more_than_the_provider_reads_is_not_said_and_the_verbs_behind_it_still_stand() -> None:
    verbs = written(Say("Très long. " * 20_000), Redirect(HUB))
    assert verbs[-1].tag == "Redirect"
    assert 5 < len(verbs) < 15


def test_a_document_too_large_even_without_words_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"^document: it has more than 65536 bytes"):
        write(tuple(Play(HUB + "/" + "x" * 1000) for _ in range(80)))


def test_a_sound_is_played_for_ever_or_so_often() -> None:
    assert only(Play(HUB + "?a=1&b=2", 0)).attrib == {"loop": "0"}
    assert only(Play(HUB + "?a=1&b=2", 0)).text == HUB + "?a=1&b=2"
    assert only(Play(HUB, 3)).attrib == {"loop": "3"}


def test_silence_lasts_at_least_a_second() -> None:
    assert only(Pause(0)).attrib == {"length": "1"}
    assert only(Pause(7)).attrib == {"length": "7"}


def test_one_key_is_gathered_while_the_prompt_is_said() -> None:
    verb = only(Gather(HUB, (Say("For sales press 1", "en"), Play(HUB), Pause(2)), digits=1, seconds=8))
    assert [child.tag for child in verb] == ["Say", "Play", "Pause"]
    assert verb.attrib == {
        "action": HUB,
        "method": "POST",
        "input": "dtmf",
        "timeout": "8",
        "numDigits": "1",
        "finishOnKey": "",
    }


def test_keys_of_any_number_end_with_the_hash() -> None:
    verb = only(Gather(HUB, digits=None))
    assert "finishOnKey" not in verb.attrib  # the provider's default is #
    assert "numDigits" not in verb.attrib


def test_speech_is_understood_in_its_language_with_hints() -> None:
    hints = ("vente", "aide, conseil", "", "\x00")
    verb = only(Gather(HUB, speech=True, language="fr", hints=hints))
    assert verb.attrib["input"] == "dtmf speech"
    assert verb.attrib["language"] == "fr-FR"
    assert verb.attrib["speechTimeout"] == "auto"
    assert verb.attrib["hints"] == "vente,aide conseil"


def test_phones_ring_at_once_each_with_its_whisper_and_its_reports() -> None:
    targets = (
        Target(ANNA, HUB + "/whisper", HUB + "/status/us"),
        Target("client:anna"),
        Target("sip:ben@pbx.example"),
    )
    verb = only(Ring(targets, HUB + "/talked", 25, "+33199000001", 600))
    assert verb.attrib == {
        "action": HUB + "/talked",
        "method": "POST",
        "timeout": "25",
        "callerId": "+33199000001",
        "timeLimit": "600",
        "answerOnBridge": "true",
    }
    number, client, sip = verb
    assert (number.tag, number.text) == ("Number", ANNA)
    assert number.attrib == {
        "url": HUB + "/whisper",
        "method": "POST",
        "statusCallback": HUB + "/status/us",
        "statusCallbackMethod": "POST",
        "statusCallbackEvent": "initiated ringing answered completed",
    }
    assert (client.tag, client.text, client.attrib) == ("Client", "anna", {})
    assert (sip.tag, sip.text) == ("Sip", "sip:ben@pbx.example")


def test_a_talk_is_recorded_on_two_channels_when_it_is_told_to_somebody() -> None:
    verb = only(Ring((Target(ANNA),), HUB, recorded=HUB + "/recording"))
    assert verb.attrib["record"] == "record-from-answer-dual"
    assert verb.attrib["recordingStatusCallback"] == HUB + "/recording"
    assert "record" not in only(Ring((Target(ANNA),), HUB)).attrib


def test_a_message_is_recorded_told_and_written_down() -> None:
    verb = only(Record(HUB + "/left", HUB + "/recording", HUB + "/transcript", 90, 4, "#*"))
    assert verb.attrib == {
        "action": HUB + "/left",
        "method": "POST",
        "maxLength": "90",
        "timeout": "4",
        "playBeep": "true",
        "finishOnKey": "*#",
        "recordingStatusCallback": HUB + "/recording",
        "recordingStatusCallbackMethod": "POST",
        "recordingStatusCallbackEvent": "completed absent",
        "transcribe": "true",
        "transcribeCallback": HUB + "/transcript",
    }
    assert "transcribe" not in only(Record(HUB, HUB)).attrib


def test_a_call_goes_on_elsewhere_ends_or_is_not_taken() -> None:
    assert only(Redirect(HUB)).text == HUB
    assert [verb.tag for verb in written(Hangup())] == ["Hangup"]
    assert only(Reject()).attrib == {"reason": "rejected"}
    assert only(Reject(busy=True)).attrib == {"reason": "busy"}


@pytest.mark.parametrize(
    "address", ["", "/relative", "javascript:x", "https://", "https://a\n.example", "file:///x"]
)
@pytest.mark.parametrize("make", [Play, Redirect, Gather])
def test_what_is_no_address_is_refused_naming_the_verb(address: str, make: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^document\[1\]\.(url|action): this is no address"):
        write((Pause(), make(address)))


@pytest.mark.parametrize(
    "number",
    [
        "",
        "0612345678",
        "+33 6",
        "client:",
        "sip:ben",
        "tel:+33612345678",
        "client:a\nb",
        "client:a b",
        "client:<a>",
    ],
)
def test_a_phone_that_nobody_can_ring_is_refused(number: str) -> None:
    with pytest.raises(InvalidInput, match=r"^document\[0\]\.targets\[0\]\.number: "):
        write((Ring((Target(number),), HUB),))


@pytest.mark.parametrize("number", ["Clytie", "0612345678", "anonymous"])
def test_a_number_that_cannot_be_shown_is_refused(number: str) -> None:
    with pytest.raises(InvalidInput, match=r"^document\[0\]\.caller_id: "):
        write((Ring((Target(ANNA),), HUB, caller_id=number),))


@pytest.mark.parametrize("count", [0, MOST_TARGETS + 1])
def test_no_phone_and_too_many_phones_are_refused(count: int) -> None:
    with pytest.raises(InvalidInput, match=r"^document\[0\]\.targets: "):
        write((Ring((Target(ANNA),) * count, HUB),))


TEXTS = st.text(st.characters(), max_size=300) | st.text(max_size=40).map(lambda text: text * 400)
PATHS = st.text("abc/?=&%'\"<>é", max_size=20)
ADDRESSES = PATHS.map(lambda path: f"{HUB}/{path}")
NUMBERS = st.integers(1_000_000, 999_999_999_999_99).map(lambda number: f"+{number}")
LANGUAGES = st.sampled_from(["", "fr", "fr-FR", "en_gb", "cmn-Hans-CN", "??", "x" * 50]) | st.text(max_size=8)
COUNTS = st.integers(-5, 100_000)

PROMPTS = st.builds(Say, TEXTS, LANGUAGES) | st.builds(Play, ADDRESSES, COUNTS) | st.builds(Pause, COUNTS)
TARGETS = st.builds(
    Target, NUMBERS | st.just("client:anna"), st.just("") | ADDRESSES, st.just("") | ADDRESSES
)
VERBS = st.one_of(
    PROMPTS,
    st.builds(
        Gather,
        ADDRESSES,
        st.lists(PROMPTS, max_size=3).map(tuple),
        st.none() | COUNTS,
        st.booleans(),
        COUNTS,
        LANGUAGES,
        st.lists(TEXTS, max_size=3).map(tuple),
    ),
    st.builds(
        Ring,
        st.lists(TARGETS, min_size=1, max_size=4).map(tuple),
        ADDRESSES,
        COUNTS,
        st.just("") | NUMBERS,
        COUNTS,
        st.just("") | ADDRESSES,
    ),
    st.builds(Record, ADDRESSES, ADDRESSES, st.just("") | ADDRESSES, COUNTS, COUNTS, TEXTS),
    st.builds(Redirect, ADDRESSES),
    st.builds(Hangup),
    st.builds(Reject, st.booleans()),
)


@given(st.lists(VERBS, max_size=6).map(tuple), LANGUAGES)
def test_any_document_of_our_verbs_is_one_that_the_provider_takes(document: Document, language: str) -> None:
    text = write(document, language=language)
    assert check_document(text) == []
    assert len(text.encode()) <= LARGEST
    for said in fromstring(text.encode()).iter("Say"):
        assert 0 < len(words_of(said)) <= LONGEST_PIECE


@given(TEXTS)
def test_what_is_said_in_pieces_is_the_whole_text(text: str) -> None:
    assert "".join(part(text, 100)).replace(" ", "") == clean(text).replace(" ", "")


def test_the_page_about_calls_is_up_to_date() -> None:
    page = Path(__file__).parents[3] / "docs" / "voice.md"
    assert page.read_text() == write_reference(), "run: python -m channels.voice.reference > docs/voice.md"


def test_the_page_shows_every_verb() -> None:
    page = write_reference()
    for verb in get_args(Verb):
        assert f"\n| {verb.__name__} | " in page
