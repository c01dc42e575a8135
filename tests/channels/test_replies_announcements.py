"""Every program's announcement of a quote, in every language, is told from what the person wrote."""

from __future__ import annotations

from html import escape

import pytest

from channels.mail.replies import new_html, new_text
from tests.channels import rare_announcements as rare
from tests.channels.announcements import ATTRIBUTIONS, HEADER_BLOCKS, SENT_FROM

ANSWER = "Dear Ann,\n\nyes, Tuesday at ten suits us.\nThe order number is 4711: please quote it.\n\nBob"
QUOTE = "Would Tuesday suit you?\n\nOn another note: the van is repaired.\n\nAnn"
MARKED = "\n".join(f"> {line}".rstrip() for line in QUOTE.split("\n"))


def identify(value: object) -> str:
    return str(value).replace("\n", " ")[:40] if isinstance(value, str) else ""


@pytest.mark.parametrize(("language", "program", "words"), ATTRIBUTIONS, ids=identify)
def test_a_marked_quote_goes_with_its_attribution(language: str, program: str, words: str) -> None:
    assert new_text(f"{ANSWER}\n\n{words}\n\n{MARKED}\n") == ANSWER


@pytest.mark.parametrize(("language", "program", "words"), ATTRIBUTIONS, ids=identify)
def test_what_is_written_below_a_marked_quote_stays(language: str, program: str, words: str) -> None:
    assert new_text(f"{words}\n{MARKED}\n\n{ANSWER}\n") == ANSWER


@pytest.mark.parametrize(
    ("language", "program", "words"),
    [row for row in ATTRIBUTIONS if not row[2].startswith(">")],
    ids=identify,
)
def test_an_unmarked_quote_goes_to_the_end(language: str, program: str, words: str) -> None:
    assert new_text(f"{ANSWER}\n\n{words}\n\n{QUOTE}\n") == ANSWER


@pytest.mark.parametrize(("language", "program", "words"), HEADER_BLOCKS, ids=identify)
def test_a_header_block_begins_an_unmarked_quote(language: str, program: str, words: str) -> None:
    assert new_text(f"{ANSWER}\n\n{words}\n\n{QUOTE}\n") == ANSWER


@pytest.mark.parametrize(("language", "program", "words"), HEADER_BLOCKS, ids=identify)
def test_a_header_block_without_space_above_begins_a_quote_too(
    language: str, program: str, words: str
) -> None:
    assert new_text(f"{ANSWER}\r\n{words}\r\n\r\n{QUOTE}\r\n") == ANSWER


@pytest.mark.parametrize("line", SENT_FROM + rare.SENT_FROM)
def test_the_line_of_a_phone_goes(line: str) -> None:
    assert new_text(f"{ANSWER}\n\n{line}\n") == ANSWER
    assert (
        new_text(f"{ANSWER}\n\n{line}\n\nOn 3 May 2024, at 10:12, Ann Lee <a@example.com> wrote:\n\n> Hi\n")
        == ANSWER
    )


@pytest.mark.parametrize(("language", "program", "words"), ATTRIBUTIONS, ids=identify)
def test_the_same_attributions_are_understood_in_html(language: str, program: str, words: str) -> None:
    words = words.replace("> On", "On").replace("> 3.", "3.")
    if words.startswith("> "):
        words = "\n".join(line.removeprefix("> ") for line in words.split("\n"))
    shown = escape(words).replace("\n", "<br>\n")
    found = new_html(
        f"<div>Yes, <b>Tuesday</b></div><div>{shown}<br><blockquote>Would it suit?</blockquote></div>"
    )
    assert "Tuesday" in found
    assert "example" not in found
    assert "suit" not in found
    assert "Lee" not in found


@pytest.mark.parametrize(("language", "program", "words"), HEADER_BLOCKS, ids=identify)
def test_the_same_header_blocks_are_understood_in_html(language: str, program: str, words: str) -> None:
    shown = escape(words).replace("\n", "<br>\n")
    found = new_html(
        f"<div class=WordSection1><p class=MsoNormal>Yes, <b>Tuesday</b><o:p></o:p></p><p class=MsoNormal>&nbsp;</p>"
        f"<div><p class=MsoNormal>{shown}</p></div><p class=MsoNormal>Would it suit?</p></div>"
    )
    assert "Tuesday" in found
    assert "example" not in found
    assert "suit" not in found
    assert "2024" not in found


@pytest.mark.parametrize("words", rare.ANNOUNCEMENTS, ids=identify)
def test_rarer_announcements_are_understood(words: str) -> None:
    assert new_text(f"{ANSWER}\n\n{words}\n\n{MARKED}\n") == ANSWER
    assert new_text(f"{ANSWER}\n\n{words}\n\n{QUOTE}\n") == ANSWER


@pytest.mark.parametrize(("ending", "stays"), rare.ENDINGS, ids=identify)
def test_rarer_endings_are_understood(ending: str, stays: str) -> None:
    assert new_text(f"{ANSWER}\n\n{ending}\n") == f"{ANSWER}\n\n{stays}".strip()
