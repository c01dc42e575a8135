"""One leg of a call while it lasts: what the person at the phone hears, and what the person does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from channels.sandbox.carrier.records import Call, Recording

_MOST_HEARD: Final = 1000  #: things that a phone shows of one call


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that was heard or done on a line. Sound is text here."""

    at: datetime
    kind: str  #: said (by a document), played, voice (of the other), own (what the person says), keys, tone, note
    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a document comes from: an address with what is sent to it, or the document itself."""

    url: str = ""
    method: str = "POST"
    document: str = ""
    params: dict[str, str] = field(default_factory=dict)
    fallback: tuple[str, str] = ("", "POST")


@dataclass(frozen=True, slots=True)
class Deed:
    """What the person at the phone did: pressed a key, or spoke."""

    digit: str = ""
    speech: str = ""


@dataclass(slots=True)
class Recorder:
    """Writes down what is said on a line, while it runs. `own_only`: only what its own person says."""

    recording: Recording
    own_only: bool = False
    paused: bool = False


class Line:
    """A leg of a call. `peers` hear what is said on it."""

    def __init__(
        self, call: Call, person: str, now: Callable[[], datetime], changed: Callable[[], None]
    ) -> None:
        self.call = call
        self.person = person  #: the number of the phone on this line
        self.heard: list[Heard] = []
        self.deeds: asyncio.Queue[Deed] = asyncio.Queue()
        self.listening: frozenset[str] = frozenset()  #: digits, speech: what is waited for just now
        self.answered = asyncio.Event()
        self.ended = asyncio.Event()
        self.left = asyncio.Event()  #: taken away from whoever had dialled it
        self.peers: set[Line] = set()
        self.recorders: list[Recorder] = []
        self.script: asyncio.Task[None] | None = None
        self.following: Source | None = None  #: what to do when the script is interrupted
        self.shown = False  #: whether the phone knows about it
        self.answered_at = 0.0  #: of the event loop's clock
        self._now = now
        self._changed = changed

    def hear(self, kind: str, text: str, language: str = "") -> None:
        """The person at this phone hears something."""
        if len(self.heard) >= _MOST_HEARD:  # hours of music in a queue
            del self.heard[: _MOST_HEARD // 2]
        self.heard.append(Heard(self._now(), kind, text, language))
        if kind in ("said", "voice"):
            self._record(text, own=False)
        self._changed()

    def press(self, digits: str) -> None:
        """The person presses keys."""
        self.heard.append(Heard(self._now(), "keys", digits))
        for peer in self.peers:
            peer.hear("tone", digits)
        for digit in digits:
            self.deeds.put_nowait(Deed(digit=digit))
        self._changed()

    def speak(self, text: str) -> None:
        """The person says something."""
        self.heard.append(Heard(self._now(), "own", text))
        self._record(text, own=True)
        for peer in self.peers:
            peer.hear("voice", text)
        self.deeds.put_nowait(Deed(speech=text))
        self._changed()

    def listen(self, *wanted: str) -> None:
        """Wait for digits, speech or both from now on; what was done before does not count."""
        if wanted and not self.listening:
            while not self.deeds.empty():
                self.deeds.get_nowait()
        self.listening = frozenset(wanted)
        self._changed()

    def _record(self, text: str, *, own: bool) -> None:
        for recorder in self.recorders:
            if not recorder.paused and (own or not recorder.own_only):
                recorder.recording.words.append(text)


class Bridge:
    """Two lines that hear each other, until one ends or somebody parts them."""

    def __init__(self, one: Line, other: Line) -> None:
        self.over = asyncio.Event()
        self._lines = (one, other)
        one.peers.add(other)
        other.peers.add(one)

    async def wait(self, *more: asyncio.Event) -> None:
        """Until it is over, either line ended, the second was taken away, or one of `more` happens."""
        one, other = self._lines
        await first_of(self.over, one.ended, other.ended, other.left, *more)

    def part(self) -> None:
        """Let them no longer hear each other."""
        one, other = self._lines
        one.peers.discard(other)
        other.peers.discard(one)
        self.over.set()


async def first_of(*events: asyncio.Event, timeout: float | None = None) -> bool:
    """Wait until one of the events has happened; False when none did within `timeout` real seconds."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        for wait in waits:
            wait.cancel()


async def cancel_and_wait(task: asyncio.Task[None]) -> None:
    """End a task and wait until it has ended; its own ending is of no interest."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()
