"""Documents of a call in the provider's language, built by its own library (www.twilio.com/docs/voice/twiml).

`write` never fails for what people wrote: a caller is on the line. Signs that XML cannot hold become spaces, long texts
are spoken in pieces, and the last words are left out where the document would be larger than the provider reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from twilio.twiml.voice_response import Dial, VoiceResponse
from twilio.twiml.voice_response import Gather as GatherBuilder

from channels.sms.numbers import is_e164
from channels.voice.parties import is_client
from channels.voice.speech import clean, name_language, part
from domain.calls import (
    Document,
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
from domain.errors import InvalidInput

#: Bytes of a document that the provider reads (www.twilio.com/docs/api/errors/11750).
LARGEST: Final = 65_536
MEDIA_TYPE: Final = "text/xml"
#: Phones that may ring at once (www.twilio.com/docs/voice/twiml/number).
MOST_TARGETS: Final = 10
_SPEECH: Final = 40_000  #: bytes of all that is spoken in a document
_LONGEST_CALL: Final = 14_400
_MOST_HINTS: Final = 500
_LEG_EVENTS: Final = "initiated ringing answered completed"


def write(document: Document, *, language: str = "", voices: Mapping[str, str] | None = None) -> str:
    """The document as XML. `language`: of texts that tell none; `voices`: the provider's voice by language.

    Raises InvalidInput naming the verb for an address that is not http(s), for a number that nobody can ring, and
    for a document that is too large for the provider even without its words.
    """
    response = VoiceResponse()
    writer = _Writer(language, voices or {})
    for place, verb in enumerate(document):
        writer.add(response, verb, f"document[{place}]")
    text = str(response)
    if len(text.encode()) > LARGEST:
        raise InvalidInput(
            "document", f"it has more than {LARGEST} bytes.", "Say it in steps that lead to each other."
        )
    return text


class _Writer:
    """Adds verbs to a builder; counts what is spoken."""

    def __init__(self, language: str, voices: Mapping[str, str]) -> None:
        self._language = language
        self._voices = voices
        self._left = _SPEECH

    def add(self, to: VoiceResponse, verb: Verb, where: str) -> None:
        match verb:
            case Say() | Play() | Pause():
                self._prompt(to, verb, where)
            case Gather():
                self._gather(to, verb, where)
            case Ring():
                self._ring(to, verb, where)
            case Record():
                self._record(to, verb, where)
            case Redirect():
                to.redirect(_address(verb.url, f"{where}.url"), method="POST")
            case Hangup():
                to.hangup()
            case Reject():
                to.reject(reason="busy" if verb.busy else "rejected")

    def _prompt(self, to: VoiceResponse | GatherBuilder, verb: Say | Play | Pause, where: str) -> None:
        match verb:
            case Say():
                for piece in part(verb.text):
                    self._say(to, piece, name_language(verb.language or self._language))
            case Play():
                to.play(_address(verb.url, f"{where}.url"), loop=_within(verb.times, 0, 1_000))
            case Pause():
                to.pause(length=_within(verb.seconds, 1, 600))

    def _say(self, to: VoiceResponse | GatherBuilder, text: str, language: str) -> None:
        size = len(text.encode("utf-8")) + 5 * sum(text.count(sign) for sign in "<>&\"'")
        if size > self._left:
            text = ""  # what comes behind is not spoken either: half a thought is worse
            self._left = 0
        self._left -= size if text else 0
        if text:
            to.say(text, language=language or None, voice=self._voices.get(language) or None)

    def _gather(self, to: VoiceResponse, verb: Gather, where: str) -> None:
        options: dict[str, Any] = {}
        language = name_language(verb.language or self._language)
        if verb.digits is not None:
            # Every key is an answer, # too; without a number of keys # ends them.
            options |= {"num_digits": _within(verb.digits, 1, 100), "finish_on_key": ""}
        if verb.speech:
            options |= {"speech_timeout": "auto", "language": language or None}
            hints = [hint for one in verb.hints if (hint := clean(one.replace(",", " "))[:100].rstrip())]
            options["hints"] = ",".join(hints[:_MOST_HINTS]) or None
        gather = to.gather(
            input="dtmf speech" if verb.speech else "dtmf",
            action=_address(verb.action, f"{where}.action"),
            method="POST",
            timeout=_within(verb.seconds, 1, 600),
            **options,
        )
        for place, prompt in enumerate(verb.prompt):
            self._prompt(gather, prompt, f"{where}.prompt[{place}]")

    def _ring(self, to: VoiceResponse, verb: Ring, where: str) -> None:
        if not 1 <= len(verb.targets) <= MOST_TARGETS:
            raise InvalidInput(
                f"{where}.targets",
                f"{len(verb.targets)} phones cannot ring at once.",
                f"Ring one to {MOST_TARGETS}.",
            )
        options = _hook("recording_status_callback", verb.recorded, f"{where}.recorded")
        if options:
            options |= {
                "record": "record-from-answer-dual",
                "recording_status_callback_event": "completed absent",
            }
        dial = to.dial(
            action=_address(verb.action, f"{where}.action"),
            method="POST",
            timeout=_within(verb.seconds, 5, 600),
            time_limit=_within(verb.longest, 1, _LONGEST_CALL),
            caller_id=_caller(verb.caller_id, f"{where}.caller_id"),
            answer_on_bridge=True,  # until somebody answers the caller hears it ring, and pays nothing
            **options,
        )
        for place, target in enumerate(verb.targets):
            _aim(dial, target, f"{where}.targets[{place}]")

    def _record(self, to: VoiceResponse, verb: Record, where: str) -> None:
        options = _hook("transcribe_callback", verb.transcribed, f"{where}.transcribed")
        if options:
            del options["transcribe_callback_method"]
            options["transcribe"] = True
        to.record(
            action=_address(verb.action, f"{where}.action"),
            method="POST",
            recording_status_callback=_address(verb.recorded, f"{where}.recorded"),
            recording_status_callback_method="POST",
            recording_status_callback_event="completed absent",
            max_length=_within(verb.longest, 1, _LONGEST_CALL),
            timeout=_within(verb.silence, 1, 600),
            finish_on_key="".join(key for key in "1234567890*#" if key in verb.finish_keys),
            play_beep=True,
            **options,
        )


def _aim(dial: Dial, target: Target, where: str) -> None:
    """One phone of a Dial."""
    options = _hook("url", target.whisper, f"{where}.whisper")
    options |= _hook("status_callback", target.status, f"{where}.status")
    if target.status:
        options["status_callback_event"] = _LEG_EVENTS
    kind, _, name = target.number.partition(":")
    if is_e164(target.number):
        dial.number(target.number, **options)
    elif is_client(target.number):
        dial.client(name, **options)
    elif kind in ("sip", "sips") and "@" in name and clean(name) == name and len(name) <= 255:
        dial.sip(target.number, **options)
    else:
        raise InvalidInput(
            f"{where}.number",
            "nobody can be rung there.",
            "Give a number such as +33199000001, or client:name.",
        )


def _hook(name: str, url: str, where: str) -> dict[str, Any]:
    """An address that may be left out, with how it is asked."""
    if not url:
        return {}
    return {name: _address(url, where), "method" if name == "url" else f"{name}_method": "POST"}


def is_address(url: str) -> bool:
    """Whether a document may name this address."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and len(url) <= 4_000
    except ValueError:
        return False
    return fits and clean(url) == url


def _address(url: str, where: str) -> str:
    if not is_address(url):
        raise InvalidInput(where, "this is no address.", "Give one that begins with https://.")
    return url


def _caller(number: str, where: str) -> str | None:
    """The number shown to whoever is rung; the call's own when none is given."""
    if not number:
        return None
    if not is_e164(number):
        raise InvalidInput(where, "this number cannot be shown.", "Write it such as +33199000001.")
    return number


def _within(number: int, least: int, most: int) -> int:
    return max(least, min(number, most))
