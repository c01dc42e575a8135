"""New words of replies: exact matches per set, with white space around them ignored (in HTML all white space)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from html import unescape
from typing import Any, Final

from channels.mail.replies import new_html, new_text
from tests.corpora.scoring import Score, corpora

#: Share that the best plain library reaches, and what we want, by set.
_SETS: Final = {
    "talon_plain": ("talon plain", 0.56, 0.90),
    "github_erp": ("github", 0.87, 0.87),
    "crisp": ("crisp", 0.47, 0.75),
    "talon_html": ("talon HTML", 0.72, 0.85),
}
_SPACE: Final = re.compile(r"\s+")
_UNSEEN: Final = re.compile(r"(?is)<head.*?</head>|<!--.*?-->|<[^>]*>")


def scores() -> list[Score]:
    """Scores of all sets; empty when the corpus is not there."""
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for case in cases():
        total[case["src"]] += 1
        right[case["src"]] += as_expected(case)
    return [
        Score(f"replies: {name}", right[key], total[key], baseline * total[key], target * total[key])
        for key, (name, baseline, target) in _SETS.items()
        if total[key]
    ]


def cases() -> Iterator[dict[str, Any]]:
    """The mails, with what is expected of each."""
    folder = corpora()
    if folder is not None and (folder / "replies" / "replies.json").is_file():
        yield from json.loads((folder / "replies" / "replies.json").read_text(encoding="utf-8"))


def as_expected(case: dict[str, Any]) -> bool:
    """Whether we find just the expected words. Some HTML is expected as a document, some as its text."""
    expected = case["expected"]
    if case["kind"] != "html":
        return bool(new_text(case["input"]).strip() == expected.strip())
    found = new_html(case["input"])
    if not expected.startswith("<"):
        if _SPACE.sub("", found) == expected:
            return True
        found = unescape(_UNSEEN.sub("", found))
    return _SPACE.sub("", found) == _SPACE.sub("", expected)
