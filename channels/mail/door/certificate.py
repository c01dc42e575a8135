"""The certificate of a door: read from files, and read again when they were renewed."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from domain.errors import ConfigurationError

_log = logging.getLogger(__name__)


class Certificate:
    """A server's certificate and key. Raises ConfigurationError when they cannot be read."""

    def __init__(self, certificate: Path, key: Path | None, setting: str) -> None:
        self._files = (certificate, key)
        self._seen = self._stamp()
        try:
            self._context = self._load()
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"{setting}: {certificate} and {key or 'the key in it'} cannot be used ({error}); "
                "give PEM files of a certificate with its chain and of the key that belongs to it"
            ) from error

    def context(self) -> ssl.SSLContext:
        """The context for the next handshake; with the renewed files when they are in order, else as before."""
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            try:
                self._context = self._load()
            except (OSError, ssl.SSLError) as error:
                _log.error("The renewed certificate cannot be used, the old one stays: %s", error)
        return self._context

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._files)
        return context

    def _stamp(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(_stamp(file) for file in self._files if file is not None)


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
