"""What one peer may ask of a door: connections, recipients, errors, time."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from channels.mail.door import reception
from channels.mail.door.peers import Peers
from channels.mail.door.settings import SmtpSettings
from tests.channels.door_house import DoorHouse, Wire, wire_to

STRANGERS: dict[str, Any] = {"trusted_networks": []}  # so that the loopback is a peer like any other


class Hands:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def make_peers(clock: Hands | None = None, **settings: object) -> Peers:
    return Peers(SmtpSettings.model_validate(settings), clock or Hands())


def test_connections_are_counted_in_all_and_per_peer() -> None:
    peers = make_peers(connections=3, connections_per_peer=2)
    assert peers.admit("192.0.2.1") is None
    assert peers.admit("192.0.2.1") is None
    assert "your address" in str(peers.admit("192.0.2.1"))
    assert peers.admit("192.0.2.2") is None
    assert "too many connections, try" in str(peers.admit("192.0.2.3"))
    peers.leave("192.0.2.1")
    assert peers.admit("192.0.2.1") is None
    assert peers.total == 3


def test_a_network_of_ipv6_is_one_peer_and_a_mapped_address_is_that_of_ipv4() -> None:
    peers = make_peers(connections_per_peer=1)
    assert peers.admit("2001:db8::1") is None
    assert peers.admit("2001:db8::2") is not None
    assert peers.admit("2001:db8:0:1::1") is None
    assert peers.admit("::ffff:192.0.2.1") is None
    assert peers.admit("192.0.2.1") is not None


def test_our_own_servers_are_not_limited() -> None:
    peers = make_peers(connections_per_peer=1, trusted_networks=["10.0.0.0/8"])
    for _ in range(5):
        peers.pause("10.1.1.1")
        assert peers.admit("10.1.1.1") is None


def test_a_peer_that_erred_too_often_is_kept_out_for_a_while() -> None:
    clock = Hands()
    peers = make_peers(clock, pause_seconds=60)
    peers.pause("192.0.2.1")
    assert "too many errors" in str(peers.admit("192.0.2.1"))
    assert peers.admit("192.0.2.2") is None
    clock.now = 61
    assert peers.admit("192.0.2.1") is None


def test_floods_of_peers_are_forgotten() -> None:
    peers = make_peers()
    for number in range(20_000):
        peers.pause(f"198.51.{number >> 8}.{number & 255}" if number < 65_536 else "")
    assert len(peers._records) == 10_000
    for _ in range(100):
        assert peers.admit("203.0.113.9") is None
        peers.leave("203.0.113.9")
    assert not peers._open


async def test_one_connection_too_many_is_told_so_and_frees_its_place() -> None:
    async with DoorHouse().door(connections_per_peer=2, **STRANGERS) as door:
        full = "421 4.7.0 too many connections"
        async with wire_to(door), wire_to(door), wire_to(door, greeting=full) as refused:
            assert await refused.closed()
        await asyncio.sleep(0.05)
        async with wire_to(door) as wire:
            assert (await wire.say("EHLO c")).startswith("250")


async def test_guessing_addresses_ends_the_connection_and_keeps_the_peer_out() -> None:
    async with DoorHouse().door(errors_limit=5, **STRANGERS) as door:
        async with wire_to(door) as wire:
            await wire.say("EHLO c")
            await wire.say("MAIL FROM:<a@b.example>")
            replies = [await wire.say(f"RCPT TO:<guess{number}@example.org>") for number in range(5)]
            assert all(reply.startswith("550") for reply in replies)
            assert (await wire.read()).startswith("421 4.7.0 too many errors")
            assert await wire.closed()
        async with wire_to(door, greeting="421 4.7.0 too many errors"):
            pass


async def test_our_own_server_in_front_is_told_of_every_error_and_goes_on() -> None:
    async with DoorHouse().door(errors_limit=2) as door, wire_to(door) as wire:
        await wire.say("EHLO c")
        await wire.say("MAIL FROM:<a@b.example>")
        for number in range(10):
            assert (await wire.say(f"RCPT TO:<guess{number}@example.org>")).startswith("550")
        assert (await wire.say("RCPT TO:<x@example.com>")).startswith("250")


async def test_hanging_up_in_time_does_not_help_who_guesses() -> None:
    async with DoorHouse().door(errors_limit=5, **STRANGERS) as door:
        for _ in range(2):
            async with wire_to(door) as wire:
                await wire.say("EHLO c")
                await wire.say("MAIL FROM:<a@b.example>")
                for number in range(2):
                    assert (await wire.say(f"RCPT TO:<guess{number}@example.org>")).startswith("550")
        async with wire_to(door) as wire:
            assert (await wire.say("EHLO")).startswith("501")
            assert (await wire.read()).startswith("421 4.7.0 too many errors")
        async with wire_to(door, greeting="421 4.7.0 too many errors"):
            pass


def test_errors_now_and_then_are_forgiven() -> None:
    clock = Hands()
    clock.now = 1000
    peers = make_peers(clock, pause_seconds=60, errors_limit=3)
    for _ in range(10):
        assert not peers.note_error("192.0.2.1")
        clock.now += 40
    assert [peers.note_error("192.0.2.2") for _ in range(3)] == [False, False, True]


def test_who_goes_on_after_a_pause_gets_a_longer_one_and_a_quiet_time_is_enough_to_be_forgiven() -> None:
    clock = Hands()
    clock.now = 10_000
    peers = make_peers(clock, pause_seconds=60)
    for seconds in (60, 120, 240, 480, 600, 600):
        peers.pause("192.0.2.1")
        peers.pause("192.0.2.1")  # by another of its connections
        clock.now += seconds - 1
        assert peers.admit("192.0.2.1") is not None
        clock.now += 1
        assert peers.admit("192.0.2.1") is None
    clock.now += 700
    peers.pause("192.0.2.1")
    clock.now += 61
    assert peers.admit("192.0.2.1") is None


async def test_a_door_that_is_nearly_full_does_not_wait_long_for_strangers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reception, "_HURRY_COMMAND", 0.3)
    async with (
        DoorHouse().door(connections=4, **STRANGERS) as door,
        wire_to(door) as first,
        wire_to(door) as second,
    ):
        await asyncio.sleep(0.4)
        assert (await first.say("EHLO c")).startswith("250")
        async with wire_to(door) as third:
            assert (await third.say("EHLO c")).startswith("250")
            assert (await third.read()).startswith("421 4.4.2")
        assert (await second.say("EHLO c")).startswith("250")
    async with DoorHouse().door(connections=4) as door, wire_to(door), wire_to(door), wire_to(door) as ours:
        await ours.say("EHLO c")
        await asyncio.sleep(0.4)
        assert (await ours.say("NOOP")).startswith("250")


async def test_recipients_beyond_the_limit_are_for_another_transaction() -> None:
    house = DoorHouse()
    async with house.door(recipients_limit=3) as door, wire_to(door) as wire:
        await wire.say("EHLO c")
        await wire.say("MAIL FROM:<a@b.example>")
        codes = [(await wire.say(f"RCPT TO:<x{number}@example.com>"))[:9] for number in range(5)]
        assert codes == ["250 2.1.5"] * 3 + ["452 4.5.3"] * 2
        await wire.say("DATA")
        assert (await wire.say(".")).startswith("250")
    assert len(house.mails[0].recipients) == 3


async def speak_slowly(wire: Wire) -> None:
    for _ in range(40):
        wire.writer.write(b"x")
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("began", [False, True], ids=["a command", "the content"])
async def test_a_peer_that_takes_too_long_is_sent_away(began: bool) -> None:
    house = DoorHouse()
    limits: dict[str, Any] = (
        {"command_seconds": 60, "data_seconds": 0.4} if began else {"command_seconds": 0.4}
    )
    async with house.door(**limits) as door, wire_to(door) as wire:
        if began:
            await wire.begin()
        talking = asyncio.create_task(speak_slowly(wire))
        assert (await wire.read()).startswith("421 4.4.2")
        assert await wire.closed()
        talking.cancel()
        await asyncio.sleep(0.05)
        assert door.peers.total == 0
    assert house.mails == []


async def test_commands_that_do_nothing_run_out() -> None:
    async with DoorHouse().door() as door, wire_to(door) as wire:
        await wire.say("EHLO c")
        for _ in range(200):
            assert (await wire.say("NOOP")).startswith("250")
        assert (await wire.say("NOOP")).startswith("421")
        assert await wire.closed()


async def test_a_flood_of_commands_does_not_keep_the_others_waiting() -> None:
    turn = 0
    served: Counter[int] = Counter()  # commands, by the turn of the event loop they were answered in

    class House(DoorHouse):
        async def knows(self, address: str) -> bool:
            served[turn] += 1
            return True

    async def count_turns() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    async with House().door(recipients_limit=3000) as door, wire_to(door) as wire:
        await wire.say("EHLO c")
        await wire.say("MAIL FROM:<a@b.example>")
        counting = asyncio.create_task(count_turns())
        wire.writer.write(b"RCPT TO:<x@example.com>\r\n" * 2000)
        for _ in range(2000):
            assert (await wire.read()).startswith("250")
        counting.cancel()
    assert served.total() == 2000
    assert max(served.values()) <= 20
