"""What a contact allowed, and what that allows us: purposes, and the tracking level that follows from them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.messages import TrackingLevel


class Purpose(StrEnum):
    """What consent is asked for, each apart from the others (CNIL deliberation 2026-042)."""

    NEWSLETTER = "newsletter"  #: to receive the newsletter
    TEXTS = "texts"  #: to receive news and offers as short messages
    MEASURE = "measure"  #: to have one's own opens, clicks and downloads recorded
    PERSONALISE = "personalise"  #: to have content chosen by what one did
    PROFILE = "profile"  #: to be scored and grouped
    CALLS = "calls"  #: to be called for prospecting


class ConsentState(StrEnum):
    """The two entries of the ledger; no entry means: never asked."""

    GRANTED = "granted"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class ConsentEntry:
    """One line of the consent history: who, for what, under which wording, from where, when."""

    contact_id: int
    purpose: Purpose
    state: ConsentState
    wording: str
    source: str
    occurred_at: datetime


class TrackingPolicy(StrEnum):
    """What a deployment measures on people who did not allow it. The lawful one is the default."""

    NONE = "none"
    AGGREGATE = "aggregate"
    DELIVERABILITY = "deliverability"


def tracking_level(granted: Collection[Purpose], policy: TrackingPolicy) -> TrackingLevel:
    """The level a message to somebody with these consents is composed with."""
    if Purpose.MEASURE in granted:
        return TrackingLevel.FULL
    return TrackingLevel(policy.value)
