"""What stands around an answer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from inbox.desk.quoting import attribution, compose, quote, sign

AT = datetime(2026, 3, 9, 16, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "On March 9, 2026, 17:05, Zoé wrote:"),
        ("fr", "Le 9 mars 2026 à 17:05, Zoé a écrit\u00a0:"),
        ("de", "Am 9. März 2026 um 17:05 schrieb Zoé:"),
        ("xx", "On March 9, 2026, 17:05, Zoé wrote:"),
    ],
)
def test_who_wrote_when_is_said_in_the_queue_s_language(language: str, words: str) -> None:
    said = attribution("Zoé", AT, language, "Europe/Paris")
    assert said == words


def test_a_quotation_within_a_quotation_gets_one_more_mark() -> None:
    assert quote("\nHello\n\n> you\n") == "> Hello\n>\n>> you"


def test_a_signature_holds_the_agent_s_name() -> None:
    assert sign("{agent}\nHouse", "Ada") == "Ada\nHouse"
    assert sign("House", "Ada") == "House"
    assert sign(" ", "Ada") == "Ada"


def test_an_answer_is_text_signature_and_quotation() -> None:
    assert compose(" Yes. \n", "Ada", "> Well?") == "Yes.\n\n-- \nAda\n\n> Well?\n"
    assert compose("Yes.", "") == "Yes.\n"
