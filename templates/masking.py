"""Hides the jinja2 tags of a source behind marks, so that HTML tools see HTML and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

_QUOTED: Final = r""" "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' """
_TAG: Final = re.compile(
    rf"""
      \{{%[-+]?\s*raw\s*[-+]?%\}} .*? \{{%[-+]?\s*endraw\s*[-+]?%\}}
    | \{{\# .*? \#\}}
    | \{{\{{ (?: {_QUOTED} | [^"'}}] | \}}(?!\}}) )* \}}\}}
    | \{{% (?: {_QUOTED} | [^"'%] | %(?!\}}) )* %\}}
    """,
    re.VERBOSE | re.DOTALL,
)
MARK: Final = re.compile("\x00(\\d+)\x01")


def mask(source: str) -> tuple[str, list[str]]:
    """Replace each jinja2 tag by \\x00 number \\x01; give the rest and the tags. A tag left open stays as it is."""
    tags: list[str] = []

    def hide(match: re.Match[str]) -> str:
        tags.append(match[0])
        return f"\x00{len(tags) - 1}\x01"

    return _TAG.sub(hide, source), tags


def unmask(text: str, tags: Sequence[str]) -> str:
    """Put the tags back."""
    return MARK.sub(lambda match: tags[int(match[1])], text)


def map_text(source: str, change: Callable[[str], str]) -> str:
    """Change what stands between the jinja2 tags of a source, and leave the tags alone."""
    masked, tags = mask(source)
    pieces = MARK.split(masked)
    return "".join(tags[int(piece)] if index % 2 else change(piece) for index, piece in enumerate(pieces))


def is_print(tag: str) -> bool:
    """Tell whether a tag prints something: `{{ … }}`, as opposed to `{% … %}` and `{# … #}`."""
    return tag.startswith("{{")
