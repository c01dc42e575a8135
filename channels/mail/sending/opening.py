"""Opening an SMTP connection: TCP, greeting, EHLO, STARTTLS, login. One coroutine that reads top to bottom.

Sources: RFC 5321 3.1 and 4.1.1.1, RFC 3207 (STARTTLS), RFC 8314 (implicit TLS), RFC 4954 and 4616 (AUTH), XOAUTH2.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import cast

from channels.mail.oauth.tokens import TokenSource
from channels.mail.oauth.xoauth2 import explain_challenge, initial_response
from channels.mail.sending.outcomes import Phase, judge_refusal
from channels.mail.sending.session import Session
from channels.mail.sending.wire import Features, Reply, reply_text
from channels.mail.settings import Encryption, RelaySettings
from domain.errors import ClytieError, ConfigurationError


class OpeningFailed(Exception):
    """No connection; says nothing about any recipient. `reason` is a word of our vocabulary."""

    def __init__(self, reason: str, words: str) -> None:
        self.reason = reason
        self.words = words
        super().__init__(words)


def make_tls(settings: RelaySettings) -> ssl.SSLContext:
    """The TLS context for these settings. Raises ConfigurationError when ca_file cannot be read."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"ca_file: {settings.ca_file} holds no certificates: {error}") from error
    opportunistic = settings.encryption is Encryption.OPPORTUNISTIC and not settings.username
    if opportunistic or not settings.verify:
        # Whoever accepts plain text gains nothing from refusing an unknown certificate (RFC 7435).
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def open_session(
    settings: RelaySettings,
    tls: ssl.SSLContext | None,
    make: Callable[[], Session],
    tokens: TokenSource | None = None,
) -> tuple[Session, Features]:
    """Connect, greet, encrypt and log in. Raises OpeningFailed; the connection is closed then."""
    session: Session | None = None
    try:
        session = await _connect(settings, tls, make)
        return session, await _introduce(session, settings, tls, tokens)
    except OpeningFailed:
        raise
    except ssl.SSLError as error:
        raise OpeningFailed("tls_failed", f"TLS with {settings.host}: {error}") from error
    except TimeoutError as error:
        raise OpeningFailed("timeout", f"{settings.host}:{settings.port} did not answer in time") from error
    except OSError as error:
        reason = "connection_lost" if session else "connection_failed"
        raise OpeningFailed(reason, f"{settings.host}:{settings.port}: {error}") from error
    finally:
        # Not reached with a session in good order: the caller has it, and `features` are set.
        if session is not None and not session.ready and session.transport is not None:
            session.transport.abort()


async def _connect(
    settings: RelaySettings, tls: ssl.SSLContext | None, make: Callable[[], Session]
) -> Session:
    implicit = settings.encryption is Encryption.IMPLICIT
    async with asyncio.timeout(settings.timeouts.connect):
        _, session = await asyncio.get_running_loop().create_connection(
            make,
            settings.host,
            settings.port,
            ssl=tls if implicit else None,
            server_hostname=settings.host if implicit else None,
        )
    return session


async def _introduce(
    session: Session, settings: RelaySettings, tls: ssl.SSLContext | None, tokens: TokenSource | None
) -> Features:
    timeouts = settings.timeouts
    async with asyncio.timeout(timeouts.greeting):
        _demand(220, await session.read_reply())
    features = await _greet(session, settings)
    encrypted = settings.encryption is Encryption.IMPLICIT
    if settings.encryption in (Encryption.OPPORTUNISTIC, Encryption.REQUIRED):
        encrypted = features.starttls and await _encrypt(session, settings, tls)
        if encrypted:
            features = await _greet(session, settings)  # what was said in the clear counts no more
        elif settings.encryption is Encryption.REQUIRED:
            raise OpeningFailed("tls_failed", f"{settings.host} does not offer STARTTLS, which is required")
    if settings.username:
        if not encrypted and not settings.plain_login:
            raise OpeningFailed("auth_failed", f"no TLS with {settings.host}, so the login is not sent")
        if tokens is not None:
            await _log_in_by_token(session, settings, features, tokens)
        else:
            async with asyncio.timeout(timeouts.command):
                await _log_in(session, settings, features)
    session.ready = True
    return features if settings.pipelining else replace(features, pipelining=False)


