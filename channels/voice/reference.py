"""docs/voice.md, written from the declarations: `python -m channels.voice.reference > docs/voice.md`."""

from __future__ import annotations

from collections.abc import Iterator

from channels.description import describe_channel
from channels.voice.codes import REASONS, SIP_REASONS
from channels.voice.reasons import VOCABULARY
from channels.voice.speech import LONGEST_PIECE
from channels.voice.twilio import TwilioVoice
from channels.voice.twiml import LARGEST, MOST_TARGETS, write
from domain.calls import (
    LEG_RANKS,
    Gather,
    Hangup,
    Pause,
    Play,
    Record,
    Redirect,
    Reject,
    Ring,
    Say,
    Target,
    Verb,
)

_HEAD = """# Calls

Written from the code by `python -m channels.voice.reference > docs/voice.md`.

The channel `voice` places calls through Twilio, watches and ends them, and fetches what was recorded. It uses the account of
short messages (settings `sms`); what is about calls is in `voice`.

## In doubt

Placing a call has no idempotency key either. A request that may have been read and was not answered leaves its call
`unconfirmed`, and it is never placed again by itself: nobody is rung twice. Its own callbacks settle it, whose addresses
carry our signed token, or a look in the provider's list: by the phone rung, the number shown and the time, legs of other
calls left out. 429 was never processed: the call waits for its turn, and is not placed when that takes longer than
`timeouts.turn`.

## What to set at the provider

| at Twilio | address |
|---|---|
| a number's "a call comes in", HTTP POST | `{public address}/callbacks/voice/inbound` |
| its "call status changes", HTTP POST | `{public address}/callbacks/voice/ended`: a caller who hangs up in a menu is told of nowhere else; without it the provider is asked after some minutes |
| its fallback | the first address again: asked twice, it answers the same |

Calls that we place carry their own addresses. The signature is that of short messages: it covers the address as the provider
calls it.

## What is written down

The provider's transcripts of recordings (`<Record transcribe>`) are English, of two minutes at most. Voicemail in another
language is recorded and not written down: its conversation says how long the message is, and plays it. The provider has two
other ways that know more languages, and neither is used: that of running calls (`<Start><Transcription languageCode="fr-FR">`)
hands over pieces of text while somebody speaks, which belong to no recording; that of recordings (Conversational
Intelligence) needs a service set up at the provider, and keeps texts there. Both are subject to terms of their own for what
is made of voices. `transcribed_languages` is for a provider that understands more, as the test carrier does.
"""

_HUB = "https://hub.example/callbacks/voice/…"
_VERBS: tuple[tuple[Verb, str], ...] = (
    (
        Say("Bonjour", "fr"),
        f"a text; more than {LONGEST_PIECE:,} characters are said in pieces that end with a sentence",
    ),
    (Play(_HUB), "a sound from an address"),
    (Pause(2), "silence"),
    (
        Gather(_HUB, (Say("For sales press 1", "en"),)),
        "keys, or speech; with a number of keys # is an answer, else it ends them",
    ),
    (
        Ring((Target("+33199000001", status=_HUB),), _HUB),
        f"up to {MOST_TARGETS} phones at once; until one is answered the caller hears them ring",
    ),
    (Record(_HUB, _HUB), "a message; longer ones than two minutes are not written down by the provider"),
    (Redirect(_HUB), "go on elsewhere"),
    (Hangup(), "end the call"),
    (Reject(), "do not take the call"),
)


def write_reference() -> str:
    """The whole page."""
    sections = [_HEAD, describe_channel(TwilioVoice)]
    sections += ["\n".join(part) + "\n" for part in (_verbs(), _reasons(), _states(), _callers())]
    return "\n".join(sections)


def _verbs() -> Iterator[str]:
    yield "## What happens on a line"
    yield ""
    yield "Documents are said in verbs of our own (`domain/calls.py`) and written in the provider's language by its library. Signs"
    yield f"that XML cannot hold are spoken as spaces, and what would make a document larger than the {LARGEST:,} bytes that the"
    yield "provider reads is not spoken: a caller is on the line."
    yield ""
    yield "| verb | meaning | at Twilio |"
    yield "|---|---|---|"
    for verb, meaning in _VERBS:
        written = write((verb,)).partition("<Response>")[2].removesuffix("</Response>")
        yield f"| {type(verb).__name__} | {meaning} | `{written}` |"


def _reasons() -> Iterator[str]:
    yield "## Why a call did not come about"
    yield ""
    yield "Hard: the number itself is at fault. Codes are Twilio's; answers are those of the telephone network (SIP, RFC 3261)."
    yield ""
    yield "| word | meaning | hard | codes | answers |"
    yield "|---|---|---|---|---|"
    for word, reason in VOCABULARY.items():
        codes, answers = (
            ", ".join(str(code) for code, known in sorted(table.items()) if known == word)
            for table in (REASONS, SIP_REASONS)
        )
        yield f"| `{word}` | {reason.gloss} | {'yes' if reason.hard else ''} | {codes} | {answers} |"


def _states() -> Iterator[str]:
    yield "## States of a leg"
    yield ""
    yield "Reports come in any order and more than once; a leg's state only moves to a higher rank, and the first final one stays."
    yield ""
    yield "| state | rank |"
    yield "|---|---|"
    for name, rank in LEG_RANKS.items():
        yield f"| {name} | {rank} |"


def _callers() -> Iterator[str]:
    yield "## Callers who hide"
    yield ""
    yield "They come as a word (`anonymous`, `Restricted`), as such a word typed on a telephone's keys behind a plus sign"
    yield "(`+266696687` is ANONYMOUS), as `sip:anonymous@anonymous.invalid`, or as nothing. None of these is taken for a number, so"
    yield "that all who hide do not become one contact. A number in a SIP address is a number."


if __name__ == "__main__":
    print(write_reference(), end="")
