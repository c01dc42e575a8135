"""The test carrier, started and stopped: one per machine, in one process, on a port of its own."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from aiohttp import web

from channels.sandbox.carrier.api.server import build_app
from channels.sandbox.carrier.handsets import Handsets
from channels.sandbox.carrier.parts import build_parts
from channels.sandbox.carrier.settings import CarrierSettings, NumberSettings
from domain.clock import Clock, SystemClock
from domain.errors import ConfigurationError


class Carrier:
    """Listens while started. Its state is gone when it is stopped, as its memory says."""

    def __init__(self, settings: CarrierSettings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.parts = build_parts(settings, clock or SystemClock())
        self.phones = Handsets(self.parts)
        self._runner: web.AppRunner | None = None
        self._port = settings.port
        self._kept: set[str] = set()

    @property
    def port(self) -> int:
        """The port that it listens on; what was asked for while it is stopped."""
        return self._port

    @property
    def url(self) -> str:
        """Where it is reached, without a slash at the end: stands for https://api.twilio.com."""
        return self.settings.model_copy(update={"port": self._port}).reached_at

    async def start(self) -> None:
        """Open the port. Raises ConfigurationError when it is taken or not ours."""
        listener = socket.socket(socket.AF_INET6 if ":" in self.settings.host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.settings.host, self.settings.port))
        except OSError as error:
            listener.close()
            raise ConfigurationError(
                f"carrier.port: cannot listen on {self.settings.host}:{self.settings.port} ({error.strerror}). "
                "Choose another port, or 0 for a free one."
            ) from error
        self._port = listener.getsockname()[1]
        self.parts.exchange.url = self.url
        await self.parts.courier.start()
        self._runner = web.AppRunner(
            build_app(self.parts, self.phones), access_log=None, shutdown_timeout=1.0
        )
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()

    def keep_numbers(self, numbers: Sequence[NumberSettings]) -> None:
        """Own these numbers, beside those of the settings; those of the last call that are not among them are given back."""
        memory, wanted = self.parts.exchange.memory, {one.phone_number: one for one in numbers}
        for gone in self._kept - set(wanted):
            number = memory.find_number(gone)
            if number is not None:
                del memory.numbers[number.sid]
        self._kept &= set(wanted)
        changed = False
        for phone_number, given in wanted.items():
            known = memory.find_number(phone_number)
            if known is None:
                self.parts.exchange.add_number(given)
                self._kept.add(phone_number)
            elif phone_number in self._kept and known.friendly_name != (given.friendly_name or phone_number):
                known.friendly_name = given.friendly_name or phone_number
            else:
                continue
            changed = True
        if changed:
            self.parts.exchange.changed()

    async def stop(self) -> None:
        """Close the port and end every call and callback."""
        await self.parts.exchange.stop()
        await self.parts.courier.stop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
