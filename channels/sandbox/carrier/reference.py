"""docs/test-carrier.md, written from the declarations: `python -m channels.sandbox.carrier.reference > docs/test-carrier.md`."""

from __future__ import annotations

from collections.abc import Iterator

from channels.sandbox.carrier.mischief import ENDINGS, MAGIC_CALLS, MAGIC_SMS, MEANINGS, STORY_NUMBERS, Trick
from channels.sandbox.carrier.refusals import SENTENCES
from channels.sandbox.carrier.settings import CarrierSettings
from channels.sandbox.carrier.twiml import VOICE

_HEAD = """# The test carrier

Written from the code by `python -m channels.sandbox.carrier.reference > docs/test-carrier.md`.

A provider of short messages and calls on this machine: Twilio's interface (`/2010-04-01/...`, as its OpenAPI description has
it) over state in memory, callbacks signed by Twilio's own library, and the phones of the people who are reached. Nothing
leaves the machine: addresses elsewhere are never asked, unless a route brings them back here.

## In the house

While no account is set (`CLYTIE_SMS__ACCOUNT_SID`), the mail process runs it, and every process sends short messages and calls
there; its secret is made from the token keys. The numbers of queues, phone lines and teams are its numbers, a second after they
are written; while there is none, +33639980000 is. The console's page “Test phone” and the API (`/sandbox/phones`) show the
phones: those of contacts and of our own people, and any other number. `CLYTIE_CARRIER__ENABLED=false` switches it off.
Where web and mail processes run on several machines, `carrier.url` says where the others find it, and `carrier.routes` where it
finds our public address: docker-compose.yml shows both.

## Starting it

Within one process, as tests do:

```python
number = NumberSettings(phone_number="+33644600001", sms_url=..., voice_url=...)
carrier = Carrier(CarrierSettings(numbers=(number,)), clock)
await carrier.start()  # carrier.url stands for https://api.twilio.com; carrier.phones are the phones
await carrier.stop()
```

Alone: `python -m channels.sandbox.carrier SETTINGS.json`; it writes one line of JSON with its url, account_sid and auth_token.
From every other process: `RemotePhones(CarrierLink(url, account_sid, auth_token))` has the same phones, `RemoteControl` the
rules of mischief, messaging services, the requests that the carrier made, and what addresses and documents of ours did wrong.

## Calls

Documents are followed step by step: {verbs}. What is said is text; a person answers, presses keys, speaks text and hangs up.
Say takes as long as its words, Play three seconds. Speech may take longer than on a real phone, because it is typed
(`typing_seconds`). Recordings know their words and are given out as a tone of the same length; a transcript is exact. Not
there: partial results of speech, streams, payments, messages sent by a call's document, workflows of queues.
"""

_MISCHIEF = """
## Misbehaviour

By a rule for the next n times or for ever (`RemoteControl.add_rule`), by the header `X-Carrier-Trick` of one request, or by
the recipient: numbers that are kept for stories ({begins}) choose by their last three digits.
Numbers for a measurement should not end so.
"""


def write_reference() -> str:
    """The page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    verbs = ", ".join(
        sorted(tag for tag in VOICE if tag not in ("Number", "Client", "Sip", "Queue", "Recording"))
    )
    yield _HEAD.format(verbs=verbs).rstrip()
    yield _MISCHIEF.format(begins=", ".join(f"`{begin}`" for begin in STORY_NUMBERS)).rstrip()
    yield ""
    yield "| trick | ending | what happens |"
    yield "|---|---|---|"
    for trick in Trick:
        endings = [
            ending + (f" ({code})" if code else "") for ending, (one, code) in ENDINGS.items() if one is trick
        ]
        yield f"| `{trick.value}` | {', '.join(endings)} | {MEANINGS[trick]} |"
    yield ""
    yield "The provider's own magic numbers are refused as there:"
    yield ""
    yield "| number | a message | a call |"
    yield "|---|---|---|"
    for number in sorted({*MAGIC_SMS, *MAGIC_CALLS}):
        yield f"| `{number}` | {_tell(MAGIC_SMS.get(number))} | {_tell(MAGIC_CALLS.get(number))} |"
    yield ""
    yield "## Settings"
    yield ""
    yield "| setting | meaning |"
    yield "|---|---|"
    for name, field in CarrierSettings.model_fields.items():
        yield f"| `{name}` | {field.description} |"


def _tell(code: int | None) -> str:
    if code is None:
        return ""
    return f"{code}: {SENTENCES[code][1].replace('{detail}', '…')}"


if __name__ == "__main__":
    print(write_reference(), end="")
