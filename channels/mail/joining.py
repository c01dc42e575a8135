"""Whether a mail goes on in a conversation that it points to: a pure decision on what was looked up.

Everybody who ever saw a mail knows its Message-ID, and a reply address travels with every forwarding. So a reference and a
token only suggest a conversation; the sender must take part in it, and not be a proven forgery, else a person decides. A
subject suggests nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Way(StrEnum):
    """What becomes of a mail."""

    JOIN = "join"  #: it goes on in the conversation
    ASK = "ask"  #: it waits for a person, with the conversation as a suggestion
    NEW = "new"  #: it begins a conversation


class Clue(StrEnum):
    """What pointed to a conversation."""

    TOKEN = "token"  #: our signed token in the address that the mail was sent to
    REFERENCE = "reference"  #: an id in In-Reply-To or References


@dataclass(frozen=True, slots=True)
class Candidate:
    """A conversation that was found, with who takes part: addresses in their one form, and contacts."""

    conversation: int
    clue: Clue
    addresses: frozenset[str]
    contacts: frozenset[int] = frozenset()

    def includes(self, sender: str, contact: int | None) -> bool:
        """Whether the sender, or the same contact by another address, takes part."""
        return bool(sender) and (
            sender in self.addresses or (contact is not None and contact in self.contacts)
        )


@dataclass(frozen=True, slots=True)
class Placing:
    """The decision. `reason`: "" or why a person is asked: token_of_stranger, reference_of_stranger, forged_sender."""

    way: Way
    conversation: int | None = None
    reason: str = ""


def place(
    candidates: Iterable[Candidate], sender: str, contact: int | None = None, dmarc: str = "none"
) -> Placing:
    """Where the mail of this sender goes; candidates come likeliest first.

    `sender` is the address of From in the one form of the candidates' addresses, "" when there is none. `dmarc` is the
    result for its domain (RFC 7489): pass, fail, none, temperror, permerror. A failure means that the domain's owner does
    not vouch for the mail: a participant's address alone then proves nothing.
    """
    stranger: Candidate | None = None
    for candidate in candidates:
        if candidate.includes(sender, contact):
            if dmarc.lower() == "fail":
                return Placing(Way.ASK, candidate.conversation, "forged_sender")
            return Placing(Way.JOIN, candidate.conversation)
        stranger = stranger or candidate
    if stranger is not None:
        return Placing(Way.ASK, stranger.conversation, f"{stranger.clue}_of_stranger")
    return Placing(Way.NEW)
