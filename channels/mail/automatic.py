"""Machines that write to us, and when we may answer by machine ourselves (RFC 3834). Pure decisions.

An automatic answer to an automatic mail is how loops begin, so the burden of proof is turned: we answer only a mail
that was sent to an address of ours by name, by somebody who can read the answer, and seldom.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from channels.mail.absences import Absence, find_absence, is_automatic_answer
from channels.mail.parsed import ParsedMail

#: Every word that `why_automatic` may give, and the sentence for people.
AUTOMATIC: Final[dict[str, str]] = {
    "auto_submitted": "The mail says that a machine wrote it.",
    "calendar_response": "It accepts or declines an invitation.",
    "daemon_address": "Its sender is a mail server or another program.",
    "list": "It came through a mailing list.",
    "loop": "It went through us before.",
    "no_reply_address": "Its sender takes no answers.",
    "no_responses": "It asks for no automatic answers.",
    "null_sender": "Its envelope names no sender, as that of bounces.",
    "out_of_office": "It is an out-of-office answer.",
    "precedence_bulk": "It is bulk mail.",
    "read_receipt": "It confirms that a mail was read.",
    "report": "It reports on the delivery of a mail, or complains about one.",
}

#: Every word that `may_answer` may give beside those above, and the sentence for people.
REFUSED: Final[dict[str, str]] = {
    "not_addressed": "None of our addresses stands in To or Cc: it was copied blindly, or came through an alias.",
    "ourselves": "It came from an address of ours.",
    "no_sender": "It has no address that an answer could go to.",
    "correspondent_cap": "The sender got enough automatic answers for now.",
    "hour_cap": "Enough automatic answers went out in this hour.",
}

#: The header that we put into our own automatic answers; its value is a domain of ours.
LOOP_HEADER: Final = "X-Clytie-Loop"
#: Servers write one Delivered-To each time they hand a mail on; the same address twice is a loop (as in qmail).
_HOPS_LIMIT: Final = 100

_DAEMONS: Final = re.compile(
    r"(?:mailer-?daemon|post[-_]?master|mail-?daemon|majordomo|listserv|mailman|root|daemon|uucp|www-data|nobody|bounces?"
    r"|auto-?(?:reply|responder|mailer)|abuse-report|.*-(?:bounces|request|owner)|owner-.*|.*-outgoing|.*-relay|bounces?[-+].*)@",
    re.IGNORECASE,
)
_NO_REPLY: Final = re.compile(
    r"(?:.*[._+-])?(?:(?:no|not|dont|donot|do-not|do_not|never|non|ne-pas|nao)[._-]?(?:reply|respond|answer|repondre|responder|rispondere)"
    r"|nicht-?antworten|niet-?(?:antwoorden|beantwoorden)|nepasrepondre|ne[._-]pas[._-]repondre|pasdereponse|keine-?antwort"
    r"|nie-?odpowiadaj|svara-?(?:inte|ej)|no-?contestar|non-?rispondere|nao-?responda|unattended|donotreply)(?:[._+-].*)?@",
    re.IGNORECASE,
)
_BULK: Final = frozenset({"bulk", "list", "junk"})
_LIST_HEADERS: Final = (
    "list-id",
    "list-unsubscribe",
    "list-post",
    "list-help",
    "mailing-list",
    "x-mailing-list",
    "x-beenthere",
    "x-ml-name",
    "x-mlserver",
)
#: Suppress values of Exchange that speak to answers like ours (DR, NDR, RN and NRN speak of receipts).
_SUPPRESSED: Final = frozenset({"all", "oof", "autoreply"})
_REPORTS: Final = ("delivery-status", "feedback-report", "disposition-notification")


@dataclass(frozen=True, slots=True)
class Caps:
    """How many automatic answers may go out: to one correspondent within a period, and to all in an hour."""

    per_correspondent: int = 1
    period: timedelta = timedelta(days=7)  # RFC 3834, 2: once in several days
    per_hour: int = 100


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no automatic answer goes out: a word of AUTOMATIC or REFUSED."""

    reason: str

    @property
    def gloss(self) -> str:
        """The sentence for people."""
        return AUTOMATIC.get(self.reason) or REFUSED[self.reason]


