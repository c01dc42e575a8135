"""What every handler of the web process works with; built by clytie/bootstrap.py, reached under `CONTEXT`."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from aiohttp import web

from channels.sandbox.carrier.mischief import Rule
from channels.sandbox.carrier.phone import Phones
from contacts.settings import ContactsSettings
from domain.clock import Clock
from domain.tokens import TokenKeys
from inbox.desk.files import AnswerFiles
from inbox.reading_settings import ReadingSettings
from outbox.composing import MailKitchen
from outbox.letters.writing import Stationery
from router.settings import RouterSettings
from storage.announce import Announcer, Bell
from storage.blobs import BlobStore
from storage.pool import Pool
from tracking.recorder import Recorder
from tracking.settings import TrackingSettings
from web.callbacks.sms import SmsCallbacks
from web.callbacks.voice_door import VoiceCallbacks
from web.queries.campaigns import Known
from web.settings import WebSettings
from web.texting import TextAccount


class Enqueue(Protocol):
    """Hand a job to the workers by name; `arguments` are ids and other JSON values.

    Losing a job loses nothing: loops and schedules look again by themselves.
    """

    def __call__(self, job: str, *arguments: Any) -> Awaitable[None]:
        """Enqueue `job`. Raises Unavailable when the queue cannot be reached."""
        ...


async def enqueue_nothing(job: str, *arguments: Any) -> None:
    """An `Enqueue` for processes without a queue: schedules find the work."""


@dataclass(frozen=True, slots=True)
class Door:
    """What mail comes in by: `smtp`, `lmtp` or `sandbox`, and where it listens."""

    kind: str
    host: str
    port: int


class Mischief(Protocol):
    """How the test carrier misbehaves (channels.sandbox.carrier.remote.RemoteControl)."""

    async def add_rule(self, rule: Rule) -> int:
        """Misbehave so from now on; gives the rule's number."""
        ...

    async def remove_rule(self, number: int) -> None:
        """Take a rule back."""
        ...

    async def list_rules(self) -> dict[int, Rule]:
        """The rules in force."""
        ...

    async def behave(self) -> None:
        """Take all rules back."""
        ...


@dataclass(frozen=True, slots=True)
class TestPhone:
    """The phones of the test carrier, and its tricks."""

    __test__ = False  # not a test, whatever its name looks like

    phones: Phones
    mischief: Mischief


@dataclass(slots=True)
class WebContext:
    """The parts of the house that the web process holds. `demo` opens what only a demo may do."""

    pool: Pool
    announcer: Announcer
    bell: Bell
    clock: Clock
    tokens: TokenKeys
    blobs: BlobStore
    recorder: Recorder | None  #: started; None in a process that takes no hits
    kitchen: MailKitchen
    answer_files: AnswerFiles
    settings: WebSettings = field(default_factory=WebSettings)
    contacts: ContactsSettings = field(default_factory=ContactsSettings)
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    router: RouterSettings = field(default_factory=RouterSettings)
    enqueue: Enqueue = enqueue_nothing
    front_door: tuple[str, int] | None = None  #: where mail comes in by SMTP: host and port
    doors: tuple[Door, ...] = ()  #: those that the settings open
    copy_domain: str = ""  #: of personal Bcc addresses; empty: that of the queues' addresses
    reading: ReadingSettings = field(default_factory=ReadingSettings)
    sms: SmsCallbacks | None = (
        None  #: what takes reports and messages of the SMS provider; None without an account
    )
    test_phone: TestPhone | None = None  #: None where an account is set for short messages and calls
    texts: TextAccount = field(default_factory=TextAccount)  #: what short messages cost and come from
    voice: VoiceCallbacks | None = (
        None  #: what places calls and answers their provider; None without an account
    )
    demo: bool = False
    progress: Known = field(default_factory=dict)  #: of campaigns, so that many who watch share one count

    @property
    def stationery(self) -> Stationery:
        """What writing letters takes."""
        return Stationery(self.clock, self.tokens, self.kitchen.settings, self.blobs)


CONTEXT: Final = web.AppKey("context", WebContext)
