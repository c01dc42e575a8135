"""A mail on its way to becoming a message: how it came, what it says, what others said about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from channels.mail.junk import Junk
from contacts.addresses import read_mail_address
from domain.errors import InvalidInput
from domain.tokens import Token
from inbox.mails.understanding import Understood

#: doors that are told who stands in the envelope
_ENVELOPED: Final = frozenset({"smtp", "lmtp"})


class Arrival(NamedTuple):
    """One time that the mail came."""

    door: str
    recipients: Sequence[str]
    meta: Mapping[str, Any]


@dataclass(slots=True)
class Arrived:
    """See the first lines of this file. `at`: when it came, in business time.

    `bounced` and `answered` are the tokens of envelope and reply addresses that it came to, `copier` the user whose
    personal Bcc address it came to; `named` has the campaigns' messages behind the Message-IDs that it speaks of.
    """

    raw_id: int
    attempts: int
    sender: str
    at: datetime
    understood: Understood
    arrivals: Sequence[Arrival]
    judgement: Junk = field(default_factory=Junk)
    authentication: Mapping[str, str] = field(default_factory=dict)
    bounced: Sequence[Token] = ()
    answered: Sequence[int] = ()
    copier: int | None = None
    named: Mapping[str, Token] = field(default_factory=dict)

    @property
    def recipients(self) -> list[str]:
        """The envelope's recipients, each once."""
        return list(dict.fromkeys(one for arrival in self.arrivals for one in arrival.recipients))

    @property
    def envelope_sender(self) -> str | None:
        """Who stood in the envelope: empty for nobody, None when the door could not know."""
        return envelope_of(self.sender, self.arrivals, bool(self.understood.mail.header("Return-Path")))

    @property
    def outgoing(self) -> bool:
        """Whether one of us wrote it outside of the house: a personal Bcc address, or a folder of sent mail."""
        if self.copier is not None:
            return True
        return bool(self.arrivals) and all(one.meta.get("direction") == "out" for one in self.arrivals)

    @property
    def author(self) -> str:
        """The address in From in its one form; empty when there is none that could be written to."""
        sender = self.understood.mail.sender
        return address_of(sender.address) if sender is not None else ""


def envelope_of(sender: str, arrivals: Sequence[Arrival], noted: bool = False) -> str | None:
    """The sender of an envelope; None where none was given, at a door without envelopes and without `noted`, a
    Return-Path that tells."""
    if sender or noted or any(one.door in _ENVELOPED for one in arrivals):
        return sender
    return None


@lru_cache(maxsize=10_000)
def address_of(text: str) -> str:
    """An address in its one form (contacts/addresses.py), empty for what is none."""
    try:
        return read_mail_address(text.strip())
    except InvalidInput:
        return ""
