"""What a plan is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class CampaignContext:
    """What a template may know of its campaign, and what the headers need.

    `base_url`: where the tracking and unsubscribe pages answer. `asset_token`: the campaign-only token that
    downloads carry where links are not measured. `unsubscribe_mailbox`: takes mails whose subject is
    `unsubscribe TOKEN`. `fields`, `assets`: the custom fields and files that exist (None: not known, not checked).
    """

    name: str
    base_url: str
    sender: Mapping[str, object] = field(default_factory=dict)
    asset_token: str = "none"
    unsubscribe_mailbox: str | None = None
    list_id: str | None = None
    feedback_id: str | None = None
    fields: Collection[str] | None = None
    assets: Collection[str] | None = None


@dataclass(slots=True)
class Recipient:
    """One mail to fill. `contact` has the keys of templates/variables.py, custom fields under `fields`.

    `message_id` is the content of the Message-ID header, without angle brackets, the same at every attempt. A token
    that is None stands for nothing measured: no pixel, plain links.
    """

    address: str
    contact: Mapping[str, Any]
    message_id: str
    unsubscribe_token: str
    pixel_token: str | None = None
    link_token: str | None = None


class Composed(NamedTuple):
    """The finished payload of DATA, and what the receiving server must offer (see domain.messages.Outbound)."""

    content: bytes
    utf8: bool
    eightbit: bool = False


class Refusal(NamedTuple):
    """Why a mail to a contact cannot be filled: the field (`contact.given_name`) or part, and a sentence."""

    field: str
    problem: str


class FieldUse(NamedTuple):
    """A field or file that a template speaks of, and where it first does."""

    name: str
    part: str
    line: int
