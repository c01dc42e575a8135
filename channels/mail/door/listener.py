"""A listening socket and the connections that came through it: opened, counted, cut at the end."""

from __future__ import annotations

import asyncio
import weakref
from abc import ABC, abstractmethod
from typing import cast

from aiosmtpd.smtp import SMTP

from domain.errors import ConfigurationError


class Listener(ABC):
    """Listens on one address while started.

    `setting` is the name of the setting that chose the port, for the error when it is taken.
    """

    def __init__(self, host: str, port: int, setting: str) -> None:
        self._host = host
        self._port = port
        self._setting = setting
        self._server: asyncio.Server | None = None
        self._connections: weakref.WeakSet[SMTP] = weakref.WeakSet()

    @abstractmethod
    def _make_connection(self) -> SMTP:
        """The protocol of a new connection."""

    @property
    def port(self) -> int:
        """The port that is listened on; what was asked for while it is closed."""
        return self._server.sockets[0].getsockname()[1] if self._server else self._port

    async def start(self) -> None:
        """Open the door. Raises ConfigurationError when the address is taken or not ours."""
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._connect, self._host, self._port, backlog=512
            )
        except OSError as error:
            raise ConfigurationError(
                f"{self._setting}: cannot listen on {self._host}:{self._port} ({error.strerror}); "
                "choose another port, or stop what uses this one"
            ) from error

    async def stop(self) -> None:
        """Close the door and every connection; a mail that is being received is not answered."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        tasks = []
        for connection in list(self._connections):
            if connection._handler_coroutine is not None:
                connection._handler_coroutine.cancel()
                tasks.append(connection._handler_coroutine)
            abort(connection)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _connect(self) -> SMTP:
        connection = self._make_connection()
        self._connections.add(connection)
        return connection


def abort(connection: SMTP) -> None:
    """Cut a connection at once."""
    # uvloop's transports are no subclass of asyncio.Transport.
    if connection.transport is not None:
        cast(asyncio.Transport, connection.transport).abort()
