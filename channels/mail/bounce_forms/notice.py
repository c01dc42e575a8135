"""A mail taken apart as far as reports need it: its text for people, its reports for machines, the returned mail.

Reports are often broken MIME (no boundary, a wrong one, none declared), and what they return may be hostile, so this
reads little and within limits: the headers, the first hundred parts, and a bounded piece of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from channels.mail.reading.charsets import decode_header, decode_text
from channels.mail.reading.fields import Block, read_block
from channels.mail.reading.markup import html_to_text
from channels.mail.reading.tree import Part, read_tree
from channels.mail.reading.words import decode_words

_RAW_LIMIT: Final = 4_000_000  #: bytes that are looked at
_TEXT_LIMIT: Final = 200_000  #: characters of each text
_LINE_LIMIT: Final = 2_000
_VALUE_LIMIT: Final = 10_000  #: characters of a header
_PARTS_LIMIT: Final = 100

Headers = dict[str, list[str]]

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


def read_parts(raw: bytes) -> Part:
    """The tree of a mail as `read_notice` wants it, of as many bytes as are looked at."""
    return read_tree(raw[:_RAW_LIMIT], within_mails=False)


def read_notice(root: Part) -> Notice:
    """Take a mail apart whose tree was read without the mails in it. Never raises; work and result are bounded
    whatever its bytes are."""
    notice = Notice(headers=_headers(root.block))
    parts = list(_leaves(root))
    plain = any(kind == "text/plain" and text.strip() for kind, text, _ in parts)
    texts: list[str] = []
    for kind, text, content in parts:
        if kind in ORIGINAL_TYPES:
            notice.returned = notice.returned or content[:_RAW_LIMIT]
        elif kind in STATUS_TYPES:
            notice.status += text + "\n\n"
        elif kind == "message/feedback-report":
            notice.feedback += text
        elif kind == "message/disposition-notification":
            notice.receipt += text
        elif kind == "text/html":
            if not plain:
                texts.append(html_to_text(text))
        elif kind.startswith("text/"):
            texts.append(text)
    if not any(text.strip() for text in texts):  # all of it stands before the first part, or there is none
        texts = [_show(root.preamble or b"", "")]
    text = "\n".join(texts)[:_TEXT_LIMIT]
    cut = _RETURNED.search(text)
    notice.text = text[: cut.start()] if cut else text
    if cut and not notice.returned:
        notice.returned = _after_separator(text[cut.start() :]).encode("utf-8", "replace")
    if notice.returned:
        start = notice.returned.lstrip(b"\r\n \t")
        notice.original = _headers(read_block(start, 0, len(start), set(), outermost=True))
    return notice


def _leaves(root: Part) -> Iterator[tuple[str, str, bytes]]:
    """Media type, text and content of each leaf, the first hundred; what is no text has none."""
    if root.kind == "leaf" and root.media_type == "text/plain" and _UNDECLARED in root.raw:
        root = read_tree(b"Content-Type: multipart/report\n\n" + root.raw[:_RAW_LIMIT], within_mails=False)
        if root.preamble:
            yield "text/plain", _show(root.preamble, ""), b""
    if root.kind == "mail":  # a mail that is nothing but another mail
        yield root.media_type, "", root.raw[:_RAW_LIMIT]
        return
    for number, part in enumerate(root.leaves()):
        if number >= _PARTS_LIMIT:
            return
        kind = part.media_type
        content = part.content(set()) if kind.startswith(("text/", "message/")) else b""
        text = _show(content, part.parameters.get("charset", "")) if content else ""
        yield kind, text, content


def _show(content: bytes, charset: str) -> str:
    label = charset.lower().removeprefix("unicode-1-1-")
    text = decode_text(content[: 4 * _TEXT_LIMIT], label, set())[:_TEXT_LIMIT]
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ")


def _headers(block: Block) -> Headers:
    headers: Headers = {}
    for one in block.fields:
        value = decode_header(one.value[:_VALUE_LIMIT], set())
        headers.setdefault(one.key, []).append(decode_words(value, set()).strip())
    return headers


def _after_separator(rest: str) -> str:
    """The returned mail in a text: from its first header on."""
    found = re.search(r"(?:^|\n)(?=[A-Za-z][\w-]{1,60}:[ \t]?\S)", rest)
    return rest[found.end() :] if found else ""
