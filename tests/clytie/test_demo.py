"""The demo's people and its clock: nobody's number plays tricks, and whenever it starts somebody is at work."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from channels.sandbox.carrier.mischief import find_ending
from channels.sms.numbers import takes_texts
from clytie.demo.clock import begin_in_working_time, next_beginning
from clytie.demo.people import CLAIRES_PHONE, write_contacts
from clytie.demo.seed import HOURS, PERSONAS, SALES_PHONE, SUPPORT_PHONE
from storage.house_clock import read_offset
from storage.pool import Pool


def test_every_phone_is_one_of_a_story_and_belongs_to_one_person() -> None:
    rows = list(csv.DictReader(io.StringIO(write_contacts().content.decode())))
    phones = {row["email"].lower(): row["phone"] for row in rows if row["phone"]}
    ours = {SALES_PHONE, SUPPORT_PHONE, *(persona.phone for persona in PERSONAS)}
    assert len(phones) > 150
    assert len(set(phones.values())) == len(phones)
    assert ours.isdisjoint(phones.values())
    assert len(ours) == len(PERSONAS) + 2
    assert [phone for phone in (*phones.values(), *ours) if find_ending(phone)] == []
    assert CLAIRES_PHONE in phones.values()
    mobile = [phone for phone in phones.values() if phone.startswith(("+336", "+447"))]
    assert all(takes_texts(phone) for phone in mobile)


@pytest.mark.parametrize(
    ("start", "begins"),
    [
        ("2026-11-23T09:30", "2026-11-23T09:30"),  # a Monday morning: as it is
        ("2026-11-23T12:00", "2026-11-23T13:30"),  # half an hour before lunch
        ("2026-11-23T17:30", "2026-11-24T09:00"),
        ("2026-11-22T03:00", "2026-11-23T09:00"),  # a Sunday
        ("2026-12-24T20:00", "2026-12-28T09:00"),  # Christmas is a holiday, then a weekend
    ],
)
def test_it_begins_in_working_time_with_an_hour_to_go(start: str, begins: str) -> None:
    now = datetime.fromisoformat(start + "+01:00")
    assert next_beginning(now, HOURS, "FR", "Europe/Paris") == datetime.fromisoformat(begins + "+01:00")


async def test_a_clock_that_was_moved_is_left_alone(pool: Pool) -> None:
    hours = {"thu" if datetime.now(UTC).weekday() < 3 else "mon": [["09:00", "18:00"]]}
    by = await begin_in_working_time(pool, hours, "FR", "Europe/Paris")
    assert by > timedelta()
    assert await read_offset(pool) == pytest.approx(by, abs=timedelta(seconds=1))
    assert await begin_in_working_time(pool, hours, "FR", "Europe/Paris") == timedelta()
