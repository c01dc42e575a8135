"""HTML as a tree that can be cut and written again: lenient, linear in time, without recursion.

Not a browser's parser. It keeps start tags as they came, closes what is open, and knows just enough of the standard (void
elements, raw text, implied end tags, `<html>`, `<head>` and `<body>` that may be left out) for mail to come out as it went in. What
is shown to people is cleaned again by `nh3`. The standard library's HTMLParser was not taken because unfinished tags and
comments cost it quadratic time on the Python versions we support.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Iterator

VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "frame",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    ]
)
RAW = frozenset(["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"])
HEAD_ONLY = frozenset(["base", "link", "meta", "script", "style", "title"])
INLINE = frozenset(
    [
        "a",
        "abbr",
        "acronym",
        "b",
        "bdi",
        "bdo",
        "big",
        "cite",
        "code",
        "del",
        "dfn",
        "em",
        "font",
        "i",
        "ins",
        "kbd",
        "label",
        "mark",
        "nobr",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "tt",
        "u",
        "var",
        "o:p",
        "img",
        "wbr",
    ]
)
#: A start tag of the key closes open elements of these names at the end of the stack.
CLOSES = {
    "li": {"li"}, "dt": {"dt", "dd"}, "dd": {"dt", "dd"}, "option": {"option"},
    "tr": {"td", "th", "tr"}, "td": {"td", "th"}, "th": {"td", "th"}, "tbody": {"td", "th", "tr", "tbody", "thead"},
}  # fmt: skip
#: Start tags that end an open <p>, as the standard has it; others (<br>, <img>, <a>) belong to the paragraph.
ENDS_PARAGRAPH = frozenset(
    (
        "address", "article", "aside", "blockquote", "center", "dd", "details", "dialog", "dir", "div", "dl", "dt", "fieldset",
        "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "li",
        "listing", "main", "menu", "nav", "ol", "p", "plaintext", "pre", "section", "summary", "table", "ul", "xmp",
    )
)  # fmt: skip
WALLS = frozenset({"table", "td", "th"})  #: end tags of other elements do not reach beyond these
DEEPEST_SEARCH = 64  #: how far up an end tag looks for its start tag
MOST_NODES = 60_000

_NAME = re.compile(r"[A-Za-z][^\s/>\x00]*+")
_REST_OF_TAG = re.compile(r"(?:[^>\"'=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+')?|[\"'])*+>")
_ATTRIBUTE = re.compile(r"([^\s=>/\"']++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>]*+)))?+")
_UNQUOTED = re.compile(r"=\s*[^\s\"]")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});?")
_RAW_END = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in RAW}


class TooManyNodes(Exception):
    """The document has more parts than any mail that people write."""


class Node:
    """An element; or, with a `name` that begins with "#", a piece of text, raw text or a comment (in `source`)."""

    __slots__ = ("children", "name", "parent", "source")

    def __init__(self, name: str, source: str, parent: Node | None) -> None:
        self.name = name
        self.source = source  #: of an element the text of its attributes
        self.parent = parent
        self.children: list[Node] = []

    def attributes(self) -> dict[str, str]:
        """The attributes, names in lower case, values with their entities decoded; the first of a name counts."""
        found: dict[str, str] = {}
        for match in _ATTRIBUTE.finditer(self.source[:20_000]):
            value = match[2] if match[2] is not None else match[3] if match[3] is not None else match[4] or ""
            found.setdefault(match[1].lower(), decode(value))
        return found


def decode(text: str) -> str:
    """Text with its character references decoded."""
    return _ENTITY.sub(lambda match: entities.unescape(match[0]), text) if "&" in text else text


def _tokens(html: str) -> Iterator[tuple[str, str, str]]:
    """(kind, name, source) of each token; kinds: text, start, end, raw, comment."""
    position, size = 0, len(html)
    no_comment_end = False
    while position < size:
        bracket = html.find("<", position)
        if bracket < 0:
            yield "text", "", html[position:]
            return
        if bracket > position:
            yield "text", "", html[position:bracket]
        position = bracket
        following = html[position + 1 : position + 2]
        if following in ("!", "?"):
            end = -1
            if html.startswith("<!--", position) and not no_comment_end:
                end = html.find("-->", position + 4)
                no_comment_end = end < 0
                end = end + 3 if end >= 0 else -1
            if end < 0:
                end = html.find(">", position) + 1 or size
            yield "comment", "", html[position:end]
            position = end
            continue
        closing = following == "/"
        name = _NAME.match(html, position + 1 + closing)
        if name is None:
            yield "text", "", "&lt;"
            position += 1
            continue
        end_match = _REST_OF_TAG.match(html, name.end())
        if end_match is None:
            return  # an unfinished tag: as in browsers, there is no more
        tag, source = name[0].lower(), html[name.end() : end_match.end() - 1]
        position = end_match.end()
        yield ("end" if closing else "start"), tag, source
        if tag in RAW and not closing:
            raw_end = _RAW_END[tag].search(html, position)
            stop = raw_end.start() if raw_end else size
            yield "raw", "", html[position:stop]
            position = stop


class Document:
    """A parsed document: `root` is its <html>, with `head` and `body` always there."""

    def __init__(self, html: str) -> None:
        self.root = Node("html", "", None)
        self.head = Node("head", "", self.root)
        self.body = Node("body", "", self.root)
        self.root.children = [self.head, self.body]
        self._open: list[Node] = [self.body]
        self._counts: dict[str, int] = {}
        self._nodes = 0
        self._in_head = True
        for kind, name, source in _tokens(html):
            if kind == "start":
                self._start(name, source)
            elif kind == "end":
                self._end(name)
            elif kind == "text":
                if self._in_head and source.isspace():
                    continue
                self._in_head = self._in_head and self._open[-1] is not self.body
                self._add(Node("#text", source, self._open[-1]))
            elif kind == "raw":
                self._add(Node("#raw", source, self._open[-1]))
            elif not self._in_head:
                self._add(Node("#comment", source, self._open[-1]))

    def _add(self, node: Node) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise TooManyNodes(f"more than {MOST_NODES} nodes")
        if node.parent is not None:
            node.parent.children.append(node)

    def _start(self, name: str, source: str) -> None:
        if name in ("html", "head", "body"):
            place = self.root if name == "html" else self.head if name == "head" else self.body
            place.source = place.source or source
            self._in_head = self._in_head and name != "body"
            return
        self._in_head = self._in_head and name in HEAD_ONLY
        if self._in_head:
            node = Node(name, source, self.head)
            self._add(node)
            if name in RAW:
                self._push(node)
            return
        closes = CLOSES.get(name)
        while closes and self._open[-1].name in closes and len(self._open) > 1:
            self._pop()
        if name in ENDS_PARAGRAPH and self._open[-1].name == "p":
            self._pop()
        if (
            name == "tr" and self._open[-1].name == "table"
        ):  # left out by nearly everybody; every browser adds it
            self._start("tbody", "")
        node = Node(name, source, self._open[-1])
        self._add(node)
        if name not in VOID and not (source.endswith("/") and ":" in name):
            self._push(node)

    def _push(self, node: Node) -> None:
        self._open.append(node)
        self._counts[node.name] = self._counts.get(node.name, 0) + 1

    def _pop(self) -> None:
        self._counts[self._open.pop().name] -= 1

    def _end(self, name: str) -> None:
        if name == "head":
            self._in_head = False
        if not self._counts.get(name):
            return
        for steps in range(1, min(len(self._open), DEEPEST_SEARCH + 1)):
            candidate = self._open[-steps]
            if candidate.name == name:
                for _ in range(steps):
                    self._pop()
                return
            if (
                candidate.name in WALLS
                and name not in WALLS
                and name not in ("tr", "tbody", "thead", "tfoot")
            ):
                return
            if name in INLINE and candidate.name not in INLINE:
                return

    def write(self) -> str:
        """The document as HTML, every element closed."""
        out: list[str] = []
        stack: list[Node | str] = [self.root]
        while stack:
            item = stack.pop()
            if isinstance(item, str):
                out.append(item)
            elif item.name == "#text":
                # else the next editor makes it a space
                out.append(item.source.replace("\xa0", "&#160;").replace("&nbsp;", "&#160;"))
            elif item.name == "#lines":
                stack.extend(reversed(item.children))
            elif item.name.startswith("#"):
                out.append(item.source)
            else:
                out.append(f"<{item.name}{_tidy(item.source)}>")
                if item.name not in VOID:
                    stack.append(f"</{item.name}>")
                    stack.extend(reversed(item.children))
        return "".join(out)


def _tidy(source: str) -> str:
    """Attributes as they came, without the slash of `<br/>` and superfluous space."""
    bare = source.strip()
    if bare.endswith("/") and (len(bare) == 1 or bare[-2] in " \t\r\n\"'"):
        bare = bare[:-1].rstrip()
    if bare and len(bare) < 20_000 and _UNQUOTED.search(bare):
        bare = _ATTRIBUTE.sub(_in_quotes, bare)
    return " " + bare if bare else ""


def _in_quotes(match: re.Match[str]) -> str:
    value = match[3] if match[3] is not None else match[4]
    if value is None:
        return match[0]
    return f'{match[1]}="{value.replace(chr(34), "&quot;")}"'
