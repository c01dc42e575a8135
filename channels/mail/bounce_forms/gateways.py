"""Mail gateways and filters: MailMarshal, MailFoundry, SurfControl, InterScan, m-FILTER, Barracuda, Amavis, X3, X6, FML."""

from __future__ import annotations

import re
from typing import Final

from channels.mail.bounce_forms.failure import Failure, find_address, find_addresses, take
from channels.mail.bounce_forms.form import Form, pattern
from channels.mail.bounce_forms.notice import Notice


def _read_interscan(notice: Notice) -> list[Failure]:
    """`Sent <<< RCPT TO:<...>`, `Received >>> 550 ...` (seen from the other side), or `Unable to deliver message to`."""
    failures: list[Failure] = []
    for line in notice.lines():
        stripped = line.strip()
        if "Unable to deliver" in line and (address := find_address(line)):
            if take(failures, address):
                failures[-1].say(stripped)
                failures[-1].hint = "mailbox_unknown"
        elif re.search(r"(?:Sent <<<|>>>) ?RCPT TO", line) and (address := find_address(line)):
            if take(failures, address):
                failures[-1].command = "RCPT"
        elif match := re.match(r"(?:Received >>>|.{0,200} <<<) ?(\d\d\d.*)", stripped):
            if failures and not failures[-1].words:
                failures[-1].say(match[1])
        elif failures and (match := re.match(r"(?:Sent <<<|>>>) ?(MAIL|DATA|EHLO|HELO)", stripped)):
            failures[-1].command = failures[-1].command if failures[-1].words else match[1]
    return failures


def _read_m_filter(notice: Notice) -> list[Failure]:
    """An address alone in its line, then sections headed `-------server message` and `-------SMTP command`."""
    failures: list[Failure] = []
    section = ""
    for line in notice.lines():
        stripped = line.strip()
        if stripped.startswith("-------"):
            section = stripped.lstrip("-").strip().lower()
        elif section == "" and re.fullmatch(r"[^\s@<>]+@[^\s@<>]+", stripped):
            take(failures, stripped)
        elif failures and section == "server message" and stripped:
            failures[-1].say(stripped)
        elif failures and section == "smtp command" and re.fullmatch(r"[A-Z]{4}", stripped):
            failures[-1].command = failures[-1].command or stripped
    return failures


def _read_x6(notice: Notice) -> list[Failure]:
    failures: list[Failure] = []
    for line in notice.lines():
        if re.match(r"\s*(?:The following recipients returned permanent errors: |SMTP Server <)", line):
            addresses = list(find_addresses(line.split(" Reason:")[0]))
            addresses = addresses or list(find_addresses(line))[-1:]
            for address in addresses[:50]:
                if take(failures, address):
                    failures[-1].say(line.strip())
    return failures


