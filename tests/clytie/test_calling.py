"""Calls as processes are wired for them: with the test carrier, with an account, and without either."""

from __future__ import annotations

from pathlib import Path

import pytest

from clytie.bootstrap import open_web, open_worker
from clytie.calling import make_switchboard, open_voice_callbacks, open_voice_loops
from clytie.settings import Settings, load_settings
from domain.calls import CallPart
from domain.clock import SystemClock
from storage.announce import Announcer
from storage.pool import Pool

ACCOUNT = {"account_sid": "AC" + "0" * 32, "auth_token": "token"}


async def names_of_loops(settings: Settings, pool: Pool) -> set[str]:
    async with open_voice_loops(settings, pool, Announcer(pool), SystemClock()) as loops:
        return {loop.name for loop in loops}


async def test_the_provider_is_given_our_public_address(pool: Pool, tmp_path: Path) -> None:
    settings = load_settings(var=tmp_path, sms=ACCOUNT, web={"public_url": "https://hub.example/crm"})
    board = make_switchboard(settings, pool, Announcer(pool), SystemClock())
    assert board.reachable
    address = board.addresses.status(7, CallPart.US)
    assert address.startswith("https://hub.example/crm/callbacks/voice/")
    assert address.endswith("/status/us")
    assert board.addresses.read(address.split("/")[-3]) == 7


async def test_an_address_that_only_this_machine_reaches_is_not_given_to_a_provider(
    pool: Pool, tmp_path: Path
) -> None:
    settings = load_settings(var=tmp_path, sms=ACCOUNT)
    assert not make_switchboard(settings, pool, Announcer(pool), SystemClock()).reachable


async def test_without_an_account_calls_go_to_the_test_carrier(pool: Pool, tmp_path: Path) -> None:
    settings = load_settings(var=tmp_path)
    assert settings.voice_settings.account.base_url == settings.sms_settings.base_url
    assert make_switchboard(settings, pool, Announcer(pool), SystemClock()).reachable
    assert {"calls", "call prices"} <= await names_of_loops(settings, pool)


async def test_without_account_and_carrier_no_calls_are_placed_or_taken(pool: Pool, tmp_path: Path) -> None:
    settings = load_settings(var=tmp_path, carrier={"enabled": False})
    assert "calls" not in await names_of_loops(settings, pool)
    async with open_voice_callbacks(settings, pool, Announcer(pool), SystemClock()) as voice:
        assert voice is None


@pytest.mark.parametrize("enabled", [True, False])
async def test_processes_have_what_calls_take(database_url: str, tmp_path: Path, enabled: bool) -> None:
    settings = load_settings(
        var=tmp_path,
        database_url=database_url,
        carrier={"enabled": enabled},
    )
    async with open_web(settings) as web:
        assert (web.voice is not None) is enabled
    async with open_worker(settings) as worker:
        assert ("calls" in {part.name for part in worker.extra}) is enabled
