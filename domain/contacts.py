"""Persons and organisations, and the addresses they are reached at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ContactKind(StrEnum):
    """A human being or a body."""

    PERSON = "person"
    ORGANISATION = "organisation"


class Relation(StrEnum):
    """What the contact is to the organisation ("contact" is meant widely)."""

    PROSPECT = "prospect"
    CUSTOMER = "customer"
    SUPPLIER = "supplier"
    PARTNER = "partner"
    DISTRIBUTOR = "distributor"
    EMPLOYEE = "employee"
    CANDIDATE = "candidate"
    JOURNALIST = "journalist"
    CITIZEN = "citizen"
    OTHER = "other"


class IdentityKind(StrEnum):
    """By what a contact is recognised."""

    MAIL = "mail"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class Identity:
    """One address of a contact. `address` is normalised, `given` is as it was written."""

    id: int
    contact_id: int
    kind: IdentityKind
    address: str
    given: str


@dataclass(frozen=True, slots=True)
class Contact:
    """A person or an organisation."""

    id: int
    kind: ContactKind
    name: str
    given_name: str | None = None
    family_name: str | None = None
    organisation: str | None = None
    relation: Relation = Relation.OTHER
    country: str | None = None  #: ISO 3166-1 alpha-2
    language: str | None = None  #: ISO 639-1
    timezone: str | None = None  #: IANA name
    owner_id: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