async def _greet(session: Session, settings: RelaySettings) -> Features:
    name = (settings.client_name or _own_address(session)).encode("idna" if settings.client_name else "ascii")
    async with asyncio.timeout(settings.timeouts.command):
        code, text = await session.ask(b"EHLO " + name + b"\r\n")
        if code == 250:
            return Features.from_ehlo(text)
        if code // 100 != 5:
            _demand(250, (code, text))
        _demand(250, await session.ask(b"HELO " + name + b"\r\n"))
    return Features()


def _own_address(session: Session) -> str:
    """An address literal (RFC 5321 4.1.3), for clients without a name of their own."""
    assert session.transport is not None
    own = session.transport.get_extra_info("sockname")
    address = str(own[0]).partition("%")[0] if isinstance(own, tuple) else "127.0.0.1"
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


async def _encrypt(session: Session, settings: RelaySettings, tls: ssl.SSLContext | None) -> bool:
    """STARTTLS. False when the server will not now; raises OpeningFailed when the handshake is unsound."""
    async with asyncio.timeout(settings.timeouts.command):
        code, text = await session.ask(b"STARTTLS\r\n")
    if code != 220:
        if settings.encryption is Encryption.REQUIRED:
            raise OpeningFailed("tls_failed", reply_text(code, text))
        return False
    if session.unread:
        # Somebody on the way may have added replies that would be read as if they had come through TLS.
        raise OpeningFailed("tls_failed", f"{settings.host} went on talking in the clear after STARTTLS")
    assert session.transport is not None
    assert tls is not None
    async with asyncio.timeout(settings.timeouts.connect):
        transport = await asyncio.get_running_loop().start_tls(
            session.transport, session, tls, server_hostname=settings.host
        )
    session.connection_made(cast(asyncio.BaseTransport, transport))
    return True


async def _log_in(session: Session, settings: RelaySettings, features: Features) -> None:
    """AUTH PLAIN, else AUTH LOGIN. Raises OpeningFailed."""
    user, password = settings.username.encode(), settings.password.get_secret_value().encode()
    if "PLAIN" in features.auth:
        answers = [b64encode(b"\0" + user + b"\0" + password)]
        reply = await session.ask(b"AUTH PLAIN " + answers[0] + b"\r\n")
    elif "LOGIN" in features.auth:
        answers = [b64encode(user), b64encode(password)]
        reply = await session.ask(b"AUTH LOGIN\r\n")
    else:
        raise OpeningFailed("auth_failed", f"{settings.host} offers no login by PLAIN or LOGIN")
    for answer in answers:
        if reply[0] != 334:
            break
        reply = await session.ask(answer + b"\r\n")
    if reply[0] != 235:
        raise OpeningFailed("auth_failed", reply_text(*reply))


async def _log_in_by_token(
    session: Session, settings: RelaySettings, features: Features, tokens: TokenSource
) -> None:
    """AUTH XOAUTH2; a token that is refused is replaced once, as it may have been withdrawn. Raises OpeningFailed."""
    if "XOAUTH2" not in features.auth:
        raise OpeningFailed("auth_failed", f"{settings.host} offers no login by XOAUTH2")
    refused = words = ""
    for _ in range(2):
        try:
            token = await tokens.access_token(not_this=refused)
        except (ClytieError, OSError) as error:
            raise OpeningFailed("auth_failed", f"no access token for {settings.username}: {error}") from error
        async with asyncio.timeout(settings.timeouts.command):
            first = b64encode(initial_response(settings.username, token))
            code, text = await session.ask(b"AUTH XOAUTH2 " + first + b"\r\n")
            said = explain_challenge(text) if code == 334 else ""
            if code == 334:  # the refusal in JSON, which is answered with nothing
                code, text = await session.ask(b"\r\n")
        if code == 235:
            return
        refused, words = token, "; ".join(part for part in (said, reply_text(code, text)) if part)
    raise OpeningFailed("auth_failed", words)


def _demand(code: int, reply: Reply) -> None:
    """Raise OpeningFailed unless the reply has this code."""
    if reply[0] != code:
        _, reason = judge_refusal(Phase.MAIL, *reply)
        raise OpeningFailed(reason, reply_text(*reply))
