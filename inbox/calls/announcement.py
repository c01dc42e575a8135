"""Whether a talk may be recorded without saying so: a table by country, for both ends of the line. Pure.

Where nothing is known here, it is announced. The table holds countries whose law leaves a party of a conversation free
to record it without telling the other; the rules of a trade (banks, medicine) may still ask for it.
"""

from __future__ import annotations

from typing import Final

from channels.sms.numbers import country_of
from channels.voice.settings import Announce

#: ISO 3166 codes. Everywhere else, all of the European Union (GDPR, article 13) among it, people have to be told.
SILENT: Final = frozenset({"HK", "IN", "JP", "NZ", "TH"})


def must_announce(rule: Announce, ours: str, theirs: str) -> bool:
    """Whether a talk between these two numbers (E.164; empty for a hidden one) is announced before it is recorded."""
    if rule is Announce.WHERE_REQUIRED:
        return not ({_country(ours), _country(theirs)} <= SILENT)
    return rule is Announce.ALWAYS


def _country(number: str) -> str:
    return country_of(number) or "" if number else ""
