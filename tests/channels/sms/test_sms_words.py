"""Keywords, look-alike signs, and the vocabulary of reasons."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.mail.reasons import VOCABULARY as MAIL_VOCABULARY
from channels.sms.keywords import _WORDS, Command, read_keyword
from channels.sms.lookalikes import _SIGNS, Replacement, replace_lookalikes
from channels.sms.reasons import VOCABULARY, WITHDRAWALS, is_hard
from channels.sms.reference import write_reference
from channels.sms.segments import GSM_7, Encoding, count
from channels.sms.twilio_codes import REASONS, reason_of


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ("STOP", Command.STOP),
        ("stop", Command.STOP),
        ("  Stop. ", Command.STOP),
        ("«Stop»", Command.STOP),
        ("STOP!!!", Command.STOP),
        ("stop\n", Command.STOP),
        ("Stop all", Command.STOP),
        ("Opt-Out", Command.STOP),
        ("OPTOUT", Command.STOP),
        ("Revoke", Command.STOP),
        ("ARRET", Command.STOP),
        ("arrêt", Command.STOP),
        ("ARRÊTEZ", Command.STOP),
        ("Désabonnez-moi", Command.STOP),
        ("desabonner", Command.STOP),
        ("Abmelden", Command.STOP),
        ("KÜNDIGEN", Command.STOP),
        ("darse de baja", Command.STOP),
        ("Disiscrivimi", Command.STOP),
        ("afmelden", Command.STOP),
        ("parar", Command.STOP),
        ("zatrzymaj", Command.STOP),
        ("avsluta", Command.STOP),
        ("İPTAL", Command.STOP),
        ("СТОП", Command.STOP),
        ("إيقاف", Command.STOP),
        ("START", Command.START),
        ("Unstop", Command.START),
        ("Reprendre", Command.START),
        ("HELP", Command.HELP),
        ("Aide?", Command.HELP),
        ("Hilfe", Command.HELP),
        ("ayuda", Command.HELP),
        ("hjälp", Command.HELP),
    ],
)
def test_a_message_that_is_nothing_but_a_command_is_one(body: str, command: Command) -> None:
    found = read_keyword(body)
    assert found is not None
    assert found.command is command


@pytest.mark.parametrize(
    "body",
    [
        "",
        " ",
        "?!",
        "please stop",
        "STOP the machine",
        "stop stop",
        "Je m'arrête demain",
        "S T O P",
        "nonstop",
        "stopping",
        "can you help me",
        "the end",
        "Bonjour",
        "stop" + " " * 100,
        "a" * 100_000,
    ],
)
def test_any_other_message_goes_to_a_person(body: str) -> None:
    assert read_keyword(body) is None


def test_what_the_provider_obeys_is_marked() -> None:
    obeyed = {
        "stop",
        "stopall",
        "unsubscribe",
        "cancel",
        "end",
        "quit",
        "optout",
        "revoke",
        "start",
        "unstop",
        "help",
    }
    for word in obeyed:
        found = read_keyword(word)
        assert found is not None
        assert found.obeyed
    ours = read_keyword("abmelden")
    assert ours is not None
    assert not ours.obeyed


@pytest.mark.parametrize("body", ["yes", "Oui", "ja!", "SÌ", "tak", "да"])
def test_an_ordinary_answer_that_may_mean_start_is_marked(body: str) -> None:
    found = read_keyword(body)
    assert found is not None
    assert found.command is Command.START
    assert found.ambiguous


def test_no_unambiguous_start_is_an_ordinary_answer() -> None:
    found = read_keyword("start")
    assert found is not None
    assert not found.ambiguous


def test_every_language_has_a_word_for_each_command() -> None:
    assert {"en", "fr", "de", "es", "it", "nl", "pt", "pl", "sv"} <= set(_WORDS)
    assert all(set(commands) == set(Command) for commands in _WORDS.values())


def test_no_word_stands_for_two_commands() -> None:
    for commands in _WORDS.values():
        for command, words in commands.items():
            for word in words:
                found = read_keyword(word)
                assert found is not None, word
                assert found.command is command, word


@given(st.text(max_size=80))
def test_reading_a_keyword_never_fails(body: str) -> None:
    found = read_keyword(body)
    assert found is None or found.command in Command


def test_typographic_signs_give_way_to_plain_ones_and_are_reported() -> None:
    replaced = replace_lookalikes("“It’s 10\u00a0€ – now…”")
    assert replaced.text == '"It\'s 10 € - now..."'
    assert Replacement("“", '"', 1) in replaced.replacements
    assert replaced.remaining == ()
    assert count(replaced.text).encoding is Encoding.GSM_7


def test_letters_keep_their_accents_unless_asked_otherwise() -> None:
    kept = replace_lookalikes("Ça coûte cher, été compris")
    assert kept.text == "Ça coûte cher, été compris"
    assert kept.remaining == ("û",)
    bare = replace_lookalikes("Ça coûte cher, français", accents=True)
    assert bare.text == "Ça coute cher, francais"
    assert {(r.sign, r.by) for r in bare.replacements} == {("û", "u"), ("ç", "c")}


def test_an_emoji_remains_and_is_named() -> None:
    assert replace_lookalikes("ok 👍").remaining == ("👍",)


def test_a_plain_text_stays_as_it_is() -> None:
    replaced = replace_lookalikes("Déjà vu: 100% @home €")
    assert (replaced.text, replaced.replacements, replaced.remaining) == ("Déjà vu: 100% @home €", (), ())


def test_all_that_is_put_in_is_of_the_small_alphabet() -> None:
    assert all(GSM_7.issuperset(by) for by in _SIGNS.values())
    assert all(sign not in GSM_7 for sign in _SIGNS)


@given(st.text(max_size=200), st.booleans())
def test_replacing_twice_changes_nothing_more(body: str, accents: bool) -> None:
    once = replace_lookalikes(body, accents=accents)
    again = replace_lookalikes(once.text, accents=accents)
    assert again.text == once.text
    assert again.replacements == ()


def test_every_reason_has_a_sentence() -> None:
    assert all(reason.gloss.endswith(".") for reason in VOCABULARY.values())


def test_every_code_of_the_provider_has_a_word_of_ours() -> None:
    assert set(REASONS.values()) <= set(VOCABULARY)
    assert reason_of(99999) == reason_of(None) == "refused"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (21610, "opted_out"),
        (21211, "number_invalid"),
        (21614, "number_fixed"),
        (30003, "number_unreachable"),
        (30004, "recipient_refuses"),
        (30005, "number_unknown"),
        (30006, "number_fixed"),
        (30007, "spam"),
        (20429, "throttled"),
        (20003, "auth_failed"),
    ],
)
def test_the_codes_that_matter_most_are_known(code: int, reason: str) -> None:
    assert reason_of(code) == reason


def test_a_hard_reason_speaks_of_the_number() -> None:
    assert {word for word in VOCABULARY if is_hard(word)} == {
        "number_invalid",
        "number_unknown",
        "number_fixed",
        "number_unsuitable",
    }
    assert set(VOCABULARY) >= WITHDRAWALS
    assert not any(is_hard(word) for word in WITHDRAWALS)


def test_a_word_that_mail_has_too_means_the_same_there() -> None:
    shared = set(VOCABULARY) & set(MAIL_VOCABULARY)
    assert {"throttled", "timeout", "spam", "auth_failed", "connection_lost", "recipient_refuses"} <= shared
    assert all(VOCABULARY[word].hard == MAIL_VOCABULARY[word].hard for word in shared)


def test_the_page_is_in_step_with_the_tables() -> None:
    page = Path(__file__).parents[3] / "docs" / "sms.md"
    assert page.read_text(encoding="utf-8") == write_reference(), (
        "run: python -m channels.sms.reference > docs/sms.md"
    )
