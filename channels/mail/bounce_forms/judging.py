"""Why a recipient's copy failed, from all that a report says about it: a reason of our vocabulary, and the status.

First what leaves no doubt (a receiver's own code), then the words, in an order in which the more telling reason
comes first, then the status, then the reply. A refusal of an unknown user is believed only as the answer to RCPT or
with a status for it: servers say it after the message, too, when a filter or the recipient's own rules refused that.
"""

from __future__ import annotations

import re
from typing import Final

from channels.mail.bounce_forms.codes import find_command, find_reply, find_status, prefer_status
from channels.mail.bounce_forms.failure import Failure
from channels.mail.bounce_forms.phrases import ABSENT, NOT_THE_SENDER, says
from channels.mail.bounce_forms.receivers import receiver_reason
from channels.mail.reasons import is_hard

#: Subject and detail of a status (RFC 3463 and its registry), as servers mean them in refusals.
_BY_STATUS: Final[dict[str, str]] = {
    "1.0": "mailbox_unknown", "1.1": "mailbox_unknown", "1.2": "domain_unknown", "1.3": "mailbox_unknown",
    "1.4": "recipient_refuses", "1.6": "mailbox_moved", "1.7": "sender_refused", "1.8": "sender_refused",
    "1.9": "system_failed", "1.10": "domain_closed", "2.0": "recipient_refuses", "2.1": "recipient_refuses",
    "2.2": "mailbox_full", "2.3": "too_big", "2.4": "recipient_refuses", "3.0": "system_failed",
    "3.1": "system_full", "3.2": "domain_closed", "3.3": "system_failed", "3.4": "too_big", "3.5": "system_failed",
    "4.0": "routing_failed", "4.3": "system_failed", "4.4": "domain_unknown", "5.2": "protocol_error",
    "5.3": "throttled", "5.4": "system_failed", "5.5": "system_failed", "5.6": "protocol_error",
    "7.13": "mailbox_disabled", "7.16": "too_big", "7.17": "mailbox_moved", "7.18": "mailbox_moved",
    "7.20": "authentication", "7.21": "authentication", "7.22": "authentication", "7.23": "authentication",
    "7.24": "authentication", "7.25": "reverse_dns", "7.26": "authentication", "7.27": "domain_closed",
    "7.28": "spam", "7.29": "authentication",
}  # fmt: skip
#: The same, where a refusal for now (4.x.x) means something else.
_BY_STATUS_NOW: Final[dict[str, str]] = {
    "1.1": "mailbox_unknown", "1.8": "sender_refused", "2.1": "recipient_refuses", "4.0": "", "4.1": "expired",
    "4.2": "routing_failed", "4.4": "routing_failed", "4.5": "system_full", "4.6": "routing_failed",
    "4.7": "expired", "4.8": "routing_failed", "7.1": "host_blocked", "7.2": "host_blocked", "5.3": "system_failed",
    "1.0": "", "1.2": "", "1.3": "", "2.0": "", "3.0": "system_failed",
}  # fmt: skip

#: Hints and statuses that better words may overrule.
_WEAK: Final = frozenset(
    {
        "",
        "refused",
        "system_failed",
        "auth_failed",
        "expired",
        "mailbox_disabled",
        "routing_failed",
        "domain_unknown",
        "mailbox_unknown",
    }
)
_BEFORE_RCPT: Final = frozenset({"CONN", "EHLO", "HELO"})
_BEFORE_DATA: Final = _BEFORE_RCPT | {"MAIL", "RCPT"}
_FIRST: Final = (
    "mailbox_full", "too_big", "mailbox_disabled", "mailbox_moved", "relaying_denied", "authentication",
    "mailbox_unknown", "recipient_refuses", "reverse_dns", "content_invalid", "reputation", "sender_refused",
    "domain_unknown", "spam", "throttled", "host_blocked",
)  # fmt: skip
_SECOND: Final = (
    "mailbox_full", "authentication", "reputation", "spam", "virus", "policy", "relaying_denied", "system_failed",
    "routing_failed", "mailbox_disabled", "content_invalid", "system_full", "domain_closed", "expired",
    "auth_failed", "program_failed",
)  # fmt: skip
#: What keeps an unknown user's status from being believed at once.
_RATHER: Final = (
    "relaying_denied",
    "host_blocked",
    "mailbox_full",
    "mailbox_moved",
    "sender_refused",
    "domain_closed",
)


def status_reason(status: str) -> str:
    """The reason that a status stands for; empty when it says nothing."""
    if len(status) < 5:
        return ""
    detail = status[2:]
    if status[0] == "4" and detail in _BY_STATUS_NOW:
        return _BY_STATUS_NOW[detail]
    if detail.startswith("6."):
        return "content_invalid"
    if detail in _BY_STATUS:
        return _BY_STATUS[detail]
    return "auth_failed" if status.startswith("5.7.") and len(detail) < 5 else ""


