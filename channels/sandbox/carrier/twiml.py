"""Reading TwiML: well-formed, only verbs and attributes that the provider knows, nested as it allows.

Documents come from our own addresses, yet they are parsed as from outside: a document type is refused, so that no
entity is ever expanded.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from xml.etree.ElementTree import Element, ParseError, fromstring

from channels.sandbox.carrier.twiml_values import LARGEST_DOCUMENT, check_values

_CALLBACK: Final = frozenset({"statusCallback", "statusCallbackEvent", "statusCallbackMethod"})
_RECORDING: Final = frozenset(
    {"recordingStatusCallback", "recordingStatusCallbackMethod", "recordingStatusCallbackEvent"}
)
_AMD: Final = frozenset(
    {
        *("machineDetection", "amdStatusCallback", "amdStatusCallbackMethod", "machineDetectionTimeout"),
        *(
            "machineDetectionSpeechThreshold",
            "machineDetectionSpeechEndThreshold",
            "machineDetectionSilenceTimeout",
        ),
    }
)

_VOICE: dict[str, frozenset[str]] = {
    "Say": frozenset({"voice", "loop", "language"}),
    "Play": frozenset({"loop", "digits"}),
    "Pause": frozenset({"length"}),
    "Gather": frozenset(
        {
            *("input", "action", "method", "timeout", "speechTimeout", "maxSpeechTime", "profanityFilter"),
            *("finishOnKey", "numDigits", "partialResultCallback", "partialResultCallbackMethod", "language"),
            *("hints", "bargeIn", "debug", "actionOnEmptyResult", "speechModel", "enhanced"),
        }
    ),
    "Dial": frozenset(
        {
            *("action", "method", "timeout", "hangupOnStar", "timeLimit", "callerId", "record", "trim"),
            *(
                "answerOnBridge",
                "ringTone",
                "recordingTrack",
                "sequential",
                "referUrl",
                "referMethod",
                "events",
                "passports",
                "recordingConfigurationId",
            ),
        }
    )
    | _RECORDING,
    "Number": frozenset({"sendDigits", "url", "method", "byoc"}) | _CALLBACK | _AMD,
    "Client": frozenset({"url", "method"}) | _CALLBACK,
    "Sip": frozenset({"username", "password", "url", "method"}) | _CALLBACK | _AMD,
    "Queue": frozenset({"url", "method", "reservationSid", "postWorkActivitySid"}),
    "Conference": frozenset(
        {
            *("muted", "beep", "startConferenceOnEnter", "endConferenceOnExit", "waitUrl", "waitMethod"),
            *("maxParticipants", "record", "region", "coach", "trim", "eventCallbackUrl", "participantLabel"),
            *("jitterBufferSize", "recordingConfigurationId"),
        }
    )
    | _CALLBACK
    | _RECORDING,
    "Record": frozenset(
        {
            *("action", "method", "timeout", "finishOnKey", "maxLength", "playBeep", "trim"),
            *("transcribe", "transcribeCallback", "recordingConfigurationId"),
        }
    )
    | _RECORDING,
    "Redirect": frozenset({"method"}),
    "Hangup": frozenset(),
    "Leave": frozenset(),
    "Reject": frozenset({"reason"}),
    "Enqueue": frozenset({"action", "maxQueueSize", "method", "waitUrl", "waitUrlMethod", "workflowSid"}),
    "Start": frozenset({"action", "method"}),
    "Stop": frozenset(),
    "Recording": frozenset({"channels", "trim", "track", "recordingConfigurationId"}) | _RECORDING,
}
_MESSAGING: dict[str, frozenset[str]] = {
    "Message": frozenset({"to", "from", "action", "method", "statusCallback"}),
    "Redirect": frozenset({"method"}),
    "Body": frozenset(),
    "Media": frozenset(),
}
_INSIDE: dict[str, frozenset[str]] = {
    "Gather": frozenset({"Say", "Play", "Pause"}),
    "Dial": frozenset({"Number", "Client", "Sip", "Queue", "Conference"}),
    "Start": frozenset({"Recording"}),
    "Stop": frozenset({"Recording"}),
    "Message": frozenset({"Body", "Media"}),
}
_NOUNS: Final = frozenset({"Number", "Client", "Sip", "Queue", "Conference", "Recording", "Body", "Media"})

#: Verbs and nouns of calls that the carrier performs → their attributes.
VOICE: Final[Mapping[str, frozenset[str]]] = MappingProxyType(_VOICE)
#: Verbs and nouns of answers to messages → their attributes.
MESSAGING: Final[Mapping[str, frozenset[str]]] = MappingProxyType(_MESSAGING)
#: What may be nested in what; whatever is not here holds text only (Say: also speech marks, which are read as text).
INSIDE: Final[Mapping[str, frozenset[str]]] = MappingProxyType(_INSIDE)


class TwimlError(Exception):
    """A document that the provider would refuse: `code` is 12100 (not XML) or 12200 (not its vocabulary)."""

    def __init__(self, code: int, problem: str) -> None:
        self.code = code
        super().__init__(problem)


def read_document(text: str) -> list[Element]:
    """The verbs of a document. Raises TwimlError when it is not XML, or its root is not Response."""
    if "<!DOCTYPE" in text:
        raise TwimlError(12100, "A TwiML document has no document type.")
    try:
        root = fromstring(text.strip().encode())
    except ParseError as error:
        raise TwimlError(12100, f"The document is not XML: {error}") from error
    if root.tag != "Response":
        raise TwimlError(12200, f"The root of a TwiML document is Response, not {root.tag}.")
    return list(root)


def check_document(text: str, vocabulary: Mapping[str, frozenset[str]] = VOICE) -> list[str]:
    """What the provider would complain about, in sentences; empty when it would accept the document."""
    try:
        verbs = read_document(text)
    except TwimlError as error:
        return [str(error)]
    size = len(text.encode())
    problems = (
        [f"The document has {size} bytes; {LARGEST_DOCUMENT} are read."] if size > LARGEST_DOCUMENT else []
    )
    return problems + [problem for verb in verbs for problem in _check(verb, "Response", vocabulary)]


def _check(element: Element, parent: str, vocabulary: Mapping[str, frozenset[str]]) -> list[str]:
    tag = element.tag
    if parent == "Say":
        return []
    allowed = tag in INSIDE[parent] if parent in INSIDE else tag in vocabulary and tag not in _NOUNS
    if not allowed or (parent not in INSIDE and parent != "Response"):
        return [f"{tag} is not allowed in {parent}."]
    problems = [
        f"{tag} has no attribute {name}."
        for name in element.attrib
        if name not in vocabulary.get(tag, frozenset())
    ]
    if vocabulary is VOICE:
        problems += check_values(element, words_of(element))
    for child in element:
        problems += _check(child, tag, vocabulary)
    return problems


def words_of(element: Element) -> str:
    """The text of an element, speech marks left out and spaces closed up."""
    return " ".join("".join(element.itertext()).split())


def is_true(value: str | None, default: bool = False) -> bool:
    """An attribute that is true or false."""
    return default if value is None else value.strip().lower() in ("true", "yes", "1")


def number_of(element: Element, name: str, default: float) -> float:
    """An attribute that is a number of seconds or things. Raises TwimlError."""
    value = element.get(name)
    if value is None or value == "auto":
        return default
    try:
        return float(value)
    except ValueError as error:
        raise TwimlError(12200, f"{element.tag}: {name} is a number, not {value!r}.") from error
