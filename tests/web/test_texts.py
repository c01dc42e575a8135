"""Every text that people read goes through gettext, and French lacks none."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jinja2 import nodes

from web.catalogue import collect_texts, read_catalogue, update_catalogues
from web.console.rendering import FOLDER, environment
from web.i18n import LANGUAGES, catalogue_path, choose_language, speaking
from web.sentences import translate_sentence

TEMPLATES = sorted(path.name for path in FOLDER.glob("*.html"))
#: attributes that people read or hear
SPOKEN = {"title", "alt", "placeholder", "aria-label", "data-live-message", "data-copied"}
#: names that are the same in every language
NAMES = {"YAML", "JSON", "CSV", "HTML"}
_PLACES = re.compile(r"%\((\w+)\)s|\{(\d+)\}")


class SpokenText(HTMLParser):
    """Collects what a page says to people."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("input", "meta", "link", "img", "br", "hr", "rect"):
            self._inside.append(tag)
        self.said += [value for name, value in attrs if name in SPOKEN and value]

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not {"script", "style", "kbd", "svg"} & set(self._inside):
            self.said.append(data)


def literal_words(name: str) -> list[str]:
    """The words of a template that stand outside of gettext calls."""
    source = (FOLDER / name).read_text("utf-8")
    tree = environment().parse(source)
    pieces: list[str] = []
    for output in tree.find_all(nodes.Output):
        for node in output.nodes:
            pieces.append(node.data if isinstance(node, nodes.TemplateData) else "¤")
    parser = SpokenText()
    parser.feed("".join(pieces))
    words = [
        word
        for text in parser.said
        for word in re.findall(r"[^\W\d_]{2,}", text.replace("&nbsp;", " ").replace("&amp;", " "))
    ]
    return [word for word in words if word not in NAMES]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_says_nothing_outside_of_gettext(name: str) -> None:
    assert literal_words(name) == []


def test_a_word_outside_of_gettext_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text('<p title="Hello">{{ _("Fine") }} there {{ x }}</p>')
    monkeypatch.setattr("tests.web.test_texts.FOLDER", tmp_path)
    assert literal_words("bad.html") == ["Hello", "there"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_computes_no_english(name: str) -> None:
    """A literal with a space in an expression is a sentence: it must be an argument of a gettext call."""
    tree = environment().parse((FOLDER / name).read_text("utf-8"))
    wrapped = {
        id(constant)
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name in ("_", "gettext", "ngettext")
        for constant in call.find_all(nodes.Const)
    }
    found = [
        constant.value
        for constant in tree.find_all(nodes.Const)
        if id(constant) not in wrapped
        and isinstance(constant.value, str)
        and re.search(r"[A-Za-z]{3,} [a-z]{2,}", constant.value)
        and "<" not in constant.value
        and "-" not in constant.value
    ]
    assert found == []


def forms(text: Any) -> list[str]:
    """Singular and plural, or the only form."""
    return [str(form or "") for form in text] if isinstance(text, (tuple, list)) else [str(text or "")]


def test_french_lacks_no_text() -> None:
    french = read_catalogue("fr")
    missing = []
    for text in collect_texts():
        message = french.get(forms(text)[0])
        if message is None or not all(forms(message.string)):
            missing.append(text)
    assert missing == [], "run `python -m web.catalogue`, then translate these in web/locale/fr"


def test_catalogues_hold_exactly_the_texts_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {language: catalogue_path(language).read_text("utf-8") for language in LANGUAGES}
    for language, text in before.items():
        (tmp_path / f"{language}.po").write_text(text, "utf-8")
    monkeypatch.setattr("web.catalogue.catalogue_path", lambda language: tmp_path / f"{language}.po")
    update_catalogues()
    for language, text in before.items():
        assert _ids((tmp_path / f"{language}.po").read_text("utf-8")) == _ids(text), (
            "run `python -m web.catalogue`"
        )


def _ids(text: str) -> list[str]:
    return re.findall(r"^msgid .*(?:\n\".*)*", text, re.M)


def test_a_translation_keeps_the_places_of_its_source() -> None:
    for message in read_catalogue("fr"):
        if message.id:
            wanted = set(_PLACES.findall(forms(message.id)[-1]))
            for string in forms(message.string):
                assert set(_PLACES.findall(string)) == wanted, message.id


def test_french_is_typed_the_french_way() -> None:
    """Double punctuation stands after an unbreakable space, and quotation marks are « »."""
    for message in read_catalogue("fr"):
        for string in forms(message.string) if message.id else ():
            assert not re.search(r"[^\W\d] [:;?!](\s|$)", string), string
            assert "“" not in string, string


def test_a_sentence_of_another_room_is_translated_with_its_values() -> None:
    sentence = "There is a segment “Lyon” already; choose another name."
    with speaking("fr"):
        assert (
            translate_sentence(sentence)
            == "Il y a déjà un segment «\u00a0Lyon\u00a0»\u00a0; choisissez un autre nom."
        )
        assert translate_sentence("Nobody wrote this sentence.") == "Nobody wrote this sentence."
    with speaking("en"):
        assert translate_sentence(sentence) == sentence


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("fr-FR,fr;q=0.9,en;q=0.8", "fr"),
        ("de,en;q=0.8,fr;q=0.7", "en"),
        ("de;q=1, fr;q=0.2", "fr"),
        ("fr;q=0, de", "en"),
        ("", "en"),
        ("*;q=nonsense,,;", "en"),
    ],
)
def test_the_best_language_is_chosen(accepted: str, language: str) -> None:
    assert choose_language(accepted) == language