def judge(failure: Failure, *, delayed: bool = False) -> tuple[str, str, str]:
    """Reason, status and reply code of a failed recipient. The status is never empty: its class is derived.

    `delayed` tells that the form's own words for it mean a refusal for now.
    """
    words = failure.words
    found = find_status(words)
    reply = find_reply(words, found[:1]) or find_reply(words)
    status = prefer_status(failure.status, found, reply)
    command = failure.command or find_command(words)
    reason = _reason(failure, _join_lines(words, reply).lower(), status, reply, command)
    if status_reason(status) == "sender_refused" and is_hard(reason, status):
        reason = "sender_refused"  # whatever the words, the address that the status condemns is the sender's
    if not status:
        status = "4.0.0" if delayed else _derive_status(words, reply)
    return reason, status, reply


def _join_lines(words: str, reply: str) -> str:
    """Words without the codes that a reply of several lines repeats in each, and without Postfix's own preface."""
    if reply and words.count(reply) > 1:
        words = re.sub(rf"(?<![^\s]){reply}[- ](?:[245]\.\d{{1,3}}\.\d{{1,3}} )?", "", words)
    return words.replace("delivery temporarily suspended: ", "")


def _derive_status(words: str, reply: str) -> str:
    """Nobody gave a status: final, unless the reply or the words speak of now."""
    lower = f" {words.lower()}"
    if reply.startswith("4") or (not reply and (" temporar" in lower or " persistent" in lower)):
        return "4.0.0"
    return "5.0.0"


def _reason(failure: Failure, words: str, status: str, reply: str, command: str) -> str:
    hint = failure.hint
    domain = failure.address.rpartition("@")[2].lower()
    if hint not in _WEAK:
        return hint
    if reason := receiver_reason(words, status, failure.host, domain):
        return reason
    by_status = status_reason(status)
    if not failure.local:
        for reason in _FIRST:
            if _applies(reason, hint, by_status, words, reply, command, status):
                return reason
    by_words = ""
    if by_status in _WEAK or failure.local:
        by_words = next((reason for reason in _SECOND if says(words, reason)), "")
    if hint and hint != "refused":
        return by_words if by_words and hint in ("system_failed", "auth_failed") else hint
    if by_words or by_status:
        return by_words or by_status
    if failure.local:
        return "program_failed"
    if reply[:2] == "50" and reply < "508":
        return "protocol_error"
    if failure.action in ("delayed", "expired"):
        return "expired"
    if command in ("EHLO", "HELO"):
        return "host_blocked"
    return "recipient_refuses" if any(phrase in words for phrase in ABSENT) else "refused"


def _applies(
    reason: str, hint: str, by_status: str, words: str, reply: str, command: str, status: str
) -> bool:
    if reason in ("mailbox_unknown", "recipient_refuses") and by_status == "sender_refused":
        return False  # the address that the status condemns is the sender's
    if reason == hint:
        return True
    match reason:
        case "mailbox_disabled":
            return reply == "525" or says(words, reason)
        case "mailbox_moved" | "content_invalid" | "reputation":
            return says(words, reason)
        case "relaying_denied":
            return command not in _BEFORE_RCPT and hint in ("", "refused") and says(words, reason)
        case "mailbox_unknown":
            if by_status == "mailbox_disabled":
                return False
            if by_status == "mailbox_unknown":
                return not any(_says_rather(words, other) for other in _RATHER)
            return (command == "RCPT" or status.startswith("5.1.")) and says(words, reason)
        case "recipient_refuses":
            if by_status == "mailbox_disabled":
                return False
            if by_status == "recipient_refuses" or command not in _BEFORE_DATA:
                return says(words, reason) or says(words, "mailbox_unknown")
            return False
        case "sender_refused":
            told = (
                command == "MAIL"
                or (command == "DATA" and by_status != "mailbox_unknown")
                or by_status in ("", "auth_failed", "system_failed")
            )
            return by_status == reason or (told and _says_rather(words, reason))
        case "domain_unknown":
            return (by_status == reason and not says(words, "routing_failed")) or (
                by_status != reason and says(words, reason)
            )
        case "spam":
            return by_status == reason or (command not in _BEFORE_DATA and says(words, reason))
        case _:
            return by_status == reason or says(words, reason)


def _says_rather(words: str, reason: str) -> bool:
    if reason == "sender_refused" and any(phrase in words for phrase in NOT_THE_SENDER):
        return False
    return says(words, reason)
