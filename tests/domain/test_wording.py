"""Wordings stand for whole words, whatever their case, accents and spaces; strangers' texts never make them slow."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.conditions import read_condition
from domain.errors import InvalidInput
from domain.wording import FARTHEST, compile_wordings


@pytest.mark.parametrize(
    ("wording", "text", "found"),
    [
        ("resign*", "I hereby RESIGN.", True),
        ("resign*", "my resignation", True),
        ("resign*", "a foreign design", False),
        ("démission*", "DEMISSIONNER, ma demission", True),
        ("demission", "Ma démission.", True),
        ("demission", "démissionnaire", False),
        ("notice period", "my notice\n\t period", True),
        ("notice period", "noticeperiod", False),
        ("j'arrête", "J’arrête tout", True),
        ("INV-####", "see inv-2026, please", True),
        ("INV-####", "INV-20261", False),
        ("INV-####", "INV-ABCD", False),
        ("INV-####", "INV‑2026", True),
        ("gr?y", "a grey or gray cat", True),
        ("gr?y", "gry", False),
        ("*gate", "watergate", True),
        ("50 %", "un rabais de 50 %", True),
        ("50 %", "150 %", False),
        ("C++", "knows C++ well", True),
        ("c++", "c", False),
        ("(urgent)", "Re: (URGENT) help", True),
        ("straße", "die Straße", True),
        ("再见", "再见", True),
        ("x", "", False),
    ],
)
def test_a_wording_is_found_where_people_would_see_it(wording: str, text: str, found: bool) -> None:
    assert compile_wordings([wording])(text) is found


@given(
    st.lists(
        st.text("ab *?#.+(", min_size=1, max_size=12).filter(lambda text: re.search("[ab]", text)), min_size=1
    )
)
def test_any_wording_with_a_letter_can_be_looked_for(wordings: list[str]) -> None:
    assert compile_wordings(wordings)("ab ba") in (True, False)


@given(st.text("abc é", min_size=1, max_size=8).map(str.strip).filter(bool), st.text("xyz \n", max_size=20))
def test_plain_words_are_found_in_a_text_that_holds_them(words: str, around: str) -> None:
    assert compile_wordings([words])(f"{around} {words.upper()} {around}")


def test_many_wordings_in_a_long_hostile_text_take_a_moment_only() -> None:
    look = compile_wordings([f"{'a' * n}*?#" for n in range(1, 40)] + [f"word{n}*" for n in range(460)])
    begun = time.process_time()
    for text in ("a" * FARTHEST, "a " * FARTHEST, "worda " * FARTHEST, "é" * FARTHEST):
        look(text)
    assert time.process_time() - begun < 20  # seconds; a nested repeat would take years


@pytest.mark.parametrize("wording", ["*", "...", "", "x" * 201])
def test_a_wording_that_says_nothing_is_refused_with_its_place(wording: str) -> None:
    with pytest.raises(InvalidInput, match=r"where\.mentions"):
        read_condition({"field": "content.text", "mentions": ["fine", wording]}, name="where")
