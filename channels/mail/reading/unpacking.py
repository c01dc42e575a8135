"""Compressed RTF ([MS-OXRTFCP]): a dictionary of 4,096 bytes that starts with what is common in rich text."""

from __future__ import annotations

from channels.mail.reading.limits import RTF_BYTES

_START = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans "
    b"SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab"
    b"\\tx"
)
_SIZE = 4_096


def unpack_rtf(data: bytes) -> bytes:
    """The rich text in a PR_RTF_COMPRESSED property; what can be read of a damaged one, at most the limit."""
    if len(data) < 16:
        return b""
    kind = data[8:12]
    size = min(int.from_bytes(data[4:8], "little"), RTF_BYTES)
    if kind == b"MELA":
        return data[16 : 16 + size]
    if kind != b"LZFu":
        return b""
    # The dictionary is the last 4,096 bytes of what was written, so the output itself serves as one.
    lead = _SIZE - len(_START)
    out = bytearray(lead) + _START
    position, end, limit = 16, len(data), _SIZE + size
    while position < end and len(out) < limit:
        control = data[position]
        position += 1
        for bit in range(8):
            if not control >> bit & 1:
                out += data[position : position + 1]
                position += 1
                continue
            reference = int.from_bytes(data[position : position + 2], "big")
            position += 2
            distance = (len(out) - lead - (reference >> 4)) % _SIZE
            if position > end or distance == 0:
                return bytes(out[_SIZE:limit])
            length = (reference & 15) + 2
            piece = (
                out[len(out) - distance :][:length]
                if distance < length
                else out[-distance : length - distance or None]
            )
            out += (piece * (length // distance + 1))[:length]
    return bytes(out[_SIZE:limit])
