"""Which charset bytes without a trustworthy label are in: a small guess by what is frequent in each script."""

from __future__ import annotations

import re

_SAMPLE = 8_000  #: bytes that are looked at
_SEQUENCE = re.compile(rb"[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]")
_CYRILLIC = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъ"
_HANZI = frozenset(
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经您好请谢公司先生小姐這個來們時會對說發現經學過後請謝"
)


def is_likely_utf8(data: bytes) -> bool:
    """Whether most bytes beyond ASCII form UTF-8: damaged or cut UTF-8, rather than something else."""
    sample = data[:200_000]
    high = len(_HIGH.findall(sample))
    good = sum(len(sequence) for sequence in _SEQUENCE.findall(sample))
    return good * 10 >= high * 8 and good > 0


def guess(data: bytes) -> str:
    """A codec for bytes that are neither ASCII nor UTF-8; Windows-1252 when nothing else is likely."""
    sample = _around_high_bytes(data)
    high = len(_HIGH.findall(sample))
    letters = sum(1 for byte in sample if byte > 0x40)
    if high * 3 < letters:  # scattered accents: a Latin script
        return "cp1252"
    scored = [(score, name) for name, score in _scores(sample, high, letters).items() if score > 0]
    return max(scored)[1] if scored else "cp1252"


def _around_high_bytes(data: bytes) -> bytes:
    first = _HIGH.search(data)
    if first is None:
        return data[:_SAMPLE]
    start = max(data.rfind(b"\n", 0, first.start()), first.start() - 200, 0)
    return data[start : start + _SAMPLE]


def _scores(sample: bytes, high: int, letters: int) -> dict[str, float]:
    """For each candidate, the share of its characters beyond ASCII that are everyday ones of its script."""
    scores: dict[str, float] = {}
    one_byte = ("cp1251", "koi8_r") if high * 10 > letters * 7 else ()
    for name in (*one_byte, "cp932", "euc_jp", "gb18030", "big5", "cp949"):
        text = sample.decode(name, "ignore")
        beyond = [char for char in text if ord(char) > 127]
        lost = len(sample.decode(name, "replace")) - len(text)
        if len(beyond) < 2 or lost * 20 > len(beyond):
            continue
        scores[name] = _score(name, beyond) / len(beyond)
    return {name: score for name, score in scores.items() if score >= 0.3}


def _score(name: str, beyond: list[str]) -> float:
    if name in ("cp1251", "koi8_r"):
        return sum(1.0 - _CYRILLIC.index(char) / 100 for char in beyond if char in _CYRILLIC)
    if name in ("cp932", "euc_jp"):
        kana = sum(1 for char in beyond if "\u3040" <= char <= "\u30ff")
        return len(beyond) * 1.2 if kana * 4 > len(beyond) else kana * 1.0
    if name == "cp949":
        return sum(1.1 for char in beyond if "\uac00" <= char <= "\ud7a3")
    common = sum(1 for char in beyond if char in _HANZI)
    hanzi = sum(
        1
        for char in beyond
        if "\u4e00" <= char <= "\u9fff" or "\u3000" <= char <= "\u303f" or char > "\uff00"
    )
    return hanzi * 0.6 + common
