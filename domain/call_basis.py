"""May I call? What allows a call to a contact, from who they are, where they live and what they said. Pure.

An unasked call to a consumer is prospecting. In France it needs prior consent since 11 August 2026 (act 2025-594 of
30 June 2025, article L. 223-1 of the Code de la consommation), except about a contract that runs; before, consumers could
object. Of other countries this house assumes the same, unless its settings name them. Companies and people called in
their profession are not consumers: their number may be used until they object (GDPR, articles 6(1)(f) and 21).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Final

from domain.consent import ConsentState
from domain.contacts import ContactKind, Relation


class CallBasis(StrEnum):
    """What a call rests on."""

    REQUEST = "request"  #: the contact asked for it
    CONSENT = "consent"  #: the contact agreed to be called
    CONTRACT = "contract"  #: a contract with the contact runs, and the call is about it
    PROFESSIONAL = "professional"  #: a company, or a person in their profession, who did not object
    NO_OBJECTION = "no_objection"  #: a consumer of a country, or a time, where silence is enough


class CallRefusal(StrEnum):
    """Why nobody may call."""

    WITHDRAWN = "withdrawn"  #: the contact took consent back, or objected
    NO_CONSENT = "no_consent"  #: a consumer who never agreed


@dataclass(frozen=True, slots=True)
class CallRight:
    """What allows a call, or what forbids it. `since`: when the contact said so, where they did."""

    basis: CallBasis | None
    refusal: CallRefusal | None = None
    since: datetime | None = None

    def written(self) -> dict[str, str]:
        """As JSON, for the task."""
        said = {} if self.since is None else {"since": self.since.isoformat()}
        return said if self.basis is None else {"basis": self.basis.value, **said}


#: consumers may be called without consent until this day, country by country
SILENCE_UNTIL: Final[Mapping[str, date]] = {"FR": date(2026, 8, 11)}
#: people whom we know through what they do for a living
_PROFESSIONS: Final = frozenset(
    {Relation.SUPPLIER, Relation.PARTNER, Relation.DISTRIBUTOR, Relation.JOURNALIST}
)
#: whom a contract binds to us
_BOUND: Final = frozenset({Relation.CUSTOMER, Relation.EMPLOYEE})


def is_professional(contact: Mapping[str, Any]) -> bool:
    """Whether a contact is no consumer: a company, somebody of one, or somebody known by their profession."""
    return bool(
        contact.get("kind") == ContactKind.ORGANISATION
        or contact.get("organisation")
        or contact.get("organisation_id")
        or contact.get("relation") in _PROFESSIONS
    )


def find_call_right(
    contact: Mapping[str, Any],
    entries: Sequence[tuple[datetime, ConsentState]],
    now: datetime,
    *,
    asked_at: datetime | None = None,
    silent: Collection[str] = (),
) -> CallRight:
    """What allows a call to `contact` (kind, relation, country, organisation, organisation_id) at `now`.

    `entries` are what the contact said about calls, from the consent history; those after `now` were not known then.
    `asked_at` is when the contact asked to be called, if so. `silent` names countries (ISO 3166-1) where the house may
    call consumers who did not object.
    """
    known = [entry for entry in entries if entry[0] <= now]
    # of two entries at the same time the withdrawal counts, as in the ledger
    last = max(known, key=lambda entry: (entry[0], entry[1] is ConsentState.WITHDRAWN), default=None)
    withdrawn = last is not None and last[1] is ConsentState.WITHDRAWN
    if asked_at is not None and (last is None or not withdrawn or asked_at > last[0]):
        return CallRight(CallBasis.REQUEST, since=asked_at)
    if last is not None:
        if withdrawn:
            return CallRight(None, CallRefusal.WITHDRAWN, last[0])
        return CallRight(CallBasis.CONSENT, since=last[0])
    if contact.get("relation") in _BOUND:
        return CallRight(CallBasis.CONTRACT)
    if is_professional(contact):
        return CallRight(CallBasis.PROFESSIONAL)
    country = contact.get("country") or ""
    until = SILENCE_UNTIL.get(country)
    if country in silent or (until is not None and now.astimezone(UTC).date() < until):
        return CallRight(CallBasis.NO_OBJECTION)
    return CallRight(None, CallRefusal.NO_CONSENT)


#: the words of the run log and of errors
REFUSED: Final[Mapping[CallRefusal, str]] = {
    CallRefusal.WITHDRAWN: "the contact does not want to be called",
    CallRefusal.NO_CONSENT: "there is no legal basis for a call: no consent, no contract, no request of the contact",
}
