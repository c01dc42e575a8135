"""Mailbox providers and mobile networks: Google, Facebook, Verizon, and Japan's KDDI and EZweb."""

from __future__ import annotations

import re
from typing import Final

from channels.mail.bounce_forms.codes import find_command
from channels.mail.bounce_forms.failure import FAILURES_LIMIT, Failure, find_address, find_addresses, take
from channels.mail.bounce_forms.form import Form, pattern
from channels.mail.bounce_forms.notice import Notice

#: The number in brackets that ended Gmail's reports until 2016: (state 14).
_STATES: Final = {
    "6": ("MAIL", "system_failed"),
    "8": ("AUTH", "system_failed"),
    "9": ("AUTH", "system_failed"),
    "12": ("AUTH", "relaying_denied"),
    "13": ("EHLO", "host_blocked"),
    "14": ("RCPT", "mailbox_unknown"),
    "15": ("DATA", "recipient_refuses"),
    "17": ("DATA", "recipient_refuses"),
    "18": ("DATA", "recipient_refuses"),
}
_FACEBOOK: Final = {
    "RCP-P1": "mailbox_unknown",
    "INT-P1": "mailbox_unknown",
    "INT-P3": "mailbox_unknown",
    "INT-P4": "mailbox_unknown",
    "RCP-P2": "recipient_refuses",
    "RCP-P3": "recipient_refuses",
    "POL-P1": "host_blocked",
    "POL-P2": "host_blocked",
    "POL-P3": "host_blocked",
    "POL-P4": "host_blocked",
    "POL-T1": "throttled",
    "POL-T2": "throttled",
    "POL-T3": "throttled",
    "POL-P5": "virus",
    "POL-P6": "content_invalid",
    "POL-P7": "auth_failed",
    "MSG-P1": "too_big",
    "INT-P2": "too_big",
    "MSG-P2": "content_invalid",
    "MSG-P3": "content_invalid",
    "DNS-P1": "sender_refused",
    "DNS-P2": "sender_refused",
    "DNS-P3": "reverse_dns",
    "DNS-T1": "sender_refused",
    "DNS-T2": "reverse_dns",
    "CON-T1": "system_failed",
    "RCP-T1": "system_failed",
    "CON-T2": "throttled",
    "CON-T3": "throttled",
}


def facebook_reason(words: str) -> str:
    """The reason for one of Facebook's codes in a text, or the empty string."""
    code = re.search(r"\b((?:RCP|INT|POL|MSG|DNS|CON)-[PT]\d)\b", words)
    return _FACEBOOK.get(code[1], "") if code else ""


def _read_gmail(notice: Notice) -> list[Failure]:
    failures = _GMAIL.failures(notice)
    for failure in failures:
        if state := re.search(r"\(state (\d{1,2})\)", failure.words):
            command, hint = _STATES.get(state[1], ("", ""))
            failure.command, failure.hint = command or failure.command, hint or failure.hint
    return failures


def _read_groups(notice: Notice) -> list[Failure]:
    """Google Groups: only a header names the group; four reasons are guessed, which means that posting is refused."""
    words = " ".join(notice.text.split())[:1_500]
    guesses = len(re.findall(r"^ ?\* ?", notice.text, re.MULTILINE))
    hint = "sender_refused" if guesses == 4 else "refused"
    failed = find_addresses(notice.header("x-failed-recipients"))
    return [
        Failure(address, words=words, hint=hint)
        for _, address in zip(range(FAILURES_LIMIT), failed, strict=False)
    ]


def _read_ezweb(notice: Notice) -> list[Failure]:
    """`Recipient: <...>` or `<...>:`, commands after >>> and answers after <<<; a filter of theirs marks with a header."""
    failures: list[Failure] = []
    shared = ""
    for line in notice.lines():
        stripped = line.strip()
        match = re.search(r"(?:Recipient: |^)(<[^<>\s]+@[^<>\s]+>)", stripped)
        if match and ">>>" not in stripped and "<<<" not in stripped:
            take(failures, find_address(match[1]))
            failures[-1].say(stripped[match.end() :].lstrip(": "))
        elif failures and (command := re.match(r">>> ?(MAIL|RCPT|DATA|EHLO|HELO)", stripped, re.IGNORECASE)):
            failures[-1].command = command[1].upper()
        elif failures:
            failures[-1].say(stripped.removeprefix("<<<").strip())
        elif stripped.isascii():
            shared = f"{shared} {stripped}".strip()[:500]
    for failure in failures:
        _judge_ezweb(notice, failure, f"{shared} {failure.words}".lower())
    return failures


def _judge_ezweb(notice: Notice, failure: Failure, words: str) -> None:
    if notice.header("x-spasign") == "NG":
        failure.hint = "recipient_refuses"
    elif failure.command == "RCPT":
        failure.hint = "mailbox_unknown"
    elif "account is temporarily over quota" in words:
        failure.hint = "mailbox_full"
    elif "account is disabled" in words or "account is temporarily limited" in words:
        failure.hint = "mailbox_disabled"
    elif "your message was not delivered within " in words:
        failure.hint = "expired"
    elif "was rejected by a remote mail server" in words and not failure.words:
        failure.hint = "refused"
    if not failure.words:
        failure.say(words)


