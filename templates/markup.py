"""A tokenizer of HTML that tells where things are and changes nothing (after WHATWG HTML, 13.2.5).

Made for editing in place: whoever replaces the text between two positions leaves every other byte as it was,
comments, conditional comments, merge tags and character references included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["text", "start", "end", "comment", "raw"]

_TAG: Final = re.compile(r"<(/?)([A-Za-z][^\s/>\x00]*)")
_ATTRIBUTE: Final = re.compile(
    r"""[\s/]*(?P<name>[^\s/>=][^\s/>=]*|=[^\s/>=]*)(?:\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s>"'][^\s>]*)))?"""
)
_TAG_END: Final = re.compile(r"[\s/]*>")
_COMMENT_END: Final = re.compile(r"--!?>")
_RAW: Final = frozenset(
    {"iframe", "noembed", "noframes", "plaintext", "script", "style", "textarea", "title", "xmp"}
)


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute's lower-case name, its value as written, and where the value stands."""

    name: str
    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of HTML between two positions.

    `raw` is the content of style, script and the like; `comment` is whatever is not shown: comments, the doctype, a
    tag that the end of the HTML cuts off.
    """

    kind: Kind
    start: int
    end: int
    name: str = ""
    attributes: tuple[Attribute, ...] = ()

    def get(self, name: str) -> str:
        """Give the value of an attribute as written, or nothing."""
        return next((one.value for one in self.attributes if one.name == name), "")


def _attributes(html: str, at: int) -> tuple[tuple[Attribute, ...], int, bool]:
    found: list[Attribute] = []
    while True:
        if end := _TAG_END.match(html, at):
            return tuple(found), end.end(), True
        match = _ATTRIBUTE.match(html, at)
        if match is None or match.end() == at:
            if at >= len(html):
                return tuple(found), len(html), False
            at += 1
            continue
        group = next((name for name in ("double", "single", "bare") if match[name] is not None), None)
        if group:
            found.append(Attribute(match["name"].lower(), match[group], match.start(group), match.end(group)))
        at = match.end()


def _comment_end(html: str, at: int) -> int:
    if not html.startswith("<!--", at):  # <!doctype>, <![if !mso]>, <?xml>, </ >
        end = html.find(">", at)
        return len(html) if end < 0 else end + 1
    if html.startswith("<!-->", at):
        return at + 5
    if html.startswith("<!--->", at):
        return at + 6
    match = _COMMENT_END.search(html, at + 4)
    return match.end() if match else len(html)


def tokens(html: str) -> Iterator[Token]:
    """Cut HTML into tokens that join to exactly the text that was given. Never raises."""
    at = text = 0
    while (opening := html.find("<", at)) >= 0:
        tag = _TAG.match(html, opening)
        if tag is None and html[opening + 1 : opening + 2] not in ("!", "?", "/"):
            at = opening + 1
            continue
        if text < opening:
            yield Token("text", text, opening)
        if tag is None:
            at = text = _comment_end(html, opening)
            yield Token("comment", opening, at)
            continue
        name = tag[2].lower()
        attributes, at, closed = _attributes(html, tag.end())
        text = at
        if not closed:
            yield Token("comment", opening, at)
            continue
        yield Token("end" if tag[1] else "start", opening, at, name, attributes)
        if not tag[1] and name in _RAW:
            closing = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(html, at)
            inside = at
            at = text = closing.start() if closing else len(html)
            if inside < at:
                yield Token("raw", inside, at, name)
    if text < len(html):
        yield Token("text", text, len(html))
