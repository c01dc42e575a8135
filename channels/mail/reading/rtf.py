"""Rich Text Format to text, and to the HTML that Outlook hides in it (the algorithm of Microsoft's [MS-OXRTFEX])."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

from channels.mail.reading.charsets import clean, codec
from channels.mail.reading.limits import RTF_BYTES, TOKENS

_TOKEN = re.compile(
    rb"""\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})?[ ]? | \\'(?P<hex>[0-9a-fA-F]{2}) | \\(?P<symbol>[^a-zA-Z'])
    | (?P<open>\{) | (?P<close>\}) | (?P<white>[\r\n]++) | (?P<text>[^\\{}\r\n]++) | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_UNSEEN = frozenset(
    b"fonttbl colortbl stylesheet info pict object header footer headerl headerr footerl footerr themedata generator "
    b"listtable listoverridetable rsidtbl xmlnstbl latentstyles datastore colorschememapping filetbl revtbl mmathPr".split()
)
_WORDS = {
    b"par": "\n", b"line": "\n", b"row": "\n", b"sect": "\n", b"page": "\n", b"tab": "\t", b"cell": "\t", b"emdash": "—",
    b"endash": "–", b"lquote": "‘", b"rquote": "’", b"ldblquote": "“", b"rdblquote": "”", b"bullet": "•",
    b"emspace": " ", b"enspace": " ",
}  # fmt: skip
_SYMBOLS = {b"~": "\xa0", b"_": "\u2011", b"{": "{", b"}": "}", b"\\": "\\", b"\n": "\n", b"\r": "\n"}
_DEEPEST = 200
_CODEPAGES = {77: "macintosh", 128: "932", 129: "949", 134: "936", 136: "950", 161: "windows-1253", 162: "windows-1254",
              163: "windows-1258", 177: "windows-1255", 178: "windows-1256", 186: "windows-1257", 204: "windows-1251",
              222: "874", 238: "windows-1250"}  # fmt: skip


@dataclass(slots=True)
class _State:
    """What a group inherits from the group around it."""

    unseen: bool = False
    plain: bool = False  #: between \\htmlrtf and \\htmlrtf0: only for readers that do not know HTML
    tag: bool = False  #: inside \\*\\htmltag
    skip: int = 1  #: characters to leave out after \\u
    charset: str = ""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data[:RTF_BYTES]
        self.from_html = b"\\fromhtml1" in data[:2_000]
        self.default = "cp1252"
        self.fonts: dict[int, str] = {}
        self.font = 0
        self.in_fonts = False
        self.out: list[str] = []
        self.bytes = bytearray()
        self.left_out = 0
        self.high: int | None = None
        self.state = _State()
        self.stack: list[_State] = []
        self.starred = False

    def read(self) -> str:
        for match in islice(_TOKEN.finditer(self.data), TOKENS):
            kind = match.lastgroup
            if match["word"]:
                self._word(match["word"], int(match["number"]) if match["number"] else None)
            elif kind == "hex":
                if self.left_out:
                    self.left_out -= 1
                elif self._seen():
                    self.bytes.append(int(match["hex"], 16))
            elif kind == "symbol":
                self._symbol(match["symbol"])
            elif kind == "open":
                self._flush()
                if len(self.stack) < _DEEPEST:
                    old = self.state
                    self.stack.append(old)
                    self.state = _State(old.unseen, old.plain, old.tag, old.skip, old.charset)
            elif kind == "close":
                self._flush()
                if self.stack:
                    self.state = self.stack.pop()
                self.left_out = 0
            elif kind == "text":
                self._text(match["text"])
        self._flush()
        return "".join(self.out)

    def _seen(self) -> bool:
        return not (self.state.unseen or (self.from_html and self.state.plain))

    def _text(self, text: bytes) -> None:
        if self.left_out:
            cut = min(self.left_out, len(text))
            self.left_out -= cut
            text = text[cut:]
        if self._seen():
            self.bytes += text

    def _flush(self) -> None:
        if self.bytes:
            charset = self.state.charset or self.default
            self.out.append(bytes(self.bytes).decode(charset, "replace"))
            self.bytes.clear()

    def _put(self, text: str) -> None:
        if self._seen():
            self._flush()
            self.out.append(text)

    def _symbol(self, symbol: bytes) -> None:
        if symbol == b"*":
            self.starred = True
        elif symbol in _SYMBOLS:
            if self.left_out:
                self.left_out -= 1
            else:
                self._put(_SYMBOLS[symbol])

    def _word(self, word: bytes, number: int | None) -> None:
        starred, self.starred = self.starred, False
        if word == b"u" and number is not None:
            self._unicode(number & 0xFFFF)
        elif word in (b"htmltag", b"mhtmltag"):
            self.state.tag = word == b"htmltag"
            self.state.unseen = not self.from_html or word == b"mhtmltag"
        elif starred or word in _UNSEEN:
            self.state.unseen = True
            self.in_fonts = self.in_fonts or word == b"fonttbl"
        elif word == b"htmlrtf":
            self._flush()
            self.state.plain = number != 0
        elif word == b"uc" and number is not None:
            self.state.skip = max(min(number, 10), 0)
        elif word == b"ansicpg" and number:
            self.default = codec(str(number)) or codec(f"cp{number}") or self.default
        elif word == b"f" and number is not None:
            self._flush()
            self.font = number
            if number in self.fonts:
                self.state.charset = self.fonts[number]
        elif word == b"fcharset" and number is not None:
            if len(self.fonts) < 1_000:
                self.fonts[self.font] = codec(_CODEPAGES.get(number, ""))
        elif word in _WORDS and not (self.from_html and word in (b"cell", b"row")):
            self._put("\r\n" if self.from_html and _WORDS[word] == "\n" else _WORDS[word])

    def _unicode(self, unit: int) -> None:
        self.left_out = self.state.skip
        if 0xD800 <= unit < 0xDC00:
            self.high = unit
            return
        if 0xDC00 <= unit < 0xE000:
            if self.high is not None:
                self._put(chr(0x10000 + ((self.high - 0xD800) << 10) + unit - 0xDC00))
            self.high = None
            return
        self._put(chr(unit))


def is_rtf(data: bytes) -> bool:
    """Whether these bytes are rich text."""
    return data[:20].lstrip().startswith(b"{\\rtf")


def rtf_to_text(data: bytes) -> tuple[str, str]:
    """Text and HTML of rich text: one of the two, the other one empty."""
    reader = _Reader(data)
    content = clean(reader.read())
    if reader.from_html:
        return "", content
    return content.strip(), ""
