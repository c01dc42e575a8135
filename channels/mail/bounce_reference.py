"""The page on bounces, written from the tables: `python -m channels.mail.bounce_reference > docs/bounces.md`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Final

from channels.mail.bounce_forms.families import FORMS
from channels.mail.bounces import Kind
from channels.mail.reasons import VOCABULARY

_INTRO: Final = """\
# Bounces

<!-- Written by `python -m channels.mail.bounce_reference`; a test fails when it is out of step. -->

A mail that was accepted can still come back: hours later, from a server nobody talked to, in one of a hundred forms.
`channels.mail.bounces.classify` reads such a mail and says what it is, and what it says about whom.
"""

_TOKENS: Final = """\
## About which mail

Each mail that leaves has a return path of its own (`bounces+TOKEN@...`, channels/mail/verp.py). The token in the
recipients of a report's envelope, in its headers, or in the mail that it returns names our message for certain; the
addresses that a report names are second to it, since mail is forwarded and addresses are rewritten on the way.
"""

_JUDGING: Final = """\
## How a reason is found

In this order (channels/mail/bounce_forms/judging.py):

1. what the form of the report says by its own sentences or codes;
2. a code of the receiving server (Orange, GoDaddy, Cox, Spectrum, Facebook, Exchange);
3. the server's words, by the fragments in channels/mail/bounce_forms/phrases.py, the more telling reasons first;
4. the status (RFC 3463), then the reply code.

An unknown user is believed as the answer to RCPT, or with a status that says so. After the message was sent, servers
use the same words for what a filter or the recipient's own rules refused; that is `recipient_refuses`, and soft.

When nobody gives a status, its class is derived: 4 when the reply or the words speak of now, else 5. A report may cite two
statuses; the one that the reply confirms is believed, else the one that says more.
"""

_LIMITS: Final = """\
## Limits

Nothing is raised on any bytes. A report is read up to 4 MB, 100 parts, 6 levels and 300 recipients; of each text
200,000 characters. In what a person seems to have written, a pasted report makes no bounce.

Much of what is known here about the forms of servers was learnt from the documentation of
[Sisimai](https://libsisimai.org/), which has collected them since 2009.
"""


def write_reference() -> str:
    """The whole page, in Markdown."""
    return "\n".join(_sections()).rstrip() + "\n"


def _sections() -> Iterator[str]:
    yield _INTRO
    yield "## Kinds\n"
    yield "| kind | |\n|---|---|"
    for line in inspect.getsource(Kind).splitlines():
        if "#:" in line:
            value, _, gloss = line.partition("#:")
            yield f"| `{value.split('=')[1].strip().strip(chr(34))}` | {gloss.strip()} |"
    yield "\n" + _TOKENS
    yield "## Reasons\n"
    yield "One vocabulary serves replies while we send and bounces that come later. A hard reason speaks against the address: it"
    yield "is put on the do-not-contact list at once. A soft one counts only in a series. A domain that cannot be found, or takes"
    yield "no mail, is soft as long as the status says that this is so only for now (4.x.x).\n"
    yield "| reason | | |\n|---|---|---|"
    yield from (
        f"| `{word}` | {'**hard**' if reason.hard else 'soft'} | {reason.gloss} |"
        for word, reason in VOCABULARY.items()
    )
    yield "\n" + _JUDGING
    yield "## Forms\n"
    yield "Standards: RFC 3464 (delivery status), RFC 5965 (complaints), RFC 8098 (receipts), RFC 3834 (automatic answers). Forms of"
    yield "their own: " + ", ".join(form.name for form in FORMS) + ","
    yield "Amazon's notifications by SNS, complaints of Hotmail, Apple's unsubscribe mails. Any other report of a daemon is searched for"
    yield "addresses near its words of regret.\n"
    yield "A form that is missing is a row in one of the modules of channels/mail/bounce_forms/: by which headers or words it is"
    yield "known, where its recipients stand, and what its sentences mean; and a mail of it in tests/channels/bounce_mails.py.\n"
    yield _LIMITS


if __name__ == "__main__":
    print(write_reference(), end="")
