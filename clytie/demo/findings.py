"""What a check of the demo found: the counts of its JSON line, and every difference from what must be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Findings:
    """The counts, and the differences in sentences."""

    counts: dict[str, Any] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def expect(self, what: str, found: object, wanted: object) -> None:
        """Note a difference."""
        if found != wanted:
            self.differences.append(f"{what}: {found!r} instead of {wanted!r}")
