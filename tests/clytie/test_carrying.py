"""Without an account, short messages and calls go to the test carrier, which the mail process runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from clytie.bootstrap import open_doors, open_web, open_worker
from clytie.carrying import FIRST_NUMBER
from clytie.serve import settle_ports
from clytie.settings import Settings, load_settings
from domain.errors import ConfigurationError, Unavailable
from storage.pool import Pool

ACCOUNT = {"account_sid": "AC" + "0" * 32, "auth_token": "token"}


def make_settings(tmp_path: Path, **more: object) -> Settings:
    given: dict[str, object] = {
        "var": tmp_path,
        "sandbox": {"port": 0},
        "carrier": {"port": 0},
        "inbox": {"smtp": {"enabled": False}},
        **more,
    }
    return settle_ports(load_settings(**given), ["web", "mail"])


async def eventually(look: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(200):
        if await look():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come to pass in time")


def test_every_process_knows_the_carriers_secret_and_nobody_without_the_keys_does(tmp_path: Path) -> None:
    one, same = load_settings(var=tmp_path / "a"), load_settings(var=tmp_path / "a")
    other = load_settings(var=tmp_path / "b")
    assert one.sms_settings.is_complete
    assert one.sms_settings.login == same.sms_settings.login
    assert one.sms_settings.login[1] != other.sms_settings.login[1]


def test_messages_go_to_the_carrier_only_while_there_is_no_account(tmp_path: Path) -> None:
    without = load_settings(var=tmp_path, carrier={"port": 9029})
    assert without.has_carrier
    assert without.sms_settings.base_url == "http://127.0.0.1:9029"
    assert without.sms_settings.callback_url == f"{without.public_url}/callbacks/sms"
    for changes in ({"sms": ACCOUNT}, {"carrier": {"enabled": False}}):
        other = load_settings(var=tmp_path, **changes)
        assert not other.has_carrier
        assert other.sms_settings.base_url == "https://api.twilio.com"
    off = load_settings(var=tmp_path, carrier={"enabled": False})
    assert not off.sms_settings.is_complete


def test_the_carrier_finds_a_public_address_on_this_machine(tmp_path: Path) -> None:
    public = {"public_url": "https://hub.example"}
    settings = load_settings(var=tmp_path, web=public, host="0.0.0.0", port=8099)
    assert settings.carrier_settings.routes == {"https://hub.example": "http://127.0.0.1:8099"}
    assert settings.sms_settings.callback_url == "https://hub.example/callbacks/sms"
    told = load_settings(
        var=tmp_path, web=public, carrier={"routes": {"https://hub.example": "http://web:8025"}}
    )
    assert told.carrier_settings.routes == {"https://hub.example": "http://web:8025"}
    assert load_settings(var=tmp_path, carrier={"url": "http://mail:8029"}).sms_settings.base_url == (
        "http://mail:8029"
    )


async def test_a_web_process_and_a_worker_reach_the_carrier_of_the_mail_process(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = make_settings(tmp_path, database_url=database_url, redis_url=redis_url)
    async with open_doors(settings) as doors, open_web(settings) as web:
        assert doors.carrier is not None
        assert web.sms is not None
        assert web.test_phone is not None
        await web.test_phone.phones.add_phone("+33639980001", "Anna")
        assert [phone.name for phone in await doors.carrier.phones.list_phones()] == ["Anna"]
        async with open_worker(settings) as worker:
            assert worker.sms is not None


async def test_what_a_queue_a_line_or_a_team_has_is_our_number(
    database_url: str, redis_url: str, tmp_path: Path, pool: Pool
) -> None:
    settings = make_settings(tmp_path, database_url=database_url, redis_url=redis_url)
    async with open_doors(settings) as doors:
        assert doors.carrier is not None
        phones = doors.carrier.phones
        assert [one.number for one in await phones.list_numbers()] == [FIRST_NUMBER]
        queue = await pool.fetchval("INSERT INTO queues (name) VALUES ('Support') RETURNING id")
        await pool.execute(
            "INSERT INTO queue_addresses (address, queue_id) VALUES ('+33639980010', $1), ('a@b.example', $1)",
            queue,
        )
        await pool.execute("INSERT INTO teams (name, caller_id) VALUES ('Sales', '+33639980011')")

        async def ours(*wanted: tuple[str, str]) -> bool:
            return [(one.number, one.name) for one in await phones.list_numbers()] == list(wanted)

        await eventually(lambda: ours(("+33639980011", "Sales"), ("+33639980010", "Support")))
        await pool.execute("UPDATE teams SET caller_id = NULL")
        await pool.execute("UPDATE queues SET name = 'Help'")
        await eventually(lambda: ours(("+33639980010", "Help")))


async def test_without_its_process_the_phones_say_so(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = make_settings(tmp_path, database_url=database_url, redis_url=redis_url)
    async with open_web(settings) as web:
        assert web.test_phone is not None
        with pytest.raises(Unavailable, match="cannot be reached"):
            await web.test_phone.phones.list_phones()


async def test_a_taken_port_is_named_with_the_setting(tmp_path: Path) -> None:
    taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    try:
        with pytest.raises(ConfigurationError, match="CLYTIE_CARRIER__PORT"):
            make_settings(tmp_path, carrier={"port": port})
    finally:
        taken.close()
