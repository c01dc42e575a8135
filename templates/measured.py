"""What is measured in a mail: its links, and the pixel."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Link:
    """A measured link: its number in the campaign, where it leads, how it was written, what it says."""

    no: int
    url: str
    raw: str = field(compare=False, default="")
    label: str = field(compare=False, default="")


@dataclass(frozen=True, slots=True)
class Pixel:
    """The image whose fetching is an open."""
