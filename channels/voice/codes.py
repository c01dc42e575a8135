"""What the provider's error codes and the network's answers mean for a call: tables, from their codes to our words.

Codes: www.twilio.com/docs/api/errors. Answers of the telephone network: SIP, RFC 3261, section 21. What is not here
means `refused`; the provider's words are kept beside ours in any case.
"""

from __future__ import annotations

from typing import Final

_WORDS: Final[dict[str, tuple[int, ...]]] = {
    "auth_failed": (10001, 10002, 10003, 10005, 20003, 20005, 20006, 20007, 20008, 20101, 20403, 20404, 90010),
    "content_invalid": (11100, 11750, 12100, 12200, 13520, 21205, 21218, 21405),
    "number_invalid": (13223, 13224, 13226, 21201, 21211, 21217, 21401, 21421),
    "number_unreachable": (21214,),
    "number_unsuitable": (21202, 21268),
    "number_unverified": (21219,),
    "policy": (13225, 21216, 32224),
    "recipient_refuses": (32017,),
    "region_closed": (13227, 21215, 32205),
    "sender_refused": (13214, 21210, 21212, 21213),
    "throttled": (10004, 14107, 20429),
    "unavailable": (20500, 20503),
}  # fmt: skip

REASONS: Final[dict[int, str]] = {code: word for word, codes in _WORDS.items() for code in codes}

SIP_REASONS: Final[dict[int, str]] = {
    403: "recipient_refuses",
    404: "number_unknown",
    408: "number_unreachable",
    410: "number_unknown",
    480: "number_unreachable",
    484: "number_invalid",
    486: "busy",
    487: "cancelled",
    488: "unsupported",
    500: "unavailable",
    502: "unavailable",
    503: "unavailable",
    504: "timeout",
    600: "busy",
    603: "recipient_refuses",
    604: "number_unknown",
    607: "recipient_refuses",
    608: "recipient_refuses",
}


def reason_of(code: int | None) -> str:
    """Our word for an error code of the provider; `refused` for one that we do not know, or none."""
    return REASONS.get(code or 0, "refused")


def reason_of_sip(code: int) -> str:
    """Our word for the network's answer to a call that failed; `refused` for one that we do not know, or none."""
    return SIP_REASONS.get(code, "refused")
