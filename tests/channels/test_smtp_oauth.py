"""Login to an SMTP server by XOAUTH2: the token of the login, a fresh one when it is refused, refusals in words."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import AsyncIterator

import pytest

from channels.mail.oauth.settings import OAuthSettings, grant_name
from channels.mail.oauth.tokens import Grant, Tokens
from channels.mail.settings import MailSettings
from channels.mail.smtp import MailChannel
from domain.errors import ConfigurationError
from domain.messages import DeliveryState, Outcome
from tests.channels.mails import make_message
from tests.channels.scripted import ScriptedServer
from tests.grants_memory import MemoryGrants
from tests.oauth_provider import Provider

USER = "news@clytie.example"
REFUSAL = b"334 " + b64encode(b'{"status":"401","schemes":"Bearer","scope":"mail"}') + b"\r\n"


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider().running() as running:
        yield running


async def send(server: ScriptedServer, provider: Provider, *, logged_in: bool = True) -> Outcome:
    """One mail through a channel that logs in at the provider."""
    grants = MemoryGrants()

    def tokens(oauth: OAuthSettings, username: str) -> Tokens:
        if logged_in:
            grants.kept[grant_name(oauth, username)] = Grant(refresh_token=provider.grant_refresh(username))
        return Tokens(oauth, username, grants)

    settings = MailSettings.model_validate(
        {
            "port": server.port,
            "encryption": "never",
            "plain_login": True,
            "username": USER,
            "oauth": provider.settings(),
            "connections": 1,
            "timeouts": {"quit": 0.5},
        }
    )
    channel = MailChannel(settings, tokens)
    outcomes: list[Outcome] = []
    try:
        await channel.deliver([make_message()], outcomes.append)
    finally:
        await channel.close()
    [outcome] = outcomes
    return outcome


def tokens_said(server: ScriptedServer) -> list[bytes]:
    return [b64decode(line.split()[2]) for line in server.lines if line.startswith("AUTH XOAUTH2")]


async def test_mail_is_sent_after_a_login_by_token(server: ScriptedServer, provider: Provider) -> None:
    server.extensions = ("AUTH PLAIN XOAUTH2",)
    server.always["AUTH"] = b"235 2.7.0 welcome\r\n"
    assert (await send(server, provider)).state is DeliveryState.SENT
    [token] = provider.access
    assert tokens_said(server) == [f"user={USER}\x01auth=Bearer {token}\x01\x01".encode()]


async def test_a_refused_token_is_replaced_once(server: ScriptedServer, provider: Provider) -> None:
    server.extensions = ("AUTH XOAUTH2",)
    server.say("AUTH", REFUSAL, b"235 2.7.0 welcome\r\n")
    server.say("response", b"535 5.7.3 not good\r\n")
    assert (await send(server, provider)).state is DeliveryState.SENT
    assert len(set(tokens_said(server))) == 2


async def test_a_refusal_is_said_in_words_and_rejects_nobody(
    server: ScriptedServer, provider: Provider
) -> None:
    server.extensions = ("AUTH XOAUTH2",)
    server.always["AUTH"] = REFUSAL
    server.always["response"] = b"535 5.7.3 Authentication unsuccessful\r\n"
    outcome = await send(server, provider)
    assert (outcome.state, outcome.reason) == (DeliveryState.DEFERRED, "auth_failed")
    assert "not valid for this mailbox" in outcome.reply
    assert "535 5.7.3" in outcome.reply


async def test_without_a_login_at_the_provider_mail_waits(server: ScriptedServer, provider: Provider) -> None:
    server.extensions = ("AUTH XOAUTH2",)
    outcome = await send(server, provider, logged_in=False)
    assert (outcome.state, outcome.reason) == (DeliveryState.DEFERRED, "auth_failed")
    assert "clytie mail login" in outcome.reply


async def test_a_server_that_does_not_know_xoauth2_is_not_used(
    server: ScriptedServer, provider: Provider
) -> None:
    server.extensions = ("AUTH PLAIN",)
    assert (await send(server, provider)).reason == "auth_failed"
    assert tokens_said(server) == []


def test_settings_want_a_username_and_no_password() -> None:
    oauth = {"client_id": "x", "provider": "google"}
    for wrong in ({}, {"username": USER, "password": "y"}):
        with pytest.raises(ValueError, match="oauth takes the place"):
            MailSettings.model_validate({**wrong, "oauth": oauth})
    settings = MailSettings.model_validate({"username": USER, "oauth": oauth, "encryption": "required"})
    with pytest.raises(ConfigurationError, match="oauth"):
        MailChannel(settings)
