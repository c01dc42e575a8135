"""Calls in a real browser with a real carrier beside it: call from a task, talk, say how it ended; and somebody calls."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, async_playwright, expect

from channels.sandbox.carrier.mischief import Trick
from inbox.lines.store import save_line
from storage.pool import Pool
from tests.flows.sales_floor import ANNA, OURS, ROSA, Floor, open_floor
from tests.web.house import PASSWORD
from tests.web.screenshots import ARGUMENTS, CHROMIUM
from tests.web.telephony import Exchange

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason=f"Chromium is missing ({CHROMIUM})"),
    # the browser's driver leaves its transports to the collector when a loop ends
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
async def floor(pool: Pool, database_url: str) -> AsyncIterator[Floor]:
    """Rosa with her phone, Anna with hers, and the carrier between them."""
    async with open_floor(pool, database_url) as opened:
        yield opened


@pytest.fixture
async def page(floor: Floor) -> AsyncIterator[Page]:
    """Rosa's browser, signed in; it fails the test when a script or the policy complains."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = await browser.new_context(locale="en", viewport={"width": 1280, "height": 900})
        opened = await context.new_page()
        complaints: list[str] = []
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on(
            "console",
            lambda message: (
                complaints.append(message.text) if "Content Security Policy" in message.text else None
            ),
        )
        await opened.goto(f"{floor.house.url}/sign-in")
        await opened.get_by_label("E-mail address").fill("rep@house.example")
        await opened.get_by_label("Password").fill(PASSWORD)
        await opened.get_by_role("button", name="Sign in").click()
        await opened.wait_for_url(f"{floor.house.url}/")
        yield opened
        await browser.close()
        assert complaints == []


async def callback(floor: Floor) -> int:
    """A callback task that Rosa has accepted."""
    return await floor.house.task(floor.anna, assignee_id=floor.rosa, state="accepted")


async def open_page(page: Page, floor: Floor, path: str) -> None:
    """Go there, and wait until the page hears of what happens."""
    await page.goto(floor.house.url + path)
    await page.wait_for_selector("html[data-connected]")


async def test_a_rep_calls_from_a_task_talks_and_says_how_it_ended(page: Page, floor: Floor) -> None:
    task = await callback(floor)
    await open_page(page, floor, f"/tasks/{task}")
    bar = page.locator("#calls")
    await page.get_by_label("Note (kept on the timeline)").fill("She asked for the price of ")
    await page.get_by_role("heading", name="Anna Dubreuil").click()
    await page.keyboard.press("c")
    await expect(bar).to_contain_text("Your phone rings")
    await expect(bar).to_contain_text("Take it and press 1: then we call Anna Dubreuil")
    await floor.take_and_press()
    await expect(bar).to_contain_text("It rings there.")
    await floor.take(ANNA)
    await expect(bar.locator(".running")).to_have_text(re.compile(r"0:0[1-9]"))
    await bar.get_by_role("button", name="Hang up").click()
    # what was being written is still there, the outcome is chosen and waits for Enter
    reached = page.get_by_role("radio", name="Reached")
    await expect(reached).to_be_checked()
    await expect(reached).to_be_focused()
    await expect(page.get_by_text("The call suggests it.")).to_be_visible()
    await expect(page.get_by_label("Note (kept on the timeline)")).to_have_value(
        "She asked for the price of "
    )
    await page.get_by_text("Interested", exact=True).click()
    await page.get_by_label("Note (kept on the timeline)").fill("Wants an offer.")
    await page.get_by_role("button", name="Complete").click()
    await expect(page.get_by_role("status").first).to_contain_text("Done.")
    await page.goto(f"{floor.house.url}/contacts/{floor.anna}")
    timeline = page.get_by_role("region", name="Timeline")
    await expect(timeline).to_contain_text("Rosa Martin talked with them on the phone")
    await expect(timeline).to_contain_text("Rosa Martin completed the task")
    assert len(floor.placed) == 1


async def test_on_another_page_the_talk_leads_to_its_task(page: Page, floor: Floor) -> None:
    task = await callback(floor)
    await open_page(page, floor, f"/tasks/{task}")
    await page.get_by_role("button", name="Call +33 6 39 98 00 01").click()
    await floor.take_and_press()
    await open_page(page, floor, "/contacts")
    await expect(page.locator("#calls")).to_contain_text("It rings there.")
    ringing = await floor.phone(ANNA, "ringing")
    await floor.carrier.phones.hang_up(ringing.sid)  # Anna is in a meeting
    await page.wait_for_url(f"**/tasks/{task}#finish")
    await expect(page.get_by_role("radio", name="Wants another call")).to_be_checked()


async def test_the_window_that_placed_the_call_asks_and_others_stay_where_they_are(
    page: Page, floor: Floor
) -> None:
    task = await callback(floor)
    other = await page.context.new_page()
    await open_page(other, floor, "/contacts")
    await open_page(page, floor, "/tasks")
    await page.get_by_role("button", name="Call +33 6 39 98 00 01").click()
    await expect(other.locator("#calls")).to_contain_text("Your phone rings")
    await floor.take_and_press()
    await expect(page.locator("#calls")).to_contain_text("It rings there.")
    await expect(page.locator("#calls").get_by_role("button", name="Give up")).to_be_focused()
    await floor.carrier.phones.hang_up((await floor.phone(ANNA, "ringing")).sid)
    await page.wait_for_url(f"**/tasks/{task}#finish")
    await expect(page.get_by_role("radio", name="Wants another call")).to_be_checked()
    await expect(other.locator("#calls")).to_be_empty()  # the first one has asked
    assert other.url.endswith("/contacts")


