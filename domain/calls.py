"""Calls: where one stands, how it ended, and what a caller hears, said without any provider's language.

A call is a message of the channel `voice`, from us or to us. What happens on the line is a document: verbs in order,
which a channel writes in its provider's language (channels/voice). Pure; standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class CallState(StrEnum):
    """Where a call stands."""

    PLACING = "placing"  #: ours: asked of the provider, who has not answered yet
    UNCONFIRMED = (
        "unconfirmed"  #: ours: nobody knows whether the provider took it; never asked for again by itself
    )
    RINGING_US = "ringing_us"  #: ours: the phone of our person rings first
    MENU = "menu"  #: theirs: the caller listens and chooses
    RINGING = "ringing"  #: the other side's phone rings: the contact's (ours), or somebody's of us (theirs)
    WAITING = "waiting"  #: theirs: on hold
    TALKING = "talking"
    VOICEMAIL = "voicemail"  #: theirs: the caller speaks a message
    ENDED = "ended"


class CallResult(StrEnum):
    """How a call ended."""

    ANSWERED = "answered"  #: two people spoke
    NO_ANSWER = "no_answer"  #: ours: the contact did not take it, or our person hung up while it rang
    BUSY = "busy"  #: ours: the contact was on the phone
    UNREACHABLE = "unreachable"  #: ours: the network could not reach the number
    FAILED = "failed"  #: it could not be placed, or broke on our side or the provider's
    CANCELLED = "cancelled"  #: ours: the contact's phone never rang: our person hung up before, or did not take their own
    VOICEMAIL = "voicemail"  #: theirs: nobody took it, and a message was left
    MISSED = "missed"  #: theirs: nobody took it, and no message was left
    ABANDONED = "abandoned"  #: theirs: the caller hung up before anybody's phone rang


class CallPart(StrEnum):
    """Whose leg of a call it is."""

    US = "us"
    THEM = "them"


LIVE_STATES: Final = frozenset(CallState) - {CallState.ENDED, CallState.UNCONFIRMED}


# What happens on a line. Every `action` is the address of ours that is asked what comes next.


@dataclass(frozen=True, slots=True)
class Say:
    """Speak a text; `language` is a BCP 47 tag such as fr-FR."""

    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Play:
    """Play a sound file from an http(s) address, `times` times; 0 is for ever."""

    url: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence."""

    seconds: int = 1


@dataclass(frozen=True, slots=True)
class Gather:
    """Listen for keys or speech while `prompt` is said. Without an answer the verbs behind it go on."""

    action: str
    prompt: tuple[Say | Play | Pause, ...] = ()
    digits: int | None = 1  #: how many keys; None: as many as come before #
    speech: bool = False
    seconds: int = 5  #: of silence
    language: str = ""
    hints: tuple[str, ...] = ()  #: words that are likely to be spoken


@dataclass(frozen=True, slots=True)
class Target:
    """Somebody to ring: a number in E.164 form, or client:name for a phone in a browser."""

    number: str
    whisper: str = ""  #: address of a document that only this person hears before both are connected
    status: str = ""  #: address that is told how this leg stands


@dataclass(frozen=True, slots=True)
class Ring:
    """Connect with whoever of `targets` answers first."""

    targets: tuple[Target, ...]
    action: str  #: asked when nobody answered, or the talk has ended
    seconds: int = 20
    caller_id: str = ""
    longest: int = 14_400  #: seconds of talk
    recorded: str = ""  #: address that is told of the recording; empty: nothing is recorded


@dataclass(frozen=True, slots=True)
class Record:
    """Record what the caller says."""

    action: str
    recorded: str  #: address that is told when the recording can be fetched
    transcribed: str = ""  #: address that gets the transcript; empty: none is made
    longest: int = 180  #: seconds
    silence: int = 5  #: seconds that end it
    finish_keys: str = "#"


@dataclass(frozen=True, slots=True)
class Redirect:
    """Go on with the document at another address."""

    url: str


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the call."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Do not take the call; nothing is charged. `busy`: the caller hears that the line is busy."""

    busy: bool = False


Verb = Say | Play | Pause | Gather | Ring | Record | Redirect | Hangup | Reject
Document = tuple[Verb, ...]


#: The provider's words for a leg, in the order in which they can follow; the last ones end it.
LEG_RANKS: Final[Mapping[str, int]] = {
    "queued": 0,
    "initiated": 1,
    "ringing": 2,
    "in-progress": 3,
    "busy": 4,
    "no-answer": 4,
    "canceled": 4,
    "failed": 4,
    "completed": 4,
}
LEG_ENDS: Final = frozenset(word for word, rank in LEG_RANKS.items() if rank == 4)
