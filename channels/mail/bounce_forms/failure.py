"""What a report says about one recipient, before it is judged, and how addresses are found in its text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

WORDS_LIMIT: Final = 2_000  #: characters of a server's words that are kept
FAILURES_LIMIT: Final = 300  #: recipients of a report that are read

_LOCAL: Final = re.compile(r'(?:"[^"\r\n]{1,64}"|[^\s<>()\[\],;:"@\\]{1,128})\Z')
_DOMAIN: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]{3,45}\]|[\w-]{1,63}(?:\.[\w-]{1,63}){0,20})")


@dataclass(slots=True)
class Failure:
    """One recipient of a report. Empty where the report is silent; `hint` is a word of our vocabulary."""

    address: str
    words: str = ""  #: what the server said
    status: str = ""  #: as the report gives it
    action: str = ""  #: failed, delayed, expired, delivered, relayed, expanded
    command: str = ""  #: the SMTP command that was refused
    host: str = ""  #: the server that refused
    hint: str = ""  #: the reason, as far as the form of the report tells it
    local: bool = False  #: a program on the reporting host refused, no server (Diagnostic-Code: x-unix)

    def say(self, words: str) -> None:
        """Add words of the server, up to the limit."""
        if words and len(self.words) < WORDS_LIMIT:
            self.words = f"{self.words} {words}".strip()[:WORDS_LIMIT]


def find_addresses(text: str) -> Iterator[str]:
    """The addresses in a line, in order, with their case kept. Looks around each @ only, so the work is linear."""
    at = text.find("@")
    while at >= 0:
        local = _LOCAL.search(text[max(0, at - 130) : at])
        domain = _DOMAIN.match(text, at + 1)
        if local and domain:
            name = local[0].lstrip("'`{*|") if local[0][0] != '"' else local[0]
            if name and not name.startswith("mailto"):
                yield f"{name}@{domain[0].rstrip('.-_')}"
        at = text.find("@", at + 1)


def find_address(text: str) -> str:
    """The first address in a line, or the empty string."""
    return next(find_addresses(text), "")


def take(failures: list[Failure], address: str) -> bool:
    """Add a recipient, unless it stands there already or there are too many. Tells whether it was added."""
    if len(failures) >= FAILURES_LIMIT or any(failure.address == address for failure in failures):
        return False
    failures.append(Failure(address))
    return True
