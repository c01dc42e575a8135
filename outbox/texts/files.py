"""Files of short messages that go out: the provider fetches them from us, by an address that only it is told.

The address holds a token of its own use, which names the message and the moment until which it opens anything. It is
made when the message is composed, so that it lives long enough however long the message waited before.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.tokens import TokenKeys, TokenUse
from storage.pool import Pool

#: Option of a letter: how many files it has.
FILES: Final = "files"
#: Seconds that an address lives: as long as a message may wait at the provider (10 hours), and some more.
LIFE: Final = 43_200

_FILE: Final = """
SELECT a.name, a.blob, a.media_type, a.size FROM attachments AS a JOIN messages AS m ON m.id = a.message_id
WHERE a.message_id = $1 AND a.no = $2 AND m.direction = 'out' AND m.channel = 'sms'
"""


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file of a short message of ours; `blob` is its place in the BlobStore."""

    name: str
    blob: str
    media_type: str
    size: int


class FileAddresses:
    """Makes and reads the addresses. `base`: below which they lie, as the provider reaches us; empty when it cannot."""

    def __init__(self, tokens: TokenKeys, base: str) -> None:
        self._tokens = tokens
        self._base = base

    @property
    def exist(self) -> bool:
        """Whether a provider could fetch anything from us."""
        return bool(self._base)

    def make(self, message_id: int, count: int, now: float | None = None) -> list[str]:
        """The addresses of so many files of a message. `now` in seconds since 1970."""
        until = int((time.time() if now is None else now) + LIFE)
        token = self._tokens.sign(TokenUse.FILES, until, message_id)
        return [f"{self._base}/{token}/{no}" for no in range(1, count + 1)]

    def with_files(self, options: Mapping[str, str], message_id: int) -> dict[str, str]:
        """The options of a letter as the channel takes them: its own files behind the addresses of others."""
        changed = dict(options)
        count = int(changed.pop(FILES, "0"))
        if count:
            changed["media"] = "\n".join([*changed.get("media", "").split(), *self.make(message_id, count)])
        return changed


def read_address(tokens: TokenKeys, text: str, now: float | None = None) -> int | None:
    """The message that a token opens the files of; None for one that is forged, for another use, or over."""
    token = tokens.verify(text, TokenUse.FILES)
    if token is None or token.message_id is None:
        return None
    return token.message_id if (time.time() if now is None else now) <= token.campaign_id else None


async def load_file(pool: Pool, message_id: int, no: int) -> TextFile | None:
    """A file of a short message of ours."""
    row = await pool.fetchrow(_FILE, message_id, no)
    return None if row is None else TextFile(*row)
