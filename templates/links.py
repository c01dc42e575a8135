"""Finds the links of a mail and puts measured ones in their place; every other byte stays as it was."""

from __future__ import annotations

import html as characters
import re
from dataclasses import dataclass, field
from typing import Final

from templates.markup import Token, tokens
from templates.masking import MARK
from templates.measured import Link, Pixel
from templates.pieces import Asset, Unsubscribe
from templates.skeleton import Close, Done, Else, Literal, Skeleton

_WEB: Final = re.compile(r"https?://", re.IGNORECASE)
_BLANKS: Final = re.compile(r"[\t\r\n]")
_TEXT_LINK: Final = re.compile(r"https?://[^\s<>\"'\x00\x01]+", re.IGNORECASE)
_TRAILING: Final = ".,;:!?)]}*_"
_LABEL: Final = 80


@dataclass(slots=True)
class Numbering:
    """The links of one mail, numbered from 1 in the order of the HTML, then of the text."""

    links: list[Link] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def number(self, url: str, raw: str, label: str) -> Link:
        """Give a new number to a link."""
        link = Link(len(self.links) + 1, url, raw, label)
        self.links.append(link)
        return link

    def again(self, url: str, raw: str) -> Link:
        """Give a link of the text the number that the same URL has in the HTML."""
        for link in self.links:
            if link.url == url:
                return Link(link.no, url, raw, link.label)
        return self.number(url, raw, url)

    def personal(self, part: str, url: str) -> None:
        """Note a link that cannot be measured, because it differs from recipient to recipient."""
        shown = MARK.sub("…", url)
        self.warnings.append(
            f"{part}: the link {shown} holds personal data, so clicks on it are not measured."
        )


def _label(skeleton: Skeleton, found: list[Token], index: int) -> str:
    said: list[str] = []
    for token in found[index + 1 :]:
        if token.name == "a" and token.kind in ("start", "end"):
            break
        if token.kind == "text":
            said.append(skeleton.text[token.start : token.end])
        elif token.name == "img":
            said.append(token.get("alt"))
    words = characters.unescape(MARK.sub("…", " ".join(said))).split()
    return " ".join(words)[:_LABEL]


def _link(skeleton: Skeleton, numbering: Numbering, raw: str, label: str) -> str | None:
    marks = skeleton.marks_in(raw)
    value = _BLANKS.sub("", characters.unescape(raw)).strip()
    if not marks:
        return skeleton.mark(numbering.number(value, raw, label)) if _WEB.match(value) else None
    alone = MARK.fullmatch(value) is not None and isinstance(marks[0], (Unsubscribe, Asset))
    if not alone and (_WEB.match(value) or value.startswith("\x00")):
        numbering.personal("html", value)
    return None


def measure_html(skeleton: Skeleton, numbering: Numbering) -> None:
    """Mark every web link of `<a>` and `<area>`, and put the pixel before `</body>`.

    Links that hold personal data are left as they are, with a warning; so are comments (what Outlook alone
    reads), mailto:, tel:, anchors, the unsubscribe page and downloads.
    """
    text = skeleton.text
    found = list(tokens(text))
    edits: list[tuple[int, int, str]] = []
    for index, token in enumerate(found):
        if token.kind != "start" or token.name not in ("a", "area"):
            continue
        href = next((one for one in token.attributes if one.name == "href"), None)
        if href is None:
            continue
        label = _label(skeleton, found, index) if token.name == "a" else token.get("alt")
        marked = _link(skeleton, numbering, href.value, label)
        if marked is not None:
            edits.append((href.start, href.end, marked))
    ends = {token.name: token.start for token in found if token.kind == "end"}
    at = ends.get("body", ends.get("html", len(text)))
    if at == len(text) and found and found[-1].kind == "comment" and not text.endswith(">"):
        at = found[-1].start
    edits.append((at, at, skeleton.mark(Pixel())))
    skeleton.text = _edited(text, edits)


def measure_text(skeleton: Skeleton, numbering: Numbering) -> None:
    """Mark every web link of a text part; one that the HTML has too gets the same number."""
    text = skeleton.text
    edits: list[tuple[int, int, str]] = []
    for match in _TEXT_LINK.finditer(text):
        if _continues(skeleton, match.end()):
            numbering.personal("text", match[0] + "…")
            continue
        url = match[0].rstrip(_TRAILING)
        if len(url) > len("https://"):
            mark = skeleton.mark(numbering.again(url, url))
            edits.append((match.start(), match.start() + len(url), mark))
    skeleton.text = _edited(text, edits)


def _continues(skeleton: Skeleton, at: int) -> bool:
    """Tell whether a link of the text goes on with something that is not known yet."""
    while (mark := MARK.match(skeleton.text, at)) is not None:
        kind = skeleton.marks[int(mark[1])]
        if isinstance(kind, Else):
            return False
        if not isinstance(kind, (Close, Done, Literal)):
            return True
        at = mark.end()
        if skeleton.text[at : at + 1] not in ("", "\x00") and _TEXT_LINK.match(
            "https://" + skeleton.text[at]
        ):
            return True
    return False


def _edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    out: list[str] = []
    at = 0
    for start, end, new in sorted(edits, key=lambda edit: edit[0]):
        out += [text[at:start], new]
        at = end
    return "".join([*out, text[at:]])
