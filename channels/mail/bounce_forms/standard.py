"""The reports that standards describe: delivery status (RFC 3464), complaints (RFC 5965), receipts (RFC 8098).

Read with patience: fields in any order, missing blank lines, addresses in angle brackets or without a type.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from channels.mail.bounce_forms.failure import FAILURES_LIMIT, Failure, find_address
from channels.mail.bounce_forms.notice import Notice

_FIELD: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,60})[ \t]{0,9}:[ \t]*(.*)")
_LINES_LIMIT: Final = 20_000

_PER_RECIPIENT: Final = frozenset(
    {"original-recipient", "final-recipient", "action", "status", "remote-mta", "diagnostic-code"}
)
_PER_MESSAGE: Final = frozenset(
    {
        "reporting-mta",
        "reporting-ua",
        "arrival-date",
        "original-envelope-id",
        "received-from-mta",
        "x-postfix-sender",
        "original-message-id",
        "x-original-message-id",
    }
)
_PRIVATE: Final = ("x-powermta", "x-actual")
_NAMES: Final = (*_PER_MESSAGE, *_PER_RECIPIENT, *_PRIVATE)
_ACTIONS: Final = {
    "deliverable": "delivered",
    "failure": "failed",
    "fail": "failed",
    "delay": "delayed",
}
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")

#: What PowerMTA thinks of a refusal (X-PowerMTA-BounceCategory).
_POWERMTA: Final = {
    "bad-domain": "domain_unknown",
    "bad-mailbox": "mailbox_unknown",
    "inactive-mailbox": "mailbox_disabled",
    "message-expired": "expired",
    "no-answer-from-host": "routing_failed",
    "policy-related": "policy",
    "quota-issues": "mailbox_full",
    "routing-errors": "system_failed",
    "spam-related": "spam",
}


@dataclass(slots=True)
class StatusReport:
    """The fields of a delivery status: those of the message, and a failure per recipient (also delivered ones)."""

    message: dict[str, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    nameless: list[Failure] = field(
        default_factory=list
    )  #: the recipient is a file, a program, an X.400 name


def read_fields(text: str) -> list[list[tuple[str, str]]]:
    """Groups of fields, divided by empty lines; names in lower case, values unfolded."""
    groups: list[list[tuple[str, str]]] = [[]]
    for line in text.split("\n", _LINES_LIMIT)[:_LINES_LIMIT]:
        line = line[:4_000].rstrip()
        if not line:
            if groups[-1]:
                groups.append([])
        elif line[0] in " \t":
            if groups[-1]:
                name, value = groups[-1][-1]
                if len(value) < 4_000:
                    groups[-1][-1] = (name, f"{value} {line.strip()}".strip())
        elif match := _FIELD.match(line):
            groups[-1].append((match[1].lower(), match[2].strip()))
        elif groups[-1] and groups[-1][-1][0] == "diagnostic-code" and len(groups[-1][-1][1]) < 4_000:
            groups[-1][-1] = ("diagnostic-code", f"{groups[-1][-1][1]} {line.strip()}")
    return [group for group in groups if group]


def read_status(text: str) -> StatusReport:
    """The fields of RFC 3464, wherever they stand in a text; other fields are passed over."""
    report = StatusReport()
    low = text.lower()
    if not any(name in low for name in _NAMES):  # as in nearly every mail
        return report
    current: dict[str, str] = {}
    for group in read_fields(text):
        for name, value in group:
            if name in _PER_MESSAGE:
                report.message.setdefault(name, value)
                continue
            if name in ("final-recipient", "original-recipient") and name in current:
                _finish(report, current)
                current = {}
            if name in _PER_RECIPIENT or name.startswith(_PRIVATE):
                current.setdefault(name, value)
        if "final-recipient" in current or ("original-recipient" in current and "action" in current):
            _finish(report, current)
            current = {}
    _finish(report, current)
    return report


def _finish(report: StatusReport, fields: dict[str, str]) -> None:
    if not fields or len(report.failures) >= FAILURES_LIMIT:
        return
    final, original = _recipient(fields, "final-recipient"), _recipient(fields, "original-recipient")
    if not final and not original:
        if "final-recipient" in fields or "original-recipient" in fields:
            report.nameless.append(Failure(""))
            _fill(report.nameless[-1], fields)
        elif report.failures:  # a group that an empty line tore off
            _fill(report.failures[-1], fields)
        return
    failure = Failure(final or original)
    _fill(failure, fields)
    report.failures.append(failure)


def _recipient(fields: dict[str, str], name: str) -> str:
    return find_address(fields.get(name, "").split(";", 1)[-1])


def _fill(failure: Failure, fields: dict[str, str]) -> None:
    if status := _STATUS.search(fields.get("status", "")):
        failure.status = failure.status or status[0]
    elif not failure.words and fields.get("status"):
        failure.words = fields["status"]
    action = fields.get("action", "").lower().split(" ", 1)[0].rstrip(";,")
    failure.action = failure.action or _ACTIONS.get(action, action)
    kind, semicolon, words = fields.get("diagnostic-code", "").partition(";")
    if semicolon and " " not in kind.strip():
        failure.local = "unix" in kind.lower()
    else:
        words = fields.get("diagnostic-code", "")
    failure.say(" ".join(words.split()))
    host = fields.get("remote-mta", "").split(";", 1)[-1].strip().lower()
    failure.host = failure.host or host.split(" ", 1)[0].strip("()[]")
    failure.hint = failure.hint or _POWERMTA.get(fields.get("x-powermta-bouncecategory", "").lower(), "")


@dataclass(slots=True)
class Complaint:
    """A complaint of a mailbox provider about one of our messages."""

    addresses: tuple[str, ...]
    feedback_type: str
    reporter: str = ""
    arrival: str = ""
    words: str = ""


def read_complaint(notice: Notice) -> Complaint | None:
    """The complaint that a mail is, or None: ARF, Hotmail's older form, and Apple's unsubscribe mails."""
    kind = notice.header("content-type").lower()
    subject = notice.header("subject").lower()
    if notice.feedback or "feedback-report" in kind:
        return _arf(notice)
    if (
        "complaint about message from" in subject
        and notice.original
        and kind.startswith("multipart/")
        and (
            "x-hmxmroriginalrecipient" in notice.original
            or re.search(r"staff@hotmail\.com|@email-abuse\.amazonses\.com", notice.header("from"))
        )
    ):
        return Complaint(_recipients_of(notice), "abuse", "Microsoft", words=notice.header("subject"))
    if notice.header("x-apple-unsubscribe").lower() == "true":
        return Complaint((find_address(notice.header("from")),), "opt-out", "Apple")
    return None


def _arf(notice: Notice) -> Complaint:
    fields: dict[str, list[str]] = {}
    for group in read_fields(notice.feedback or notice.text):
        for name, value in group:
            fields.setdefault(name, []).append(value)

    def first(*names: str) -> str:
        return next((fields[name][0] for name in names if name in fields), "")

    named = [
        address
        for name in ("original-rcpt-to", "redacted-address", "removal-recipient")
        for value in fields.get(name, [])
        if (address := find_address(value))
    ]
    words = next((line.strip() for line in notice.lines() if line.strip()), "")
    return Complaint(
        tuple(dict.fromkeys(named[:FAILURES_LIMIT])) or _recipients_of(notice),
        first("feedback-type").lower() or "abuse",
        first("reporting-mta").split(";", 1)[-1].strip() or first("user-agent"),
        first("received-date", "arrival-date"),
        words,
    )


def _recipients_of(notice: Notice) -> tuple[str, ...]:
    """To whom the returned mail went, as far as it shows."""
    for name in ("x-hmxmroriginalrecipient", "to", "delivered-to", "x-original-to", "envelope-to"):
        for value in notice.original.get(name, []):
            if address := find_address(value):
                return (address,)
    return ()


def read_receipt(notice: Notice) -> tuple[str, str] | None:
    """Address and disposition of a receipt (`displayed`, `deleted`, `dispatched`, ...), or None."""
    fields = {name: value for group in reversed(read_fields(notice.receipt)) for name, value in group}
    disposition = fields.get("disposition", "")
    if not disposition:
        return None
    word = disposition.split(";", 1)[-1].strip().lower().split("/", 1)[0]
    address = find_address(fields.get("final-recipient", "") or fields.get("original-recipient", ""))
    return address or find_address(notice.header("from")), word