def _read_kddi(notice: Notice) -> list[Failure]:
    failures = _KDDI.failures(notice)
    for failure in failures:
        if notice.header("x-spasign") == "NG":
            failure.hint = "recipient_refuses"
        elif find_command(failure.words) == "RCPT":
            failure.hint = "mailbox_unknown"
    return failures


_KDDI: Final = Form(
    name="",
    marks=(),
    recipient=pattern(r"Could not be delivered to: (<[^\s@]+@[^\s@]+>)"),
    hints=(
        ("as their mailbox is full", "mailbox_full"),
        ("due to the following smtp relay error", "relaying_denied"),
        ("as the remote domain doesnt exist", "domain_unknown"),
    ),
)
_GMAIL: Final = Form(
    name="",
    marks=(),
    begins=pattern(
        r"^Delivery to the following recipients? |^The following message to |Your message to .* has been delayed"
    ),
    inclusive=True,
    recipient=pattern(r"^[ \t]{2,12}([^\s@]+@[^\s@]+)$"),
    hints=(
        ("dns error: could not contact dns servers", "expired"),
        ("delivery to the following recipient has been delayed", "expired"),
        ("the recipient server did not accept our requests to connect", "expired"),
        ("dns error: domain name not found", "domain_unknown"),
        ("dns error: dns server returned answer with no data", "domain_unknown"),
    ),
)

FORMS: Final = (
    Form(
        name="Google Workspace",
        marks=(
            ("from", pattern(r"mailer-daemon@google(?:mail)?\.com")),
            ("text", pattern(r"^\*\* ")),
        ),
        needs=2,
        hints=(
            ("because the address couldn't be found", "mailbox_unknown"),
            ("null mx", "domain_closed"),
            (" had no relevant answers.", "routing_failed"),
            (" responded with code nxdomain", "routing_failed"),
        ),
    ),
    Form(
        name="Gmail",
        marks=(
            ("from", pattern(r"mailer-daemon@google(?:mail)?\.com")),
            ("text", pattern(r"Delivery to the following recipients? (?:failed|has been)")),
        ),
        needs=2,
        read=_read_gmail,
    ),
    Form(
        name="Google Groups",
        marks=(
            ("from", pattern(r"mailer-daemon@google(?:mail|groups)?\.com")),
            ("x-failed-recipients", pattern(r"@")),
            ("x-google-smtp-source", pattern("")),
            (
                "text",
                pattern(
                    r"groups\.google\.com/support|support\.google\.com/(?:a/.{1,60}/bin/topic|groups)|Google Group"
                ),
            ),
        ),
        needs=3,
        read=_read_groups,
    ),
    Form(
        name="AOL",
        marks=(("x-aol-ip", pattern("")),),
        hints=(
            ("host or domain name not found", "domain_unknown"),
            ("type=mx: malformed or unexpected name server reply", "domain_closed"),
        ),
    ),
    Form(
        name="Hotmail",
        marks=(
            ("subject", pattern(r"Delivery Status Notification")),
            ("x-message-delivery", pattern("")),
            ("x-message-info", pattern("")),
            ("received", pattern(r"\.hotmail\.com")),
        ),
        needs=2,
        hints=(
            ("the domain is not reachable", "domain_unknown"),
            ("requested action not taken: mailbox unavailable", "mailbox_unknown"),
        ),
    ),
    Form(
        name="Amazon SES receiving",
        marks=(
            ("x-ses-outgoing", pattern("")),
            ("text", pattern(r"^This message could not be delivered\.")),
        ),
        needs=2,
        # These sentences are chosen by the owner of the mailbox in a rule of his, whatever they say.
        hints=(
            ("mailbox does not exist", "recipient_refuses"),
            ("message too large", "too_big"),
            ("mailbox full", "mailbox_full"),
            ("message content rejected", "content_invalid"),
        ),
    ),
    Form(
        name="Facebook",
        marks=(("from", pattern(r"mailer-daemon@mx\.facebook\.com")),),
    ),
    Form(
        name="Verizon",
        marks=(
            ("from", pattern(r"post_master@vtext\.com|sysadmin@.{0,60}vzwpix\.com")),
            ("received", pattern(r"\.vtext\.com \(")),
        ),
        recipient=pattern(r"^(?: {1,4}RCPT TO: |To: )(.*[^\s@]+@[^\s@]+)"),
        explained_above=True,
        hints=(
            ("no such user here", "mailbox_unknown"),
            ("no valid recipients for this mm", "mailbox_unknown"),
        ),
    ),
    Form(
        name="EZweb",
        marks=(
            ("from", pattern(r"Postmaster@(?:ezweb\.ne\.jp|au\.com)")),
            ("subject", pattern(r"^Mail System Error - Returned Mail")),
            ("received", pattern(r"ezweb\.ne\.jp \(EZweb Mail\) with|\.au\.com \(")),
            ("message-id", pattern(r"\.(?:ezweb\.ne\.jp|au\.com)>$")),
        ),
        needs=2,
        read=_read_ezweb,
        outranks_status=True,
    ),
    Form(
        name="KDDI",
        marks=(
            ("text", pattern(r"^[ \t]{0,20}Could not be delivered to: <[^\s@]+@[^\s@]+>")),
            ("from", pattern(r"no-reply@.{0,60}\.dion\.ne\.jp")),
            ("reply-to", pattern(r"no-reply@app\.auone-net\.jp")),
        ),
        read=_read_kddi,
    ),
)
