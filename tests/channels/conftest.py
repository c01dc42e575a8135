"""Shared by the tests of the channels: a certificate of our own, a scripted server, channels that are closed."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop

from channels.mail.settings import Encryption, MailSettings, Timeouts
from channels.mail.smtp import MailChannel
from tests.channels.scripted import ScriptedServer


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer().running() as running:
        yield running


@pytest.fixture
async def open_channel() -> AsyncIterator[Callable[..., MailChannel]]:
    """Makes channels to a port of the loopback, closed afterwards; one connection unless told otherwise."""
    channels: list[MailChannel] = []

    def make(port: int, **settings: object) -> MailChannel:
        values: dict[str, object] = {
            "host": "127.0.0.1",
            "port": port,
            "connections": 1,
            "encryption": Encryption.NEVER,
            "timeouts": Timeouts(quit=0.5, grace=0.5),
            **settings,
        }
        channel = MailChannel(MailSettings.model_validate(values))
        channels.append(channel)
        return channel

    yield make
    for channel in channels:
        await channel.close()


@dataclass(frozen=True)
class Certificate:
    """A certificate for localhost and 127.0.0.1, signed by itself."""

    cert: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """For a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return Certificate(cert, key)


@pytest.fixture
def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test of a channel runs on both event loops: production uses uvloop."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
