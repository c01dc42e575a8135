"""What a campaign's mail carries so that its answers and bounces find it again."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from domain.tokens import Token, TokenKeys, TokenUse
from outbox.addresses import read_bounce_address, read_header_id
from outbox.composing import MailComposer, MailKitchen
from outbox.settings import OutboxSettings
from templates.compilation import compile_plan
from templates.source import MailTemplate

KEYS = TokenKeys({1: bytes(range(32))})
SETTINGS = OutboxSettings()
ROW = {
    "message_id": 7,
    "attempt": 0,
    "claim": 1,
    "contact_id": 11,
    "email": "ana@client.example",
    "name": "Ana",
    "tracking_level": "none",
}


def compose() -> tuple[str, str]:
    """Message-ID and envelope sender of a mail."""
    source = MailTemplate(
        subject="May letter",
        from_address="news@hub.example",
        html='<p>Hello</p><a href="{{ links.unsubscribe }}">Unsubscribe</a>',
    )
    context = MailKitchen(KEYS, "https://hub.example", SETTINGS).context(3, "Letter", source)
    composer = MailComposer(3, compile_plan(source, context), source, KEYS, SETTINGS)
    [claimed] = composer.compose([ROW], datetime(2026, 5, 4, tzinfo=UTC))
    assert claimed.message is not None
    found = re.search(rb"(?im)^message-id:\s*<([^>]+)>", bytes(claimed.message.content))
    assert found is not None
    return found[1].decode(), claimed.message.sender


def test_a_message_id_names_its_message_to_us_alone() -> None:
    header_id, _ = compose()
    assert read_header_id(KEYS, header_id) == Token(TokenUse.HEADER, 3, 7)
    assert read_header_id(TokenKeys({1: b"o" * 32}), header_id) is None
    assert read_header_id(KEYS, "m7.3@hub.example") is None


def test_a_message_id_that_was_forwarded_gives_no_bounce_address() -> None:
    header_id, sender = compose()
    found = read_bounce_address(KEYS, SETTINGS, sender)
    assert found is not None
    assert (found.campaign_id, found.message_id) == (3, 7)
    token = header_id.partition("@")[0]
    assert read_bounce_address(KEYS, SETTINGS, f"bounces+{token}@hub.example") is None
