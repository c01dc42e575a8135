"""Short messages to send in tests."""

from __future__ import annotations

from domain.messages import Outbound

SENDER = "+33700000001"


def make_text(key: int = 1, body: str = "", **changes: object) -> Outbound:
    """A small message; its number ends with its key, and so does its text. `changes` replace fields of Outbound."""
    values: dict[str, object] = {
        "key": key,
        "attempt": 1,
        "sender": SENDER,
        "recipient": f"+336{10_000_000 + key}",
        "content": (body or f"Good morning, number {key}").encode(),
        **changes,
    }
    return Outbound(**values)  # type: ignore[arg-type]


def key_of(recipient: str) -> int:
    """The key of a message made above, from whom it went to."""
    return int(recipient.removeprefix("+336")) - 10_000_000
