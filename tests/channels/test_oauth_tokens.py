"""Access tokens by OAuth 2.0 against a small provider: refreshed once, rotated durably, refusals in words."""

from __future__ import annotations

import asyncio
import json
import re
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from channels.mail.oauth.login import (
    DeviceCode,
    await_device_login,
    exchange_code,
    read_code,
    start_consent,
    start_device_login,
)
from channels.mail.oauth.settings import Flow, OAuthSettings, grant_name
from channels.mail.oauth.settings import Provider as Known
from channels.mail.oauth.tokens import Grant, Tokens
from channels.mail.oauth.wire import LoginNeeded, Refused, ask
from channels.mail.oauth.xoauth2 import explain_challenge, initial_response
from domain.errors import InvalidInput
from tests.grants_memory import MemoryGrants
from tests.oauth_provider import Provider

USER = "anna@clytie.example"


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider().running() as running:
        yield running


def prepare(provider: Provider, **changes: object) -> tuple[OAuthSettings, MemoryGrants]:
    """Settings for this provider, and a store in which Anna has logged in."""
    settings = OAuthSettings.model_validate(provider.settings(**changes))
    grants = MemoryGrants()
    grants.kept[grant_name(settings, USER)] = Grant(refresh_token=provider.grant_refresh(USER))
    return settings, grants


async def test_many_who_ask_at_once_cause_one_refresh(provider: Provider) -> None:
    settings, grants = prepare(provider)
    processes = [Tokens(settings, USER, grants) for _ in range(3)]
    given = await asyncio.gather(*(tokens.access_token() for tokens in processes * 10))
    assert len(set(given)) == 1
    assert len(provider.requests) == 1


async def test_a_token_is_refreshed_before_it_expires_and_the_new_refresh_token_is_kept(
    provider: Provider,
) -> None:
    settings, grants = prepare(provider)
    now = [time.time()]
    tokens = Tokens(settings, USER, grants, lambda: now[0])
    first = await tokens.access_token()
    now[0] += 3600 - 150
    assert await tokens.access_token() == first
    now[0] += 60  # 90 seconds before its end
    second = await tokens.access_token()
    assert second != first
    [kept] = grants.kept.values()
    assert kept.access_token == second
    assert list(provider.refresh) == [kept.refresh_token]
    assert await Tokens(settings, USER, grants, lambda: now[0]).access_token() == second  # after a restart


async def test_a_refused_token_is_replaced_although_it_has_not_expired(provider: Provider) -> None:
    settings, grants = prepare(provider)
    tokens = Tokens(settings, USER, grants)
    first = await tokens.access_token()
    assert await tokens.access_token(not_this=first) != first


async def test_a_rotated_token_survives_a_store_that_is_away(provider: Provider) -> None:
    settings, grants = prepare(provider)
    tokens = Tokens(settings, USER, grants)
    grants.away = True
    with pytest.raises(ConnectionError):
        await tokens.access_token()
    grants.away = False
    token = await tokens.access_token()
    assert token in provider.access
    assert len(provider.requests) == 1  # the old refresh token was not tried a second time
    [kept] = grants.kept.values()
    assert kept.refresh_token in provider.refresh


async def test_without_a_login_it_says_what_to_do(provider: Provider) -> None:
    settings = OAuthSettings.model_validate(provider.settings())
    with pytest.raises(LoginNeeded, match=r"Nobody has logged in as anna.*clytie mail login"):
        await Tokens(settings, USER, MemoryGrants()).access_token()


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ((400, {"error": "invalid_grant", "error_description": "AADSTS50173: changed\r\nTrace"}), LoginNeeded, "AADSTS50173: changed"),
        ((401, {"error": "invalid_client", "error_description": "expired"}), Refused, "client_secret"),
        ((400, {"error": "invalid_scope"}), Refused, "permission"),
        ((400, {"error": "something_new", "error_description": "who knows"}), Refused, "who knows"),
        ((503, {"error": "temporarily_unavailable"}), ConnectionError, "503"),
        ((429, {"error": "slow"}), ConnectionError, "429"),
        ((200, {"unexpected": "answer"}), ConnectionError, "200"),
    ],
)  # fmt: skip
async def test_a_providers_refusal_is_said_in_words(
    provider: Provider, answer: tuple[int, dict[str, str]], error: type[Exception], says: str
) -> None:
    settings, grants = prepare(provider)
    provider.answer = answer
    with pytest.raises(error, match=says) as caught:
        await Tokens(settings, USER, grants).access_token()
    assert "Trace" not in str(caught.value)
    [kept] = grants.kept.values()
    assert kept.refresh_token in provider.refresh  # nothing was forgotten


async def test_a_provider_that_does_not_answer_is_not_a_refusal(provider: Provider) -> None:
    settings, grants = prepare(provider, token_url="http://127.0.0.1:1/token")
    with pytest.raises(ConnectionError, match="did not answer"):
        await Tokens(settings, USER, grants).access_token()


