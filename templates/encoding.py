"""How text becomes bytes on the wire: quoted-printable bodies (RFC 2045) and encoded header words (RFC 2047).

No line made here starts with a dot, so that SMTP's dot-stuffing (RFC 5321, 4.5.2) never has anything to do, and
pieces that were encoded apart can be joined: every piece starts and ends at the start of a line.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Final

SOFT: Final = b"=\r\n"
_ROOM: Final = 73  # of 76: one for the soft break, two for the `=46` of a protected "From "
_NEWLINE: Final = re.compile(r"\r\n|\r|\n")
_CONTROLS: Final = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")
_UNITS: Final = {
    chr(code): chr(code) if (32 <= code < 127 and code != ord("=")) or code == 9 else f"={code:02X}"
    for code in range(128)
}
_WORD_UNITS: Final = {
    char: char for char in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!*+-/"
} | {" ": "_"}
_PLAIN_PHRASE: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_WORDS: Final = re.compile(r"[\w -]+")
_COMMON_NAME: Final = re.compile(r"[A-Za-z0-9]+(?: [A-Za-z0-9]+)*")
_COMMON_ADDRESS: Final = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")
_ADDRESS: Final = re.compile(
    r"[^\x00-\x20\x7f-\x9f\u2028\u2029()<>\[\]:;@\\,\"]+@[^\x00-\x20\x7f-\x9f\u2028\u2029()<>:;@\\,\"]+"
)
_SHORT: Final = 66  # a header line's text that is left unfolded


def _escaped(char: str) -> str:
    return "".join(f"={byte:02X}" for byte in char.encode("utf-8", "replace"))


def value_bytes(text: str) -> bytes:
    """Encode a short value as `body_bytes(text, more=True)` does, in C where it fits on one line."""
    line = binascii.b2a_qp(text.encode("utf-8", "replace"))
    if len(line) <= _ROOM and b"\n" not in line and not line.startswith((b".", b"From ")) and line:
        return line + SOFT
    return body_bytes(text, more=True)


def body_bytes(text: str, *, more: bool) -> bytes:
    """Encode text as quoted-printable lines of at most 76 octets, none starting with a dot or `From `.

    With `more`, something follows: the result ends at the start of a line (by a soft break where needed), so any
    other result may be put after it; an empty text gives no bytes. Characters are never cut in two.
    """
    lines = _NEWLINE.split(text)
    rows: list[str] = []
    for number, line in enumerate(lines):
        units = [_UNITS.get(char) or _escaped(char) for char in line]
        joined = more and number == len(lines) - 1
        if units and not joined and units[-1] in " \t":
            units[-1] = "=20" if units[-1] == " " else "=09"
        row = ""
        for unit in units:
            if len(row) + len(unit) > _ROOM:
                rows.append(_guarded(row) + "=\r\n")
                row = ""
            row += unit
        row = _guarded(row)
        if not joined:
            rows.append(row + ("\r\n" if number < len(lines) - 1 else ""))
        elif row:
            rows.append(row + "=\r\n")
    return "".join(rows).encode("ascii")


def _guarded(row: str) -> str:
    if row.startswith("."):
        return "=2E" + row[1:]
    return "=46" + row[1:] if row.startswith("From ") else row


def flat(text: str) -> str:
    """Make one line of a text: each run of blanks, line ends and control characters becomes one blank."""
    if text.isprintable() and "  " not in text and text[:1] != " " != text[-1:]:
        return text
    return _CONTROLS.sub(" ", text).strip(" ")


def _chunks(text: str, rooms: Iterator[int], units: dict[str, str]) -> Iterator[str]:
    room, chunk = next(rooms), ""
    for char in text:
        unit = units.get(char) or _escaped(char)
        if chunk and len(chunk) + len(unit) > room:
            yield chunk
            room, chunk = next(rooms), ""
        chunk += unit
    if chunk:
        yield chunk


def _rooms(first: int, overhead: int) -> Iterator[int]:
    yield max(first - overhead, 12)
    while True:
        yield 75 - overhead


def encoded_words(text: str, first: int = 75) -> bytes:
    """Encode a one-line text as RFC 2047 words, folded; the first word takes at most `first` octets."""
    octets = text.encode("utf-8", "replace")
    if 2 * len(octets) < 3 * len(text) and _WORDS.fullmatch(text) is not None:
        word = binascii.b2a_qp(octets, header=True)
        if len(word) <= first - 12 and b"\n" not in word:
            return b"=?utf-8?q?" + word + b"?="
    if 2 * sum(byte < 128 for byte in octets) >= len(octets):
        words = [f"=?utf-8?q?{chunk}?=" for chunk in _chunks(text, _rooms(first, 12), _WORD_UNITS)]
        return "\r\n ".join(words).encode("ascii")
    room, chunk, chunks = (max(first - 12, 12)) // 4 * 3, b"", []
    for char in text:
        octets = char.encode("utf-8", "replace")
        if len(chunk) + len(octets) > room:
            chunks.append(chunk)
            room, chunk = 45, b""
        chunk += octets
    return b"\r\n ".join(
        b"=?utf-8?b?" + binascii.b2a_base64(chunk, newline=False) + b"?=" for chunk in (*chunks, chunk)
    )


def header_text(text: str, used: int = 9) -> bytes:
    """Encode the text of an unstructured header such as Subject; `used` octets stand before it on its line.

    Line ends and control characters in the text are flattened first: no header can be smuggled in.
    """
    text = flat(text)
    if text.isascii() and "=?" not in text:
        if len(text) <= _SHORT:
            return text.encode()
        lines, line = [], ""
        for word in text.split(" "):
            if line and used + len(line) + 1 + len(word) > 76:
                lines.append(line)
                line, used = "", 1
            line = f"{line} {word}" if line else word
        lines.append(line)
        if max(map(len, lines)) < 500:
            return "\r\n ".join(lines).encode()
    return encoded_words(text, 76 - used)


def mailbox(name: str, address: str) -> bytes:
    """Write `name <address>` for From, To and Reply-To, name encoded where it is not plain ASCII.

    Raises ValueError when the address could not stand in a header. An address that is not ASCII is written as
    UTF-8 (RFC 6532); the message then needs SMTPUTF8.
    """
    if _COMMON_ADDRESS.fullmatch(address) is None and _ADDRESS.fullmatch(address) is None:
        raise ValueError(f"{address!r} is not a mail address that can be written to")
    at = address.encode("utf-8")
    if len(name) + len(at) <= _SHORT and name.isascii() and _COMMON_NAME.fullmatch(name):
        return b"%b <%b>" % (name.encode(), at)
    name = flat(name)
    if not name:
        return at
    if len(name) > 60 or not name.isascii() or "=?" in name:
        words = encoded_words(name, 70)
        return words + (b" <" if len(words) + len(at) <= _SHORT else b"\r\n <") + at + b">"
    if _PLAIN_PHRASE.fullmatch(name) is None:
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if len(name) + len(at) > _SHORT:
        return name.encode() + b"\r\n <" + at + b">"
    return name.encode() + b" <" + at + b">"
