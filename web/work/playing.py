"""Playing the contact: whoever looks at the test mailbox answers a mail, or writes one, as the person it belongs to.

The mail takes the way of every stranger's: by SMTP through the front door, read by the worker, into a conversation.
"""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr, formatdate, getaddresses, make_msgid

from channels.mail.mime import parse
from channels.mail.subjects import reply_subject
from contacts.addresses import read_mail_address
from domain.errors import InvalidInput, Unavailable
from web.i18n import N_

#: short lines make the library encode long Message-IDs
_POLICY = SMTP.clone(max_line_length=900)
_PATIENCE = 10.0  # seconds for each step of the dialogue
LONGEST = 50_000  #: characters


def write_reply(raw: bytes, who: tuple[str, str], text: str) -> tuple[EmailMessage, list[str]]:
    """The answer of `who` (name, address) to a mail, as a mail program writes it, and where it goes (Reply-To first).

    Raises InvalidInput when there is nothing to say, or nowhere to say it.
    """
    mail = parse(raw)
    targets = [one.address for one in (mail.reply_to or ((mail.sender,) if mail.sender else ()))]
    if not targets:
        raise InvalidInput("text", N_("This mail names nobody to answer to."), N_("Choose another one."))
    written = _written(who, targets, reply_subject(mail.subject), _quoted(text, mail.text, mail.sender))
    if mail.message_id:
        written["In-Reply-To"] = f"<{mail.message_id}>"
        known = [*mail.references, mail.message_id][-20:]
        written["References"] = " ".join(f"<{one}>" for one in known)
    return written, targets


def write_new(who: tuple[str, str], to: str, subject: str, text: str) -> tuple[EmailMessage, list[str]]:
    """A mail of `who` to an address of ours. Raises InvalidInput."""
    target = read_mail_address(to.strip(), "to")
    if not subject.strip():
        raise InvalidInput(
            "subject", N_("The subject is missing."), N_("Say in a few words what it is about.")
        )
    return _written(who, [target], " ".join(subject.split())[:900], _checked(text)), [target]


def _written(who: tuple[str, str], to: Sequence[str], subject: str, text: str) -> EmailMessage:
    name, address = who
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = formataddr((name, address)) if name and name != address else address
    mail["To"] = ", ".join(to)
    mail["Subject"] = subject
    mail["Date"] = formatdate(localtime=True)
    mail["Message-ID"] = make_msgid(domain=address.rpartition("@")[2])
    mail.set_content(text)
    return mail


def _checked(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\0", "").strip()
    if not text:
        raise InvalidInput("text", N_("The mail is empty."), N_("Write something first."))
    if len(text) > LONGEST:
        raise InvalidInput("text", N_("This text is too long."), N_("Shorten it."))
    return text


def _quoted(text: str, before: str, sender: object) -> str:
    address = getattr(sender, "address", "")
    quoted = "\n".join(f"> {line}" for line in before.strip().splitlines()[:200])
    return f"{_checked(text)}\n\n{address} wrote:\n{quoted}\n" if quoted else _checked(text)


async def hand_in(door: tuple[str, int] | None, mail: EmailMessage, sender: str, to: Sequence[str]) -> None:
    """Send a mail through the front door. Raises Unavailable in a sentence when it is closed, or refuses it."""
    if door is None:
        raise Unavailable(
            N_("The front door for mail is closed in this installation (CLYTIE_INBOX__SMTP__ENABLED).")
        )
    host, port = door
    try:
        await asyncio.to_thread(_send, host, port, mail, sender, list(to))
    except smtplib.SMTPRecipientsRefused as error:
        ((_address, (_code, words)),) = list(error.recipients.items())[:1]
        raise Unavailable(
            f"The front door did not take the mail: {words.decode('utf-8', 'replace')[:300]}"
        ) from error
    except (OSError, smtplib.SMTPException) as error:
        raise Unavailable(f"The front door at {host}:{port} did not take the mail: {error}") from error


def _send(host: str, port: int, mail: EmailMessage, sender: str, to: list[str]) -> None:
    with smtplib.SMTP(host, port, timeout=_PATIENCE) as server:
        server.send_message(mail, sender, [address for _name, address in getaddresses(to)])
