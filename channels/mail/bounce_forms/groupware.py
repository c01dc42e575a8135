"""Lotus Notes and Domino, Sun's Messaging Server (and PMDF, iCloud), IMail, Apache James, OpenSMTPD, DragonFly."""

from __future__ import annotations

from typing import Final

from channels.mail.bounce_forms.failure import Failure, find_address, take
from channels.mail.bounce_forms.form import Form, pattern
from channels.mail.bounce_forms.notice import Notice


def _read_messaging_server(notice: Notice) -> list[Failure]:
    """`Recipient address:`, then `Original address:`, `Reason:`, `Diagnostic code:` and `Remote system:`."""
    failures: list[Failure] = []
    for line in notice.lines():
        name, colon, value = line.strip().partition(": ")
        name = name.lower()
        if not colon:
            continue
        if name == "recipient address" and (address := find_address(value)):
            take(failures, address)
        elif not failures:
            continue
        elif name == "original address" and (address := find_address(value)):
            failures[-1].address = address
        elif name == "reason" and not failures[-1].words:
            failures[-1].say(value)
        elif name == "diagnostic code":
            failures[-1].words = ""
            failures[-1].say(value.partition(";")[2].strip() or value)
        elif name == "remote system":
            failures[-1].host = value.partition(";")[2].strip().split(" ")[0]
    return failures


def _read_opensmtpd(notice: Notice) -> list[Failure]:
    """An expired envelope is given up for good, although its status is that of a delay."""
    failures = _OPENSMTPD.failures(notice)
    for failure in failures:
        if "envelope expired" in failure.words.lower():
            failure.status = "5.4.7"
    return failures


_OPENSMTPD: Final = Form(
    name="",
    marks=(),
    begins=pattern(r"This is the MAILER-DAEMON, please DO NOT REPLY"),
    recipient=pattern(r"^([^\s@]+@[^\s@]+?):(?P<words>.*)"),
    ends=pattern(r"Please note that this is only a temporary failure|Below is a copy of"),
)

FORMS: Final = (
    Form(
        name="Messaging Server",
        marks=(
            ("text", pattern(r"^[ \t]{0,20}Recipient address: \S+@")),
            ("subject", pattern(r"^Delivery Notification: ")),
        ),
        read=_read_messaging_server,
        hints=(("illegal host/domain name found", "domain_unknown"),),
        outranks_status=True,
    ),
    Form(
        name="Domino",
        marks=(
            ("subject", pattern(r"^DELIVERY[ _]FAILURE:")),
            ("text", pattern(r"^was not delivered to:[\s\S]{1,2000}^because:")),
        ),
        begins=pattern(
            r"^(?:was not delivered to|n'a pas .t. (?:remis|distribu.)|no se (?:ha )?entreg|wurde nicht)"
        ),
        recipient=pattern(r"^[ \t]{1,40}([^\s@]+@[^\s@]+)$"),
        hints=(
            ("not listed in domino directory", "mailbox_unknown"),
            ("not listed in public name & address book", "mailbox_unknown"),
            ("no se encuentra en el directorio de domino", "mailbox_unknown"),
            ("dans l'annuaire domino", "mailbox_unknown"),
            ("nicht im domino", "mailbox_unknown"),
            ("domino ディレクトリには見つかりません", "mailbox_unknown"),
            ("cannot route mail to user", "recipient_refuses"),
            ("several matches found in domino directory", "system_failed"),
        ),
        outranks_status=True,
    ),
    Form(
        name="Notes",
        marks=(("text", pattern(r"^-+ Failure Reasons? +-+")),),
        begins=pattern(r"^-+ Failure Reasons? "),
        recipient=pattern(r"^([^\s@]+@[^\s@]+)$"),
        hints=(
            ("user not listed in public name & address book", "mailbox_unknown"),
            ("ディレクトリのリストにありません", "mailbox_unknown"),
            ("message has exceeded maximum hop count", "routing_failed"),
        ),
    ),
    Form(
        name="IMail",
        marks=(
            ("x-mailer", pattern(r"^<SMTP32 v")),
            ("subject", pattern(r"^Undeliverable Mail *$")),
        ),
        recipient=pattern(
            r"^(?P<words>(?:Unknown (?:user|host)|Invalid final delivery userid|User mailbox exceeds allowed size"
            r"|Delivery failed \d+ attempts|undeliverable(?= {1,3}to)|.{8,80}(?=: \S+@)))(?::| {1,3}to)? .{0,40}?(?=\S+@)(?P<who>[^\s@]+@[^\s@]+)"
        ),
        hints=(
            ("unknown host", "domain_unknown"),
            ("unknown user", "mailbox_unknown"),
            ("invalid final delivery userid", "mailbox_unknown"),
            ("user mailbox exceeds allowed size", "mailbox_full"),
            ("requested action not taken: virus detected", "virus"),
            ("delivery failed ", "expired"),
        ),
    ),
    Form(
        name="Apache James",
        marks=(
            ("subject", pattern(r"^\[BOUNCE\]$")),
            ("message-id", pattern(r"\.JavaMail\.")),
            ("received", pattern(r"JAMES SMTP Server")),
            ("text", pattern(r"^ {1,4}RCPT TO: \S+@")),
        ),
        needs=2,
        recipient=pattern(r"^ {1,4}RCPT TO: ([^\s@]+@[^\s@]+)"),
        explained_above=True,
    ),
    Form(
        name="OpenSMTPD",
        marks=(
            ("text", pattern(r"This is the MAILER-DAEMON, please DO NOT REPLY to this")),
            ("received", pattern(r"\(OpenSMTPD\) with ")),
        ),
        read=_read_opensmtpd,
        hints=(
            ("envelope expired", "expired"),
            ("invalid domain name", "domain_unknown"),
            ("domain does not exist", "domain_unknown"),
            ("destination seem to reject all mails", "domain_closed"),
            ("no mx found for domain", "domain_closed"),
            ("no mx found for destination", "domain_closed"),
            ("address family mismatch on destination mxs", "routing_failed"),
            ("all routes to destination blocked", "routing_failed"),
            ("bad dns lookup error code", "routing_failed"),
            ("could not retrieve source address", "routing_failed"),
            ("loop detected", "routing_failed"),
            ("network error on destination mxs", "routing_failed"),
            ("no valid route to", "routing_failed"),
            ("temporary failure in mx lookup", "routing_failed"),
            ("could not retrieve credentials", "auth_failed"),
        ),
        outranks_status=True,
    ),
    Form(
        name="DragonFly",
        marks=(("text", pattern(r"^[ \t]{0,20}This is the DragonFly Mail Agent")),),
        begins=pattern(r"This is the DragonFly Mail Agent"),
        recipient=pattern(r"^There was an error delivering your mail to (<[^\s@]+@[^\s@]+>)"),
        hints=(
            ("could not deliver for the last ", "expired"),
            ("dns lookup failure: host ", "domain_unknown"),
        ),
    ),
)
