"""The doctor at a mail server: connects, greets, encrypts and logs in as the sender would; nothing is sent."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from base64 import b64encode
from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from channels.mail.oauth.xoauth2 import explain_challenge, initial_response
from channels.mail.settings import Encryption, RelaySettings
from domain.findings import Finding

_WAIT: Final = 15.0
_SOON: Final = timedelta(days=14)
_WELCOME, _GO_ON = 235, 334


def examine_relay(relay: RelaySettings, token: str = "") -> Iterator[Finding]:
    """Findings on one server: that it answers, its TLS, the login. Blocks. `token`: for a login by OAuth."""
    place = f"{relay.host} port {relay.port}"
    subject = f"Mail {relay.called}"
    implicit = relay.encryption is Encryption.IMPLICIT
    must_check = relay.verify and (
        implicit or relay.encryption is Encryption.REQUIRED or bool(relay.username)
    )
    try:
        context = _tls_context(relay, must_check)
    except OSError as error:  # ssl.SSLError among them
        yield Finding(
            f"{subject} TLS",
            False,
            f"{relay.ca_file} holds no certificates: {error}",
            "Correct CLYTIE_MAIL__CA_FILE.",
        )
        return
    try:
        if implicit:
            client: smtplib.SMTP = smtplib.SMTP_SSL(relay.host, relay.port, timeout=_WAIT, context=context)
        else:
            client = smtplib.SMTP(relay.host, relay.port, timeout=_WAIT)
    except ssl.SSLError as error:
        yield _tls_failure(subject, place, error)
        return
    except (OSError, smtplib.SMTPException) as error:
        yield Finding(
            subject,
            False,
            f"{place}: {error}",
            "Check CLYTIE_MAIL__HOST, __PORT and __ENCRYPTION, and whether a firewall stands between.",
        )
        return
    try:
        client.ehlo(relay.client_name)
        yield Finding(subject, True, f"{place} answers and offers {', '.join(sorted(client.esmtp_features))}")
        if not implicit and not (yield from _start_tls(client, relay, subject, place, context)):
            return
        if isinstance(client.sock, ssl.SSLSocket):
            yield _certificate(client.sock, subject, must_check)
        if token or (relay.oauth is None and relay.username):
            yield _login(client, relay, subject, token)
    except (OSError, smtplib.SMTPException) as error:
        yield Finding(
            subject,
            False,
            f"{place} stopped answering: {error}",
            "Try again; if it stays so, ask who runs the server.",
        )
    finally:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            client.quit()


def _start_tls(
    client: smtplib.SMTP, relay: RelaySettings, subject: str, place: str, context: ssl.SSLContext
) -> Generator[Finding, None, bool]:
    """Encrypt where that is wanted and offered; gives (by return) whether to go on."""
    if relay.encryption is Encryption.NEVER:
        yield Finding(f"{subject} TLS", True, "not used, as the settings say (encryption is `never`)")
        return True
    if not client.has_extn("starttls"):
        goes_on = relay.encryption is not Encryption.REQUIRED and (not relay.username or relay.plain_login)
        sent = "mail goes there in plain text" if goes_on else "so nothing is sent there"
        yield Finding(
            f"{subject} TLS",
            goes_on and not relay.username,
            f"{place} offers no STARTTLS; {sent}",
            "Use another port (587), implicit TLS on 465, or set encryption to `never` on a private network.",
        )
        return goes_on
    try:
        client.starttls(context=context)
    except ssl.SSLError as error:
        yield _tls_failure(subject, place, error)
        return False
    client.ehlo(relay.client_name)
    return True


def _tls_context(relay: RelaySettings, must_check: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(relay.ca_file) if relay.ca_file else None)
    if not must_check:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _tls_failure(subject: str, place: str, error: ssl.SSLError) -> Finding:
    words = getattr(error, "verify_message", "") or str(error)
    return Finding(
        f"{subject} TLS",
        False,
        f"{place}: {words}",
        "Name the server as its certificate does, renew the certificate, or give its authority in "
        "CLYTIE_MAIL__CA_FILE. (A port that speaks STARTTLS needs encryption `required`, 465 needs `implicit`.)",
    )


def _certificate(sock: ssl.SSLSocket, subject: str, checked: bool) -> Finding:
    certificate = sock.getpeercert() or {}
    says = f"{sock.version()}, {'certificate checked' if checked else 'certificate not checked'}"
    ends = certificate.get("notAfter")
    if not isinstance(ends, str):
        return Finding(f"{subject} TLS", True, says)
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC)
    return Finding(
        f"{subject} TLS",
        until - datetime.now(UTC) > _SOON,
        f"{says}, valid until {until:%Y-%m-%d}",
        "Renew the certificate, or ask who runs the server to.",
    )


def _login(client: smtplib.SMTP, relay: RelaySettings, subject: str, token: str) -> Finding:
    """Log in by the mechanisms that the sender uses (channels/mail/sending/opening.py)."""
    subject = f"{subject} login"
    offered = client.esmtp_features.get("auth", "").upper().split()
    user, password = relay.username.encode(), relay.password.get_secret_value().encode()
    if token and "XOAUTH2" in offered:
        answers = ["XOAUTH2 " + _base64(initial_response(relay.username, token)), ""]
    elif not token and "PLAIN" in offered:
        answers = ["PLAIN " + _base64(b"\0" + user + b"\0" + password)]
    elif not token and "LOGIN" in offered:
        answers = ["LOGIN", _base64(user), _base64(password)]
    else:
        kind = "XOAUTH2" if token else "PLAIN or LOGIN"
        return Finding(
            subject,
            False,
            f"the server offers no login by {kind} here",
            "Use the port for submission (587 or 465), or leave CLYTIE_MAIL__USERNAME empty.",
        )
    code, words = client.docmd("AUTH", answers[0])
    said = ""
    for answer in answers[1:]:
        if code != _GO_ON:
            break
        said = f"{explain_challenge(words)}; " if token else ""
        code, words = client.docmd(answer)
    if code == _WELCOME:
        return Finding(subject, True, f"{relay.username} is let in")
    return Finding(
        subject,
        False,
        f"{relay.username} was refused: {said}{code} {words.decode('utf-8', 'replace')}",
        f"Run `clytie mail login {relay.called}` again, and see that the mailbox may send by SMTP."
        if token
        else "Check CLYTIE_MAIL__USERNAME and __PASSWORD; many providers want an application password or OAuth.",
    )


def _base64(value: bytes) -> str:
    return b64encode(value).decode()
