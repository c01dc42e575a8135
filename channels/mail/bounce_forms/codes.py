"""Codes in a server's words: replies (RFC 5321), statuses (RFC 3463), and the command that was answered."""

from __future__ import annotations

import re
from typing import Final

_STATUS: Final = re.compile(r"(?<![\d.v/])([245])\.([0-7])\.(\d{1,3})(?![\d.]?\d)", re.IGNORECASE)
_REPLY: Final = re.compile(r"(?<![\d./])([245][0-5]\d)(?![\d./]|-\d(?!\.\d))")
_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")

#: The reply codes that servers use (RFC 5321, 4954, 7504, 7505 and the registry of enhanced codes).
_REPLIES: Final = frozenset(
    [
        "211",
        "214",
        "220",
        "221",
        "235",
        "250",
        "251",
        "252",
        "253",
        "354",
        "421",
        "422",
        "430",
        "432",
        "450",
        "451",
        "452",
        "453",
        "454",
        "455",
        "456",
        "458",
        "459",
        "500",
        "501",
        "502",
        "503",
        "504",
        "520",
        "521",
        "523",
        "524",
        "525",
        "530",
        "533",
        "534",
        "535",
        "538",
        "550",
        "551",
        "552",
        "553",
        "554",
        "555",
        "556",
        "557",
    ]
)

#: Words that tell which command was answered, the last stage first.
_COMMANDS: Final = (
    ("DATA", re.compile(
        r"end of data|final data|\bto DATA\b|after DATA|\bDATA command|\(DATA\)|for TEXT command|\[DATA\]|>>> DATA"
        r"|after I sent the message|in DATA\b|SMTP:DATA|in reply to end of|response to DATA|most progress was DATA",
        re.IGNORECASE)),
    ("RCPT", re.compile(
        r"\bto RCPT|after RCPT|\bRCPT TO\b|\[RCPT_TO\]|>>> RCPT|for RCPT|SMTP:RCPT|did not like our RCPT|in RCPT"
        r"|does not like recipient|unknown recipient or mailbox unavailable ->|most progress was RCPT|(?:command|error)[:( ]{1,3}RCPT|\(RCPT\)", re.IGNORECASE)),
    ("MAIL", re.compile(
        r"\bto MAIL FROM|after MAIL|\bMAIL FROM\b|>>> MAIL|SMTP:MAIL|sender was rejected|in MAIL\b|\[MAIL_FROM\]"
        r"|most progress was MAIL", re.IGNORECASE)),
    ("EHLO", re.compile(
        r"\bto (?:EHLO|HELO)|after (?:EHLO|HELO)|>>> (?:EHLO|HELO)|my name was rejected|SMTP:(?:EHLO|HELO)"
        r"|refused to talk to me|did not like our (?:EHLO|HELO)", re.IGNORECASE)),
    ("CONN", re.compile(
        r"greeting failed|initial connection|SMTP:CONN|did not like our CONN", re.IGNORECASE)),
)  # fmt: skip


def find_status(words: str, kind: str = "") -> str:
    """The first status in a server's words, preferably one that says something; `kind` is the class wanted."""
    if "." not in words:
        return ""
    vague = ""
    for match in _STATUS.finditer(_ADDRESS.sub("*", words)):
        if kind and match[1] != kind:
            continue
        if (match[2], match[3]) != ("0", "0") and match[0] != "4.4.7":
            return match[0]
        vague = match[0]
    return vague


def find_reply(words: str, kind: str = "") -> str:
    """The reply code in a server's words: the first refusal for good, else the first for now."""
    codes = [match[1] for match in _REPLY.finditer(_ADDRESS.sub("*", words)) if match[1] in _REPLIES]
    for first in kind or "542":
        for code in codes:
            if code[0] == first:
                return code
    return ""


def find_command(words: str) -> str:
    """The command that the words answer: CONN, EHLO, MAIL, RCPT or DATA; empty when they do not tell."""
    return next((name for name, pattern in _COMMANDS if pattern.search(words)), "")


def prefer_status(given: str, found: str, reply: str) -> str:
    """Which of two statuses to believe: that of the report, or that in the words of the server it cites.

    The one whose class the reply confirms; else the one that says more. Reporting servers often write 5.0.0, 5.3.0
    or 4.4.7 of their own above a precise answer.
    """
    if not given or not found or given == found:
        return given or found
    if reply and given[0] != found[0]:
        return given if reply[0] == given[0] else found if reply[0] == found[0] else given
    if given.endswith(".0.0"):
        return found
    if found.endswith(".0.0"):
        return given
    if given.endswith(".0") and not found.endswith(".0"):
        return found
    if given == "4.4.7" or given.startswith("5.3.") or (given == "5.1.3" and found.startswith("5.7.")):
        return found
    if given == "5.1.1" and not found.endswith(".0"):
        return found
    return given
