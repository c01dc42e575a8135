"""Postfix and its children (Yandex, SendGrid's), and the transcripts that it sends to its postmaster.

<who@example.org>: host mx.example.org[192.0.2.1] said: 550 5.1.1 User unknown (in reply to RCPT TO command)
"""

from __future__ import annotations

import re
from typing import Final

from channels.mail.bounce_forms.failure import Failure, find_address, take
from channels.mail.bounce_forms.form import Form, pattern
from channels.mail.bounce_forms.notice import Notice


def _read_transcript(notice: Notice) -> list[Failure]:
    """`In:` is what a client said, `Out:` what the server answered; every refusal belongs to the command above it."""
    failures: list[Failure] = []
    command = words = refused = ""
    for line in notice.lines():
        match = re.match(r"[ \t]{0,8}(In|Out): {1,4}(.*)", line)
        if not match:
            continue
        if match[1] == "In":
            command = match[2][:4].upper()
            if command == "RCPT" and (address := find_address(match[2])):
                take(failures, address)
        elif re.match(r"[45]\d\d[ -]", match[2]) and not words:
            words, refused = match[2], command
        elif words and refused == command and re.match(r"[45]\d\d[ -]", match[2]):
            words = f"{words} {match[2]}"[:1_000]
    for failure in failures:
        failure.say(words)
        failure.command = refused
    return failures


FORMS: Final = (
    Form(
        name="Postfix transcript",
        marks=(
            ("subject", pattern(r"SMTP server: errors from ")),
            ("text", pattern(r"^[ \t]{0,4}Transcript of session follows\.")),
        ),
        needs=2,
        read=_read_transcript,
    ),
    Form(
        name="Postfix",
        marks=(
            (
                "text",
                pattern(
                    r"^(?:This is|I'm sorry to have to inform you).{0,60}(?:Postfix|the mail system|that your message)"
                ),
            ),
            ("text", pattern(r"^[ \t]{0,12}The (?:\S{1,30} )?(?:Postfix |mail system|mail program)")),
            (
                "subject",
                pattern(r"^(?:Undelivered Mail Returned to Sender|Delayed Mail \(still being retried\))"),
            ),
        ),
        begins=pattern(
            r"The (?:\S{1,30} )?(?:Postfix |mail system|mail program)|This is the |I'm sorry to have to"
        ),
        recipient=pattern(r"^(<[^<>\s]+@[^<>\s]+>)(?: \(expanded from\s?<[^<>\s]+>\))?:(?P<words>.*)"),
    ),
)
