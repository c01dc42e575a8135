"""Mails to send in tests, and their outcomes."""

from __future__ import annotations

from channels.base import Channel
from domain.messages import Outbound, Outcome

BODY = b"Subject: hello\r\nMessage-ID: <%d@clytie.example>\r\n\r\nGood morning.\r\n..dotted\r\n.\r\n"


def make_message(key: int = 1, recipient: str = "", **changes: object) -> Outbound:
    """A small mail; `changes` replace fields of Outbound."""
    values: dict[str, object] = {
        "key": key,
        "attempt": 1,
        "sender": f"bounces+{key}@clytie.example",
        "recipient": recipient or f"user{key}@example.com",
        "content": BODY % key,
        **changes,
    }
    return Outbound(**values)  # type: ignore[arg-type]


async def outcomes_of(channel: Channel, messages: list[Outbound]) -> dict[int, Outcome]:
    """Deliver and return the outcomes by key; each must be settled once."""
    settled: list[Outcome] = []
    await channel.deliver(messages, settled.append)
    assert sorted(outcome.key for outcome in settled) == sorted(message.key for message in messages)
    return {outcome.key: outcome for outcome in settled}
