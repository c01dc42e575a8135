"""Lines of the house: stored with their text, checked against what is set up, applied by number."""

from __future__ import annotations

import pytest

from domain.errors import NotFound
from inbox.lines.files import InvalidLines, read_lines
from inbox.lines.store import apply_lines, diff_lines, find_line, list_lines, save_line, switch_line
from storage.pool import Pool
from tests.inbox.lines import MENU_LINE, OURS, RING_LINE


@pytest.fixture
async def house(pool: Pool) -> Pool:
    await pool.execute("INSERT INTO queues (name) VALUES ('Support'), ('Sales')")
    return pool


async def test_a_line_is_kept_with_the_text_it_was_written_in(house: Pool) -> None:
    text = MENU_LINE + "# ask Rosa before changing this\n"
    stored = await save_line(house, text)
    assert (stored.line, stored.text) == (read_lines(text)[0].line, text)
    assert [one.line.number for one in await list_lines(house)] == [OURS]


async def test_a_line_that_is_written_anew_gets_a_new_version_and_the_same_one_does_not(house: Pool) -> None:
    first = await save_line(house, RING_LINE)
    assert (await save_line(house, RING_LINE)).version == first.version
    changed = await save_line(house, RING_LINE.replace("Main line", "Front desk"))
    assert (changed.id, changed.version, changed.line.name) == (first.id, first.version + 1, "Front desk")


async def test_what_applying_would_change_is_told_before(house: Pool) -> None:
    await save_line(house, RING_LINE)
    other = read_lines(RING_LINE.replace("0001", "0002"))
    diff = await diff_lines(house, [*read_lines(MENU_LINE), *other])
    assert (diff.added, diff.changed, diff.unchanged) == (("+33199000002",), (OURS,), ())
    assert (await apply_lines(house, other)).added == ("+33199000002",)
    assert len(await list_lines(house)) == 2


async def test_queues_teams_and_people_that_nobody_set_up_are_told_at_their_place(house: Pool) -> None:
    text = MENU_LINE.replace("{queue: Sales}", "{queue: Slaes, people: [x@y.example]}") + "team: Nobody\n"
    with pytest.raises(InvalidLines) as caught:
        await save_line(house, text)
    told = {one.field: (one.line, one.problem) for one in caught.value.problems}
    assert set(told) == {
        "team",
        "menus.main.keys.1.ring.queue",
        "menus.main.keys.1.ring.people[0]",
    }
    assert all(line for line, _ in told.values())
    assert await list_lines(house) == []


async def test_a_renamed_queue_stays_the_lines_own(house: Pool) -> None:
    await save_line(house, RING_LINE)
    await house.execute("UPDATE queues SET name = 'Help' WHERE name = 'Support'")
    stored = await find_line(house, OURS)
    assert stored is not None
    assert stored.line.queue == "Help"


async def test_a_line_that_is_switched_off_is_not_heard(house: Pool) -> None:
    stored = await save_line(house, RING_LINE)
    await switch_line(house, stored.id, active=False)
    assert await find_line(house, OURS) is None
    assert [one.active for one in await list_lines(house)] == [False]
    with pytest.raises(NotFound):
        await switch_line(house, stored.id + 1, active=True)


async def test_one_line_at_a_time_is_saved(house: Pool) -> None:
    with pytest.raises(InvalidLines, match="second line"):
        await save_line(
            house, f"- {RING_LINE.strip().replace(chr(10), chr(10) + '  ')}\n- " + RING_LINE.strip().replace("0001", "0002").replace("\n", "\n  ")
        )  # fmt: skip
