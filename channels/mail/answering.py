"""The headers and the envelope of an automatic answer of ours (RFC 3834, 3): nobody's machine shall answer it."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Final

from channels.mail.automatic import LOOP_HEADER, answer_address
from channels.mail.parsed import ParsedMail
from domain.errors import InvalidInput

_REFERENCES_LIMIT: Final = 20
_ID: Final = re.compile(r"[^\s<>]{1,250}")
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f]+")
_PREFIX: Final = re.compile(r"^\s*(?:auto\s*:\s*)+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AutomaticAnswer:
    """How an automatic answer travels: an empty envelope sender, so that no bounce comes back, and its headers.

    Header values are text and not yet encoded (RFC 2047); they hold no line ends.
    """

    recipient: str
    headers: tuple[tuple[str, str], ...]
    envelope_sender: str = ""


def write_answer(
    mail: ParsedMail,
    envelope_sender: str | None,
    *,
    sender: str,
    message_id: str,
    now: datetime,
    our_domains: Collection[str],
    subject: str = "",
) -> AutomaticAnswer:
    """Recipient and headers of an automatic answer to a mail that `automatic.may_answer` lets us answer.

    It goes to the envelope's sender and not to Reply-To (RFC 3834, 4), says `Auto-Submitted: auto-replied`, refers
    to the mail, and carries a header by which we know it again. There is no Precedence: RFC 3834, 3.1.8 calls it of
    no fixed meaning, and `bulk` sends answers that people wait for into junk; Exchange's own header keeps its
    answers away instead. `subject` replaces "Auto: " and the mail's subject. Raises InvalidInput when the mail
    names nobody to answer.
    """
    recipient = answer_address(mail, envelope_sender)
    if not recipient:
        raise InvalidInput(
            "envelope_sender", "there is nobody to answer.", "Ask may_answer before answering."
        )
    headers = [
        ("From", _line(sender)),
        ("To", _line(recipient)),
        ("Subject", _line(subject) or f"Auto: {_PREFIX.sub('', _line(mail.subject))}".strip()),
        ("Date", format_datetime(now)),
        ("Message-ID", f"<{message_id}>"),
    ]
    if _ID.fullmatch(mail.message_id):
        known = [one for one in mail.references or mail.in_reply_to if _ID.fullmatch(one)]
        if len(known) >= _REFERENCES_LIMIT:  # the first, which opened the thread, and the last ones
            known = [known[0], *known[2 - _REFERENCES_LIMIT :]]
        headers.append(("In-Reply-To", f"<{mail.message_id}>"))
        chain = dict.fromkeys([*known, mail.message_id])
        headers.append(("References", " ".join(f"<{one}>" for one in chain)))
    headers += [
        ("Auto-Submitted", "auto-replied"),
        ("X-Auto-Response-Suppress", "All"),
        *((LOOP_HEADER, _line(domain)) for domain in sorted(our_domains)[:1]),
    ]
    return AutomaticAnswer(recipient, tuple(headers))


def _line(text: str) -> str:
    """Text as one line: nothing of a stranger's subject may begin a header of ours."""
    return _UNSAFE.sub(" ", text).strip()
