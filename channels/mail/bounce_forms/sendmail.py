"""sendmail's transcripts: version 5 without any report for machines, and others that kept its phrases.

   ----- Transcript of session follows -----
... while talking to mx.example.org.:
>>> RCPT To:<who@example.org>
<<< 550 5.1.1 <who@example.org>... User Unknown
550 <who@example.org>... User unknown
"""

from __future__ import annotations

import re
from typing import Final

from channels.mail.bounce_forms.failure import FAILURES_LIMIT, Failure, find_address, take
from channels.mail.bounce_forms.form import Form, pattern, spread
from channels.mail.bounce_forms.notice import Notice

_ANSWER: Final = re.compile(r"^([245]\d\d) (?:<([^<>]{1,300})>|(\S+))\.\.\. ?(.*)")
_TALK: Final = re.compile(r"^(?:\.\.\. )?while talking to ([^\s:]+)", re.IGNORECASE)


_NOTE: Final = re.compile(r"[45]\d\d |<[^<>]+@[^<>]+>\.\.\. |Message could not|Warning: ")


def read_transcript(text: str) -> dict[str, str]:
    """What a transcript holds of the talk with the server: `command`, `answers`, `host`, `notes`; empty values else."""
    command = host = ""
    answers: list[str] = []
    notes: list[str] = []
    for line in text.split("\n")[:2_000]:
        line = line[:1_000].strip()
        if line.startswith(">>> "):
            command = line[4:8].upper()
        elif line.startswith("<<< "):
            if line[4:] not in answers and len(answers) < 20:
                answers.append(line[4:])
        elif talk := _TALK.match(line):
            host = host or talk[1].rstrip(".")
        elif (_ANSWER.match(line) or _NOTE.match(line)) and len(notes) < 20:
            notes.append(line)
    return {
        "command": command if command in ("MAIL", "RCPT", "DATA", "EHLO", "HELO") else "",
        "host": host,
        "answers": " ".join(answers),
        "notes": " ".join(notes),
    }


def _read_list(notice: Notice) -> list[str]:
    """The addresses below `The following addresses had ... errors`; one that was expanded is named as it was sent."""
    addresses: list[str] = []
    listed = False
    for line in notice.lines():
        if "-----" in line:
            listed = bool(re.search(r"The following addresses? had ", line))
        elif listed and len(addresses) < FAILURES_LIMIT and (address := find_address(line)):
            if "expanded from" in line and addresses:
                addresses[-1] = address
            elif "@" in line.split(maxsplit=1)[0]:
                addresses.append(address)
    return addresses


def _read_old(notice: Notice) -> list[Failure]:
    """Version 5: recipients stand in the lines of the transcript; what the server said stands above them."""
    failures: list[Failure] = []
    started = False
    command = answer = note = ""
    for line in notice.lines():
        line = line.strip()
        if "Transcript of session follows" in line:
            started = True
        if not started or len(failures) >= FAILURES_LIMIT:
            continue
        if line.startswith(">>> "):
            command = line[4:8].upper()
        elif line.startswith("<<< "):
            answer = line[4:]
        elif match := _ANSWER.match(line):
            address = find_address(match[2] or match[3] or "")
            if address and match[1][0] in "45":
                if not take(failures, address):
                    continue
                failures[-1].command = command
                failures[-1].say(f"{match[1]} {match[4]}" if not answer else f"{match[4]}: {answer}")
                command = answer = ""
            elif match[1][0] in "45" and not note:
                note = f"{match[1]} {match[4]}"
    if not failures and (listed := _read_list(notice)):
        failures = [Failure(address, command=command, words=answer or note) for address in listed]
    if not failures:
        to = notice.original.get("to", [""])[0]
        if address := find_address(to):
            failures.append(Failure(address, command=command, words=answer or note))
    return failures


FORMS: Final = (
    Form(
        name="Activehunter",
        marks=(("x-ahmailid", pattern("")),),
        begins=pattern(r"^[ \t]{0,20}----- The following addresses had permanent fatal errors"),
        recipient=pattern(r"^>>> (.*<[^<>\s]+@[^<>\s]+>.*)"),
    ),
    Form(
        name="McAfee",
        marks=(
            ("text", pattern(r"^[ \t]{0,20}--- The following addresses had delivery problems ---")),
            ("x-nai-header", pattern("Modified by McAfee")),
        ),
        begins=pattern(r"--- The following addresses had delivery problems ---"),
        recipient=pattern(r"^(<[^<>\s]+@[^<>\s]+>)\s*\((?P<words>.*)\)"),
        hints=(
            ("user not exist", "mailbox_unknown"),
            (" unknown.", "mailbox_unknown"),
            ("unknown user ", "mailbox_unknown"),
            ("no such user", "mailbox_unknown"),
        ),
        outranks_status=True,
    ),
    Form(
        name="Biglobe",
        marks=(
            ("from", pattern(r"postmaster@(?:biglobe|inacatv|tmtv|ttv)\.ne\.jp")),
            (
                "text",
                pattern(
                    r"----- The following addresses had delivery problems -----[ \t]{0,9}\n{1,5}[^\s@]+@[^\s@]+\n"
                ),
            ),
        ),
        begins=pattern(r"----- The following addresses had delivery problems -----"),
        recipient=pattern(r"^([^\s<>@]+@[^\s<>@]+)$"),
        hints=(
            ("mail delivery failed... user unknown", "recipient_refuses"),
            ("exceeded the local limit", "mailbox_full"),
        ),
    ),
    Form(
        name="X1",
        marks=(
            ("from", pattern(r'^"?Mail Deliver System"? ')),
            ("text", pattern(r"^---The following addresses had delivery errors---")),
        ),
        begins=pattern(
            r"^The original message was received at |^---The following addresses had delivery errors"
        ),
        recipient=pattern(r"^([^\s@]+@[^\s@]+)\s+\[(?P<words>.*)\]"),
    ),
    Form(
        name="sendmail 5",
        marks=(
            ("subject", pattern(r"^Returned mail: ")),
            ("text", pattern(r"----- Transcript of session follows -----")),
        ),
        needs=2,
        read=_read_old,
    ),
)


def spread_transcript(failures: list[Failure], text: str) -> None:
    """Let the transcript above a report for machines speak where the report itself says little."""
    if ">>> " not in text and "<<< " not in text and "Transcript of session" not in text:
        return
    told = read_transcript(text)
    for failure in failures:
        if not failure.words or failure.words.isdigit():
            failure.words = ""
            failure.say(told["notes"])
        if len(failures) == 1 and told["answers"] and told["answers"] not in failure.words:
            failure.words = f"{told['answers']} {failure.words}".strip()[:2_000]
        failure.command = failure.command or told["command"] or ("EHLO" if told["answers"] else "")
        failure.host = failure.host or told["host"]
    spread(failures, told["notes"])
