"""A mail taken apart as far as reports need it: its text for people, its reports for machines, the returned mail.

Reports are often broken MIME (no boundary, a wrong one, none declared), and what they return may be hostile, so this
reads little and within limits: the headers, the first hundred parts, and a bounded piece of each.
"""

from __future__ import annotations

import base64
import binascii
import html
import quopri
import re
from dataclasses import dataclass, field
from email.header import decode_header
from typing import Final

_RAW_LIMIT: Final = 4_000_000  #: bytes that are looked at
_HEAD_LIMIT: Final = 200_000
_TEXT_LIMIT: Final = 200_000  #: characters of each text
_LINE_LIMIT: Final = 2_000
_HEADERS_LIMIT: Final = 1_000
_DEPTH_LIMIT: Final = 6
_PARTS_LIMIT: Final = 100

Headers = dict[str, list[str]]

_FIELD: Final = re.compile(r"([!-9;-~]{1,100})[ \t]{0,20}:[ \t]*(.*)", re.DOTALL)
_FOLD: Final = re.compile(r"\r?\n(?=[ \t])")
_BOUNDARY: Final = re.compile(
    r'boundary\s{0,9}=\s{0,9}(?:"([^"\r\n]{1,200})|([^\s;"]{1,200}))', re.IGNORECASE
)
_CHARSET: Final = re.compile(r"charset\s{0,9}=\s{0,9}\"?([^\s;\"]{1,40})", re.IGNORECASE)
_GUESSED: Final = re.compile(rb"(?:^|\n)--([^\s-][^\r\n]{0,199}?)[ \t]{0,9}\r?\nContent-", re.IGNORECASE)
#: Charsets that may be asked of Python; its codecs also hold things that no mail should reach.
_KNOWN_CHARSET: Final = re.compile(
    r"utf-?(?:7|8|16|16le|16be)|(?:us-)?ascii|iso-?8859-\d{1,2}|(?:windows-|cp)\d{3,4}|koi8-[ru]|iso-2022-(?:jp|kr)"
    r"|euc-(?:jp|kr)|shift_jis|gb2312|gbk|gb18030|big5|ks_c_5601-1987",
    re.IGNORECASE,
)
_TAGS: Final = re.compile(
    r"<(?:br|/p|/div|/tr|/li|/h\d)\b[^>]{0,500}>|(<[!/a-z][^>]{0,2000}>)", re.IGNORECASE
)
_HIDDEN: Final = re.compile(r"<(/?)(?:style|script|title)\b", re.IGNORECASE)

STATUS_TYPES: Final = (
    "message/delivery-status",
    "message/global-delivery-status",
    "message/xdelivery-status",
)
ORIGINAL_TYPES: Final = (
    "message/rfc822",
    "message/global",
    "message/partial",
    "text/rfc822-headers",
    "text/rfc822-header",
    "message/rfc822-headers",
    "message/global-headers",
)

#: What shows that a mail holds a report although its headers declare no parts.
_PREAMBLE: Final = "text/x-preamble"  #: what stands before the first part; read when nothing else is
_UNDECLARED: Final = b"\nContent-Type: message/delivery-status"

