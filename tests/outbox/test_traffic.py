"""Limits, rests and relays in the sender: whoever is over a limit waits, and holds up nobody else."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from channels.mail.parsed import Mailbox
from channels.mail.settings import RelaySettings, WarmUp
from domain.messages import DeliveryState, Outbound, Outcome
from outbox.domains import puts_off
from outbox.limits import DomainLimits
from outbox.ranges import sweep
from outbox.sender import Sender
from outbox.settings import OutboxSettings
from outbox.traffic import Traffic
from outbox.windows import Ask, forget_windows, reserve_places
from storage.pool import Pool
from tests.outbox.post import make_postman, make_stationery, post
from tests.outbox.stock import (
    BRISK,
    ObedientChannel,
    accept,
    run_until,
    states,
    stock_campaign,
)


def settings(**changes: Any) -> OutboxSettings:
    return BRISK.model_copy(update=changes)


class Routes:
    """Relays by name; those in `away` cannot be reached."""

    def __init__(self, *names: str, away: tuple[str, ...] = ()) -> None:
        self.names = names
        self.away = away

    @property
    def some_are_away(self) -> bool:
        return bool(self.away)

    def candidates(self, message: Outbound, probed: set[str]) -> tuple[list[str], float]:
        names = [name for name in self.names if name not in self.away]
        return names, 0.0 if names else 5.0


def make_sender(
    pool: Pool,
    channel: ObedientChannel,
    folder: Path,
    limits: OutboxSettings,
    traffic: Traffic | None = None,
) -> Sender:
    return make_postman(pool, channel, make_stationery(folder), limits, traffic or Traffic(limits))


async def send_to(pool: Pool, domain: str, count: int, **changes: Any) -> int:
    """A campaign to so many addresses of a domain."""
    campaign_id = await stock_campaign(pool, count, name=domain, **changes)
    await pool.execute(
        "UPDATE deliveries SET address = message_id || '@' || $2 WHERE campaign_id = $1", campaign_id, domain
    )
    return campaign_id


def by_domain(channel: ObedientChannel) -> Counter[str]:
    return Counter(message.recipient.rpartition("@")[2] for message in channel.taken)


async def held(pool: Pool) -> dict[str, int]:
    rows = await pool.fetch(
        "SELECT reason, count(*) FROM deliveries WHERE state = 'queued' AND reason IS NOT NULL GROUP BY reason"
    )
    return {row["reason"]: row["count"] for row in rows}


async def test_a_limited_domain_waits_with_its_reason_and_holds_up_nobody(pool: Pool, tmp_path: Path) -> None:
    limits = settings(domains={"slow.example": DomainLimits(per_minute=20)})
    channel = ObedientChannel()
    await send_to(pool, "slow.example", 300)
    await send_to(pool, "fast.example", 300)
    began = time.monotonic()

    async def done() -> bool:
        return by_domain(channel)["fast.example"] == 300 and sum((await held(pool)).values()) == 282

    await run_until(make_sender(pool, channel, tmp_path, limits), done)
    assert time.monotonic() - began < 10
    assert by_domain(channel) == {"fast.example": 300, "slow.example": 18}  # two are left for letters
    assert await held(pool) == {"domain_limited": 282}
    waits = await pool.fetchrow(
        "SELECT extract(epoch FROM min(not_before) - now())::float8 AS first,"
        " extract(epoch FROM max(not_before) - now())::float8 AS last FROM deliveries WHERE reason IS NOT NULL"
    )
    assert waits is not None
    assert 40 < waits["first"] < 62
    assert waits["last"] > waits["first"] + 300  # each is looked at about when its turn has come


async def test_a_letter_passes_the_campaign_that_used_up_its_share(pool: Pool, tmp_path: Path) -> None:
    limits = settings(domains={"slow.example": DomainLimits(per_minute=20)})
    channel = ObedientChannel()
    await send_to(pool, "slow.example", 100)

    async def used_up() -> bool:
        return await held(pool) == {"domain_limited": 82}

    await run_until(make_sender(pool, channel, tmp_path, limits), used_up)
    await post(pool, make_stationery(tmp_path), to=(Mailbox("", "ada@slow.example"),))

    async def sent() -> bool:
        return "ada@slow.example" in [message.recipient for message in channel.taken]

    await run_until(make_sender(pool, channel, tmp_path, limits), sent, 5)


async def test_what_waited_for_a_limit_goes_out_when_there_is_room(pool: Pool, tmp_path: Path) -> None:
    limits = settings(domains={"*": DomainLimits(per_minute=10)})
    channel = ObedientChannel()
    await send_to(pool, "one.example", 12)

    async def used_up() -> bool:
        return await held(pool) == {"domain_limited": 3}

    await run_until(make_sender(pool, channel, tmp_path, limits), used_up)
    await pool.execute("UPDATE send_windows SET newest = newest - 100")
    await pool.execute("UPDATE deliveries SET not_before = now() WHERE state = 'queued'")
    await pool.execute("UPDATE delivery_ranges SET ready_at = now()")

    async def done() -> bool:
        return await states(pool) == {"sent": 12}

    await run_until(make_sender(pool, channel, tmp_path, limits), done)
    assert not await pool.fetchval("SELECT count(*) FROM deliveries WHERE reason IS NOT NULL")


async def test_two_workers_together_keep_to_a_limit(pool: Pool, tmp_path: Path) -> None:
    limits = settings(domains={"slow.example": DomainLimits(per_minute=40)})
    channels = [ObedientChannel(), ObedientChannel()]
    await send_to(pool, "slow.example", 400, size=20)

    async def done() -> bool:
        return sum((await held(pool)).values()) == 364

    await asyncio.gather(
        *(run_until(make_sender(pool, channel, tmp_path, limits), done) for channel in channels)
    )
    assert sum(len(channel.taken) for channel in channels) == 36


async def test_the_domains_of_one_provider_share_its_limit(pool: Pool, tmp_path: Path) -> None:
    limits = settings(
        domains={"outlook.example": DomainLimits(per_minute=10)},
        providers={"outlook.example": ("hotmail.example", "live.example")},
    )
    channel = ObedientChannel()
    for domain in ("outlook.example", "hotmail.example", "live.example"):
        await send_to(pool, domain, 10)

    async def done() -> bool:
        return sum((await held(pool)).values()) == 21

    await run_until(make_sender(pool, channel, tmp_path, limits), done)
    assert len(channel.taken) == 9


async def test_no_more_than_so_many_to_a_domain_are_under_way_at_once(pool: Pool, tmp_path: Path) -> None:
    limits = settings(domains={"slow.example": DomainLimits(at_once=3)})
    most = 0
    now: Counter[str] = Counter()

    class Watched(ObedientChannel):
        async def deliver(self, batch: Any, settle: Any) -> None:
            nonlocal most
            slow = [message for message in batch if message.recipient.endswith("slow.example")]
            now["slow"] += len(slow)
            most = max(most, now["slow"])
            await asyncio.sleep(0.01)
            for message in batch:
                if message in slow:
                    now["slow"] -= 1
                self.taken.append(message)
                settle(accept(message))

    channel = Watched()
    await send_to(pool, "slow.example", 60)
    await send_to(pool, "fast.example", 200)

    async def done() -> bool:
        return await states(pool) == {"sent": 260}

    await run_until(make_sender(pool, channel, tmp_path, limits), done)
    assert most == 3


async def test_a_domain_that_puts_us_off_rests_while_the_others_go_on(pool: Pool, tmp_path: Path) -> None:
    def decide(message: Outbound) -> Outcome:
        if message.recipient.endswith("busy.example"):
            return Outcome(
                message.key, message.attempt, DeliveryState.DEFERRED, "451 4.7.0 slow down", "unavailable"
            )
        return accept(message)

    limits = settings(window=20)
    channel = ObedientChannel(decide, delay=0.01)
    await send_to(pool, "busy.example", 200)
    await send_to(pool, "calm.example", 200)

    async def done() -> bool:
        return (await states(pool)).get("sent") == 200 and bool(await held(pool))

    await run_until(make_sender(pool, channel, tmp_path, limits), done)
    assert by_domain(channel)["calm.example"] == 200
    assert by_domain(channel)["busy.example"] <= 45
    assert set(await held(pool)) == {"domain_resting"}
    assert await pool.fetchval(
        "SELECT min(not_before) - now() > interval '20 s' FROM deliveries WHERE reason = 'domain_resting'"
    )


@pytest.mark.parametrize(
    ("reply", "reason", "expected"),
    [
        ("421 4.7.0 too many connections", "unavailable", True),
        ("451 try later", "unavailable", True),
        ("450 4.7.28 unusual rate", "policy", True),
        ("452 4.5.3 too many recipients", "throttled", True),
        ("450 4.2.2 mailbox full", "mailbox_full", False),
        ("451 4.7.1 greylisted", "greylisted", False),
        ("", "connection_lost", False),
    ],
)
def test_only_what_is_said_about_our_traffic_gives_a_domain_a_rest(
    reply: str, reason: str, expected: bool
) -> None:
    assert puts_off(Outcome(1, 1, DeliveryState.DEFERRED, reply, reason)) is expected
    assert not puts_off(Outcome(1, 1, DeliveryState.DEFERRED, reply, reason, unreached=True))
    assert not puts_off(Outcome(1, 1, DeliveryState.REJECTED, reply, reason))


async def test_a_relay_at_its_limit_leaves_the_rest_to_the_next_one(pool: Pool, tmp_path: Path) -> None:
    relays = [RelaySettings(name="new", per_hour=100), RelaySettings(name="old")]
    channel = ObedientChannel()
    await send_to(pool, "a.example", 200)
    traffic = Traffic(BRISK, relays, Routes("new", "old"))

    async def done() -> bool:
        return await states(pool) == {"sent": 200}

    await run_until(make_sender(pool, channel, tmp_path, BRISK, traffic), done)
    assert Counter(message.options.get("relay") for message in channel.taken) == {"new": 90, "old": 110}


async def test_a_warm_up_sends_so_much_a_day_and_the_rest_waits_with_its_reason(
    pool: Pool, tmp_path: Path
) -> None:
    today = datetime.now(UTC).date()
    relay = RelaySettings(name="new", warm_up=WarmUp(start=today, days=(50, 100)))
    channel = ObedientChannel()
    await send_to(pool, "a.example", 80)

    async def held_back() -> bool:
        return bool(await held(pool) == {"warming_up": 35})

    traffic = Traffic(BRISK, [relay], Routes("new"))
    await run_until(make_sender(pool, channel, tmp_path, BRISK, traffic), held_back)
    assert len(channel.taken) == 45
    await pool.execute("UPDATE deliveries SET not_before = now() WHERE state = 'queued'")
    await pool.execute("UPDATE delivery_ranges SET ready_at = now()")

    def tomorrow() -> date:
        return date.fromordinal(today.toordinal() + 1)

    async def done() -> bool:
        return await states(pool) == {"sent": 80}

    traffic = Traffic(BRISK, [relay], Routes("new"), tomorrow)
    await run_until(make_sender(pool, channel, tmp_path, BRISK, traffic), done)


async def test_a_domains_places_are_given_back_when_no_relay_has_room(pool: Pool, tmp_path: Path) -> None:
    limits = settings(domains={"a.example": DomainLimits(per_hour=100)})
    channel = ObedientChannel()
    await send_to(pool, "a.example", 50)
    traffic = Traffic(limits, [RelaySettings(name="only", per_hour=10)], Routes("only"))

    async def done() -> bool:
        return bool(await held(pool) == {"relay_limited": 41})

    await run_until(make_sender(pool, channel, tmp_path, limits, traffic), done)
    assert (
        await pool.fetchval("SELECT counts[1] + counts[2] FROM send_windows WHERE key = 'domain:a.example'")
        == 9
    )


async def test_messages_without_a_relay_that_can_be_reached_wait_unmarked(pool: Pool, tmp_path: Path) -> None:
    channel = ObedientChannel()
    await send_to(pool, "a.example", 30)
    routes = Routes("one", "two", away=("one", "two"))
    traffic = Traffic(BRISK, [RelaySettings(name="one"), RelaySettings(name="two")], routes)

    async def done() -> bool:
        return await held(pool) == {"relay_away": 30}

    await run_until(make_sender(pool, channel, tmp_path, BRISK, traffic), done)
    assert not channel.taken
    assert not await pool.fetchval("SELECT sum(attempt) FROM deliveries")


async def test_without_limits_and_trouble_nothing_is_asked(pool: Pool, tmp_path: Path) -> None:
    await send_to(pool, "a.example", 30)

    async def done() -> bool:
        return await states(pool) == {"sent": 30}

    traffic = Traffic(BRISK, [RelaySettings(name="one")], Routes("one"))
    await run_until(make_sender(pool, ObedientChannel(), tmp_path, BRISK, traffic), done)
    assert not traffic.active
    assert not await pool.fetchval("SELECT count(*) FROM send_windows")


async def test_what_waits_in_memory_is_given_back_when_the_sender_stops(pool: Pool, tmp_path: Path) -> None:
    limits = settings(domains={"slow.example": DomainLimits(at_once=2)})
    channel = ObedientChannel(lambda message: None)
    await send_to(pool, "slow.example", 10)

    async def begun() -> bool:
        return len(channel.taken) == 2

    await run_until(make_sender(pool, channel, tmp_path, limits), begun)
    assert (await states(pool)).keys() <= {"queued", "uncertain"}


async def test_windows_in_which_nothing_counts_are_forgotten(pool: Pool) -> None:
    async with pool.acquire() as connection:
        asks = [Ask(f"domain:{name}.example", ((60, 5), (86_400, 9)), 1, 0) for name in ("a", "b")]
        await reserve_places(connection, asks)
    await pool.execute("UPDATE send_windows SET newest = newest - 300 WHERE key = 'domain:a.example'")
    await forget_windows(pool)
    assert {row["key"] for row in await pool.fetch("SELECT key FROM send_windows")} == {"domain:b.example"}


async def test_a_letter_that_has_to_wait_does_not_wait_behind_a_campaign(pool: Pool, tmp_path: Path) -> None:
    limits = settings(domains={"slow.example": DomainLimits(per_minute=20)})
    channel = ObedientChannel()
    await send_to(pool, "slow.example", 300)

    stationery = make_stationery(tmp_path)
    letters: list[int] = []

    async def one_waits() -> bool:
        waiting = (await held(pool)).get("domain_limited", 0)
        if waiting == 282 and not letters:
            for number in range(3):  # two find a place, the third does not
                letters.append(await post(pool, stationery, to=(Mailbox("", f"ada{number}@slow.example"),)))
        return waiting == 283

    await run_until(make_sender(pool, channel, tmp_path, limits), one_waits)
    assert len(channel.taken) == 20
    wait = await pool.fetchval(
        "SELECT extract(epoch FROM not_before - now())::float8 FROM deliveries WHERE campaign_id = 0"
        " AND state = 'queued'"
    )
    assert wait < 62  # when the window opens; the last of the campaign is looked at minutes later


async def test_places_and_claims_survive_a_database_that_fails_while_limits_are_asked(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = settings(
        domains={"slow.example": DomainLimits(at_once=2, per_hour=1000)}, claim_lease=1, sending_lease=100
    )
    channel = ObedientChannel()
    await send_to(pool, "slow.example", 2)
    failures = 0

    async def fail_first(connection: Any, asks: Any) -> Any:
        nonlocal failures
        failures += 1
        if failures == 1:
            raise OSError("the database is away")
        return await reserve_places(connection, asks)

    monkeypatch.setattr("outbox.traffic.reserve_places", fail_first)

    async def done() -> bool:
        await sweep(pool)
        return await states(pool) == {"sent": 2}

    await run_until(make_sender(pool, channel, tmp_path, limits), done, 15)
    assert Counter(message.key for message in channel.taken).most_common(1)[0][1] == 1


async def test_a_relay_that_may_be_back_is_asked_about_one_message_and_the_others_keep_their_limits(
    pool: Pool, tmp_path: Path
) -> None:
    class HalfOpen(Routes):
        some_are_away = True

        def candidates(self, message: Outbound, probed: set[str]) -> tuple[list[str], float]:
            if "main" in probed:
                return ["spare"], 0.0
            probed.add("main")
            return ["main", "spare"], 0.0

    relays = [RelaySettings(name="main", priority=1), RelaySettings(name="spare", priority=2, per_hour=10)]
    channel = ObedientChannel(lambda message: None)  # nothing is answered: the probe goes on
    await send_to(pool, "a.example", 30)

    async def done() -> bool:
        return await held(pool) == {"relay_limited": 20}

    await run_until(
        make_sender(pool, channel, tmp_path, BRISK, Traffic(BRISK, relays, HalfOpen("main", "spare"))), done
    )
    assert Counter(message.options["relay"] for message in channel.taken) == {"main": 1, "spare": 9}
