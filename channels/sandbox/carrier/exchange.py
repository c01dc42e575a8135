"""What all parts of the carrier share: its memory, its clock and its seconds, its tasks, and who waits for changes."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from channels.sandbox.carrier.memory import Memory
from channels.sandbox.carrier.mischief import Mischief
from channels.sandbox.carrier.records import Account, Number, Service, make_sid
from channels.sandbox.carrier.settings import CarrierSettings, NumberSettings
from domain.clock import Clock

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that an address or document of ours did wrong, as the provider's debugger would show it."""

    at: datetime
    code: int  #: the provider's: 11200 no usable answer, 12100 not XML, 12200 not its vocabulary
    about: str  #: the call or message
    text: str


class Exchange:
    """The middle of the carrier. Lives in one event loop, as long as the carrier is started."""

    def __init__(self, settings: CarrierSettings, clock: Clock) -> None:
        self.settings = settings
        self.memory = Memory()
        self.mischief = Mischief()
        self.url = ""  #: where the interface is reached, without a slash at the end
        self.version = 0  #: counts changes that a phone could show
        self.problems: deque[Problem] = deque(maxlen=200)  #: the newest at the end
        self._clock = clock
        self._changed = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()  #: what runs beside
        self._seed()

    def now(self) -> datetime:
        """The moment, for dates in records."""
        return self._clock.now()

    def complain(self, code: int, about: str, text: str) -> None:
        """Remember that something of ours was wrong."""
        self.problems.append(Problem(self.now(), code, about, text))
        self.changed()

    async def sleep(self, seconds: float) -> None:
        """Wait for this many seconds of the carrier."""
        await asyncio.sleep(seconds * self.settings.second)

    def real(self, seconds: float) -> float:
        """How long this many seconds of the carrier last."""
        return seconds * self.settings.second

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something beside; what it raises is logged."""
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def changed(self) -> None:
        """Wake whoever looks at a phone."""
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for_change(self, version: int, timeout: float) -> int:
        """The version, as soon as it is another than this, or after `timeout` real seconds."""
        if self.version == version:
            try:
                async with asyncio.timeout(timeout):
                    await self._changed.wait()
            except TimeoutError:
                pass
        return self.version

    def add_number(self, given: NumberSettings) -> None:
        """Give the account a number."""
        now = self.now()
        number = Number(
            sid=make_sid("PN"),
            account_sid=self.settings.account_sid,
            phone_number=given.phone_number,
            friendly_name=given.friendly_name or given.phone_number,
            created=now,
            updated=now,
            sms_url=given.sms_url,
            voice_url=given.voice_url,
            status_callback=given.status_callback,
        )
        self.memory.numbers[number.sid] = number

    async def stop(self) -> None:
        """End every task."""
        for _ in range(5):  # what ends may still have something to tell
            tasks = list(self.tasks)
            if not tasks:
                return
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=5)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the test carrier: %s failed", task.get_name(), exc_info=error)

    def _seed(self) -> None:
        settings, now = self.settings, self.now()
        sid = settings.account_sid
        self.memory.accounts[sid] = Account(
            sid, settings.auth_token.get_secret_value(), "Test account", sid, now, now
        )
        for given in settings.numbers:
            self.add_number(given)
        for service in settings.services:
            self.memory.services[service.sid] = Service(
                sid=service.sid,
                account_sid=sid,
                friendly_name=service.friendly_name,
                senders=service.senders,
                inbound_url=service.inbound_url,
                status_callback=service.status_callback,
            )
