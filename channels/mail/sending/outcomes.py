"""What a reply, or its absence, means for a message: one pure table, from SMTP codes to our vocabulary.

4xx is tried again, 5xx is final. Two exceptions: a server that wants a login or encryption first (530, 534,
535, 538) complains about our settings and not about a recipient, so the message waits for an administrator;
and after the final dot, silence proves nothing, so the message is uncertain (promise 3).
Codes: RFC 5321 4.2, RFC 3463 and its registry of enhanced codes, RFC 4954 6, RFC 7505.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final

from channels.mail.reasons import VOCABULARY
from domain.messages import DeliveryState

#: Every reason that a delivery by mail can end with, and the sentence for people.
REASONS: Final[dict[str, str]] = {word: reason.gloss for word, reason in VOCABULARY.items()}


class Phase(IntEnum):
    """Where in a transaction a reply belongs."""

    MAIL = 1
    RCPT = 2
    DATA = 3
    DOT = 4


_ENHANCED: Final = re.compile(rb"([245])\.(\d{1,3})\.(\d{1,3})(?:\s|$)")
_GREYLISTED: Final = re.compile(rb"gr[ea]y-?\s?list|try(?:ing)? again in \d", re.IGNORECASE)

_LOGIN_WANTED: Final = frozenset({530, 534, 535, 538})

# Subject and detail of an enhanced status code, whatever its class.
_BY_STATUS: Final[dict[tuple[int, int], str]] = {
    (1, 1): "mailbox_unknown",
    (1, 2): "domain_unknown",
    (1, 3): "address_invalid",
    (1, 6): "mailbox_unknown",
    (1, 7): "sender_refused",
    (1, 8): "sender_refused",
    (1, 10): "domain_unknown",
    (2, 0): "mailbox_busy",
    (2, 1): "mailbox_disabled",
    (2, 2): "mailbox_full",
    (2, 3): "too_big",
    (3, 0): "unavailable",
    (3, 1): "unavailable",
    (3, 2): "unavailable",
    (3, 3): "unsupported",
    (3, 4): "too_big",
    (4, 1): "unavailable",
    (4, 2): "unavailable",
    (4, 3): "unavailable",
    (4, 4): "domain_unknown",
    (4, 5): "throttled",
    (5, 0): "protocol_error",
    (5, 1): "protocol_error",
    (5, 2): "protocol_error",
    (5, 3): "throttled",
    (5, 4): "unsupported",
    (6, 1): "unsupported",
    (6, 3): "unsupported",
    (6, 7): "unsupported",
    (7, 8): "auth_failed",
    (7, 9): "auth_failed",
    (7, 11): "auth_failed",
}
# Any other code with this subject; 7.x is about security and policy.
_BY_SUBJECT: Final = {6: "content_invalid", 7: "policy"}

_BY_CODE: Final[dict[int, str]] = {
    421: "unavailable",
    450: "mailbox_busy",
    451: "unavailable",
    452: "throttled",
    454: "tls_failed",
    455: "unsupported",
    500: "protocol_error",
    501: "protocol_error",
    502: "protocol_error",
    503: "protocol_error",
    504: "unsupported",
    521: "domain_unknown",
    550: "policy",
    551: "mailbox_unknown",
    552: "too_big",
    553: "address_invalid",
    554: "policy",
    555: "unsupported",
    556: "domain_unknown",
}
# Where the command decides what a plain code means.
_BY_CODE_AT_RCPT: Final = {550: "mailbox_unknown", 552: "mailbox_full", 452: "mailbox_full"}


def judge_refusal(phase: Phase, code: int, text: bytes) -> tuple[DeliveryState, str]:
    """State and reason of a message that was answered with 4xx or 5xx.

    Any other code in the wrong place is a server that we no longer understand: DEFERRED before the dot,
    UNCERTAIN after it.
    """
    kind = code // 100
    if kind not in (4, 5):
        return judge_silence(dot_left=phase is Phase.DOT), "protocol_error"
    if code in _LOGIN_WANTED:
        return DeliveryState.DEFERRED, "auth_failed"
    state = DeliveryState.DEFERRED if kind == 4 else DeliveryState.REJECTED
    if kind == 4 and _GREYLISTED.search(text):
        return state, "greylisted"
    reason = None
    # 421 speaks about the connection, whatever is added to it; a refusal's status has the same class.
    status = None if code == 421 else _ENHANCED.match(text)
    if status and int(status[1]) == kind:
        subject, detail = int(status[2]), int(status[3])
        reason = _BY_STATUS.get((subject, detail)) or _BY_SUBJECT.get(subject)
    if reason is None and phase is Phase.RCPT:
        reason = _BY_CODE_AT_RCPT.get(code)
    reason = reason or _BY_CODE.get(code, "refused")
    if phase is Phase.MAIL and code != 521 and VOCABULARY[reason].hard:
        reason = (
            "sender_refused"  # nobody spoke of the recipient yet; 521 is about the server itself (RFC 7504)
        )
    return state, reason


def judge_silence(*, dot_left: bool) -> DeliveryState:
    """State of a message whose connection ended without an answer.

    Until the final dot was handed to the operating system the server cannot hold a complete message, so
    trying again is safe. Afterwards nobody can know.
    """
    return DeliveryState.UNCERTAIN if dot_left else DeliveryState.DEFERRED
