"""The SMTP door of the test mailbox: aiosmtpd, answering 250 only after the mail is stored (promise 1)."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Protocol

from aiosmtpd.smtp import SMTP, Envelope, Session

from channels.base import Received
from channels.mail.door.listener import Listener, abort
from channels.sandbox.tricks import CONTENT_REFUSED, RCPT_REPLIES, Trick, Tricks

log = logging.getLogger(__name__)

SIZE_LIMIT = 33_554_432  #: bytes of one mail


class Store(Protocol):
    """Where the mails go. When it returns, the mail is safe; when it raises, the sender is told to try again."""

    async def __call__(self, received: Received) -> None:
        """Keep one mail for all its recipients."""
        ...


class SandboxDoor(Listener):
    """Receives by SMTP on one address, while started. `tricks` may be changed at any time."""

    def __init__(
        self,
        store: Store,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tricks: Tricks | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(host, port, "sandbox.port")
        self.tricks = tricks or Tricks()
        self._store = store
        self._tls = tls

    def _make_connection(self) -> SMTP:
        return SMTP(
            _Handler(self),
            data_size_limit=SIZE_LIMIT,
            enable_SMTPUTF8=True,
            hostname="sandbox.localhost",
            ident="Clytie test mailbox",
            tls_context=self._tls,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            loop=asyncio.get_running_loop(),
        )

    async def keep(self, received: Received) -> bool:
        """Store a mail; False, and a line in the log, when that failed."""
        try:
            await self._store(received)
        except Exception:
            log.exception("the test mailbox could not store a mail")
            return False
        return True


class _Handler:
    """What happens at each command; aiosmtpd finds the methods by their names."""

    def __init__(self, door: SandboxDoor) -> None:
        self._door = door

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Offer PIPELINING too: aiosmtpd reads commands one by one and answers in order, as RFC 2920 wants."""
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", "250 HELP"]

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the recipient, unless a trick refuses it."""
        refusal = RCPT_REPLIES.get(self._door.tricks.choose(address))
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Store the mail, then answer for it."""
        tricks = {self._door.tricks.choose(address) for address in envelope.rcpt_tos}
        if Trick.SPAM in tricks:
            return CONTENT_REFUSED
        if Trick.SLOW in tricks:
            await asyncio.sleep(self._door.tricks.slow_seconds)
        if Trick.LOST in tricks:
            await _drop(server)
        peer: object = session.peer  # an address and a port, whatever aiosmtpd's annotation says
        received = Received(
            raw=envelope.original_content or b"",
            sender="" if envelope.mail_from in (None, "<>") else str(envelope.mail_from),
            recipients=tuple(envelope.rcpt_tos),
            door="sandbox",
            meta={"peer": str(peer[0]) if isinstance(peer, tuple) else "", "helo": session.host_name or ""},
        )
        if not await self._door.keep(received):
            return "451 4.3.0 the mail could not be stored, try again later"
        if Trick.KEPT in tricks:
            await _drop(server)
        return "250 2.0.0 stored in the test mailbox"


async def _drop(server: SMTP) -> None:
    """Cut the connection; the loss cancels the caller, which waits for it here."""
    abort(server)
    await asyncio.Event().wait()
