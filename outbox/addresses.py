"""Addresses that carry a token: where bounces of a message go, and where its answers go.

`bounces+TOKEN@domain` is the envelope's sender (VERP), `reply+TOKEN@domain` the Reply-To of letters. The token names
the message, so that a bounce is certain and an answer finds its conversation; it proves only that whoever writes has
seen the message, not who they are.
"""

from __future__ import annotations

from channels.mail import verp
from contacts.addresses import read_mail_address
from domain.errors import InvalidInput
from domain.tokens import Token, TokenKeys, TokenUse
from outbox.settings import OutboxSettings

#: What messages outside of campaigns have in the place of a campaign's id: in tokens and in the outbox.
LETTERS = 0


def plain_domain(domain: str) -> str:
    """A domain of the settings as it stands in addresses: lower case, in ASCII form. What is none is only lowered."""
    try:
        return read_mail_address(f"x@{domain.strip()}").rpartition("@")[2]
    except InvalidInput:
        return domain.strip().lower()


def reply_address(tokens: TokenKeys, settings: OutboxSettings, message_id: int) -> str:
    """Where answers to this letter of ours go; empty when no domain is set up for that (`reply_domain`)."""
    if not settings.reply_domain:
        return ""
    token = tokens.sign(TokenUse.REPLY, LETTERS, message_id)
    return verp.encode(settings.reply_local, settings.reply_domain, token)


def read_reply_address(tokens: TokenKeys, settings: OutboxSettings, address: str) -> int | None:
    """The message of ours that mail to this address answers; None when it is no such address, or a forged one.

    The domain is not looked at: it may have changed since, and the token is signed.
    """
    found = _read(tokens, settings.reply_local, address)
    return found.message_id if found else None


def bounce_address(tokens: TokenKeys, settings: OutboxSettings, message_id: int, domain: str) -> str:
    """The envelope sender of a letter; `domain` is that of its author, for when no other is set up."""
    token = tokens.sign(TokenUse.REPLY, LETTERS, message_id)
    return verp.encode(settings.bounce_local, settings.bounce_domain or domain, token)


def read_bounce_address(tokens: TokenKeys, settings: OutboxSettings, address: str) -> Token | None:
    """Which message (and campaign, 0 for none) mail to this address bounces; None when it is no such address."""
    return _read(tokens, settings.bounce_local, address)


def read_header_id(tokens: TokenKeys, header_id: str) -> Token | None:
    """Which message of which campaign a Message-ID of ours names; None for any other, and for one that was made up.

    The domain is not looked at, as with reply addresses. Letters' Message-IDs are random and kept (mail_facts).
    """
    return tokens.verify(header_id.partition("@")[0], TokenUse.HEADER)


def _read(tokens: TokenKeys, local: str, address: str) -> Token | None:
    text = verp.decode(local, address.strip().removesuffix(">").rpartition("@")[2], address)
    return tokens.verify(text, TokenUse.REPLY) if text else None
