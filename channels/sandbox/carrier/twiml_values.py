"""What the provider takes as values in TwiML of calls: numbers in their bounds, words of a list, lengths of texts.

Sources: the pages of each verb below www.twilio.com/docs/voice/twiml. Only complaints: a value that is out of bounds is
read as well as it can be, as the provider does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from xml.etree.ElementTree import Element

#: Bytes of a document (error 11750), characters of a Say (13520), of a queue's name, phones of a Dial.
LARGEST_DOCUMENT: Final = 65_536
_LONGEST_SAY: Final = 4_096
_LONGEST_QUEUE: Final = 64
_MOST_PHONES: Final = 10

_TRUTH: Final = r"true|false"
_METHOD: Final = r"GET|POST"
_KEYS: Final = r"[0-9*#]*"
_LANGUAGE: Final = r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*"
_EVENTS: Final = r"(initiated|ringing|answered|completed)( (initiated|ringing|answered|completed))*"
_RECORDING_EVENTS: Final = r"(in-progress|completed|absent)( (in-progress|completed|absent))*"
_ADDRESS: Final = r"(https?://[^\s/]+)?[^\s]*"  # absolute, or relative to the document

#: Attribute → what its value looks like, for any verb; `Verb.attribute` where a verb has its own.
_PATTERNS: Final[Mapping[str, str]] = {
    "action": _ADDRESS,
    "answerOnBridge": _TRUTH,
    "callerId": r"\+?[0-9A-Za-z:._@-]+",
    "finishOnKey": _KEYS,
    "Gather.input": r"dtmf|speech|dtmf speech|speech dtmf",
    "language": _LANGUAGE,
    "method": _METHOD,
    "playBeep": _TRUTH,
    "Dial.record": r"do-not-record|true|false|record-from-(answer|ringing)(-dual)?",
    "Reject.reason": r"rejected|busy",
    "recordingStatusCallback": _ADDRESS,
    "recordingStatusCallbackEvent": _RECORDING_EVENTS,
    "recordingStatusCallbackMethod": _METHOD,
    "speechTimeout": r"auto|[0-9]+",
    "statusCallback": _ADDRESS,
    "statusCallbackEvent": _EVENTS,
    "statusCallbackMethod": _METHOD,
    "transcribe": _TRUTH,
    "transcribeCallback": _ADDRESS,
    "url": _ADDRESS,
    "waitUrl": _ADDRESS,
    "waitUrlMethod": _METHOD,
}
_RULES: Final = {name: re.compile(pattern) for name, pattern in _PATTERNS.items()}

#: Attribute → the smallest and the largest number it takes.
_BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "Dial.timeLimit": (1, 14_400),
    "Dial.timeout": (5, 600),
    "Gather.numDigits": (1, 1_000),
    "Pause.length": (1, 600),
    "Play.loop": (0, 1_000),
    "Record.maxLength": (1, 14_400),
    "Record.timeout": (0, 600),
    "Say.loop": (0, 1_000),
}


def check_values(element: Element, words: str) -> list[str]:
    """What the provider would complain about in one element, in sentences; `words` is its text."""
    tag = element.tag
    problems = [problem for name, value in element.attrib.items() if (problem := _check(tag, name, value))]
    if tag == "Say" and not words:
        problems.append("Say has nothing to say.")
    if tag == "Say" and len(words) > _LONGEST_SAY:
        problems.append(f"Say has {len(words)} characters; it takes {_LONGEST_SAY}.")
    if tag in ("Enqueue", "Queue") and len(words) > _LONGEST_QUEUE:
        problems.append(f"{tag}: the name of a queue has at most {_LONGEST_QUEUE} characters.")
    phones = sum(child.tag in ("Number", "Client", "Sip") for child in element)
    if tag == "Dial" and phones > _MOST_PHONES:
        problems.append(f"Dial: {phones} phones cannot ring at once; {_MOST_PHONES} can.")
    return problems


def _check(tag: str, name: str, value: str) -> str:
    bounds = _BOUNDS.get(f"{tag}.{name}")
    if bounds is not None:
        least, most = bounds
        if not (value.isascii() and value.isdecimal() and least <= int(value) <= most):
            return f"{tag}: {name} is a number from {least} to {most}, not {value!r}."
        return ""
    rule = _RULES.get(f"{tag}.{name}") or _RULES.get(name)
    if rule is not None and rule.fullmatch(value) is None:
        return f"{tag}: {name} cannot be {value!r}."
    return ""
