"""Bounces, complaints, automatic replies and notices of delivery: what a mail that came back says about whom.

    report = classify(raw, recipients)
    if report.kind is Kind.BOUNCE and report.recipients[0].hard: ...

Standards first (RFC 3464, 5965, 8098, 3834), then the private forms of channels/mail/bounce_forms/. The token of our
return path (channels/mail/verp.py) names the message for certain, whatever the report says. Pure and safe on any
bytes: nothing is raised, and the work is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from channels.mail.absences import is_automatic_answer
from channels.mail.bounce_forms.agents import agent_reason
from channels.mail.bounce_forms.clouds import read_notification
from channels.mail.bounce_forms.codes import find_command, find_reply, find_status
from channels.mail.bounce_forms.failure import Failure, find_address
from channels.mail.bounce_forms.families import find_form
from channels.mail.bounce_forms.form import Form
from channels.mail.bounce_forms.judging import judge
from channels.mail.bounce_forms.notice import Notice, read_notice, read_parts
from channels.mail.bounce_forms.plain import is_by_machine, looks_returned, read_plain, read_returned
from channels.mail.bounce_forms.sendmail import spread_transcript
from channels.mail.bounce_forms.standard import StatusReport, read_complaint, read_receipt, read_status
from channels.mail.reading.dates import read_date
from channels.mail.reading.tree import Part
from channels.mail.reasons import is_hard


class Kind(StrEnum):
    """What a mail is, seen as a possible report."""

    BOUNCE = "bounce"  #: somebody's copy did not arrive, or is late
    COMPLAINT = "complaint"  #: a person called one of our messages unwanted
    AUTO_REPLY = "auto_reply"  #: a machine answered for a person: out of office, a receipt
    DELIVERED = "delivered"  #: a copy arrived
    NONE = "none"  #: no report: somebody's mail


@dataclass(frozen=True, slots=True)
class Recipient:
    """What the report says about one recipient.

    `address` as written there; `status` after RFC 3463 (of a bounce at least its class, as `5.0.0`); `reason` a word
    of channels/mail/reasons.py, empty for what is no bounce; `words` what the server said; `hard` whether the address
    is at fault for good; `action` of a bounce what became of the mail (RFC 3464, 2.3.3), above all `delayed`: nothing is
    lost yet, the server goes on trying.
    """

    address: str
    status: str = ""
    reply: str = ""
    reason: str = ""
    hard: bool = False
    words: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A mail as a report. Empty values where it is silent; `message_id` without angle brackets, `arrival` aware."""

    kind: Kind
    recipients: tuple[Recipient, ...] = ()
    token: str = ""  #: of our return path: names the message for certain
    message_id: str = ""  #: of the mail that is reported about
    reporter: str = ""  #: the server that reports (Reporting-MTA)
    feedback_type: str = ""  #: of a complaint: abuse, fraud, opt-out, ...
    arrival: datetime | None = None  #: when the reporter got the mail that is reported about
    form: str = ""  #: the private form that was recognised, for diagnosis


#: Subjects of warnings that come without fields for machines: Exim, sendmail, Postfix, Gmail, Exchange.
_WARNING: Final = re.compile(
    r"\s*(?:warning: .*(?:delay|could not (?:be )?(?:send|sent|deliver).* for (?:the )?(?:past|last))|delayed mail\b"
    r"|.*still being retried|delivery (?:status notification )?\(?delay|message delayed)",
    re.IGNORECASE,
)
#: The local part before our tokens when no other is given.
_LOCAL: Final = "bounces"
_TOKEN: Final = re.compile(
    r"(?<![\w.+-])([A-Za-z0-9!#$%&'*/=?^_`{|}~.-]{1,64})\+([A-Za-z0-9_.=-]{1,64})@([\w.-]{1,255})"
)
_TOKEN_HEADERS: Final = (
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-envelope-to",
    "apparently-to",
    "to",
    "cc",
    "received",
)
_RETURN_HEADERS: Final = ("return-path", "x-postfix-sender", "envelope-from", "x-envelope-from", "errors-to")


def classify(
    raw: bytes, recipients: Sequence[str] = (), *, local: str = _LOCAL, domains: Sequence[str] = ()
) -> Report:
    """What a mail is, and what it says about whom.

    `recipients` are those of the envelope it came with; `local` and `domains` are the parts of our return path around
    the token (any domain when none is given). Never raises.
    """
    return classify_parts(read_parts(raw), recipients, local=local, domains=domains)


def classify_parts(
    root: Part, recipients: Sequence[str] = (), *, local: str = _LOCAL, domains: Sequence[str] = ()
) -> Report:
    """As `classify`, of a mail whose tree was read already, without the mails in it."""
    notice = read_notice(root)
    token = _find_token(notice, recipients, local, domains)
    report = _classify(notice, token)
    if report.kind is Kind.NONE and is_by_machine(notice):
        return _unwrap(notice, token) or report
    return report


def _unwrap(notice: Notice, token: str) -> Report | None:
    """The report that a gateway wrapped into a notice of its own, or None."""
    if not notice.returned:
        return None
    inner = _classify(read_notice(read_parts(notice.returned)), token, wrapped=True)
    return inner if inner.kind in (Kind.BOUNCE, Kind.COMPLAINT) and inner.recipients else None


