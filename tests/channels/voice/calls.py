"""Calls to place in tests."""

from __future__ import annotations

from domain.messages import Outbound
from tests.channels.sms.texts import SENDER, key_of

OURS = SENDER


def make_call(key: int = 1, text: str = "", **changes: object) -> Outbound:
    """A small spoken message; the number called ends with its key. `changes` replace fields of Outbound."""
    values: dict[str, object] = {
        "key": key,
        "attempt": 1,
        "sender": OURS,
        "recipient": f"+336{10_000_000 + key}",
        "content": (text or f"Good morning, number {key}").encode(),
        **changes,
    }
    return Outbound(**values)  # type: ignore[arg-type]


__all__ = ["OURS", "key_of", "make_call"]