def why_automatic(
    mail: ParsedMail, envelope_sender: str | None, our_domains: Collection[str] = ()
) -> str | None:
    """The word of AUTOMATIC for why a mail must be taken for a machine's; None when a person may have written it.

    A mail that `bounces.classify` calls a report is a machine's without asking here: private forms need not look like one.
    `envelope_sender` is empty for a null sender, and None when the door did not tell. `Auto-Submitted: no` is the
    word of a person's program that nobody else's guesses (precedence, subject) outweigh.
    """
    if _is_loop(mail, our_domains):
        return "loop"
    if report := _report(mail):
        return report
    if envelope_sender is not None and envelope_sender.strip("<> ") == "":
        return "null_sender"
    sender = mail.sender.address if mail.sender else ""
    addresses = [address for address in ((envelope_sender or "").strip("<> "), sender) if address]
    headers = {name.lower(): value for name, value in reversed(mail.headers)}
    submitted = headers.get("auto-submitted", "").split(";")[0].split("(")[0].strip().lower()
    if is_automatic_answer(headers | {"subject": mail.subject}):
        return "out_of_office" if read_absence(mail) else "auto_submitted"
    if submitted not in ("", "no"):
        return "auto_submitted"
    if any(headers.get(name) for name in _LIST_HEADERS):
        return "list"
    nameless = not sender and "mailer-daemon" in headers.get("from", "").lower()
    if nameless or any(_DAEMONS.match(address) for address in addresses):
        return "daemon_address"
    if any(_NO_REPLY.match(address) for address in addresses):
        return "no_reply_address"
    if _is_calendar_response(mail):
        return "calendar_response"
    suppressed = {word.strip().lower() for word in headers.get("x-auto-response-suppress", "").split(",")}
    if suppressed & _SUPPRESSED:
        return "no_responses"
    if submitted != "no" and (
        headers.get("precedence", "").strip().lower() in _BULK or headers.get("feedback-id")
    ):
        return "precedence_bulk"
    return None


def may_answer(
    mail: ParsedMail,
    envelope_sender: str | None,
    our_addresses: Collection[str],
    recent_answers: Sequence[datetime],
    now: datetime,
    caps: Caps,
    *,
    answers_this_hour: int = 0,
) -> Refusal | None:
    """Why we must not answer this mail by machine, or None when we may.

    `our_addresses` are those of the mailbox it came to (RFC 3834, 2: one of them must stand in To or Cc);
    `recent_answers` when automatic answers went to this sender before; `answers_this_hour` how many went out to
    anybody since an hour. Times are aware.
    """
    ours = {address.lower() for address in our_addresses}
    domains = {address.rpartition("@")[2] for address in ours}
    if reason := why_automatic(mail, envelope_sender, domains):
        return Refusal(reason)
    target = answer_address(mail, envelope_sender)
    if not target:
        return Refusal("no_sender")
    writer = mail.sender.address.lower() if mail.sender else ""
    if target.lower() in ours or writer in ours:
        return Refusal("ourselves")
    if not any(mailbox.address.lower() in ours for mailbox in (*mail.to, *mail.cc)):
        return Refusal("not_addressed")
    if sum(now - answered < caps.period for answered in recent_answers) >= caps.per_correspondent:
        return Refusal("correspondent_cap")
    if answers_this_hour >= caps.per_hour:
        return Refusal("hour_cap")
    return None


def answer_address(mail: ParsedMail, envelope_sender: str | None) -> str:
    """Where an automatic answer goes: the envelope's sender, not Reply-To (RFC 3834, 4); without one, From."""
    envelope = (envelope_sender or "").strip("<> ")
    if envelope or envelope_sender is not None:
        return envelope
    return mail.header("Return-Path").strip("<> ") or (mail.sender.address if mail.sender else "")


def read_absence(mail: ParsedMail) -> Absence | None:
    """The absence that an out-of-office answer tells, with the first day back; None for any other mail."""
    sent = (mail.date or datetime.now(UTC)).date()
    headers = {name.lower(): value for name, value in reversed(mail.headers)} | {"subject": mail.subject}
    if headers.get("x-apple-action", "").lower().startswith("vacation"):
        return find_absence("vacation:", f"{mail.subject} {mail.text}", sent)
    if not is_automatic_answer(headers):
        return None
    return find_absence(mail.subject, mail.text, sent)


def _report(mail: ParsedMail) -> str:
    kind = mail.header("Content-Type").lower()
    if "disposition-notification" in kind or any(
        attachment.media_type == "message/disposition-notification" for attachment in mail.attachments
    ):
        return "read_receipt"
    if kind.startswith("multipart/report") and any(name in kind for name in _REPORTS):
        return "report"
    return ""


def _is_calendar_response(mail: ParsedMail) -> bool:
    kinds = [mail.header("Content-Type")]
    for attachment in mail.attachments:
        if attachment.media_type == "text/calendar" and re.search(
            rb"^METHOD:(?:REPLY|COUNTER|DECLINECOUNTER)\s*$", attachment.content[:10_000], re.MULTILINE
        ):
            return True
    return any(
        re.search(r"text/calendar.{0,200}method=\"?(?:reply|counter)", kind, re.IGNORECASE) for kind in kinds
    )


def _is_loop(mail: ParsedMail, our_domains: Collection[str]) -> bool:
    ours = {domain.lower() for domain in our_domains}
    if any(value.strip().lower() in ours for value in mail.all(LOOP_HEADER)):
        return True
    delivered = [value.strip("<> ").lower() for value in mail.all("Delivered-To")]
    if len(delivered) != len(set(delivered)):
        return True
    return len(mail.all("Received")) > _HOPS_LIMIT
