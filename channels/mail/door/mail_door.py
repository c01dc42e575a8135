"""The SMTP and the LMTP door: who may hand in what, and 250 only after it is stored (promise 1).

What is taken is an envelope and bytes; nobody reads them here. A recipient that `knows` does not know is refused
at RCPT, so we relay for nobody and bounce to nobody.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from aiosmtpd.smtp import SMTP, Envelope, Session

from channels.base import Received
from channels.mail.door import replies
from channels.mail.door.certificate import Certificate
from channels.mail.door.content import Room
from channels.mail.door.counters import CONNECTIONS
from channels.mail.door.listener import Listener
from channels.mail.door.lmtp import LmtpReception
from channels.mail.door.login import Logins
from channels.mail.door.peers import Peers
from channels.mail.door.reception import Reception
from channels.mail.door.settings import DoorSettings, SmtpSettings
from domain.errors import Unavailable

_log = logging.getLogger(__name__)

#: Keeps a mail; when it returns, the mail is safe, and the word it returns is what we call it. When it raises, the
#: sender is told to try again.
Store = Callable[[Received], Awaitable[str]]
#: Whether mail to this address is for us. Raises what a database raises; the sender is told to try again.
Knows = Callable[[str], Awaitable[bool]]
DoorName = Literal["smtp", "lmtp"]


class MailDoor(Listener):
    """Receives by SMTP or LMTP while started.

    Must be made inside its event loop. Raises ConfigurationError for a certificate that cannot be used.
    """

    def __init__(self, name: DoorName, store: Store, knows: Knows, settings: DoorSettings) -> None:
        super().__init__(settings.host, settings.port, f"inbox.{name}.port")
        self.name: Final = name
        self.settings: Final = settings
        self.hostname: Final = settings.hostname or socket.gethostname()
        self.peers: Final = Peers(settings)
        self.room: Final = Room(settings.memory_limit)
        self.logins: Final = Logins(settings.users if isinstance(settings, SmtpSettings) else {})
        self.certificate: Final = (
            Certificate(settings.certificate, settings.certificate_key, f"inbox.{name}.certificate")
            if settings.certificate
            else None
        )
        self._store = store
        self._handler = Handler(self, knows)
        CONNECTIONS.labels(name).set_function(lambda: self.peers.total)

    async def keep(self, received: Received) -> str | None:
        """Store a mail and say what we call it; None, and a line in the log, when that failed."""
        try:
            return await self._store(received)
        except Unavailable as error:
            _log.warning("A mail could not be stored: %s", error)
        except Exception:
            _log.exception("A mail could not be stored")
        return None

    def _make_connection(self) -> SMTP:
        return (LmtpReception if self.name == "lmtp" else Reception)(self, self._handler)


class Handler:
    """What happens at each command of the envelope; aiosmtpd finds the methods by their names."""

    def __init__(self, door: MailDoor, knows: Knows) -> None:
        self._door = door
        self._knows = knows

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Offer PIPELINING too: aiosmtpd reads commands one by one and answers in order, as RFC 2920 wants."""
        session.host_name = hostname
        offered = [line for line in responses[:-1] if line != "250-AUTH "]
        return [*offered, "250-PIPELINING", "250 ENHANCEDSTATUSCODES"]

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the recipient if it is one of ours."""
        if len(envelope.rcpt_tos) >= self._door.settings.recipients_limit:
            return replies.TOO_MANY_RECIPIENTS
        try:
            known = await self._knows(address)
        except Exception as error:
            _log.warning("Nobody can tell whether an address is ours: %r", error)
            return replies.NOT_NOW
        if not known:
            return replies.UNKNOWN_RECIPIENT
        envelope.rcpt_tos.append(address)
        return replies.RECIPIENT_TAKEN
