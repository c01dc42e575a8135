"""ISO-2022-JP as Japanese mailers write it (RFC 1468): with the characters of row 13, half-width kana, and lost escapes.

The codec of the standard library stops at NEC's and IBM's extra characters (such as a circled 1); here each run of a
two-byte set goes through Windows code page 932, which has them.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(rb"\x1b(\$\(?[@BDQO]|\([BJIH]|&@\x1b\$B)")
_TWO_BYTES = (b"$@", b"$B", b"$(@", b"$(B", b"&@\x1b$B")


def decode_iso_2022_jp(data: bytes) -> str:
    """Never raises; what is not understood becomes the replacement character.

    >>> decode_iso_2022_jp(b"\\x1b$B-!\\x1b(B!")
    '①!'
    """
    pieces: list[str] = []
    position, mode = 0, b"(B"
    for escape in _ESCAPE.finditer(data):
        pieces.append(_decode_run(data[position : escape.start()], mode))
        mode = escape[1]
        position = escape.end()
    pieces.append(_decode_run(data[position:], mode))
    return "".join(pieces)


def _decode_run(run: bytes, mode: bytes) -> str:
    if not run:
        return ""
    if mode in _TWO_BYTES:
        # A line end returns to ASCII; a mailer that forgot the escape still means text by what follows on that line.
        first, newline, rest = run.partition(b"\n")
        return _to_shift_jis(first).decode("cp932", "replace") + (newline + rest).decode("cp932", "replace")
    if mode == b"$(D":
        return _kanji_supplement(run)
    if mode == b"(I":
        return bytes(byte | 0x80 if byte > 0x20 else byte for byte in run).decode("cp932", "replace")
    return run.decode("cp932" if not run.isascii() else "ascii", "replace")


def _kanji_supplement(run: bytes) -> str:
    pairs = (b"\x8f" + bytes((run[i] | 0x80, run[i + 1] | 0x80)) for i in range(0, len(run) - 1, 2))
    return b"".join(pairs).decode("euc_jp", "replace")


def _to_shift_jis(run: bytes) -> bytes:
    """The bytes of JIS X 0208 pairs moved to where Shift JIS has them; single bytes and line ends stay."""
    out = bytearray()
    position, end = 0, len(run)
    while position < end:
        first = run[position]
        second = run[position + 1] if position + 1 < end else 0
        if 0x21 <= first <= 0x7E and 0x21 <= second <= 0x7E:
            row, even = first - 0x21, (first - 0x21) % 2
            out.append((row >> 1) + (0x81 if row < 62 else 0xC1))
            out.append(second + 0x7E if even else second + (0x1F if second <= 0x5F else 0x20))
            position += 2
        else:
            out.append(first)
            position += 1
    return bytes(out)
