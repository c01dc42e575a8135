"""An HTML mail as lines for `channels.mail.quotes.quotations`, and the cut of those lines back in the tree.

Containers that mail programs put around a quote become, in the lines, an announcement and quoted lines; a <blockquote> becomes
quoted lines. So the rules stay those of plain text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from channels.mail.quotes.htmltree import INLINE, Document, Node, decode
from channels.mail.quotes.quotations import WHOLE, quote_marks, written
from channels.mail.quotes.splitters import separator

#: Written into the lines where a program's markup says that a quote begins.
ANNOUNCEMENT = "-----Original Message-----"
DRAWN_RULE = "_" * 32

#: Classes and ids of elements that hold a quote, and nothing else. Gmail, Yahoo, Zoho, Proton, Tuta, Outlook for Mac
#: and for phones, Thunderbird's and Roundcube's attributions, Front, Freshdesk, HubSpot, Superhuman, Spark, Zimbra, mail.ru.
HOLDS_QUOTE = frozenset(
    [
        "gmail_quote",
        "gmail_quote_container",
        "yahoo_quoted",
        "zmail_extra",
        "protonmail_quote",
        "tutanota_quote",
        "moz-cite-prefix",
        "olk_src_body_section",
        "mail-editor-reference-message-container",
        "ms-outlook-mobile-reference-message",
        "reply-intro",
        "freshdesk_quote",
        "front-blockquote",
        "hs_reply",
        "sh-quoted-content",
        "spark_quote",
        "zimbra_quote",
        "moz-email-headers-table",
        "gmail_attr",
        "aol_quoted",
        "aolreplacedquote",
        "cf_quote",
        "ymail_quote",
        "mailmaster_quote",
        "qqmail_quote",
        "protonmail_quote_header",
        "reply_quote",
        "quoted-mail",
        "wordquote",
        "iosymail",
        "beforereplyblockquote",
    ]
)
#: Everything behind such an element is a quote: Outlook's on the web, on phones and Hotmail's.
BEGINS_QUOTE = frozenset(
    ["divrplyfwdmsg", "appendonsend", "stopspelling", "x_divrplyfwdmsg", "x_appendonsend", "sksig_end"]
)
_OUTLOOK_LINE = re.compile(
    r"border-top:\s*solid\s+(?:#?(?:b5c4df|e1e1e1|cccccc|e5e5e5)|windowtext)"
    r"|border-top:\s*(?:#(?:b5c4df|e1e1e1) )?1(?:\.0)?p[tx] solid (?:#?(?:b5c4df|e1e1e1)|rgb\(181, ?196, ?223\)|rgb\(225, ?225, ?225\))",
    re.IGNORECASE,
)
_COLON = re.compile("[:：]")
_HIDDEN = re.compile(r"display:\s*none", re.IGNORECASE)
_KEEPS_LINES = re.compile(r"white-space:\s*(?:pre|break-spaces)", re.IGNORECASE)
_NO_BORDER = re.compile(r"border:\s*(?:none|0)", re.IGNORECASE)  # how the editors of Gmail and others indent
_SPACE = re.compile(r"[ \t\r\n\f]+")
_UNSEEN = " \t\r\n\f\v\xa0\u200b\u200e\u200f\ufeff"  # what of a text node may go with the quote beside it
MOST_CONTAINERS = 500  #: elements of a document whose insides are looked at ahead
MOST_TYPED_LINES = 20_000  #: lines of <pre> that are taken apart


@dataclass(slots=True)
class _Line:
    pieces: list[tuple[Node, str]] = field(default_factory=list)
    quoted: bool = False
    text: str = ""  #: of lines that stand for no text node
    shown: bool = False  #: holds a picture


class Lines:
    """The lines of a document's body, and on which line each node stands."""

    def __init__(self, document: Document) -> None:
        self.lines: list[_Line] = [_Line()]
        self.line_of: dict[Node, int] = {}
        self._quotes = 0
        self._looks = 0
        self._as_typed: list[Node] = []  # open elements such as <pre>
        self._typed_lines = 0
        self._walk(document.body)

    def texts(self) -> list[str]:
        return [line.text or "".join(text for _, text in line.pieces) for line in self.lines]

    def quoted(self) -> list[bool]:
        texts = self.texts()
        return [line.quoted and bool(text.strip()) for line, text in zip(self.lines, texts, strict=True)]

    def _break(self, always: bool = False) -> None:
        if always or self.lines[-1].pieces or self.lines[-1].text or self.lines[-1].shown:
            self.lines.append(_Line(quoted=self._quotes > 0))
        self.lines[-1].quoted = self._quotes > 0

    def _say(self, text: str) -> None:
        self._break()
        self.lines[-1].text = text
        self._break(always=True)

    def _walk(self, body: Node) -> None:
        # (node, what to do): 0 enter, 1 leave, 2 leave a quote
        stack: list[tuple[Node, int]] = [(child, 0) for child in reversed(body.children)]
        while stack:
            node, step = stack.pop()
            if step:
                self._break()
                if self._as_typed and self._as_typed[-1] is node:
                    self._as_typed.pop()
                if step == 2:
                    self._quotes -= 1
                    self.lines[-1].quoted = self._quotes > 0
                elif node.name == "p" and "mso" not in node.source.lower():
                    self._blank()
                continue
            self.line_of[node] = len(self.lines) - 1
            if node.name.startswith("#"):
                if node.name == "#text":
                    self._typed(node) if self._as_typed and "\n" in node.source else self._text(node)
                continue
            if node.name == "br":
                self._break(always=True)
                below = stack[-1][0] if stack and not stack[-1][1] else None
                if below is not None and below.name == "#text" and below.source.strip(_UNSEEN):
                    self.line_of[node] = len(self.lines) - 1  # it goes with the words that it puts on a line
                continue
            if node.name == "img":
                self.lines[-1].shown = True
                continue
            if node.name == "hr":
                announces = self._kind(node) == "begins"
                self._break()
                self.line_of[node] = len(self.lines) - 1
                self._say(ANNOUNCEMENT if announces else DRAWN_RULE)
                continue
            if node.name in INLINE and not node.source:
                stack.extend((child, 0) for child in reversed(node.children))
                continue
            kind = self._kind(node)
            if kind == "hidden":
                continue
            if node.name in INLINE and kind == "plain":
                stack.extend((child, 0) for child in reversed(node.children))
                continue
            self._break()
            self.line_of[node] = len(self.lines) - 1
            if node.name == "pre" or ("white-space" in node.source and _KEEPS_LINES.search(node.source)):
                self._as_typed.append(node)
            if kind in ("begins", "holds", "answers"):
                self._say(ANNOUNCEMENT)
            if kind in ("holds", "answers", "quoted"):
                self._quotes += 1
                self.lines[-1].quoted = True
            elif node.name == "p" and "mso" not in node.source.lower():
                self._blank()
                self.line_of[node] = len(self.lines) - 1
            if kind == "answers":  # Gmail: quotes are the blockquotes within, answers stand between them
                first = next(n for n, child in enumerate(node.children) if child.name == "blockquote")
                stack.append((node, 1))
                stack.extend((child, 0) for child in reversed(node.children[first + 1 :]))
                stack.append((node, 2))
                stack.extend((child, 0) for child in reversed(node.children[: first + 1]))
                continue
            stack.append((node, 2 if kind in ("holds", "quoted") else 1))
            stack.extend((child, 0) for child in reversed(node.children))

    def _blank(self) -> None:
        if (
            len(self.lines) > 1
            and (self.lines[-2].pieces or self.lines[-2].text)
            and not self.lines[-1].pieces
        ):
            self._break(always=True)

    def _typed(self, node: Node) -> None:
        """Text whose line ends count: every line becomes a node of its own."""
        parts = node.source.splitlines(keepends=True)
        self._typed_lines += len(parts)
        if self._typed_lines > MOST_TYPED_LINES:
            self._text(node)
            return
        node.name, node.source = "#lines", ""
        for part in parts:
            line = Node("#text", part, node)
            node.children.append(line)
            self.line_of[line] = len(self.lines) - 1
            self._text(line)
            if part[-1] in "\r\n":
                self._break(always=True)

    def _text(self, node: Node) -> None:
        text = decode(node.source).replace("\u200e", "").replace("\u200f", "").replace("\ufeff", "")
        text = _SPACE.sub(" ", text.rstrip("\r\n") if self._as_typed else text)
        if text.strip(" ") or self.lines[-1].pieces:
            self.lines[-1].pieces.append((node, text))

    def _kind(self, node: Node) -> str:
        """ "holds", "begins", "answers" or "quoted" for the markup of quotes, "hidden", else "plain"."""
        if node.name == "blockquote":
            attributes = node.attributes()
            if "gmail_quote" in attributes.get("class", "").lower().split() and not self._quotes:
                # Gmail's own quotes stand in div.gmail_quote; alone it is what a person indented
                return "quoted" if self._announced() else "plain"
            if attributes.get("type", "").lower() == "cite":
                return "quoted" if self._quotes else "holds"
            indents = not self._quotes and _NO_BORDER.search(attributes.get("style", "")) is not None
            return "plain" if indents else "quoted"
        if not node.source or self._quotes:
            return "plain"
        attributes = node.attributes()
        names = {*attributes.get("class", "").lower().split(), attributes.get("id", "").lower()}
        style = attributes.get("style", "")
        if _HIDDEN.search(style):
            return "hidden"
        if names & BEGINS_QUOTE:
            return "begins"
        if names & HOLDS_QUOTE and not self._holds_forward(node):
            if "gmail_quote" in names and any(child.name == "blockquote" for child in node.children):
                return "answers"
            return "holds"
        if (
            "border" in style
            and _OUTLOOK_LINE.search(style)
            and len(_COLON.findall(self._first_text(node))) >= 2
        ):
            return "begins"
        return "plain"

    def _announced(self) -> bool:
        """Whether the text just above could announce a quote: then a lone blockquote of Gmail's is one."""
        texts = ["".join(text for _, text in line.pieces) or line.text for line in self.lines[-4:]]
        above = next((text for text in reversed(texts) if text.strip()), "").rstrip()
        return above.endswith((":", "：")) or any(line.text == ANNOUNCEMENT for line in self.lines[-200:])

    def _first_text(self, node: Node, longest: int = 400) -> str:
        """The first words within an element."""
        self._looks += 1
        if self._looks > MOST_CONTAINERS:
            return ""
        said: list[str] = []
        length, steps, stack = 0, 0, list(reversed(node.children))
        while stack and length < longest and steps < 400:
            steps += 1
            inner = stack.pop()
            if inner.name == "#text":
                said.append(_SPACE.sub(" ", decode(inner.source[:longest])))
                length += len(said[-1])
            elif inner.name in ("br", "div", "p", "tr"):
                said.append("\n")
            stack.extend(reversed(inner.children[:50]))
        return "".join(said)

    def _holds_forward(self, node: Node) -> bool:
        first = next((line for line in self._first_text(node).split("\n") if line.strip()), "")
        return separator(first) == "forward"


