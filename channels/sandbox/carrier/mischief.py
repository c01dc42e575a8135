"""How the carrier misbehaves on command: by rules, by a header of one request, or by the recipient's number.

Numbers that are reserved for stories (never given to anybody) choose by their last three digits: see `ENDINGS`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field


class Trick(StrEnum):
    """One way to misbehave; `MEANINGS` tells what each does."""

    # answers of the interface
    BUSY_API = "busy-api"
    BROKEN_API = "broken-api"
    LOST = "lost"
    KEPT = "kept"
    SILENT = "silent"
    SLOW = "slow"
    GARBLED = "garbled"
    FORBIDDEN = "forbidden"
    # what becomes of a message
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    STUCK = "stuck"
    OPTED_OUT = "opted-out"
    # callbacks
    MISSING = "missing"
    TWICE = "twice"
    LATE = "late"
    BACKWARDS = "backwards"
    FORGED = "forged"
    # phones
    BUSY = "busy"
    RINGS_OUT = "rings-out"
    UNREACHABLE = "unreachable"
    PICKS_UP = "picks-up"
    DECLINES = "declines"


#: What each trick does, in words for people.
MEANINGS: Final[Mapping[Trick, str]] = {
    Trick.BUSY_API: "429 with Retry-After",
    Trick.BROKEN_API: "503; nothing is accepted",
    Trick.LOST: "the connection drops before anything is accepted",
    Trick.KEPT: "accepted, then the connection drops instead of an answer",
    Trick.SILENT: "accepted, then no answer within any patience",
    Trick.SLOW: "accepted, answered after `seconds`",
    Trick.GARBLED: "accepted, answered with something that is not JSON",
    Trick.FORBIDDEN: "401, as with wrong credentials",
    Trick.UNDELIVERED: "sent, then undelivered with `code`",
    Trick.FAILED: "never sent, with `code`",
    Trick.STUCK: "stays sent for ever: no delivery report",
    Trick.OPTED_OUT: "refused with 21610",
    Trick.MISSING: "callbacks are not sent",
    Trick.TWICE: "each is sent two times",
    Trick.LATE: "each is sent `seconds` later",
    Trick.BACKWARDS: "all are sent at the end, the last first",
    Trick.FORGED: "the signature is wrong",
    Trick.BUSY: "the phone called is busy",
    Trick.RINGS_OUT: "nobody answers",
    Trick.UNREACHABLE: "the call fails",
    Trick.PICKS_UP: "somebody answers by itself",
    Trick.DECLINES: "the call is declined at once",
}

#: Tricks that spoil callbacks; several may apply at once.
OF_CALLBACKS: Final = frozenset({Trick.MISSING, Trick.TWICE, Trick.LATE, Trick.BACKWARDS, Trick.FORGED})
OF_ANSWERS: Final = frozenset(
    {
        *(Trick.BUSY_API, Trick.BROKEN_API, Trick.LOST, Trick.KEPT),
        *(Trick.SILENT, Trick.SLOW, Trick.GARBLED, Trick.FORBIDDEN),
    }
)
OF_MESSAGES: Final = frozenset({Trick.UNDELIVERED, Trick.FAILED, Trick.STUCK, Trick.OPTED_OUT})
OF_PHONES: Final = frozenset({Trick.BUSY, Trick.RINGS_OUT, Trick.UNREACHABLE, Trick.PICKS_UP, Trick.DECLINES})

#: Beginnings of numbers that regulators keep for stories: ARCEP (06 39 98 xx xx), Ofcom (07700 900xxx),
#: and area code 500 as the provider's own magic numbers use it.
STORY_NUMBERS: Final = ("+3363998", "+447700900", "+1500555")

#: Last three digits of such a number → the trick, and the provider's code where one is told.
ENDINGS: Final[Mapping[str, tuple[Trick, int]]] = {
    "901": (Trick.UNDELIVERED, 30003),
    "902": (Trick.UNDELIVERED, 30005),
    "903": (Trick.UNDELIVERED, 30006),
    "904": (Trick.UNDELIVERED, 30007),
    "905": (Trick.UNDELIVERED, 30004),
    "906": (Trick.FAILED, 30008),
    "907": (Trick.STUCK, 0),
    "908": (Trick.OPTED_OUT, 21610),
    "911": (Trick.BACKWARDS, 0),
    "912": (Trick.TWICE, 0),
    "913": (Trick.LATE, 0),
    "914": (Trick.MISSING, 0),
    "915": (Trick.FORGED, 0),
    "921": (Trick.BUSY_API, 20429),
    "922": (Trick.BROKEN_API, 20503),
    "923": (Trick.LOST, 0),
    "924": (Trick.KEPT, 0),
    "925": (Trick.SILENT, 0),
    "926": (Trick.SLOW, 0),
    "927": (Trick.GARBLED, 0),
    "941": (Trick.BUSY, 0),
    "942": (Trick.RINGS_OUT, 0),
    "943": (Trick.UNREACHABLE, 0),
    "944": (Trick.PICKS_UP, 0),
    "945": (Trick.DECLINES, 0),
}

#: The provider's own magic numbers: recipient → code refused with (twilio.com/docs/iam/test-credentials).
MAGIC_SMS: Final[Mapping[str, int]] = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
MAGIC_CALLS: Final[Mapping[str, int]] = {
    "+15005550001": 21217,
    "+15005550002": 21214,
    "+15005550003": 21215,
    "+15005550004": 21216,
}
MAGIC_SENDERS: Final[Mapping[str, int]] = {
    "+15005550001": 21212,
    "+15005550007": 21606,
    "+15005550008": 21611,
}
MAGIC_GOOD_SENDER: Final = "+15005550006"


class Rule(BaseModel):
    """Misbehave so towards whatever matches, the next `times` times."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trick: Trick
    resource: str = Field(
        default="",
        description="`messages`, `calls`, `inbound` (texts of people), `recordings`, …; any when empty",
    )
    method: str = Field(default="", description="of the request to the interface, e.g. POST; any when empty")
    to_ends: str = Field(default="", description="how the recipient's number ends")
    from_ends: str = Field(default="", description="how the sender's number ends")
    contains: str = Field(default="", description="a part of the message's text")
    event: str = Field(
        default="", description="the state told by a callback, e.g. `delivered`; any when empty"
    )
    times: int | None = Field(default=None, ge=1, description="how often; for ever when unset")
    seconds: float = Field(default=2.0, ge=0, le=3600, description="how late, or the value of Retry-After")
    code: int = Field(default=0, ge=0, description="the provider's code; the trick's own when 0")


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something the carrier is about to do, as rules see it."""

    resource: str
    method: str = ""
    to: str = ""
    from_: str = ""
    body: str = ""
    event: str = ""


@dataclass(slots=True)
class Mischief:
    """The rules in force. May be changed at any time."""

    rules: dict[int, Rule] = field(default_factory=dict)
    _left: dict[int, int] = field(default_factory=dict)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def add(self, rule: Rule) -> int:
        """Put a rule in force; gives the number by which it is removed."""
        number = next(self._ids)
        self.rules[number] = rule
        if rule.times is not None:
            self._left[number] = rule.times
        return number

    def remove(self, number: int) -> None:
        """Take a rule back; unknown numbers are fine."""
        self.rules.pop(number, None)
        self._left.pop(number, None)

    def clear(self) -> None:
        """Behave again."""
        self.rules.clear()
        self._left.clear()

    def choose(self, among: frozenset[Trick], occasion: Occasion) -> list[Rule]:
        """The rules that apply to this occasion, each used up once; the number's own trick comes last."""
        chosen = []
        for number, rule in list(self.rules.items()):
            if rule.trick in among and _matches(rule, occasion):
                chosen.append(rule)
                if number in self._left:
                    self._left[number] -= 1
                    if self._left[number] == 0:
                        self.remove(number)
        ending = find_ending(occasion.to)
        if ending is None and among == OF_CALLBACKS:
            ending = find_ending(occasion.from_)  # the person's number, where they wrote or called
        if (
            ending is not None
            and ending[0] in among
            and (ending[0] not in OF_ANSWERS or occasion.method == "POST")
        ):
            chosen.append(Rule(trick=ending[0], code=ending[1]))
        return chosen


def find_ending(number: str) -> tuple[Trick, int] | None:
    """The trick that a number asks for by its ending, if it is one of those kept for stories."""
    return ENDINGS.get(number[-3:]) if number.startswith(STORY_NUMBERS) else None


def _matches(rule: Rule, occasion: Occasion) -> bool:
    return (
        rule.resource in ("", occasion.resource)
        and rule.method in ("", occasion.method)
        and rule.event in ("", occasion.event)
        and occasion.to.endswith(rule.to_ends)
        and occasion.from_.endswith(rule.from_ends)
        and rule.contains in occasion.body
    )
