"""HTML to text and back, for mails that come in only one of the two. One pass over tags; nothing here is for display
as HTML without being cleaned.
"""

from __future__ import annotations

import html
import re

from channels.mail.reading.limits import TOKENS

_TOKEN = re.compile(
    r"""<!--(?P<comment>) | <(?P<bang>[!?])
    | <(?P<end>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9:-]*+)(?P<attributes>(?:[^<>"']++|"[^"<>]*+"|'[^'<>]*+'|["'])*+)/?(?:>|(?=<)|\Z)
    | (?P<text>[^<]++) | (?P<less><)""",
    re.VERBOSE,
)
_HREF = re.compile(r"""\bhref\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""", re.IGNORECASE)
_ALT = re.compile(r"""\balt\s*+=\s*+(?:"([^"]*+)"|'([^']*+)')""", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\n\r\f\v]++")
_HIDDEN = frozenset({"script", "style", "head", "title", "template", "noscript"})
_RAW = frozenset({"script", "style", "title"})
_PARAGRAPHS = frozenset(
    {"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "pre", "blockquote", "hr"}
)
_LINES = frozenset(
    {
        "div",
        "tr",
        "li",
        "dt",
        "dd",
        "address",
        "article",
        "section",
        "header",
        "footer",
        "form",
        "center",
        "br",
    }
)
_QUOTES_AT_MOST = 20


class _Writer:
    """Text as it grows: white space collapsed, at most one blank line between blocks, quotes marked with `>`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.current: list[str] = []
        self.space = False
        self.blank = False  # a blank line is due before the next text
        self.quotes = 0
        self.last_quotes = 0  # of the last line written
        self.link: tuple[str, int, int] | None = None  # address, lines and words before it

    def text(self, text: str) -> None:
        words = _SPACE.sub(" ", text)
        if words.startswith(" "):
            self.space = True
            words = words[1:]
        if not words:
            return
        ends = words.endswith(" ")
        if self.space and self.current:
            self.current.append(" ")
        self.current.append(words[:-1] if ends else words)
        self.space = ends

    def preformatted(self, text: str) -> None:
        for number, line in enumerate(text.replace("\r\n", "\n").split("\n")):
            if number:
                self.line(force=True)
            if line:
                self.current.append(line)

    def line(self, *, force: bool = False) -> None:
        if not self.current and not force:
            return
        content = "".join(self.current).rstrip()
        self.current = []
        self.space = False
        prefix = ">" * min(self.quotes, _QUOTES_AT_MOST)
        if self.blank and self.lines and content:
            self.lines.append(prefix[: self.last_quotes])
        if content:
            self.blank = False
            self.last_quotes = len(prefix)
        self.lines.append(f"{prefix} {content}" if prefix and content else prefix or content)

    def paragraph(self) -> None:
        self.line()
        self.blank = True

    def result(self) -> str:
        self.line()
        return re.sub(r"\n{3,}+", "\n\n", "\n".join(self.lines)).strip("\n")


def html_to_text(source: str) -> str:
    """What a person reads in an HTML mail: blocks as lines, links with their address, quotes marked with `>`.

    >>> html_to_text('<p>Hello <b>you</b></p><p>Read <a href="https://x.example">this</a>')
    'Hello you\\n\\nRead this (https://x.example)'
    """
    writer = _Writer()
    hidden = ""
    preformatted = 0
    position, end = 0, len(source)
    lowered = ""
    tokens = 0
    while position < end and (match := _TOKEN.match(source, position)) and tokens < TOKENS:
        tokens += 1
        position = match.end()
        kind = match.lastgroup
        if kind == "comment":
            position = _after(source, "-->", position)
        elif kind == "bang":
            position = _after(source, ">", position)
        elif kind in ("text", "less"):
            if not hidden:
                text = html.unescape(match[0])
                writer.preformatted(text) if preformatted else writer.text(text)
        else:
            tag = match["tag"].lower()
            closing = bool(match["end"])
            if hidden:
                hidden = "" if closing and tag == hidden else "" if tag == "body" else hidden
            elif tag in _HIDDEN and not closing:
                if tag in _RAW:
                    lowered = lowered or source.lower()
                    close = lowered.find(f"</{tag}", position)
                    position = end if close < 0 else close
                hidden = tag
            elif tag == "pre":
                preformatted = max(preformatted + (-1 if closing else 1), 0)
                writer.paragraph()
            elif tag == "a":
                _link(writer, closing, match["attributes"])
            else:
                _block(writer, tag, closing, match["attributes"])
    return writer.result().replace("\xa0", " ")


def _after(source: str, mark: str, position: int) -> int:
    found = source.find(mark, position)
    return len(source) if found < 0 else found + len(mark)


def _block(writer: _Writer, tag: str, closing: bool, attributes: str) -> None:
    if tag == "br":
        writer.line(force=True)
    elif tag == "blockquote":
        writer.paragraph()
        writer.quotes = max(writer.quotes + (-1 if closing else 1), 0)
    elif tag == "hr":
        writer.paragraph()
        writer.text("---")
        writer.paragraph()
    elif tag in _PARAGRAPHS:
        writer.paragraph()
    elif tag in _LINES:
        writer.line()
        if tag == "li" and not closing:
            writer.text("- ")
    elif tag in ("td", "th"):
        writer.space = True
    elif tag == "img" and (match := _ALT.search(attributes)):
        writer.text(html.unescape(match[1] or match[2] or ""))


def _link(writer: _Writer, closing: bool, attributes: str) -> None:
    """Remember where a link began; write its address behind its words when it ends. Links do not nest."""
    if not closing:
        match = _HREF.search(attributes)
        address = html.unescape(match[1] or match[2] or match[3] or "").strip() if match else ""
        writer.link = (address, len(writer.lines), len(writer.current))
    elif writer.link:
        (address, lines, start), writer.link = writer.link, None
        words = "".join(writer.current[start:]).strip() if lines == len(writer.lines) else ""
        bare = address.removeprefix("mailto:").removeprefix("https://").removeprefix("http://").rstrip("/")
        if address.startswith(("http://", "https://", "mailto:")) and words and bare not in words:
            writer.current.append(f" ({address.removeprefix('mailto:')})")


def text_to_html(text: str) -> str:
    """Plain text as HTML that looks the same.

    >>> text_to_html("a < b\\nc")
    '<div style="white-space: pre-wrap">a &lt; b\\nc</div>'
    """
    return f'<div style="white-space: pre-wrap">{html.escape(text, quote=False)}</div>'


_ENRICHED = re.compile(r"<<|<(/?)([A-Za-z0-9-]{1,60})>|\n++")


def enriched_to_text(source: str) -> str:
    """The text of text/enriched and text/richtext (RFC 1896): formatting gone, single line breaks joined.

    >>> enriched_to_text("<bold>Now</bold> is\\nthe time\\n\\nfor <<all>")
    'Now is the time\\nfor <all>'
    """
    out: list[str] = []
    parameter = 0
    position = 0
    for match in _ENRICHED.finditer(source):
        if not parameter:
            out.append(source[position : match.start()])
        position = match.end()
        if match[0] == "<<":
            if not parameter:
                out.append("<")
        elif match[0].startswith("\n"):
            if not parameter:
                out.append(" " if len(match[0]) == 1 else "\n" * (len(match[0]) - 1))
        elif match[2].lower() == "param":
            parameter = max(parameter + (-1 if match[1] else 1), 0)
        elif match[2].lower() in ("nl", "np", "paragraph"):
            out.append("\n")
        elif match[2].lower() == "lt":
            out.append("<")
    if not parameter:
        out.append(source[position:])
    return "".join(out)
