"""What a step of a call is taken with, and what it gives: values without a word of how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from domain.calls import Document
from inbox.lines.position import Position
from inbox.lines.ringing import Reach, Rep


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back. `answered`: somebody of us took the call that was ringing; `left`: a message was recorded."""

    keys: str = ""
    speech: str = ""
    answered: bool = False
    left: bool = False


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of ours that the next document names."""

    step: str
    left: str
    voicemail: str  #: told of the recorded message
    transcript: str
    talk: str  #: told of the recorded talk
    music: str
    whisper: Callable[[int], str]  #: by the person who is rung
    rang: Callable[[int], str]  #: told how the phone of this person stands


@dataclass(frozen=True, slots=True)
class Scene:
    """What the step is taken in. `caller`: their number or address, empty for a hidden one; `language`: of the caller, when it is
    known; `announce`: talks are recorded only after saying so; `written`: languages whose messages are written down."""

    now: datetime
    is_open: bool
    links: Links
    caller: str = ""
    language: str = ""
    announce: bool = True
    reach: Reach = field(default_factory=Reach)
    voicemail_seconds: int = 120
    longest_talk: int = 7200
    written: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True)
class Next:
    """What the caller hears next, where they are then, and whose phones ring."""

    document: Document
    position: Position
    ringing: tuple[Rep, ...] = ()
