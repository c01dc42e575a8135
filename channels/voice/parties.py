"""Who is on the other end, as the network tells it: a number, or one of the many ways of telling nothing.

A caller who hides comes as a word (`anonymous`, `Restricted`), as such a word typed on a telephone's keys behind a plus
sign (+266696687 is ANONYMOUS), or as nothing. Phones in browsers are `client:name`, those of the internet
`sip:name@host`. Source: www.twilio.com/docs/voice/twiml#request-parameters and the provider's list of such numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from channels.sms.numbers import country_of, is_e164

_KEYS: Final = {
    letter: key
    for key, letters in zip(
        "23456789", ["ABC", "DEF", "GHI", "JKL", "MNO", "PQRS", "TUV", "WXYZ"], strict=True
    )
    for letter in letters
}
#: Words for a caller who is not shown.
_HIDDEN_WORDS: Final = (
    *("ANONYMOUS", "BLOCKED", "PRIVATE", "RESTRICTED", "UNAVAILABLE", "UNKNOWN", "WITHHELD", "UNDEFINED"),
    *("NULL", "NONE"),
)
_HIDDEN_KEYS: Final = frozenset("".join(_KEYS[letter] for letter in word) for word in _HIDDEN_WORDS)
_LONGEST: Final = 255
#: Names of phones in browsers: no spaces, no signs that addresses are made of (www.twilio.com/docs/voice/twiml/client).
_CLIENT: Final = re.compile(r"client:[^\s\x00-\x1f<>#%\"{}|\\^\[\]`]{1,256}")
_SIP: Final = re.compile(r"<?sips?:([^>;\s]+)[^>]*>?", re.IGNORECASE)


class PartyKind(StrEnum):
    """What is known of somebody on a line."""

    NUMBER = "number"
    HIDDEN = "hidden"
    CLIENT = "client"  #: a phone in a browser
    SIP = "sip"  #: a phone of the internet
    OTHER = "other"  #: a short code, an extension, or what nobody understands


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody on a line. `number` is E.164, empty unless one is told; `told` what the network said."""

    kind: PartyKind
    told: str = ""
    number: str = ""

    @property
    def country(self) -> str:
        """ISO code of the number's country; empty when it has none."""
        return country_of(self.number) if self.number else ""

    @property
    def shown(self) -> str:
        """What to keep as the address of this party; empty for one who hides."""
        return self.number or ("" if self.kind is PartyKind.HIDDEN else self.told)


def is_client(address: str) -> bool:
    """Whether an address is that of a phone in a browser: client:name."""
    return _CLIENT.fullmatch(address) is not None


def read_party(told: str) -> Party:
    """What a request says of a caller or of somebody called; never raises."""
    # A plus sign that was not escaped arrives as a space.
    unescaped = told.startswith(" ") and told.strip().isdecimal()
    plain = "".join(char for char in told if char.isprintable()).strip()[:_LONGEST]
    if unescaped:
        plain = f"+{plain}"
    lowered = plain.lower()
    if lowered.startswith("client:"):
        return Party(PartyKind.CLIENT, plain)
    if found := _SIP.search(plain):
        return _read_sip(plain, found[1])
    if not plain or lowered.upper().strip("<>\"' ") in _HIDDEN_WORDS or _is_typed_word(plain.lstrip("+")):
        return Party(PartyKind.HIDDEN, plain)
    if is_e164(plain):
        return Party(PartyKind.NUMBER, plain, plain)
    return Party(PartyKind.OTHER, plain)


def _is_typed_word(digits: str) -> bool:
    """Whether digits spell such a word, with the country code 1 before it or without; +1 737 874 2833 is a number."""
    return digits in _HIDDEN_KEYS or (len(digits) != 11 and digits[:1] == "1" and digits[1:] in _HIDDEN_KEYS)


def _read_sip(told: str, address: str) -> Party:
    """A SIP address; one whose name is a number comes from the telephone network through a gateway."""
    name = address.partition("@")[0]
    if name.upper() in _HIDDEN_WORDS:
        return Party(PartyKind.HIDDEN, told)
    return Party(PartyKind.SIP, told, name if is_e164(name) else "")
