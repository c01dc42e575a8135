"""Findings of an examination: what was looked at, what was found, and what to do when that is not good."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `clytie doctor`. `good`: True, False, or None when nobody can say (e.g. DNS does not answer)."""

    subject: str
    good: bool | None
    says: str
    remedy: str = ""
