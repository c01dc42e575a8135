"""What is known while one mail is filled: the recipient's data and the URLs made from the recipient's tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from templates.addresses import Addresses
from templates.environment import View
from templates.measured import Link, Pixel

#: The pixel's tag around its URL.
PIXEL_BEFORE = '<img src="'
PIXEL_AFTER = '" width="1" height="1" alt="" border="0" style="display:block;width:1px;height:1px;border:0">'


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is the same for every recipient of a campaign, as templates see it."""

    addresses: Addresses
    context: Mapping[str, object]  #: sender, campaign
    asset_token: str
    slots: dict[str, Link | Pixel]  #: measured places inside regions


class Filling:
    """One recipient, as expressions see it. Tokens are texts; None means that nothing is measured there."""

    __slots__ = ("contact", "link", "pixel", "surroundings", "unsubscribe")

    def __init__(
        self,
        surroundings: Surroundings,
        contact: Mapping[str, Any],
        pixel: str | None,
        link: str | None,
        unsubscribe: str,
    ) -> None:
        self.surroundings = surroundings
        self.contact = contact
        self.pixel = pixel
        self.link = link
        self.unsubscribe = unsubscribe

    def asset(self, name: str) -> str:
        """Where a file is downloaded; counted for the campaign alone when the recipient's links are plain."""
        return self.surroundings.addresses.downloaded(self.link or self.surroundings.asset_token, name)

    def unsubscribe_url(self) -> str:
        """The recipient's unsubscribe page."""
        return self.surroundings.addresses.unsubscribe(self.unsubscribe)

    def _slot(self, slot: Link | Pixel) -> str:
        addresses = self.surroundings.addresses
        if isinstance(slot, Link):
            return str(escape(addresses.clicked(self.link, slot.no))) if self.link else slot.raw
        if self.pixel is None:
            return ""
        return f"{PIXEL_BEFORE}{escape(addresses.opened(self.pixel))}{PIXEL_AFTER}"

    def context(self) -> dict[str, object]:
        """Everything a fragment of jinja2 may speak of."""
        slots = {name: Markup(self._slot(slot)) for name, slot in self.surroundings.slots.items()}
        return {
            **self.surroundings.context,
            **slots,
            "contact": View("contact", self.contact),
            "links": View("links", {"unsubscribe": self.unsubscribe_url()}),
            "asset": self.asset,
        }