FORMS: Final = (
    Form(
        name="MDaemon",
        marks=(
            (
                "text",
                pattern(
                    r"^The attached message had PERMANENT fatal delivery errors|did NOT receive a copy of your message"
                ),
            ),
            ("text", pattern(r"^[^\s@]+@[^\s@]+ - no such user here")),
        ),
        recipient=pattern(r"^(?:> )?(?P<who>[^\s@<>]+@[^\s@<>]+)(?P<words> - no such user here.*)?$"),
    ),
    Form(
        name="MailMarshal",
        marks=(
            ("subject", pattern(r'^Undeliverable Mail: "')),
            ("text", pattern(r"^The following recipients were affected:")),
        ),
        needs=2,
        begins=pattern(r"^Your message:"),
        recipient=pattern(r"^ {2,8}([^\s@<>]+@[^\s@<>]+)$"),
        ends=pattern(r"^Additional Information"),
    ),
    Form(
        name="MailFoundry",
        marks=(
            ("received", pattern(r"\(MAILFOUNDRY\) id")),
            (
                "text",
                pattern(
                    r"^Unable to deliver message to: <[^\s@]+@[^\s@]+>[ \t]{0,9}\n{1,5}Delivery failed for the following"
                ),
            ),
        ),
        begins=pattern(r"^Unable to deliver message to:"),
        inclusive=True,
        recipient=pattern(r"^Unable to deliver message to: (<[^\s@]+@[^\s@]+>)"),
        ends=pattern(r"^This has been a permanent"),
    ),
    Form(
        name="SurfControl",
        marks=(
            ("x-mailer", pattern(r"^SurfControl E-mail Filter")),
            ("x-sef-processed", pattern("")),
        ),
        begins=pattern(r"^Your message could not be sent"),
        recipient=pattern(r"^Addressed To: ?([^\s@]+@[^\s@]+)"),
        ends=pattern(r"^--- Message non-deliverable"),
    ),
    Form(
        name="InterScan",
        marks=(
            ("from", pattern(r'"InterScan (?:MSS|Notification)"')),
            ("text", pattern(r"InterScan Messaging Security Suite")),
            (
                "subject",
                pattern(
                    r"^(?:Mail could not be delivered|メッセージを配信できません。|メール配信に失敗しました)$"
                ),
            ),
        ),
        read=_read_interscan,
    ),
    Form(
        name="m-FILTER",
        marks=(
            ("x-mailer", pattern(r"^m-FILTER$")),
            ("text", pattern(r"^-------server message\n")),
        ),
        read=_read_m_filter,
    ),
    Form(
        name="MessageLabs",
        marks=(("from", pattern(r"MAILER-DAEMON@messagelabs\.com")),),
        begins=pattern(r"unable to deliver your message to the following addresses"),
        recipient=pattern(r"^([^\s@<>]+@[^\s@<>]+)$"),
        ends=pattern(r"^The message subject was:"),
        hints=(
            ("542 ", "mailbox_unknown"),
            (" rejected", "mailbox_unknown"),
            ("no such user", "mailbox_unknown"),
            ("please turn on smtp authentication in your mail client", "auth_failed"),
        ),
    ),
    Form(
        name="Amavis",
        marks=(("from", pattern(r'^"?Content-filter at ')),),
        hints=(
            (" - spam", "spam"),
            (" - infected", "virus"),
            (" - bad header:", "content_invalid"),
            (" - message size exceeds recipient", "too_big"),
            (" - temporary mta failure on relaying", "system_failed"),
            (" - rejected by next-hop mta on relaying", "system_failed"),
            (" - unable to relay message back to mta", "system_failed"),
        ),
    ),
    Form(
        name="X3",
        marks=(
            ("text", pattern(r"^[ \t]{0,20}\* [^\s@]+@[^\s@]+[ \t]{0,9}$[\s\S]{1,2000}Technical details:")),
        ),
        recipient=pattern(r"^[ \t]{1,8}\* ([^\s@]+@[^\s@]+)$"),
    ),
    Form(
        name="X6",
        marks=(
            ("subject", pattern(r"^There was an error sending your mail")),
            ("text", pattern(r"^We had trouble delivering your message\. Full details follow:")),
        ),
        read=_read_x6,
    ),
    Form(
        name="FML",
        marks=(
            ("x-mlserver", pattern(r"fml")),
            ("message-id", pattern(r"\.FML")),
        ),
        needs=2,
        recipient=pattern(r"^(?P<words>.*?)(?P<who><[^\s@]+@[^\s@]+>)"),
        hints=(
            (" header may cause mail loop", "sender_refused"),
            ("not member article from ", "sender_refused"),
            ("reject mail from ", "sender_refused"),
            ("reject spammers:", "sender_refused"),
            ("you are not a member of this mailing list", "sender_refused"),
            (" has detected a loop condition so that", "system_failed"),
            ("duplicated message-id", "system_failed"),
            ("loop back warning:", "system_failed"),
            ("security alert:", "auth_failed"),
        ),
    ),
)