def _classify(notice: Notice, token: str, *, wrapped: bool = False) -> Report:
    if told := read_notification(notice):
        kind = Kind(told.kind)
        return Report(
            kind,
            _judge(told.failures, None) if kind is Kind.BOUNCE else _name(told.failures),
            token,
            told.message_id,
            told.reporter,
            told.feedback_type,
            _moment(told.arrival),
            "Amazon SES",
        )
    original_id = notice.original.get("message-id", [""])[0].strip().strip("<>")
    if complaint := read_complaint(notice):
        return Report(
            Kind.COMPLAINT,
            tuple(Recipient(address, words=complaint.words) for address in complaint.addresses),
            token,
            original_id,
            complaint.reporter,
            complaint.feedback_type,
            _moment(complaint.arrival),
        )
    if receipt := read_receipt(notice):
        address, disposition = receipt
        kind = Kind.DELIVERED if disposition in ("dispatched", "processed") else Kind.AUTO_REPLY
        return Report(kind, (Recipient(address, words=disposition),), token, original_id)
    if report := _read_bounce(notice, token, original_id, wrapped=wrapped):
        return report
    headers = notice.headers
    if is_automatic_answer({name: values[0] for name, values in headers.items()}):
        sender = find_address(notice.header("from")) or find_address(notice.header("return-path"))
        answered = notice.header("in-reply-to").strip().strip("<>")
        return Report(Kind.AUTO_REPLY, (Recipient(sender),) if sender else (), token, answered)
    return Report(Kind.NONE, token=token)


def _read_bounce(notice: Notice, token: str, original_id: str, *, wrapped: bool) -> Report | None:
    status = read_status(notice.status or notice.text)
    form = find_form(notice)
    returned = looks_returned(notice)
    if not (notice.status or (status.failures and returned) or returned or form):
        return None
    told = form.failures(notice) if form else []
    failures = _merge(told, status, form)
    if not failures and returned:
        failures = read_plain(notice)
        if not failures and not wrapped and (inner := _unwrap(notice, token)):
            return inner
        failures = failures or read_returned(notice)
    if not failures and not (returned and (notice.original or token)):
        return None
    spread_transcript(failures, notice.text)
    agent, said = agent_reason(notice.text[:20_000])
    late = _WARNING.match(notice.header("subject")[:200]) is not None
    for failure in failures:
        if late and not failure.action:
            failure.action = "delayed"
        if form:
            form.hint(failure)
        if agent and not failure.hint:
            failure.hint = agent
            failure.say(said)
    reporter = status.message.get("reporting-mta", "").split(";", 1)[-1].strip().split(" ")[0]
    message_id = (
        original_id
        or status.message.get("x-original-message-id", "")
        or status.message.get("original-message-id", "")
    )
    arrived = bool(failures) and all(_arrived(failure) for failure in failures)
    failed = [failure for failure in failures if arrived or not _arrived(failure)]
    return Report(
        Kind.DELIVERED if arrived else Kind.BOUNCE,
        _name(failed) if arrived else _judge(failed, form),
        token,
        message_id.strip().strip("<>"),
        reporter,
        "",
        _moment(status.message.get("arrival-date", "")),
        form.name if form else "",
    )


def _arrived(failure: Failure) -> bool:
    return failure.action in ("delivered", "relayed", "expanded") or (
        failure.status.startswith("2") and failure.action != "failed"
    )


def _merge(told: list[Failure], status: StatusReport, form: Form | None) -> list[Failure]:
    """Join what the text for people and the fields for machines say about the same recipients."""
    first, second = status.failures, told
    if told and (not first or (form and form.outranks_status)):
        first, second = told, status.failures or status.nameless
    by_address = {failure.address.lower(): failure for failure in reversed(second)}
    for position, failure in enumerate(first):
        twin = by_address.get(failure.address.lower())
        if twin is None and len(first) == len(second):
            twin = second[position]
        if twin is None:
            continue
        failure.status = failure.status or twin.status
        failure.action = failure.action or twin.action
        failure.host = failure.host or twin.host
        failure.hint = failure.hint or twin.hint
        failure.local = failure.local or twin.local
        failure.command = failure.command or twin.command or find_command(twin.words)
        ours = failure.words.strip()
        if not ours or ours.isdigit() or (len(ours) < len(twin.words) and ours.lower() in twin.words.lower()):
            failure.words = twin.words or ours
    return first


def _judge(failures: Iterable[Failure], form: Form | None) -> tuple[Recipient, ...]:
    recipients: dict[str, Recipient] = {}
    for failure in failures:
        temporary = (
            form is not None and form.delays_are_temporary and failure.hint in ("expired", "mailbox_full")
        )
        reason, status, reply = judge(failure, delayed=temporary)
        key = failure.address.lower()
        if key not in recipients:
            hard = is_hard(reason, status) and failure.action != "delayed"
            recipients[key] = Recipient(
                failure.address, status, reply, reason, hard, failure.words, failure.action
            )
    return tuple(recipients.values())


def _name(failures: Iterable[Failure]) -> tuple[Recipient, ...]:
    return tuple(
        Recipient(
            failure.address,
            failure.status or find_status(failure.words, "2"),
            find_reply(failure.words, "2"),
            words=failure.words,
        )
        for failure in {one.address.lower(): one for one in failures}.values()
    )


def _find_token(notice: Notice, recipients: Sequence[str], local: str, domains: Sequence[str]) -> str:
    """The token in the envelope, in the headers, or in the sender of the mail that is returned."""
    ours = {domain.lower() for domain in domains}
    places: list[str] = list(recipients)
    places += [value for name in _TOKEN_HEADERS for value in notice.headers.get(name, [])[:50]]
    places += [value for name in _RETURN_HEADERS for value in notice.original.get(name, [])[:50]]
    for place in places:
        for match in _TOKEN.finditer(place[:4_000]):
            if match[1].lower() == local.lower() and (not ours or match[3].lower() in ours):
                return match[2]
    return ""


def _moment(value: str) -> datetime | None:
    """A date of a header, or of Amazon's JSON."""
    if re.match(r"\d{4}-\d\d-\d\dT", value):
        try:
            moment = datetime.fromisoformat(value[:40])
        except ValueError:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return read_date(value[:100], set()) if value else None
