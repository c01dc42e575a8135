"""The story in a real browser: sign in, a task appears while one watches, accept it, complete it."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, async_playwright, expect

from domain.events import EventType, NewEvent
from storage.event_store import record
from storage.pool import Pool
from tests.web.house import PASSWORD, House
from tests.web.screenshots import ARGUMENTS, CHROMIUM
from tests.web.world import World, build_world, hit

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason=f"Chromium is missing ({CHROMIUM})"),
    # the browser's driver leaves its transports to the collector when a loop ends
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
async def world(house: House, pool: Pool) -> World:
    """An organisation with tasks."""
    return await build_world(pool)


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page of a browser that fails the test when a script or the policy complains."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = await browser.new_context(locale="en", viewport={"width": 1280, "height": 900})
        opened = await context.new_page()
        complaints: list[str] = []
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on(
            "console",
            lambda message: (
                complaints.append(message.text)
                if "Content Security Policy" in message.text and "img-src data:" not in message.text
                else None
            ),
        )
        yield opened
        await browser.close()
        assert complaints == []


async def sign_in(page: Page, house: House, role: str) -> None:
    """Fill in the form as a person does."""
    await page.goto(f"{house.url}/sign-in")
    await page.get_by_label("E-mail address").fill(f"{role}@helianthe.example")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{house.url}/")


async def open_task(house: House, world: World, place: int) -> int:
    """What the router does after a hit: a task, its event, an announcement."""
    contact, now = world.contacts[place], datetime.now(UTC)
    event = await hit(house.pool, contact, world.campaign, EventType.CLICKED, now, link_no=3)
    task = await house.task(
        contact,
        campaign_id=world.campaign,
        event_id=event,
        rule_id=world.rule,
        assignee_id=world.users["rep"],
        team_id=world.team,
        decide_by=now + timedelta(minutes=30),
    )
    async with house.pool.acquire() as connection:
        await record(connection, [NewEvent(EventType.TASK_OPENED, now, contact, task_id=task)])
    house.context.announcer.touch()
    return task


async def test_a_task_appears_is_accepted_and_completed(page: Page, house: House, world: World) -> None:
    await sign_in(page, house, "rep")
    await page.get_by_role("navigation", name="Main menu").get_by_role("link", name="Tasks").click()
    await expect(page.get_by_role("heading", name="Tasks", exact=True)).to_be_visible()
    await page.wait_for_selector("html[data-connected]")
    began = time.monotonic()
    task = await open_task(house, world, 8)
    row = page.locator(f"[data-key='task-{task}']")
    await expect(row).to_be_visible(timeout=5000)
    assert time.monotonic() - began < 5  # a second or less when the machine has nothing else to do
    await expect(row).to_contain_text("Małgorzata Wójcik")
    await expect(row).to_contain_text("Clicked “Call me back” in “Spring letter”")
    await expect(page.locator("#live-status")).to_have_text("A new task arrived.")
    await row.get_by_role("button", name="Accept").click()
    await expect(page.get_by_role("status").first).to_contain_text("Accepted.")
    await row.get_by_role("link", name="Małgorzata Wójcik", exact=True).click()
    await expect(page.get_by_text("Why does this task exist?")).to_be_visible()
    await page.get_by_text("Interested", exact=True).click()
    await page.get_by_label("Note (kept on the timeline)").fill("Wants a visit in May.")
    await page.get_by_role("button", name="Complete").click()
    await expect(page.get_by_role("status").first).to_contain_text("Done.")
    await page.goto(f"{house.url}/contacts/{world.contacts[8]}")
    timeline = page.get_by_role("region", name="Timeline")
    await expect(timeline).to_contain_text("Rosa Martin completed the task")
    await expect(timeline).to_contain_text("Wants a visit in May.")


async def test_the_list_works_by_keyboard_alone(page: Page, house: House, pool: Pool, world: World) -> None:
    await sign_in(page, house, "rep")
    await page.goto(f"{house.url}/tasks")
    await page.keyboard.press("Tab")
    await expect(page.get_by_text("Skip to the content")).to_be_focused()
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("k")
    chosen = page.locator("[data-row].chosen")
    await expect(chosen).to_have_count(1)
    key = await chosen.get_attribute("data-key")
    await page.keyboard.press("a")
    await expect(page.get_by_role("status").first).to_contain_text("Accepted.")
    number = int((key or "").removeprefix("task-"))
    assert await pool.fetchval("SELECT state FROM tasks WHERE id = $1", number) == "accepted"


async def test_a_form_that_is_being_written_survives_what_arrives(
    page: Page, house: House, world: World
) -> None:
    await sign_in(page, house, "rep")
    contact = world.contacts[0]
    await page.goto(f"{house.url}/contacts/{contact}")
    await page.wait_for_selector("html[data-connected]")
    await page.get_by_label("Note").last.fill("Half a sentence")
    await hit(house.pool, contact, world.campaign, EventType.DOWNLOADED, datetime.now(UTC))
    house.context.announcer.touch()
    await expect(page.get_by_role("region", name="Timeline")).to_contain_text("Downloaded", timeout=10000)
    await expect(page.get_by_label("Note").last).to_have_value("Half a sentence")


async def test_two_people_want_the_same_task(page: Page, house: House, pool: Pool, world: World) -> None:
    await sign_in(page, house, "rep")
    await page.goto(f"{house.url}/tasks/{world.tasks[1]}")
    await pool.execute(
        "UPDATE tasks SET state = 'accepted', assignee_id = $2, version = version + 1 WHERE id = $1",
        world.tasks[1],
        world.users["manager"],
    )
    await page.get_by_role("button", name="Accept").click()
    await expect(page.get_by_role("alert")).to_contain_text(
        "changed meanwhile: it is accepted by Tomas Berg now"
    )
    await expect(page.get_by_role("alert")).to_contain_text("here is how the task stands now")


async def test_a_mail_in_the_test_mailbox_runs_nothing_and_shows_pictures_only_when_asked(
    page: Page, house: House, pool: Pool, world: World
) -> None:
    raw = (
        b"From: a@b.example\r\nTo: claire@d.example\r\nSubject: Trap\r\nContent-Type: text/html\r\n\r\n"
        b"<script>parent.document.title='taken'</script><p>Hello</p><a href='http://127.0.0.1:1/x'>Go</a>"
        b"<img src='" + house.url.encode() + b"/static/0/sunflower.svg' onerror=\"document.title='taken'\">"
    )
    number = await pool.fetchval(
        "INSERT INTO sandbox_mails (sender, recipient, subject, raw) VALUES ('a@b.example', 'claire@d.example', 'Trap', $1)"
        " RETURNING id",
        raw,
    )
    fetched: list[str] = []
    page.on("response", lambda response: fetched.append(response.url))
    await sign_in(page, house, "marketer")
    fetched.clear()
    response = await page.request.get(f"{house.url}/mailbox/{number}/body")
    policy = response.headers["content-security-policy"]
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy
    await page.goto(f"{house.url}/mailbox/{number}")
    await expect(page.frame_locator("iframe").get_by_text("Hello")).to_be_visible()
    assert f"{house.url}/static/0/sunflower.svg" not in fetched
    await page.get_by_role("link", name="Show pictures").click()
    await expect(page.frame_locator("iframe").get_by_text("Hello")).to_be_visible()
    assert f"{house.url}/static/0/sunflower.svg" in fetched
    assert await page.title() == "Trap · Clytie"