async def test_an_answer_that_comes_in_pieces_is_read_to_its_end() -> None:
    """The refresh token that was sent is used up: an answer that is cut short would end the login."""
    answer = json.dumps({"access_token": "a" * 3000, "refresh_token": "r" * 1500}).encode()

    async def serve(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(answer)
        await response.prepare(request)
        for start in range(0, len(answer), 1400):
            await response.write(answer[start : start + 1400])
            await asyncio.sleep(0.05)
        return response

    app = web.Application()
    app.router.add_post("/token", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        said = await ask(f"http://127.0.0.1:{runner.addresses[0][1]}/token", {"grant_type": "refresh_token"})
    finally:
        await runner.cleanup()
    assert said["refresh_token"] == "r" * 1500


def test_tokens_do_not_show_in_logs() -> None:
    assert "secret" not in repr(Grant("secret refresh", "secret access", 1.0))
    assert "secret" not in repr(DeviceCode("ABCD", "https://x.example", "secret", 5, 900))


async def test_an_application_needs_no_person(provider: Provider) -> None:
    settings = OAuthSettings.model_validate(provider.settings(flow="application"))
    token = await Tokens(settings, USER, MemoryGrants()).access_token()
    assert provider.access[token][0] == "application"
    assert provider.requests[0]["grant_type"] == "client_credentials"


async def test_a_person_logs_in_by_a_device_code(provider: Provider) -> None:
    settings = OAuthSettings.model_validate(provider.settings())
    provider.pending = 2
    code = await start_device_login(settings)
    assert (code.user_code, code.url) == ("WDJB-MJHT", f"{provider.url}/type")
    grant = await await_device_login(settings, code)
    assert grant.refresh_token in provider.refresh
    assert len(provider.requests) == 3


async def test_a_device_code_that_nobody_types_ends(provider: Provider) -> None:
    settings = OAuthSettings.model_validate(provider.settings())
    provider.pending = 1000
    code = replace(await start_device_login(settings), expires_in=0.2)
    with pytest.raises(Refused, match="Nobody typed the code"):
        await await_device_login(settings, code)


async def test_a_person_consents_in_a_browser_and_pastes_the_address(provider: Provider) -> None:
    settings = OAuthSettings.model_validate(provider.settings())
    consent = start_consent(settings, USER)
    query = {name: values[0] for name, values in parse_qs(urlsplit(consent.url).query).items()}
    assert (query["login_hint"], query["response_type"], query["scope"]) == (USER, "code", "mail offline")
    code = provider.grant_code(USER, query["code_challenge"])
    pasted = f" http://localhost/?code={code}&state={query['state']}\n"
    grant = await exchange_code(settings, read_code(pasted, consent.state), consent)
    assert grant.refresh_token in provider.refresh


@pytest.mark.parametrize(
    ("pasted", "says"),
    [
        ("", "empty"),
        ("http://localhost/?code=1&state=other", "another login"),
        ("http://localhost/?state=mine", "no code"),
        ("http://localhost/?error=access_denied&error_description=No+thanks", "No thanks"),
    ],
)
def test_a_wrong_paste_is_explained(pasted: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        read_code(pasted, "mine")


def test_the_providers_addresses_are_known() -> None:
    microsoft = OAuthSettings(client_id="x", provider=Known.MICROSOFT, tenant="acme.example").endpoints
    assert microsoft.token_url == "https://login.microsoftonline.com/acme.example/oauth2/v2.0/token"
    assert "IMAP.AccessAsUser.All" in microsoft.scope
    application = OAuthSettings.model_validate(
        {
            "client_id": "x",
            "client_secret": "y",
            "provider": "microsoft",
            "tenant": "t",
            "flow": Flow.APPLICATION,
        }
    )
    assert application.endpoints.scope == "https://outlook.office365.com/.default"
    google = OAuthSettings(client_id="x", provider=Known.GOOGLE)
    assert google.endpoints.token_url == "https://oauth2.googleapis.com/token"
    assert "access_type=offline" in start_consent(google, USER).url
    assert grant_name(google, "Anna@x.example") == grant_name(google, "anna@X.example")


def test_xoauth2_says_what_the_providers_document() -> None:
    # The example of Google's page on the mechanism.
    said = initial_response("someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg")
    assert b64encode(said) == (
        b"dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJo"
        b"ZG1semRHRXVZMjl0Q2cBAQ=="
    )
    with pytest.raises(InvalidInput, match="control character"):
        initial_response("a\x01auth=Bearer x", "y")


@pytest.mark.parametrize(
    ("challenge", "says"),
    [
        (b"eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIG1hYyIsInNjb3BlIjoiaHR0cHM6Ly9tYWlsLmdvb2dsZS5jb20vIn0K", "not valid for this mailbox.*mail.google.com"),
        (b'{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}', "does not accept"),
        (b"not base64!", "not base64!"),
        (b"\xff\xfe", "."),
        (b"W10=", r"\[\]"),
        (b"", "^$"),
    ],
)  # fmt: skip
def test_a_challenge_is_said_in_words(challenge: bytes, says: str) -> None:
    assert re.search(says, explain_challenge(challenge))