def cut(document: Document) -> bool:
    """Take out of the document what its writer did not newly write; whether there was anything to take."""
    lines = Lines(document)
    texts, quoted = lines.texts(), lines.quoted()
    if _all_in_one_frame(texts, quoted):
        return False
    framed = any(quoted)
    quoted = [one or other for one, other in zip(quoted, quote_marks(texts), strict=True)]
    kept = written(texts, quoted, last_quote_counts=framed)
    if all(length == WHOLE or not line.pieces for length, line in zip(kept, lines.lines, strict=True)):
        return False
    for length, line in zip(kept, lines.lines, strict=True):
        for node, text in line.pieces:
            if length == WHOLE:
                continue
            if length >= len(text):
                length -= len(text)
                continue
            rest = text[:length].rstrip()
            node.source = rest.replace("&", "&amp;").replace("<", "&lt;")
            length = 0
    _prune(document.body, lines.line_of, kept)
    return True


def _all_in_one_frame(texts: list[str], quoted: list[bool]) -> bool:
    """Whether a <blockquote> that nothing announces holds all there is: then it is a way to indent a whole mail."""
    said = [is_quoted for text, is_quoted in zip(texts, quoted, strict=True) if text.strip()]
    return bool(said) and all(said)


def _prune(body: Node, line_of: dict[Node, int], kept: list[int]) -> None:
    """Take out the elements that hold nothing kept, children before their parents."""
    order: list[Node] = []
    stack = [body]
    while stack:
        node = stack.pop()
        order.append(node)
        stack.extend(node.children)
    for node in reversed(order):
        if not node.children:
            continue
        staying = []
        for child in node.children:
            line = line_of.get(child)
            gone = line is not None and kept[line] == 0
            if child.name == "#text":
                stays = bool(child.source.strip(_UNSEEN)) or not gone
            elif child.children:
                stays = True
            elif child.name.startswith("#"):
                stays = not gone
            else:
                stays = not gone and line is not None
            if stays:
                staying.append(child)
        if len(staying) < len(node.children):
            has_something = any(not (child.name in ("#text", "#comment") and (child.name == "#comment" or not
                                child.source.strip())) for child in staying)  # fmt: skip
            node.children = staying if has_something else []
            if not has_something and node is not body:
                line_of.pop(node, None)