async def test_whoever_writes_elsewhere_is_not_taken_away(page: Page, floor: Floor) -> None:
    task = await callback(floor)
    await open_page(page, floor, f"/tasks/{task}")
    await page.get_by_role("button", name="Call +33 6 39 98 00 01").click()
    await floor.take_and_press()
    await open_page(page, floor, f"/contacts/{floor.anna}")
    await page.get_by_label("Note").last.fill("Half a sentence")
    await floor.take(ANNA)
    bar = page.locator("#calls")
    await expect(bar.get_by_role("button", name="Hang up")).to_be_visible()
    await bar.get_by_role("button", name="Hang up").click()
    await expect(bar.get_by_role("link", name="How did it end?")).to_be_visible()
    await expect(page.get_by_label("Note").last).to_have_value("Half a sentence")
    await bar.get_by_role("button", name="Later").click()
    await expect(bar).to_be_empty()


async def test_why_a_call_was_not_placed_stands_in_the_bar(page: Page, floor: Floor) -> None:
    await floor.pool.execute("UPDATE users SET phone = NULL")
    task = await callback(floor)
    await open_page(page, floor, f"/tasks/{task}")
    await page.get_by_role("button", name="Call +33 6 39 98 00 01").click()
    alert = page.locator("#call-trouble").get_by_role("alert")
    await page.wait_for_timeout(1500)  # longer than the bar takes to be fetched again
    await expect(alert).to_contain_text("your own phone is not known")
    await alert.get_by_role("link", name="Say which phone is yours").click()
    await page.get_by_label("Phone number").fill(ROSA)
    await page.locator("#phone-card").get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status").first).to_contain_text("Saved.")


async def test_of_several_numbers_one_is_chosen(page: Page, floor: Floor) -> None:
    await floor.pool.execute(
        "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'phone', $2, $2)",
        floor.anna,
        "+33639980002",
    )
    await open_page(page, floor, f"/contacts/{floor.anna}")
    await page.keyboard.press("c")
    await page.get_by_role("button", name="+33 6 39 98 00 02").click()
    await floor.take_and_press()
    assert (await floor.phone("+33639980002", "ringing")).incoming
    await page.locator("#calls").get_by_role("button", name="Give up").click()
    await expect(page.locator("#calls")).to_contain_text("nobody answered")


_LINE = """
number: "+33644600001"
name: Support line
queue: Support
hours: always
open:
  - ring: {seconds: 120}
  - ring: {seconds: 120}
  - voicemail
"""


async def test_who_calls_appears_on_every_page_until_it_is_taken(page: Page, floor: Floor) -> None:
    await floor.pool.execute("INSERT INTO queues (name, team_id) VALUES ('Support', $1)", floor.team)
    await save_line(floor.pool, _LINE)
    await floor.house.task(floor.anna, assignee_id=floor.rosa, title="Call Anna about her roof")
    await open_page(page, floor, "/tasks")
    sid = await floor.carrier.phones.call(ANNA, OURS)
    card = page.get_by_role("region", name="Incoming call")
    await expect(card).to_contain_text("Anna Dubreuil")
    await expect(card).to_contain_text("Support line")
    await expect(card).to_contain_text("+33 6 39 98 00 01")
    await expect(card).to_contain_text("Call Anna about her roof")
    await expect(page).to_have_title(re.compile("☎ Anna Dubreuil"))
    await floor.take_and_press()
    bar = page.locator("#calls")
    await expect(bar.locator(".running")).to_have_text(re.compile(r"0:0\d"))
    await expect(card).to_have_count(0)
    await expect(page).to_have_title(re.compile("^Tasks"))
    await floor.carrier.phones.hang_up(sid)
    await expect(bar).to_contain_text("answered")
    await page.goto(f"{floor.house.url}/contacts/{floor.anna}")
    timeline = page.get_by_role("region", name="Timeline")
    await expect(timeline).to_contain_text("Called us and talked with Rosa Martin")


async def test_the_card_goes_when_somebody_else_took_the_call(page: Page, floor: Floor) -> None:
    exchange = Exchange(floor.pool, floor.house.context.blobs)
    await open_page(page, floor, "/tasks")
    call = await exchange.call("in", "ringing", contact=floor.anna, theirs=ANNA, ago=timedelta(0))
    await exchange.leg(call, "us", ROSA, user_id=floor.rosa, status="ringing")
    floor.house.context.announcer.touch()
    card = page.get_by_role("region", name="Incoming call")
    await expect(card.get_by_role("link", name="Open the contact")).to_have_attribute(
        "href", f"/contacts/{floor.anna}"
    )
    now = datetime.now(UTC)
    await floor.pool.execute("UPDATE call_legs SET ended_at = $1, status = 'canceled'", now)
    await floor.pool.execute(
        "UPDATE calls SET state = 'talking', answered_at = $1, version = version + 1, changed_at = now()", now
    )
    floor.house.context.announcer.touch()
    await expect(card).to_have_count(0)
    await expect(page).to_have_title(re.compile("^Tasks"))


async def test_a_call_whose_answer_is_lost_is_not_placed_twice(page: Page, floor: Floor) -> None:
    floor.misbehave(Trick.KEPT, times=1)
    task = await callback(floor)
    await open_page(page, floor, f"/tasks/{task}")
    await page.get_by_role("button", name="Call +33 6 39 98 00 01").dblclick()
    await floor.take_and_press()
    await floor.take(ANNA)
    await expect(page.locator("#calls").get_by_role("button", name="Hang up")).to_be_visible()
    assert len(floor.placed) == 1
