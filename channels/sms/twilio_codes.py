"""What the provider's error codes mean: one table, from its codes to our vocabulary (www.twilio.com/docs/api/errors).

The same codes come in the answer to a request and, later, in the report of a message that was taken. Codes that
are not here mean `refused`: the provider adds new ones, and its words are kept beside ours in any case.
"""

from __future__ import annotations

from typing import Final

_WORDS: Final[dict[str, tuple[int, ...]]] = {
    "auth_failed": (20003, 20005, 20006, 20007, 20008, 20101, 20403, 20404, 30002, 30037, 90010),
    "content_invalid": (21602, 21618, 21619, 21654, 21655, 21656, 63005, 63013, 63021),
    "expired": (21624, 30012, 30036),
    "media_unreadable": (11200, 11205, 11210, 11215, 11220, 11237, 12300, 12400, 21620, 63019),
    "number_fixed": (21614, 21635, 30006),
    "number_invalid": (21201, 21211, 21217, 21401, 21421, 21604, 63003, 63024),
    "number_unknown": (30005,),
    "number_unreachable": (21214, 30003),
    "number_unsuitable": (21202, 21265, 21266, 21268),
    "number_unverified": (21219, 21608),
    "opted_out": (21610,),
    "policy": (30039, 30450, 30453, 63016, 63032, 63033),
    "recipient_refuses": (30004,),
    "refused": (30008,),
    "region_closed": (21215, 21216, 21408),
    "sender_refused": (
        21210, 21212, 21213, 21267, 21601, 21603, 21606, 21659, 21660, 21661, 21701, 21703, 21704, 21705, 21712, 30024,
        63007,
    ),
    "sender_unregistered": (30018, 30032, 30033, 30034, 30035, 30040),
    "spam": (30007, 30038),
    "throttled": (14107, 20429, 21611, 30001, 30022, 30023, 30027, 63018, 63038),
    "timeout": (30410,),
    "too_big": (21605, 21617, 21623, 30019, 30044),
    "too_expensive": (30010,),
    "unavailable": (20500, 20503, 30017),
    "unsupported": (21612, 21621, 21622, 30011),
}  # fmt: skip

#: Too many messages of one sender: its own rate, or its own queue at the provider, which holds so many hours of it.
#: Others of the account may go on.
OF_ONE_SENDER: Final = frozenset({14107, 21611, 30001, 30022, 30023, 30027})

REASONS: Final[dict[int, str]] = {code: word for word, codes in _WORDS.items() for code in codes}


def reason_of(code: int | None) -> str:
    """Our word for an error code of the provider; `refused` for one that we do not know, or none."""
    return REASONS.get(code or 0, "refused")
