"""One connection of a door: aiosmtpd's dialogue with what it lacks.

Of aiosmtpd stay the commands, the states and STARTTLS. Ours are the limits per peer, the reading of the content
(aiosmtpd goes line by line, keeps a line without an end for ever, and refuses lines over 1,000 bytes), a fast way
for plain addresses, and passwords checked off the loop.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from typing import Any, Final, cast

from aiosmtpd.smtp import SMTP, AuthResult, TLSSetupException, syntax

from channels.base import Received
from channels.mail.door import replies
from channels.mail.door.content import Flood, Hold, NoRoom, TooLarge, read_content
from channels.mail.door.counters import ERRORS, RECEIVED, REFUSED
from channels.mail.door.entrance import Entrance

_log = logging.getLogger(__name__)
#: A path without quotes or a source route; anything else takes the long way.
_PLAIN_PATH: Final = re.compile(
    r"<([^\s<>@\"\\(),:;\x00-\x1f\x7f\ud800-\udfff]{1,64}@[^\s<>@\"\\(),;\x00-\x1f\x7f\ud800-\udfff]{1,255}|)>"
)
_SOURCE_ROUTE: Final = re.compile(r"<@[^\s<>:]{1,500}:")
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_COMMAND_BYTES: Final = 2048
#: How often a command may come in one connection: some are good for nothing else than wasting time.
_CALLS: Final = {
    "NOOP": 200,
    "VRFY": 20,
    "HELP": 20,
    "EHLO": 50,
    "HELO": 50,
    "LHLO": 50,
    "AUTH": 10,
    "*": 1_000_000,
}
_ABORT_SECONDS: Final = 5.0
_TURN: Final = 20  # replies, before the other connections have their turn
#: What strangers get for a command and for a content while the door is nearly full, in seconds.
_HURRY_COMMAND: Final = 20.0
_HURRY_CONTENT: Final = 120.0


class Reception(SMTP):
    """A connection of the SMTP door. `handler` has the methods that aiosmtpd asks at each command."""

    line_length_limit = 32_768  # what is read ahead; no limit of lines, those of the content have none
    command_size_limit = 1024
    greeting = "HELO"

    def __init__(self, door: Entrance, handler: object) -> None:
        settings = door.settings
        super().__init__(
            handler,
            data_size_limit=settings.size_limit,
            enable_SMTPUTF8=True,
            hostname=door.hostname,
            ident="Clytie",
            tls_context=door.certificate.context() if door.certificate else None,
            require_starttls=getattr(settings, "tls_required", False),
            timeout=settings.command_seconds,
            auth_required=getattr(settings, "login_required", False),
            auth_exclude_mechanism=() if door.logins else ("LOGIN", "PLAIN"),
            command_call_limit=_CALLS,
            loop=asyncio.get_running_loop(),
        )
        # aiosmtpd counts these up for all connections together.
        self.command_size_limits = defaultdict(lambda: _COMMAND_BYTES)
        self._door = door
        self._errors = 0
        self._sent_away = False
        self._replies = 0

    async def _handle_client(self) -> None:
        peer = self._peer()
        refusal = self._door.peers.admit(peer)
        if refusal is not None:
            REFUSED.labels(self._door.name).inc()
            await self.push(refusal)
            self._hang_up()
            return
        try:
            await super()._handle_client()
        finally:
            self._door.peers.leave(peer)

    async def push(self, status: Any) -> None:
        """Answer; a stranger that has made too many errors is sent away."""
        text = await self._say(status)
        if text[:1] == "5":
            await self._count_error()

    async def _say(self, status: Any) -> str:
        text = status.decode("utf-8", "replace") if isinstance(status, bytes) else str(status)
        text = _UNFIT.sub("?", text)
        await super().push(text.encode())
        self._replies += 1
        if self._replies % _TURN == 0:  # commands that wait in the buffer are read without a pause
            await asyncio.sleep(0)
        return text

    async def _count_error(self) -> None:
        """Hold an error against the peer, and send it away when it was one too many."""
        ERRORS.labels(self._door.name).inc()
        peers, peer = self._door.peers, self._peer()
        if self._sent_away or not peers.is_limited(peer):
            return
        self._errors += 1
        if peers.note_error(peer) or self._errors >= self._door.settings.errors_limit:
            self._sent_away = True
            peers.pause(peer)
            await super().push(replies.TOO_MANY_ERRORS)
            self._hang_up()
            assert self._handler_coroutine is not None
            self._handler_coroutine.cancel()

    async def handle_exception(self, error: Exception) -> str:
        """Our fault, so the sender tries again; but a handshake that fails is its own affair."""
        if isinstance(error, TLSSetupException):
            ERRORS.labels(self._door.name).inc()
            return replies.NOT_NOW
        _log.error("A command of a mail server failed", exc_info=error)
        return replies.NOT_NOW

    async def smtp_STARTTLS(self, arg: str) -> None:
        """Begin TLS with the certificate as it is now; once (RFC 3207, 4)."""
        if self._tls_protocol is not None:
            await self.push("503 5.5.1 TLS is active already")
            return
        if self._door.certificate is not None:
            self.tls_context = self._door.certificate.context()
        await super().smtp_STARTTLS(arg)

    async def smtp_AUTH(self, arg: str) -> None:
        """Log in; the mechanism's name in any case of letters."""
        mechanism, space, rest = (arg or "").partition(" ")
        await super().smtp_AUTH(mechanism.upper() + space + rest)

    def _authenticate(self, mechanism: str, auth_data: Any) -> AuthResult:
        return AuthResult(success=False, handled=False, auth_data=auth_data)

    async def auth_PLAIN(self, _: object, args: list[str]) -> AuthResult:
        """RFC 4616."""
        return await self._check_login(super().auth_PLAIN(_, args))

    async def auth_LOGIN(self, _: object, args: list[str]) -> AuthResult:
        """The older way, which some programs still prefer."""
        return await self._check_login(super().auth_LOGIN(_, args))

    async def _check_login(self, reading: Awaitable[AuthResult]) -> AuthResult:
        try:
            read = await reading
        except ValueError:  # of the reader: an answer without an end
            await self.push("500 5.5.6 the line is too long")
            return AuthResult(success=False, handled=True)
        if read.auth_data is None:
            return read  # already answered
        name, password = read.auth_data
        user = await self._door.logins.check(name, password)
        if user is None:
            return AuthResult(success=False, handled=False)
        return AuthResult(success=True, auth_data=user)

    async def smtp_VRFY(self, arg: str) -> None:
        """Tell nobody who has a mailbox here."""
        await self.push("252 2.1.5 send a mail and see")

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:
        """Read the content, store it, answer for it."""
        if await self.check_helo_needed(self.greeting) or await self.check_auth_needed("DATA"):
            return
        assert self.envelope is not None
        if not self.envelope.rcpt_tos:
            await self.push(replies.NEED_RECIPIENT)
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        hold = Hold(self._door.room)
        if not hold.grow(1):
            await self.push(replies.NO_ROOM)
            return
        recipients = tuple(self.envelope.rcpt_tos)
        try:
            self._reset_timeout(self._door.settings.data_seconds)
            await self.push(replies.GO_ON)
            reply = await self._receive(recipients, hold)
        finally:
            hold.release()
        self.envelope = self._create_envelope()
        self._reset_timeout()
        RECEIVED.labels(self._door.name, reply[:3]).inc()
        await self._answer(reply, recipients)

    async def _receive(self, recipients: Sequence[str], hold: Hold) -> str:
        try:
            content = await read_content(self._reader, self._door.settings.size_limit, hold)
        except TooLarge:
            return replies.TOO_LARGE
        except NoRoom:
            return replies.NO_ROOM
        except Flood:
            self.loop.call_soon(self._hang_up)
            return replies.TOO_LARGE
        sender = self.envelope.mail_from if self.envelope else None
        name = await self._door.keep(
            Received(
                raw=content,
                sender="" if sender in (None, "<>") else str(sender),
                recipients=tuple(dict.fromkeys(recipients)),
                door=self._door.name,
                meta=self._trace(),
            )
        )
        return replies.NOT_NOW if name is None else replies.taken(name)

    async def _answer(self, reply: str, recipients: Sequence[str]) -> None:
        await self.push(reply)

    def _trace(self) -> dict[str, str]:
        """What a Received header would tell."""
        session = self.session
        assert session is not None
        protocol = "ESMTP" if session.extended_smtp else "SMTP"
        trace = {"peer": self._peer(), "helo": _UNFIT.sub("?", session.host_name or "")[:255]}
        if session.ssl is not None:
            protocol += "S"
            cipher = session.ssl.get("cipher")
            trace["tls"] = " ".join(map(str, reversed(cipher[:2]))) if cipher else "yes"
        if session.authenticated:
            protocol += "A"
            trace["user"] = str(session.auth_data)
        return trace | {"protocol": protocol}

    def _peer(self) -> str:
        peer: object = self.session.peer if self.session else None
        return str(peer[0]) if isinstance(peer, tuple) and peer else ""

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """The address of a path, and what follows it; (None, None) for what is none."""
        if plain := _PLAIN_PATH.match(arg):
            return plain[1] or "<>", arg[plain.end() :].strip()
        if _UNFIT.search(arg):
            return None, None
        try:
            address, rest = super()._getaddr(_SOURCE_ROUTE.sub("<", arg, count=1))
        except Exception:  # the parser of the standard library stumbles over some
            return None, None
        return address, rest

    def _getparams(self, params: Sequence[str]) -> dict[str, str | bool] | None:
        if not all(one.isascii() for one in params):  # some digits are none to int()
            return None
        # AUTH= names who sent it first (RFC 4954, 5); we believe nobody that, and take it as said.
        return super()._getparams([one for one in params if not one.upper().startswith("AUTH=")])

    def _reset_timeout(self, duration: float | None = None) -> None:
        """Wait for the next command, or so long; when the door is nearly full, strangers have to be quick."""
        if self._door.peers.crowded and self._door.peers.is_limited(self._peer()):
            seconds = duration or self._door.settings.command_seconds
            duration = min(seconds, _HURRY_COMMAND if duration is None else _HURRY_CONTENT)
        super()._reset_timeout(duration)

    def _timeout_cb(self) -> None:
        if self.transport is not None:
            cast(asyncio.Transport, self.transport).write(replies.TOO_SLOW.encode() + b"\r\n")
            self._hang_up()

    def _hang_up(self) -> None:
        """Close; a peer that does not read what is still to be said is cut off after a while."""
        if self.transport is not None:
            transport = cast(asyncio.Transport, self.transport)
            transport.close()
            self.loop.call_later(_ABORT_SECONDS, transport.abort)
