"""Which recipients are ours: queues' addresses, signed ones, whole domains, and nobody else's."""

from __future__ import annotations

import asyncio
import time
from typing import cast

import pytest

from domain.tokens import TokenKeys, TokenUse
from inbox.arrival.own_addresses import OwnAddresses
from storage.pool import DATABASE_AWAY, Pool, open_pool
from tests.tracking.wire import lay_wire

KEYS = TokenKeys({1: bytes(range(32))})


class Hands:
    """A clock that the test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


async def add_address(pool: Pool, address: str) -> None:
    await pool.execute(
        "WITH q AS (INSERT INTO queues (name) VALUES ($1) RETURNING id) "
        "INSERT INTO queue_addresses (address, queue_id) SELECT $1, id FROM q",
        address,
    )


async def test_the_address_of_a_queue_is_ours_in_any_spelling(pool: Pool) -> None:
    await add_address(pool, "help@exämple.com")
    await add_address(pool, "sales@example.com")
    await pool.execute("INSERT INTO queues (name, from_address) VALUES ('HR', 'hr@example.net')")
    ours = OwnAddresses(pool, KEYS)
    for address in (
        "sales@example.com",
        "Sales@Example.COM",
        "help@xn--exmple-cua.com",
        "help@exämple.com",
        "hr@example.net",
    ):
        assert await ours(address), address
    for address in (
        "sales@example.org",
        "sale@example.com",
        "",
        "@",
        "sales",
        "sales@example.com@example.org",
    ):
        assert not await ours(address), address


async def test_whole_domains_are_ours_and_their_subdomains_are_not(pool: Pool) -> None:
    ours = OwnAddresses(pool, KEYS, ["Help.Example"])
    assert await ours("anybody@help.example")
    assert await ours('"odd one"@HELP.example')
    assert not await ours("anybody@sub.help.example")


async def test_addresses_that_carry_our_signature_are_ours_and_forged_ones_are_not(pool: Pool) -> None:
    ours = OwnAddresses(pool, KEYS)
    token = KEYS.sign(TokenUse.REPLY, 0, 77)
    assert await ours(f"reply+{token}@any.example")
    assert await ours(f"bounces+{token}@any.example")
    assert await ours(f"bcc+{KEYS.sign(TokenUse.COPY, 0, 5)}@any.example")
    assert not await ours(f"reply+{token[:-2]}AA@any.example")
    assert not await ours(f"reply+{KEYS.sign(TokenUse.MEASURE, 1, 77)}@any.example")


async def test_the_postmaster_of_our_domains_is_ours(pool: Pool) -> None:
    await add_address(pool, "help@example.com")
    ours = OwnAddresses(pool, KEYS)
    assert await ours("Postmaster@example.com")
    assert await ours("postmaster")
    assert not await ours("postmaster@example.org")


async def test_a_new_address_works_at_once_and_guesses_cost_one_look_a_second(pool: Pool) -> None:
    clock = Hands()
    ours = OwnAddresses(pool, KEYS, clock=clock)
    assert not await ours("new@example.com")
    await add_address(pool, "new@example.com")
    assert not await ours("new@example.com")  # asked within the same second
    clock.now += 1.1
    assert await ours("new@example.com")


async def test_an_address_that_nobody_can_look_up_is_not_refused_for_good(
    database_url: str, pool: Pool
) -> None:
    await add_address(pool, "help@example.com")
    async with lay_wire(database_url) as wire:
        through = await open_pool(wire.url, max_size=1)
        clock = Hands()
        ours = OwnAddresses(through, KEYS, clock=clock)
        assert await ours("help@example.com")
        await add_address(pool, "new@example.com")
        await wire.break_down()
        clock.now += 5
        with pytest.raises(DATABASE_AWAY):
            await ours("new@example.com")
        through.terminate()


async def test_recipients_do_not_queue_up_for_a_database_that_hangs() -> None:
    class Hanging:
        asked = 0

        async def fetch(self, query: str) -> list[object]:
            self.asked += 1
            await asyncio.sleep(0.2)
            raise TimeoutError

    hanging = Hanging()
    ours = OwnAddresses(cast("Pool", hanging), KEYS)
    started = time.monotonic()
    results = await asyncio.gather(
        *(ours(f"x{number}@example.com") for number in range(50)), return_exceptions=True
    )
    assert all(isinstance(result, OSError) for result in results)
    assert hanging.asked == 1
    assert time.monotonic() - started < 1


async def test_without_the_database_known_addresses_stay_known(database_url: str, pool: Pool) -> None:
    await add_address(pool, "help@example.com")
    async with lay_wire(database_url) as wire:
        through = await open_pool(wire.url, max_size=1)
        clock = Hands()
        ours, fresh = OwnAddresses(through, KEYS, clock=clock), OwnAddresses(through, KEYS)
        assert await ours("help@example.com")
        await wire.break_down()
        clock.now += 60
        assert await ours("help@example.com")
        with pytest.raises(DATABASE_AWAY):
            await fresh("help@example.com")
        through.terminate()
