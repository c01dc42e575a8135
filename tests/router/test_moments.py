"""Rules about moments: three days before the contract ends, on the birthday, a week after somebody came."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.moments import moments_of
from router.rules import Moment
from tests.router.world import World

BEFORE_THE_END = """
- name: contract-ends
  when: {moment: contact.fields.contract_end, before: 3d, at: "09:00"}
  then:
    - open_task: {kind: callback, title: "{contact.name}: contract ends", assign: {team: sales}}
"""
BIRTHDAY = """
- name: birthday
  when: {moment: contact.fields.born, yearly: true, at: "08:00"}
  then:
    - note: "Birthday of {contact.name}"
"""


async def test_a_task_comes_three_days_before_the_contract_ends(world: World) -> None:
    await world.apply(BEFORE_THE_END)
    await world.contact(fields={"contract_end": "2026-03-20"}, timezone="America/New_York")
    await world.pass_time(
        timedelta(days=15, hours=3, minutes=59)
    )  # 08:59 in New York: its clocks changed on the 8th
    assert await world.tasks() == []
    await world.pass_time(timedelta(minutes=1))
    assert [task["title"] for task in await world.tasks()] == ["Ana Sousa: contract ends"]
    for _ in range(5):
        await world.pass_time(timedelta(days=1))
    assert len(await world.tasks()) == 1


async def test_a_date_that_changed_meanwhile_is_kept_to(world: World) -> None:
    await world.apply(BEFORE_THE_END)
    ana = await world.contact(fields={"contract_end": "2026-03-05"})
    await world.pass_time(timedelta())
    await world.pool.execute(
        'UPDATE contacts SET fields = \'{"contract_end": "2026-03-12"}\' WHERE id = $1', ana
    )
    for _ in range(6):
        await world.pass_time(timedelta(days=1))
    assert await world.tasks() == []
    for _ in range(3):
        await world.pass_time(timedelta(days=1))
    assert len(await world.tasks()) == 1


async def test_a_moment_that_passed_before_the_rule_came_is_left_alone(world: World) -> None:
    await world.contact(fields={"contract_end": "2026-03-04"})
    await world.apply(BEFORE_THE_END)
    for _ in range(3):
        await world.pass_time(timedelta(days=1))
    assert await world.tasks() == []


@pytest.mark.parametrize("value", ["soon", "2026-02-30", "", "20260320", 20260320, None, "9999-12-31"])
async def test_what_is_no_date_that_comes_is_passed_over(world: World, value: object) -> None:
    await world.apply(BEFORE_THE_END)
    await world.contact(fields={"contract_end": value})
    for _ in range(3):
        await world.pass_time(timedelta(days=30))
    assert await world.tasks() == []


async def test_a_birthday_comes_every_year(world: World) -> None:
    await world.apply(BIRTHDAY)
    await world.contact(fields={"born": "1980-03-04"})
    for _ in range(4):
        await world.pass_time(timedelta(days=1))
    assert await world.pool.fetchval("SELECT count(*) FROM events WHERE type = 'Noted'") == 1
    await world.pass_time(timedelta(days=360))
    for _ in range(4):
        await world.pass_time(timedelta(days=1))
    assert await world.pool.fetchval("SELECT count(*) FROM events WHERE type = 'Noted'") == 2


def test_a_child_of_leap_day_has_a_birthday_every_year() -> None:
    wanted = Moment.model_validate({"moment": "contact.fields.born", "yearly": True})
    days = [at.date() for at in moments_of("2000-02-29", wanted, "UTC", "UTC", [2027, 2028])]
    assert days == [date(2027, 2, 28), date(2028, 2, 29)]


@given(
    moment=st.datetimes(datetime(1950, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),
    days=st.integers(0, 400),
    zone=st.sampled_from(["Europe/Paris", "America/New_York", "Pacific/Apia", "Nowhere/At_All", None]),
)
def test_a_moment_is_as_far_from_its_date_as_asked(moment: datetime, days: int, zone: str | None) -> None:
    wanted = Moment.model_validate({"moment": "contact.fields.x", "before": f"{days}d"})
    (at,) = moments_of(moment.replace(microsecond=0).isoformat(), wanted, zone, "Europe/Paris", [])
    assert at == moment.replace(microsecond=0) - timedelta(days=days)
