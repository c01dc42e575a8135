"""Names of strangers' files as people read them: nothing in them turns the reading around or breaks a line."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

#: controls, line ends, and marks that change the direction: with U+202E "gpj.exe" reads like "exe.jpg" (Unicode UAX 9)
_MARKS: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def file_name(name: str) -> str:
    """The name without such marks; "file" when nothing is left, or only what stands for a folder."""
    bare = _MARKS.sub("", name).strip()
    return bare if bare.strip(".") else "file"


def file_url(conversation_id: int, message_id: int, number: int, name: str) -> str:
    """Where a file of a message is fetched; the name is only there to be read."""
    written = quote(file_name(name)[:100], safe="")
    return f"/conversations/{conversation_id}/messages/{message_id}/files/{number}/{written}"
