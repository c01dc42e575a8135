"""Derives the text part of a mail from its HTML, jinja2 tags kept where they are."""

from __future__ import annotations

import html as characters
import re
from typing import Final

from templates.markup import Token, tokens
from templates.masking import MARK, is_print, mask

_BLOCK_NAMES: Final = (
    "address article blockquote center dd div dl dt fieldset footer form header hr main nav ol p pre section table "
    "tbody td tfoot th thead tr ul"
)
_BLOCKS: Final = frozenset(_BLOCK_NAMES.split())
_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_VOID_NAMES: Final = "area base br col embed hr img input link meta source track wbr"
_VOID: Final = frozenset(_VOID_NAMES.split())
_HIDDEN: Final = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_BLANKS: Final = re.compile(r"[ \t\r\n\f]+")
_OPENINGS: Final = re.compile(r"\{(?=[{%#])")


def _words(text: str) -> str:
    plain = characters.unescape(_BLANKS.sub(" ", text))
    return _OPENINGS.sub("{{ '{' }}", plain)


class _Writer:
    """Collects the text; the depth of a hidden element decides what is left out."""

    def __init__(self, masked: str, tags: list[str]) -> None:
        self.masked = masked
        self.tags = tags
        self.out: list[str] = []
        self.hidden: list[str] = []
        self.links: list[str] = []

    def control(self, piece: str) -> None:
        """Keep tags that steer (`{% if %}`), wherever they stand: they must stay in balance."""
        self.out += [self.tags[int(n)] for n in MARK.findall(piece) if not is_print(self.tags[int(n)])]

    def visible(self, piece: str) -> None:
        parts = MARK.split(piece)
        self.out += [self.tags[int(p)] if i % 2 else _words(p) for i, p in enumerate(parts)]

    def token(self, token: Token) -> None:
        piece = self.masked[token.start : token.end]
        if token.kind == "text" and not self.hidden:
            self.visible(piece)
        elif token.kind == "start":
            self.control(piece)
            self.start(token)
        elif token.kind == "end":
            self.control(piece)
            self.end(token.name)
        else:
            self.control(piece)

    def start(self, token: Token) -> None:
        name = token.name
        if self.hidden:
            if name == self.hidden[-1]:
                self.hidden.append(name)
            return
        if _HIDDEN.search(token.get("style")) and name not in _VOID:
            self.hidden.append(name)
        elif name == "br":
            self.out.append("\n")
        elif name == "li":
            self.out.append("\n- ")
        elif name == "img":
            self.visible(token.get("alt"))
        elif name == "a":
            self.links.append(token.get("href").strip())
        elif name in _HEADINGS:
            self.out.append("\n\n")
        elif name in _BLOCKS:
            self.out.append("\n")

    def end(self, name: str) -> None:
        if self.hidden:
            if name == self.hidden[-1]:
                self.hidden.pop()
        elif name == "a" and self.links:
            href = self.links.pop()
            if href and not href.startswith("#"):
                self.out.append(" <")
                self.visible(href)
                self.out.append(">")
        elif name in _HEADINGS or name == "p":
            self.out.append("\n\n")
        elif name in _BLOCKS:
            self.out.append("\n")


def derive_text(source: str) -> str:
    """Give a jinja2 source for the text part that says what the HTML source says, links in angle brackets."""
    masked, tags = mask(source)
    writer = _Writer(masked, tags)
    for token in tokens(masked):
        writer.token(token)
    text = re.sub(r"[ \t]*\n[ \t]*", "\n", "".join(writer.out))
    return re.sub(r"\n{3,}", "\n\n", re.sub(r" {2,}", " ", text)).strip() + "\n"