#: Lines after which a report without parts shows the mail that it returns.
_RETURNED: Final = re.compile(
    r"""(?:^|\n)[ \t>]{0,8}(?:
      -{2,12}[ ]?(?:Below\ this\ line\ is\ (?:a\ copy|the\ original) | This\ is\ a\ copy\ of\ (?:the|your)\ message
        | The\ (?:header\ of\ the\ )?original\ message\ is | Original\ message | Original\ message\ follows
        | Message\ headers?\ follow | Unsent\ message\ follows | No\ message\ was\ collected | Returned\ Message
        | original\ m(?:essage|ail\ info) | Forwarded\ message | Undelivered\ message)
      | (?:Original\ )?message\ (?:headers?\ )?follows?[.:]
      | Below\ is\ a\ copy\ of\ the\ original\ message
      | Included\ is\ a\ copy\ of\ the\ message\ header
      | Original\ mail\ as\ follows
      | The\ attachment\ contains\ the\ original\ mail\ headers
      | Original\ message\ headers: | Oorspronkelijke\ berichtkoppen: | Intestazioni\ originali\ del\ messaggio
      | En-t.tes\ de\ message\ d'origine | Cabe.alhos\ originais\ da\ mensagem | Urspr.ngliche\ Nachrichtenkopfzeilen
      | Encabezados\ de\ mensajes?\ original | Urspr.nglicher\ Nachrichtenkopf
      | \+{20} | Your\ message\ reads\ \(in\ part\) | Message\ text\ follows: | Message\ Hops
      | (?:Received|Return-Path):[ \t]?[\w<(\[]
    )""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(slots=True)
class Notice:
    """A mail as a possible report. Header names are in lower case, values unfolded and decoded."""

    headers: Headers = field(default_factory=dict)
    text: str = ""  #: what is written for people, without the returned mail
    status: str = ""  #: the fields of RFC 3464
    feedback: str = ""  #: the fields of RFC 5965
    receipt: str = ""  #: the fields of RFC 8098
    original: Headers = field(default_factory=dict)  #: headers of the returned mail
    returned: bytes = b""  #: the returned mail, undecoded

    def header(self, name: str) -> str:
        """The first header of this name (lower case); empty when there is none."""
        values = self.headers.get(name)
        return values[0] if values else ""

    def lines(self) -> list[str]:
        """The lines for people, each cut to a bearable length."""
        return [line[:_LINE_LIMIT].rstrip() for line in self.text.split("\n")]


@dataclass(slots=True)
class _Part:
    headers: Headers
    body: bytes

    @property
    def kind(self) -> str:
        value = self.headers.get("content-type", [""])[0]
        return value.split(";", 1)[0].strip().lower() or "text/plain"


def read_notice(raw: bytes) -> Notice:
    """Take a mail apart. Never raises; work and result are bounded whatever the bytes are."""
    raw = raw[:_RAW_LIMIT].lstrip(b"\r\n \t")
    headers, body = split_head(raw)
    notice = Notice(headers=headers)
    leaves: list[_Part] = []
    _collect(_Part(headers, body), 0, leaves)
    plain = any(part.kind == "text/plain" and part.body.strip() for part in leaves)
    texts: list[str] = []
    for part in leaves:
        kind = part.kind
        if kind in ORIGINAL_TYPES:
            if not notice.returned:
                notice.returned = _content(part) if "rfc822" in kind or "global" in kind else part.body
        elif kind in STATUS_TYPES:
            notice.status += _text(part) + "\n\n"
        elif kind == "message/feedback-report":
            notice.feedback += _text(part)
        elif kind == "message/disposition-notification":
            notice.receipt += _text(part)
        elif kind == "text/html" and not plain:
            texts.append(_show_html(_text(part)))
        elif kind.startswith("text/") and kind not in ("text/html", _PREAMBLE):
            texts.append(_text(part))
    if not any(text.strip() for text in texts):
        texts = [_text(part) for part in leaves if part.kind == _PREAMBLE]
    text = "\n".join(texts)[:_TEXT_LIMIT]
    cut = _RETURNED.search(text)
    if cut:
        notice.text, rest = text[: cut.start()], text[cut.start() :].lstrip("\r\n")
        if not notice.returned:
            notice.returned = _after_separator(rest).encode("utf-8", "surrogateescape")
    else:
        notice.text = text
    if notice.returned:
        notice.original = split_head(notice.returned.lstrip(b"\r\n \t"))[0]
    return notice


def split_head(raw: bytes) -> tuple[Headers, bytes]:
    """Headers, and the body after the first empty line; a mailbox's From line is skipped."""
    found = re.search(rb"\r?\n[ \t]*\r?\n", raw[:_HEAD_LIMIT])
    head, body = (raw[: found.start()], raw[found.end() :]) if found else (raw[:_HEAD_LIMIT], b"")
    text = head.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    headers: Headers = {}
    for line in _FOLD.sub("", text).split("\n")[:_HEADERS_LIMIT]:
        match = _FIELD.match(line[: 5 * _LINE_LIMIT])
        if match and not line.startswith(("From ", ">From ")):
            headers.setdefault(match[1].lower(), []).append(_decode_words(match[2].strip()))
    return headers, body


def _collect(part: _Part, depth: int, leaves: list[_Part]) -> None:
    value = part.headers.get("content-type", [""])[0]
    declared = part.kind.startswith("multipart/")
    undeclared = depth == 0 and part.kind == "text/plain" and _UNDECLARED in part.body
    if depth < _DEPTH_LIMIT and (declared or undeclared):
        found = _BOUNDARY.search(value)
        boundary = (found[1] or found[2]).strip().encode("utf-8", "replace") if found and declared else b""
        pieces = _divide(part.body, boundary) if boundary else []
        if len(pieces) < 2 and (guessed := _GUESSED.search(part.body)):
            pieces = _divide(part.body, guessed[1])
        if len(pieces) > 1:
            if pieces[0].strip() and depth == 0:
                leaves.append(_Part({"content-type": [_PREAMBLE]}, pieces[0]))
            for piece in pieces[1:]:
                if len(leaves) >= _PARTS_LIMIT:
                    return
                child = _Part(*_split_part(piece))
                _collect(child, depth + 1, leaves)
            return
    if declared:
        part = _Part({**part.headers, "content-type": ["text/plain"]}, part.body)
    leaves.append(part)


def _split_part(piece: bytes) -> tuple[Headers, bytes]:
    """A part whose headers may be missing: then all of it is its body."""
    stripped = piece.lstrip(b" \t")
    if stripped[:1] in (b"\n", b"\r"):
        rest = stripped.lstrip(b"\r\n")
        if not re.match(rb"Content-[\w-]{1,40}:", rest, re.IGNORECASE):
            return {}, rest
        stripped = rest
    if not re.match(rb"[!-9;-~]{1,76}[ \t]*:", stripped):
        return {}, stripped
    headers, body = split_head(stripped)
    if not any(name.startswith("content-") for name in headers):
        return {}, stripped
    return headers, body


def _divide(body: bytes, boundary: bytes) -> list[bytes]:
    """The pieces between the lines of a boundary; the first is what stands before it."""
    pieces: list[bytes] = []
    mark = b"\n--" + boundary
    body = b"\n" + body
    start = 0
    search = 0
    while len(pieces) <= _PARTS_LIMIT:
        at = body.find(mark, search)
        if at < 0:
            break
        search = at + len(mark)
        end = body.find(b"\n", search)
        end = len(body) if end < 0 else end
        rest = body[search : min(end, search + 200)].strip()
        if rest not in (b"", b"--"):  # another boundary that starts with this one
            continue
        pieces.append(body[start:at])
        start = end + 1
        search = end
    pieces.append(body[start:])
    return pieces if len(pieces) > 1 else []


def _content(part: _Part) -> bytes:
    encoding = part.headers.get("content-transfer-encoding", [""])[0].strip().lower()
    body = part.body
    if encoding == "quoted-printable":
        return quopri.decodestring(body[: 4 * _TEXT_LIMIT])
    if encoding == "base64":
        letters = re.sub(rb"[^A-Za-z0-9+/]", b"", body[: 4 * _TEXT_LIMIT])
        try:
            return base64.b64decode(letters[: len(letters) // 4 * 4] or b"")
        except (binascii.Error, ValueError):
            return body
    return body


def _text(part: _Part) -> str:
    content = _content(part)[: 4 * _TEXT_LIMIT]
    found = _CHARSET.search(part.headers.get("content-type", [""])[0])
    text = decode(content, found[1] if found else "")[:_TEXT_LIMIT]
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").replace("\xa0", " ")


def decode(content: bytes, charset: str) -> str:
    """Bytes in a charset, as far as it is known and true; else UTF-8, else Latin-1. Never raises."""
    name = charset.lower().removeprefix("unicode-1-1-").strip("'\"")
    for candidate in (name, "utf-8"):
        if _KNOWN_CHARSET.fullmatch(candidate):
            try:
                return content.decode(candidate)
            except (UnicodeError, LookupError):
                continue
    return content.decode("latin-1")


def _decode_words(value: str) -> str:
    if "=?" not in value or len(value) > _LINE_LIMIT:
        return value
    try:
        pieces = decode_header(value)
    except (ValueError, LookupError, binascii.Error, UnicodeError):
        return value
    return "".join(
        piece if isinstance(piece, str) else decode(piece, charset or "") for piece, charset in pieces
    )


def _show_html(text: str) -> str:
    """The words of HTML, roughly: what stands in hidden elements is left out, blocks become lines."""
    shown: list[str] = []
    start = 0
    for tag in _HIDDEN.finditer(text):
        if not tag[1] and start >= 0:
            shown.append(text[start : tag.start()])
            start = -1
        elif tag[1]:
            start = tag.start()
    if start >= 0:
        shown.append(text[start:])
    return html.unescape(_TAGS.sub(lambda match: "" if match[1] else "\n", "".join(shown)))


def _after_separator(rest: str) -> str:
    """The returned mail in a text: from its first header on."""
    found = re.search(r"(?:^|\n)(?=[A-Za-z][\w-]{1,60}:[ \t]?\S)", rest)
    return rest[found.end() :] if found else ""
