"""Content-Transfer-Encoding undone (RFC 2045): base64 with junk, broken quoted-printable, uuencode; always in one pass."""

from __future__ import annotations

import binascii
import re

from channels.mail.reading.defects import Defect

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_ALPHABET) - {0x3D})
_WHITE = b" \t\r\n\x00"
_BASE64_LINES = re.compile(rb"^[ \t]*+([A-Za-z0-9+/]++=*+)[ \t\r]*+$", re.MULTILINE)
_LAST_LINE = re.compile(rb"[ \t]*+(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2,3}={1,2})?+[ \t\r]*+$")
_TRAILING_SPACE = re.compile(rb"(?<![ \t])[ \t]++(?=\r*+\n|\Z)")
_MANY_CR = re.compile(rb"(?<!\r)\r++\n")
_BROKEN_ESCAPE = re.compile(rb"=(?![0-9A-Fa-f]{2}|\r?\n|\Z)")
_UU_BEGIN = re.compile(rb"^begin(?:-base64)? [0-7]{3,6} ([^\r\n]{1,400})\r*+$", re.MULTILINE)


def encoding_of(value: str) -> str:
    """`base64`, `quoted-printable`, `uuencode`, `` for none, or `unknown`; forgives what mailers write.

    >>> encoding_of(" Quoted Printable;")
    'quoted-printable'
    """
    word = re.sub(r"[^a-z0-9]", "", value.split(";")[0].split("(")[0].lower())
    if word in ("", "7bit", "8bit", "binary", "7bits", "8bits", "none", "plain", "ascii", "utf8", "identity"):
        return ""
    if word in ("base64", "b64", "b", "base"):
        return "base64"
    if word in ("quotedprintable", "qp", "q", "quoted", "printable", "quotedprintible"):
        return "quoted-printable"
    if word in ("xuuencode", "uuencode", "xuue", "uue", "xuu", "uu"):
        return "uuencode"
    return "unknown"


def decode(data: bytes, encoding: str, defects: set[str]) -> bytes:
    """The content of a part; never longer than `data`."""
    if encoding == "base64":
        return decode_base64(data, defects)
    if encoding == "quoted-printable":
        return decode_quoted(data, defects)
    if encoding == "uuencode":
        return decode_uu(data, defects)
    if encoding == "unknown":
        defects.add(Defect.BAD_ENCODING)
    return data


def decode_base64(data: bytes, defects: set[str]) -> bytes:
    """Base64; several padded pieces one after the other are joined, text in between is left out."""
    if not data.translate(None, _ALPHABET + _WHITE + b"="):
        compact = data.translate(None, _WHITE)
    else:
        defects.add(Defect.BAD_CONTENT)
        data = _without_footer(data)
        compact = data.translate(None, _NOT_BASE64)
        if len(compact) * 10 < len(data) * 9 or b"=" in compact[:-2]:
            # Not only stray bytes: text around the base64 (a footer of a mailing list), or text all along.
            lines: list[bytes] = _BASE64_LINES.findall(data)
            compact = b"".join(lines)
            starts = (
                data.lstrip(_WHITE).startswith(compact[:16]) and len(compact) >= 16 and len(lines[0]) % 4 == 0
            )
            if not starts and len(compact) * 2 < len(data.translate(None, _WHITE)):
                return data
    body = compact.rstrip(b"=")
    if b"=" not in body:
        return _quads(body, defects)
    return b"".join(_quads(piece, defects) for piece in re.split(rb"=+", body))


def _without_footer(data: bytes) -> bytes:
    """The block of equally long lines that base64 begins with, when what is below is a text that a list server added.

    The whole data when there is no such block, or more base64 below it.
    """
    lines = data.strip(_WHITE).split(b"\n")
    length = len(lines[0].strip(_WHITE))
    if length < 40 or length % 4:
        return data
    block = 0
    while (
        block < len(lines) and len(lines[block].strip(_WHITE)) == length and _BASE64_LINES.match(lines[block])
    ):
        block += 1
    if block < len(lines) and len(lines[block].strip(_WHITE)) < length and _LAST_LINE.match(lines[block]):
        block += 1
    rest = lines[block:]
    if not block or any(len(line.strip(_WHITE)) == length and _BASE64_LINES.match(line) for line in rest):
        return data
    return b"\n".join(lines[:block]) if any(b" " in line.strip(_WHITE) for line in rest) else data


def _quads(piece: bytes, defects: set[str]) -> bytes:
    if len(piece) % 4 == 1:
        defects.add(Defect.BAD_CONTENT)
        piece = piece[:-1]
    return binascii.a2b_base64(piece + b"=" * (-len(piece) % 4))


def decode_quoted(data: bytes, defects: set[str]) -> bytes:
    """Quoted-printable; what is no escape stays as it was written."""
    if b"=" not in data:
        return data
    if b" \n" in data or b" \r" in data or b"\t\n" in data or b"\t\r" in data or data[-1:] in b" \t":
        data = _TRAILING_SPACE.sub(b"", data)
    if b"\r\r" in data:
        data = _MANY_CR.sub(b"\r\n", data)
    if _BROKEN_ESCAPE.search(data):
        defects.add(Defect.BAD_CONTENT)
        data = _BROKEN_ESCAPE.sub(b"=3D", data)
    return binascii.a2b_qp(data)


def decode_uu(data: bytes, defects: set[str]) -> bytes:
    """A body that is uuencoded as a whole: the content of its first file, or `data` when there is none."""
    begin = _UU_BEGIN.search(data)
    if begin is None:
        defects.add(Defect.BAD_CONTENT)
        return data
    content, _, whole = _uu_lines(data, begin.end() + 1)
    if not whole:
        defects.add(Defect.BAD_CONTENT)
    return content


def split_uu(data: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Text without the files uuencoded in it, and those files: raw name, content. Each line is looked at once."""
    if b"begin" not in data:
        return data, []
    files: list[tuple[bytes, bytes]] = []
    text: list[bytes] = []
    position = 0
    while begin := _UU_BEGIN.search(data, position):
        content, end, whole = _uu_lines(data, begin.end() + 1)
        if whole and content:
            text.append(data[position : begin.start()])
            files.append((begin[1], content))
        else:
            text.append(data[position:end])
        position = max(end, begin.end())
    text.append(data[position:])
    return b"".join(text), files


def _uu_lines(data: bytes, position: int) -> tuple[bytes, int, bool]:
    """Decode lines up to `end`: content, where they end, and whether `end` was there."""
    out: list[bytes] = []
    while position < len(data):
        newline = data.find(b"\n", position)
        stop = len(data) if newline < 0 else newline + 1
        if stop - position > 100:
            break
        line = data[position:stop].rstrip(b"\r\n")
        if line.strip() == b"end":
            return b"".join(out), stop, True
        if line:
            length = (line[0] - 32) & 63
            need = 1 + (length * 4 + 2) // 3
            if not 32 <= line[0] <= 96 or len(line) < need - 3:
                break
            try:
                out.append(binascii.a2b_uu(line[: max(need, 1 + (length + 2) // 3 * 4)]))
            except binascii.Error:
                break
        position = stop
    return b"".join(out), position, False
