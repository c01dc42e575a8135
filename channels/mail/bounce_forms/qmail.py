"""qmail and its many children (X4), Yahoo, and others that name a recipient in brackets and a colon.

Hi. This is the qmail-send program at example.org.
I'm afraid I wasn't able to deliver your message to the following addresses.

<who@example.net>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.1.1 User unknown
Giving up on 192.0.2.1.
"""

from __future__ import annotations

from typing import Final

from channels.mail.bounce_forms.failure import Failure
from channels.mail.bounce_forms.form import Form, Hints, pattern
from channels.mail.bounce_forms.notice import Notice

_RECIPIENT: Final = pattern(r"^[ \t]{0,2}(<[^<>]{1,300}@[^<>]{1,200}>)\s?:(?P<words>.*)")

#: What qmail-remote and qmail-ldap say themselves, beside the words of the other server.
_HINTS: Final[Hints] = (
    ("no mailbox here by that name", "mailbox_unknown"),
    ("disk quota exceeded", "mailbox_full"),
    ("message size exceeds fixed maximum message size:", "too_big"),
    ("the message exeeded the maximum size the user accepts", "too_big"),
    ("sorry, i couldn't find any host ", "domain_unknown"),
    ("sorry, i couldn't find a mail exchanger or ip address", "domain_closed"),
    ("(not enough free space)", "system_full"),
    ("bad interpreter: no such file", "system_failed"),
    ("system error", "system_failed"),
    ("sorry, i wasn't able to establish an smtp connection", "routing_failed"),
    ("although i'm listed as a best-preference mx", "routing_failed"),
    ("mailaddress is administrative", "mailbox_disabled"),
    ("automatic homedir creat", "system_failed"),
    ("error in automatic homedir", "system_failed"),
    ("ldap", "system_failed"),
    ("executing qmail-forward", "system_failed"),
    ("too many results returned", "system_failed"),
)
_QUEUED_TOO_LONG: Final = "this message has been in the queue too long"


def _read(notice: Notice) -> list[Failure]:
    failures = _PLAIN.failures(notice)
    for failure in failures:
        words = failure.words.lower()
        said = words.partition("remote host said:")[2]
        if " but sender was rejected" in words:
            failure.hint = "sender_refused"
        elif " but my name was rejected" in words:
            failure.hint = "host_blocked"
        elif "does not like recipient" in words and _QUEUED_TOO_LONG in words:
            failure.hint = "refused"
        else:
            failure.hint = next((reason for fragment, reason in _HINTS if fragment in said), "") or next(
                (reason for fragment, reason in _HINTS if fragment in words), ""
            )
            if not failure.hint and "does not like recipient" in words:
                failure.hint = "mailbox_unknown"
            if not failure.hint and _QUEUED_TOO_LONG in words:
                failure.hint = "expired"
    return failures


_BEGINS: Final = pattern(
    r"^Hi\. This is the|He/Her is not |[Uu]nable to deliver your message to the following address|"
    r"Su mensaje no pudo ser entregado|machine generated message from mail service|"
    r"This is the mail delivery agent at|unable to deliver message to the following address|"
    r"your mail was not delivered to the following address|Your mail message to the following address|"
    r"Your message to the following address|We're sorry\."
)
_PLAIN: Final = Form(name="", marks=(), begins=_BEGINS, inclusive=True, recipient=_RECIPIENT)

FORMS: Final = (
    Form(
        name="Yahoo",
        marks=(
            ("x-ymailisg", pattern("")),
            ("text", pattern(r"^Sorry, we were unable to deliver your message to the following")),
        ),
        begins=pattern(r"^Sorry, we were unable to deliver your message"),
        recipient=_RECIPIENT,
        hints=(("this user doesn't have a yahoo", "mailbox_unknown"),),
    ),
    Form(
        name="X2",
        marks=(("text", pattern(r"Unable to deliver message to the following address\(es\)\.")),),
        begins=pattern(r"^Unable to deliver message to the following address"),
        recipient=_RECIPIENT,
    ),
    Form(
        name="qmail",
        marks=(
            (
                "text",
                pattern(
                    r"^[ \t]{0,20}Hi\. This is the (?:qmail|[\w.-]+ program)|I'm afraid I wasn't able to deliver"
                ),
            ),
            ("subject", pattern(r"^(?:failure notice|Permanent Delivery Failure)")),
            ("received", pattern(r"\(qmail \d+ invoked (?:for bounce|from .*network)")),
        ),
        read=_read,
    ),
)
