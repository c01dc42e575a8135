"""Words and phrases as rules look for them in texts: `resign*`, `notice period`, `INV-####`. Pure.

Not regular expressions: a text that strangers wrote must never make a rule slow, and a sales lead must be able to read
it. Case and accents do not count, nor how words are spaced; a wording stands for whole words. In it `*` is any run of
letters and digits (at the end of `resign*`: resigned, resignation), `?` one letter or digit, `#` one digit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from domain.folding import fold

LONGEST: Final = 200
#: characters of a text that are looked through: whoever writes more has said it before
FARTHEST: Final = 200_000
_ANY: Final = r"[^\W_]{0,60}"
_SIGNS: Final = {"*": _ANY, "?": r"[^\W_]", "#": r"[0-9]"}
_APOSTROPHES: Final = dict.fromkeys((8216, 8217, 700, 65287), "'")
_DASHES: Final = dict.fromkeys(range(8208, 8214), "-")
_SAME: Final = _APOSTROPHES | _DASHES | {0xAD: None}


def check_wording(text: str) -> None:
    """See that it can be looked for. Raises ValueError with the remedy."""
    if len(text) > LONGEST:
        raise ValueError(f"a wording has {LONGEST} characters at most")
    if not any(sign.isalnum() for sign in text):
        raise ValueError(f"{text!r} would be found everywhere; write at least one letter or digit")


def flatten(text: str) -> str:
    """A text without case, accents, soft hyphens and kinds of apostrophe, its white space single blanks."""
    text = text[:FARTHEST]
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", text.translate(_SAME))
        text = "".join(sign for sign in apart if not unicodedata.combining(sign))
    return " ".join(fold(text).split())


def compile_wordings(wordings: Sequence[str]) -> Callable[[str], bool]:
    """The function that tells whether a text holds one of the wordings. Linear in the text, whatever it holds."""
    search = _pattern(tuple(wordings)).search
    return lambda text: search(flatten(text)) is not None


@lru_cache(maxsize=4096)
def _pattern(wordings: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern of all: those that begin a word share the look behind them, so that most places end there."""
    begin: list[str] = []
    anywhere: list[str] = []
    for wording in wordings:
        flat = re.sub(r"\*+", "*", flatten(wording))
        (begin if _is_word(flat[0]) else anywhere).append(_written(flat))
    groups = [rf"(?<!\w)(?:{'|'.join(begin)})"] if begin else []
    return re.compile("|".join([*groups, *anywhere]))


def _written(flat: str) -> str:
    """A pattern without nested repeats: each sign of a wording stands for a bounded run."""
    body = "".join(_SIGNS.get(sign) or re.escape(sign) for sign in flat)
    return body + (r"(?!\w)" if _is_word(flat[-1]) else "")


def _is_word(sign: str) -> bool:
    return sign.isalnum() or sign in _SIGNS
