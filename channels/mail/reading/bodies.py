"""What a mail's tree says to a person: the text and HTML to show, and the attachments.

Each leaf is either a piece of the body or an attachment. Pieces of a multipart/alternative are one piece in two forms;
other multiparts put their pieces one after the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from channels.mail.parsed import Attachment
from channels.mail.reading import transfer
from channels.mail.reading.attaching import attachment, content_id, file_name
from channels.mail.reading.charsets import decode_header, decode_text
from channels.mail.reading.defects import Defect
from channels.mail.reading.flowed import unflow
from channels.mail.reading.limits import TEXT_CHARACTERS, TNEF_CONTAINERS
from channels.mail.reading.markup import enriched_to_text, html_to_text, text_to_html
from channels.mail.reading.names import safe_name
from channels.mail.reading.rtf import is_rtf, rtf_to_text
from channels.mail.reading.tree import Part
from channels.mail.reading.winmail import TYPES, is_winmail, open_winmail
from channels.mail.reading.words import decode_words

_FILES = frozenset(
    [
        "text/calendar",
        "text/csv",
        "text/css",
        "text/vcard",
        "text/x-vcard",
        "text/directory",
        "text/xml",
        "text/rfc822-headers",
        "text/javascript",
        "text/tab-separated-values",
        "text/x-python",
        "text/x-patch",
        "text/x-diff",
        "text/x-log",
    ]
)
_DOUBLES = frozenset({"text/x-amp-html", "text/watch-html"})
_RICH = frozenset({"text/rtf", "application/rtf"})
_ENRICHED = frozenset({"text/enriched", "text/richtext"})
_HTML_START = re.compile(r"\s{0,100}(?:<!doctype html|<html[\s>])", re.IGNORECASE)
_META_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s{0,5}=\s{0,5}[\"']?\s{0,5}([\w.:-]{2,40})", re.IGNORECASE
)
_CID = re.compile(r"""\bcid:([^"'\s<>)]{1,500})""", re.IGNORECASE)


@dataclass(slots=True)
class Piece:
    """A piece of the body: in one form, or in two that say the same."""

    text: str = ""
    html: str = ""
    made: bool = False  #: the text was made from another format, so plain text beside it is better


@dataclass(slots=True)
class Body:
    """What a tree was turned into."""

    text: str = ""
    html: str = ""
    attachments: list[Attachment] = field(default_factory=list)
    text_from_html: bool = False


class _Collector:
    def __init__(self, defects: set[str], hint: str) -> None:
        self.defects = defects
        self.hint = hint
        self.attachments: list[tuple[Attachment, bool]] = []  # with whether the part asked to be shown inline
        self.has_body = False
        self.winmails = 0
        self.reserve: list[Piece] = []  # from winmail.dat, for a mail without any other text

    def pieces(self, part: Part, parent: str = "") -> list[Piece]:
        if part.kind == "mail":
            return self.pieces(part.children[0])
        if part.kind == "multipart":
            return self._multipart(part)
        return self._leaf(part, parent)

    def _multipart(self, part: Part) -> list[Piece]:
        if not part.children:
            return [self._shown_preamble(part)] if (part.preamble or b"").strip() else []
        if part.media_type == "multipart/alternative":
            return self._alternative(part)
        return [piece for child in part.children for piece in self.pieces(child, part.media_type)]

    def _shown_preamble(self, part: Part) -> Piece:
        self.has_body = True
        return Piece(text=self._lines(decode_text(part.preamble or b"", "", self.defects, self.hint)))

    def _alternative(self, part: Part) -> list[Piece]:
        before = self.has_body
        texts: list[Piece] = []
        html = ""
        for child in part.children:
            self.has_body = before  # each form is the first of its kind
            pieces = self.pieces(child, part.media_type)
            if any(piece.html for piece in pieces):
                html = join_html(pieces)
                texts.extend(Piece(piece.text, made=True) for piece in pieces if piece.text)
            else:
                texts.extend(pieces)
        plain = [piece for piece in texts if not piece.made and piece.text.strip()] or texts
        text = "\n\n".join(dict.fromkeys(piece.text for piece in plain if piece.text))
        self.has_body = before or bool(text or html)
        return [Piece(text, html)] if text or html else []

    def _leaf(self, part: Part, parent: str) -> list[Piece]:
        name = file_name(part)
        if (part.media_type in TYPES or name.lower() == "winmail.dat") and self._winmail(part):
            return []
        if part.media_type in _DOUBLES and parent == "multipart/alternative":
            return []
        if self._is_body(part, name, parent):
            piece = self._piece(part)
            if piece.text or piece.html:
                self.has_body = self.has_body or bool((piece.text + piece.html).strip())
                return [piece]
            return []
        self._attach(part, name)
        return []

    def _is_body(self, part: Part, name: str, parent: str) -> bool:
        kind = part.media_type
        if kind in _FILES or not (kind.startswith("text/") or kind in _RICH):
            return False
        if part.disposition == "attachment" and (name or part.number != "1"):
            return False
        if name and (self.has_body or kind in _RICH):
            return False
        return not (parent == "multipart/related" and self.has_body and content_id(part))

    def _attach(self, part: Part, name: str) -> None:
        self.attachments.append((attachment(part, name, self.defects), part.disposition == "inline"))

    def _piece(self, part: Part) -> Piece:
        data = part.content(self.defects)
        label = part.parameters.get("charset", "")
        if part.media_type in _RICH or (part.media_type in _ENRICHED and is_rtf(data)):
            text, html = rtf_to_text(data)
            return Piece(self._lines(text), self._lines(html), made=True)
        if part.media_type == "text/html":
            return Piece(html=self._html(data, label))
        data = self._without_uuencoded(part, data)
        text = self._lines(decode_text(data, label, self.defects, self.hint))
        if part.media_type in _ENRICHED:
            return Piece(enriched_to_text(text), made=True)
        if _HTML_START.match(text):
            return Piece(html=self._html(data, label))
        if part.parameters.get("format", "").lower() == "flowed":
            text = unflow(text, delete_space=part.parameters.get("delsp", "").lower() == "yes")
        return Piece(text)

    def _html(self, data: bytes, label: str) -> str:
        if not label and (named := _META_CHARSET.search(data, 0, 5_000)):
            label = named[1].decode("ascii", "replace")
        return self._lines(decode_text(data, label, self.defects, self.hint))

    def _without_uuencoded(self, part: Part, data: bytes) -> bytes:
        data, files = transfer.split_uu(data)
        for number, (raw_name, content) in enumerate(files[:100], start=1):
            name = decode_words(decode_header(raw_name, set(), self.hint), set())
            media_type = "application/octet-stream"
            self.attachments.append(
                (
                    Attachment(f"{part.number}.{number}", safe_name(name, media_type), media_type, content),
                    False,
                )
            )
        return data

    def _winmail(self, part: Part) -> bool:
        content = part.content(self.defects)
        self.winmails += 1
        if not is_winmail(content) or self.winmails > TNEF_CONTAINERS:
            self.defects.add(Defect.BAD_TNEF)
            return False
        opened = open_winmail(content, part.number, self.defects)
        if opened is None:
            return False
        self.attachments.extend((item, False) for item in opened.attachments)
        if opened.text or opened.html:
            self.reserve.append(Piece(self._lines(opened.text), self._lines(opened.html)))
        return True

    def _lines(self, text: str) -> str:
        if len(text) > TEXT_CHARACTERS:
            self.defects.add(Defect.TEXT_CUT)
            text = text[:TEXT_CHARACTERS]
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
        return text


def join_html(pieces: list[Piece]) -> str:
    """The HTML of pieces one after the other; pieces without HTML are shown as they are."""
    return "\n".join(
        piece.html or text_to_html(piece.text) for piece in pieces if piece.html or piece.text.strip()
    )


def join_text(pieces: list[Piece]) -> str:
    """The text of pieces one after the other; made from the HTML where there is no text."""
    if len(pieces) == 1 and pieces[0].text:
        return pieces[0].text
    texts = [piece.text if piece.text.strip() else html_to_text(piece.html) for piece in pieces]
    return "\n\n".join(text.strip("\n") for text in texts if text.strip())


def read_body(root: Part, defects: set[str]) -> Body:
    """The text, HTML and attachments of a tree that was read without the mails in it."""
    collector = _Collector(defects, _hint(root))
    pieces = collector.pieces(root)
    if not any((piece.text or piece.html).strip() for piece in pieces):
        pieces = collector.reserve[:1] or pieces
    html = join_html(pieces) if any(piece.html for piece in pieces) else ""
    text = join_text(pieces)
    cut = max(len(text), len(html)) > TEXT_CHARACTERS
    if cut:
        defects.add(Defect.TEXT_CUT)
    body = Body(text[:TEXT_CHARACTERS], html[:TEXT_CHARACTERS])
    body.text_from_html = bool(html) and not any(piece.text.strip() for piece in pieces)
    pictures = any(item.content_id for item, _ in collector.attachments)
    shown = {unquote(reference) for reference in _CID.findall(html)} if pictures else set()
    for item, inline in collector.attachments:
        body.attachments.append(_placed(item, inline or item.content_id in shown))
    return body


def _placed(item: Attachment, inline: bool) -> Attachment:
    if not inline or item.inline:
        return item
    return Attachment(item.part, item.name, item.media_type, item.content, item.content_id, True)


def _hint(root: Part) -> str:
    """A charset that some part declares: the best guess for the others and for headers."""
    for leaf in root.leaves():
        if charset := leaf.parameters.get("charset", ""):
            return charset
    return ""
