"""The port of the test phone: what a console shows of the phones that the carrier reaches, and does with them.

In the process that runs the carrier `Handsets` is behind it, in every other one `RemotePhones`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Attachment(_View):
    """A picture or file of a message; `Phones.fetch_attachment` gives its content."""

    sid: str
    content_type: str


class Text(_View):
    """A message on a phone."""

    sid: str
    other: str = Field(description="the number or name it was exchanged with")
    mine: bool = Field(description="written on this phone")
    body: str
    at: datetime
    attachments: tuple[Attachment, ...] = ()


class Sound(_View):
    """Something on a call: kind is said (by a document), played, voice (of the other person), own, keys, tone, note."""

    at: datetime
    kind: Literal["said", "played", "voice", "own", "keys", "tone", "note"]
    text: str
    language: str = ""


class PhoneCall(_View):
    """A call as the phone shows it."""

    sid: str
    other: str
    incoming: bool = Field(description="this phone is, or was, being called")
    state: Literal["calling", "ringing", "talking", "ended"]
    status: str = Field(
        description="the provider's word: ringing, in-progress, completed, busy, no-answer, …"
    )
    listening: tuple[Literal["digits", "speech"], ...] = Field(
        default=(), description="what is waited for now"
    )
    at: datetime
    answered_at: datetime | None = Field(default=None, description="when it was taken")
    seconds: int = Field(default=0, description="how long it lasted, when it has ended")
    sounds: tuple[Sound, ...] = ()


class Phone(_View):
    """One phone: its threads are its texts by `other`; both lists oldest first."""

    number: str
    name: str = ""
    texts: tuple[Text, ...] = ()
    calls: tuple[PhoneCall, ...] = ()


class PhoneSummary(_View):
    """A phone in the list."""

    number: str
    name: str = ""
    texts: int = 0
    preview: str = Field(default="", description="how its last message begins")
    last: datetime | None = None
    ringing: bool = False
    talking: bool = False


class OwnNumber(_View):
    """A number of ours, which people write to and call."""

    number: str
    name: str = ""


class Phones(Protocol):
    """All phones. Raises NotFound, Conflict or InvalidInput of domain.errors, and Unavailable without a carrier."""

    async def list_phones(self) -> list[PhoneSummary]:
        """Those that were added, had a call or, last of all, a message: some 200, the one used last comes first."""
        ...

    async def list_numbers(self) -> list[OwnNumber]:
        """Numbers of ours that phones can write to and call, in their order."""
        ...

    async def add_phone(self, number: str, name: str = "") -> None:
        """Put a phone on the table; `client:name` is a phone in somebody's browser."""
        ...

    async def show_phone(self, number: str) -> Phone:
        """One phone with everything on it."""
        ...

    async def send_text(
        self, number: str, to: str, body: str, media: Sequence[tuple[str, bytes]] = ()
    ) -> str:
        """Write to a number of ours; media are content types with contents. Gives the message's identifier."""
        ...

    async def fetch_attachment(self, sid: str) -> tuple[str, bytes]:
        """A picture or file of a message: content type and content, as strangers made them."""
        ...

    async def call(self, number: str, to: str) -> str:
        """Call a number of ours. Gives the call's identifier."""
        ...

    async def answer(self, call_sid: str) -> None:
        """Take a call that rings."""
        ...

    async def hang_up(self, call_sid: str) -> None:
        """End a call, or decline it."""
        ...

    async def press(self, call_sid: str, digits: str) -> None:
        """Press keys: 0 to 9, * and #."""
        ...

    async def speak(self, call_sid: str, text: str) -> None:
        """Say something."""
        ...

    async def wait(self, version: int, timeout: float) -> int:
        """The version of all that is shown, as soon as it is another than this one, or after `timeout` seconds."""
        ...
