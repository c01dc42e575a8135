"""docs/sms.md, written from the declarations: `python -m channels.sms.reference > docs/sms.md`."""

from __future__ import annotations

from collections.abc import Iterator

from channels.description import describe_channel
from channels.sms.generic import HttpSms
from channels.sms.keywords import Command, words_of
from channels.sms.reasons import VOCABULARY, WITHDRAWALS
from channels.sms.statuses import STATUSES
from channels.sms.twilio import TwilioSms
from channels.sms.twilio_codes import REASONS

_HEAD = """# Short messages

Written from the code by `python -m channels.sms.reference > docs/sms.md`.

Two channels: `sms` goes through Twilio's own client, with reports, answers and pictures; `sms_http` through any provider
that takes a message by a plain HTTP request ([adding a channel](adding-a-channel.md) tells how it was made).

## In doubt

Creating a message has no idempotency key. A request that may have been read and was not answered (a timeout, a lost
connection, a 5xx) leaves its message `uncertain`, and it is never sent again by itself. Two things settle it: the
provider's report, whose address carries our signed token, and a look in the provider's list by recipient, sender, time and
text. 429 was never processed, so it only delays: all senders of all processes rest for as long as the provider asks, and the
attempt does not count. A full queue of one number (21611, 30001) lets the others go on.

## What to set at the provider

| at Twilio | address |
|---|---|
| a number's or messaging service's "a message comes in", HTTP POST | `{callback_url}/inbound` |
| status callback | none: each message carries its own, `{callback_url}/status/{token}` |

`callback_url` is the address as the provider calls it: its signature covers it to the letter. Behind a proxy it is the
public one. The tokens of subaccounts that own numbers, and the old token while it is rotated, go into `signing_tokens`.
"""


def write_reference() -> str:
    """The whole page."""
    sections = [_HEAD, describe_channel(TwilioSms), describe_channel(HttpSms)]
    sections += ["\n".join(part) + "\n" for part in (_reasons(), _statuses(), _keywords())]
    return "\n".join(sections)


def _reasons() -> Iterator[str]:
    yield "## Why a message did not arrive"
    yield ""
    yield "Hard: the number itself is at fault and is put on the do-not-contact list. Codes are Twilio's."
    yield ""
    yield "| word | meaning | hard | codes |"
    yield "|---|---|---|---|"
    for word, reason in VOCABULARY.items():
        codes = ", ".join(str(code) for code, known in sorted(REASONS.items()) if known == word)
        mark = "yes" if reason.hard else "withdrawal" if word in WITHDRAWALS else ""
        yield f"| `{word}` | {reason.gloss} | {mark} | {codes} |"


def _statuses() -> Iterator[str]:
    yield "## States at the provider"
    yield ""
    yield "Reports come in any order and more than once; a state only moves to a higher rank, and the first final one stays."
    yield ""
    yield "| state | rank | on the timeline | settles a delivery in doubt as |"
    yield "|---|---|---|---|"
    for name, status in STATUSES.items():
        event = status.event.value if status.event else ""
        yield f"| {name} | {status.rank} | {event} | {status.delivery.value if status.delivery else ''} |"


def _keywords() -> Iterator[str]:
    yield "## Keywords"
    yield ""
    yield "A message that is nothing but one of these, whatever its case, accents and punctuation. Words in bold are obeyed by"
    yield "the provider too. Words in italics are ordinary answers as well: they mean START only after a STOP."
    yield ""
    yield "| language | stop | start | help |"
    yield "|---|---|---|---|"
    for language, words in words_of().items():
        cells = (", ".join(_mark(word) for word in words[command]) for command in Command)
        yield f"| {language} | {' | '.join(cells)} |"


def _mark(word: tuple[str, bool, bool]) -> str:
    text, obeyed, ambiguous = word
    text = f"*{text}*" if ambiguous else text
    return f"**{text}**" if obeyed else text


if __name__ == "__main__":
    print(write_reference(), end="")
