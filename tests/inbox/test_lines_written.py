"""Lines as people write them: what can be read, and where each mistake is."""

from __future__ import annotations

from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from inbox.lines.files import InvalidLines, LineProblem, read_lines
from inbox.lines.menus import Line, default_line, is_blocked, words_in
from inbox.lines.reference import EXAMPLE, write_reference, write_schema
from tests.inbox.lines import MENU_LINE, RING_LINE, line_of

PAGE = Path(__file__).parents[2] / "docs" / "phone-lines.md"


def problems(text: str) -> list[LineProblem]:
    with pytest.raises(InvalidLines) as caught:
        read_lines(text, file="lines.yaml")
    return list(caught.value.problems)


def only(text: str) -> LineProblem:
    found = problems(text)
    assert len(found) == 1, [str(one) for one in found]
    return found[0]


def test_the_page_is_in_step_with_the_models() -> None:
    assert PAGE.read_text() == write_reference()


def test_the_example_of_the_page_is_valid_for_its_schema() -> None:
    jsonschema.validate(
        read_lines(EXAMPLE)[0].line.model_dump(mode="json", exclude_none=True), write_schema()
    )


def test_a_line_survives_being_stored() -> None:
    line = line_of(MENU_LINE)
    assert Line.model_validate(line.model_dump(mode="json", exclude_unset=True)) == line


@pytest.mark.parametrize("form", ["alone", "list", "lines"])
def test_a_file_holds_one_line_or_several(form: str) -> None:
    second = RING_LINE.replace("0001", "0002")
    if form == "alone":
        assert [one.line.name for one in read_lines(RING_LINE)] == ["Main line"]
        return
    entries = [yaml.safe_load(text) for text in (RING_LINE, second)]
    written = read_lines(yaml.safe_dump(entries if form == "list" else {"lines": entries}))
    assert [one.line.number for one in written] == ["+33199000001", "+33199000002"]


def test_each_line_of_a_list_keeps_its_own_text_with_its_comments() -> None:
    text = "lines:\n"
    for number in ("1", "2"):
        body = RING_LINE.strip().replace("0001", f"000{number}").replace("open: ring", "open: ring  # all")
        text += "  - " + body.replace("\n", "\n    ") + "\n"
    written = read_lines(text)
    assert "# all" in written[0].text
    assert [read_lines(one.text)[0].line for one in written] == [one.line for one in written]


def test_numbers_and_keys_may_stand_without_quotes() -> None:
    text = MENU_LINE.replace('"+33199000001"', "+33199000001").replace('"1":', "1:").replace('"2":', "2:")
    assert read_lines(text)[0].line == line_of(MENU_LINE)


def test_an_unknown_menu_is_told_with_its_line_and_what_was_meant() -> None:
    problem = only(MENU_LINE.replace("open: {menu: main}", "open: {menu: mian}"))
    assert problem.line == 7
    assert "mian" in problem.problem
    assert problem.remedy == "Did you mean main?"
    assert str(problem).startswith("lines.yaml:7: +33199000001 ")


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ('"+33199000001"', '"12"', "number", "no number"),
        ("queue: Support", "que: Support", "que", "unknown"),
        ("languages: [fr, en]", "languages: [french, en]", "languages", "no language"),
        ('"2": [', '"22": [', "menus.main.keys.22", "no key"),
        ("otherwise: ring", "otherwise: {ring: {seconds: 500}}", "menus.main.otherwise", "less than or equal"),
        ("otherwise: ring", "otherwise: {sing: la}", "menus.main.otherwise", "unknown"),
        ("otherwise: ring", "otherwise: {say: {fr: a, en: b}, hangup: {}}", "menus.main.otherwise", "exactly one"),
        ("otherwise: ring", "otherwise: [voicemail, ring]", "menus.main.otherwise", "never reached"),
        ("greeting: {fr: Bienvenue, en: Welcome}", "greeting: Welcome", "greeting", "one text for 2 languages"),
        ("greeting: {fr: Bienvenue, en: Welcome}", "greeting: {fr: Bienvenue}", "greeting", "missing in en"),
        ("greeting: {fr: Bienvenue, en: Welcome}", "blocked: [spam]", "blocked", "no number"),
        ("otherwise: ring", 'otherwise: {play: "https://[sounds.example/a.mp3"}', "menus.main.otherwise", "no address"),
        ("otherwise: ring", 'otherwise: {play: "https:///a.mp3"}', "menus.main.otherwise", "no address"),
        ("otherwise: ring", 'otherwise: {ring: {hold: {music: "ftp://a.example/b"}}}', "menus.main.otherwise", "no address"),
    ],
)  # fmt: skip
def test_mistakes_are_told_at_their_place(old: str, new: str, field: str, words: str) -> None:
    assert old in MENU_LINE
    found = problems(MENU_LINE.replace(old, new))
    line = (
        MENU_LINE.replace(old, new)
        .splitlines()
        .index(next(one for one in MENU_LINE.replace(old, new).splitlines() if new.splitlines()[0] in one))
    )
    told = [one for one in found if words in one.problem]
    assert told, [str(one) for one in found]
    assert told[0].field.startswith(field)
    assert told[0].line == line + 1


def test_every_mistake_is_told_at_once() -> None:
    found = problems(MENU_LINE.replace("queue: Support", "queue: ''").replace("[fr, en]", "[x]"))
    assert [one.field for one in found][:2] == ["queue", "languages[0]"]


@pytest.mark.parametrize("text", ["", "just words", "[]", "{a: [", "number: 1\nnumber: 2", "- 5"])
def test_what_is_no_line_is_refused(text: str) -> None:
    assert problems(text)


def test_blocked_numbers_are_whole_or_begin_so() -> None:
    line = line_of(RING_LINE, blocked=("+33899*", "+33612345678"))
    assert [is_blocked(line, one) for one in ("+33899123456", "+33612345678", "+33612345679", "")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_words_come_in_the_nearest_language() -> None:
    words = {"fr": "a", "en": "b"}
    assert [words_in(words, one) for one in ("fr-CA", "en", "de")] == ["a", "b", "a"]


def test_a_number_without_a_line_takes_messages() -> None:
    line = default_line("+33199000009", "Inbox")
    assert (line.queue, [step.kind for step in line.open]) == ("Inbox", ["voicemail"])
