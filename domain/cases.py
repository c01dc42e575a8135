"""Cases: business matters that gather conversations, tasks, messages and events under one roof."""

from __future__ import annotations

from enum import StrEnum


class CaseKind(StrEnum):
    """What sort of matter; deployments add their own as data."""

    SALE = "sale"
    COMPLAINT = "complaint"
    TENDER = "tender"
    RECRUITMENT = "recruitment"
    DISPUTE = "dispute"
    EVENT = "event"


class CaseState(StrEnum):
    """Where a case stands, whatever its own stages are called."""

    OPEN = "open"
    CLOSED = "closed"
