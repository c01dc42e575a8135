"""Bytes to text: what a charset label means, and what to do when it is unknown, missing or a lie.

Labels mean what mailers mean by them, as the WHATWG encoding standard has it (`iso-8859-1` is Windows-1252, `gb2312` is
GB 18030). Text never holds NUL or half of a surrogate pair, so that every database and every socket takes it.
"""

from __future__ import annotations

import re
from functools import lru_cache

from channels.mail.reading.defects import Defect
from channels.mail.reading.guesses import guess, is_likely_utf8
from channels.mail.reading.labels import CODECS, STATEFUL
from channels.mail.reading.shifting import decode_iso_2022_jp

_UNWANTED = re.compile("[\x00\ud800-\udfff]")
_LATIN = frozenset(
    {
        "cp1252",
        "ascii",
        "iso8859_15",
        "cp1250",
        "iso8859_2",
        "cp1254",
        "cp1257",
        "mac_roman",
        "cp437",
        "cp850",
    }
)
_SHIFTS = (b"\x1b$", b"\x1b(")


def clean(text: str) -> str:
    """Without NUL; surrogate pairs joined, halves of them replaced."""
    if not _UNWANTED.search(text):
        return text
    return text.replace("\x00", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@lru_cache(maxsize=512)
def codec(label: str) -> str:
    """The Python codec for a charset label, or "" when nobody knows it. Only codecs from bytes to text are ever named."""
    key = re.sub(r"[^a-z0-9]+", "", label[:64].lower().removeprefix("x-").removeprefix("charset="))
    return CODECS.get(key, "")


def decode_known(data: bytes, label: str) -> str | None:
    """Decode by label, errors replaced; None when the label is unknown."""
    name = codec(label)
    if not name:
        return None
    if name == "utf_8":
        return clean(_decode_utf8(data))
    return clean(_decode(data, name, "replace"))


def decode_text(data: bytes, label: str, defects: set[str], hint: str = "") -> str:
    """The text of a body part. `label` is its declared charset, `hint` another one to try when that is missing or wrong."""
    name = codec(label)
    if name not in STATEFUL and data.isascii() and b"\x1b" not in data:
        return data.decode("ascii").replace("\x00", "")
    if marked := _byte_order_mark(data):
        return clean(_decode(data, marked, "replace"))
    if label and not name:
        defects.add(Defect.UNKNOWN_CHARSET)
    if name in STATEFUL:
        return clean(_stateful(data, name, defects))
    if data[:1_000].count(0) * 3 > len(data[:1_000]):
        defects.add(Defect.WRONG_CHARSET if label else Defect.NO_CHARSET)
        return clean(_decode(data, "utf_16", "replace"))
    if any(shift in data for shift in _SHIFTS) and data.isascii():
        return clean(decode_iso_2022_jp(data))
    return clean(_decode_eight_bit(data, name, bool(label), defects, hint))


def _stateful(data: bytes, name: str, defects: set[str]) -> str:
    if name == "iso2022_jp" and (data.isascii() or any(shift in data for shift in _SHIFTS)):
        return decode_iso_2022_jp(data)
    if name.startswith("utf_16") and b"\x00" not in data[:10_000] and data.isascii():
        defects.add(Defect.WRONG_CHARSET)
        return data.decode("ascii")
    try:
        return _decode(data, name, "strict")
    except UnicodeError:
        defects.add(Defect.WRONG_CHARSET)
    if is_likely_utf8(data):
        return _decode_utf8(data)
    return _decode(data, name, "replace")


def _decode_eight_bit(data: bytes, name: str, labelled: bool, defects: set[str], hint: str) -> str:
    if name in _LATIN or name in ("", "utf_8"):
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            if name != "utf_8":
                defects.add(Defect.WRONG_CHARSET if name else Defect.NO_CHARSET)
            return text
    if name and name not in ("utf_8", "ascii"):
        try:
            return _decode(data, name, "strict")
        except UnicodeError:
            if name == "cp1252":  # five bytes are undefined in it; browsers read them as control characters
                return data.decode("latin-1") if b"\x1b" in data else _decode(data, name, "replace")
    defects.add(Defect.WRONG_CHARSET if labelled else Defect.NO_CHARSET)
    if is_likely_utf8(data):
        return _decode_utf8(data)
    other = codec(hint)
    if other and other not in STATEFUL and other not in (name, "utf_8", "ascii"):
        try:
            return _decode(data, other, "strict")
        except UnicodeError:
            pass
    if name and name not in ("utf_8", "ascii") and _mostly_good(data, name):
        return _decode(data, name, "replace")
    return _decode(data, guess(data), "replace")


def _mostly_good(data: bytes, name: str) -> bool:
    sample = _decode(data[:20_000], name, "replace")
    return sample.count("�") * 20 <= len(sample)


def decode_header(data: bytes, defects: set[str], hint: str = "") -> str:
    """A header's value that should be ASCII: UTF-8 as RFC 6532 has it, else a guess."""
    if data.isascii():
        if b"\x1b$" in data:
            defects.add(Defect.RAW_HEADER)
            return clean(decode_iso_2022_jp(data))
        return data.decode("ascii").replace("\x00", "")
    try:
        return clean(data.decode("utf-8"))
    except UnicodeDecodeError:
        defects.add(Defect.RAW_HEADER)
    return clean(_decode_eight_bit(data, codec(hint), bool(hint), set(), ""))


def _byte_order_mark(data: bytes) -> str:
    if data.startswith(b"\xef\xbb\xbf"):
        return "utf_8_sig"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf_16"
    return ""


def _decode(data: bytes, name: str, errors: str) -> str:
    if name == "utf_16" and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        name = "utf_16_be" if data[:200:2].count(0) > data[1:200:2].count(0) else "utf_16_le"
    return data.decode(name, errors)


def _decode_utf8(data: bytes) -> str:
    return data.decode("utf-8", "replace")
