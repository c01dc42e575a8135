"""Short messages in a real browser: a campaign is written while its count follows, an answer is counted, sent, taken back."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright, expect

from storage.pool import Pool
from tests.web.house import PASSWORD, House
from tests.web.screenshots import ARGUMENTS, CHROMIUM
from tests.web.texting import ACCOUNT, OURS, Texting, build_texting

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason=f"Chromium is missing ({CHROMIUM})"),
    # the browser's driver leaves its transports to the collector when a loop ends
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
async def texting(house: House, pool: Pool) -> Texting:
    """A small organisation that texts, with prices, a marketer and an agent."""
    house.context.texts = ACCOUNT
    for role in ("marketer", "agent"):
        await house.user(role)
    return await build_texting(pool)


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
                complaints.append(message.text) if "Content Security Policy" in message.text else None
            ),
        )
        yield opened
        await browser.close()
        assert complaints == []


async def sign_in(page: Page, house: House, role: str) -> None:
    await page.goto(f"{house.url}/sign-in")
    await page.get_by_label("E-mail address").fill(f"{role}@house.example")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{house.url}/")


async def test_a_campaign_is_written_and_its_count_follows(
    page: Page, house: House, texting: Texting, pool: Pool
) -> None:
    await sign_in(page, house, "marketer")
    await page.goto(f"{house.url}/campaigns")
    await page.get_by_role("link", name="New campaign").click()
    await page.get_by_role("link", name="SMS", exact=True).click()
    await page.get_by_label("Name of the campaign").fill("Friday")
    await page.get_by_label("Segment", exact=True).select_option(label="People with a phone")
    await expect(page.locator("#audience")).to_contain_text("5 people get it")
    weight = page.locator("#weight")
    await page.get_by_label("Text", exact=True).fill("Dear ")
    await page.get_by_role("button", name="given name").click()
    await page.get_by_label("Text", exact=True).press_sequentially(
        ", we’re open. Come and see us on Friday evening"
    )
    await page.get_by_label("End with the words that tell how to stop").uncheck()
    await expect(weight).to_contain_text("5 parts for 5 messages")
    await expect(weight).to_contain_text("The text does not say how to stop.")
    await weight.get_by_role("button", name="Add the words").click()
    await expect(weight).not_to_contain_text("The text does not say how to stop.")
    await expect(weight).to_contain_text("Signs that look alike would save")
    await weight.get_by_role("button", name="Replace them").click()
    await expect(weight).to_contain_text("Look-alike signs are replaced")
    await page.get_by_role("button", name="Save and preview").click()
    await expect(page.get_by_role("heading", name="Friday")).to_be_visible()
    phone = page.get_by_role("group", name="The message on a phone")
    await expect(phone).to_contain_text("we're open. Come and see us on Friday evening")
    await expect(phone).to_contain_text("STOP")
    await page.get_by_role("button", name="Launch…").click()
    await expect(page.get_by_role("heading", name="Send “Friday” now?")).to_be_visible()
    source = await pool.fetchval("SELECT source FROM campaigns WHERE name = 'Friday'")
    assert (source["lookalikes"], source["stop_hint"], source["sender"]) == (True, True, OURS)


async def test_an_answer_is_counted_sent_and_taken_back(
    page: Page, house: House, texting: Texting, pool: Pool
) -> None:
    await sign_in(page, house, "agent")
    await page.goto(f"{house.url}/conversations/{texting.conversations['parcel']}")
    text, count = page.locator("#text"), page.locator("#text-count")
    await text.fill("The driver’s on his way. " * 3)
    await expect(count).to_contain_text("74 characters · 2 parts · UCS-2")
    await expect(count).to_contain_text("€0.1358")
    await count.get_by_role("button", name="Replace them").click()
    await expect(count).to_contain_text("74 characters · 1 part · GSM-7")
    await expect(text).to_have_value(("The driver's on his way. " * 3).strip())
    await page.locator("#file").set_input_files(
        {"name": "gate.png", "mimeType": "image/png", "buffer": b"\x89PNG gate"}
    )
    await expect(page.locator("#answer-files")).to_contain_text("gate.png")
    await page.get_by_role("button", name="Send the SMS").click()
    await expect(page.get_by_text("Your answer leaves in a moment.")).to_be_visible()
    assert await pool.fetchval("SELECT count(*) FROM deliveries WHERE state = 'queued'") == 1
    await expect(page.locator("article", has_text="gate.png")).to_be_visible()
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_text("Taken back. Nothing was sent; your answer is below.")).to_be_visible()
    await expect(text).to_have_value(("The driver's on his way. " * 3).strip())
    await expect(page.locator("#answer-files")).to_contain_text("gate.png")
    assert await pool.fetchval("SELECT count(*) FROM deliveries WHERE state = 'queued'") == 0


async def test_who_said_stop_cannot_be_written_to(page: Page, house: House, texting: Texting) -> None:
    await sign_in(page, house, "agent")
    await page.goto(f"{house.url}/conversations/{texting.conversations['stopped']}")
    await expect(page.get_by_text("This person answered STOP")).to_be_visible()
    await expect(page.locator("#answer textarea")).to_be_hidden()
    await expect(page.get_by_role("button", name="Send the SMS")).to_have_count(0)


async def test_one_begins_a_talk_from_a_contacts_page(page: Page, house: House, texting: Texting) -> None:
    await sign_in(page, house, "agent")
    await page.goto(f"{house.url}/contacts/{texting.contacts['Niamh']}")
    await page.get_by_role("link", name="Write an SMS").click()
    await page.get_by_label("Message").fill("Hello Niamh")
    await expect(page.locator("#text-count")).to_contain_text("11 characters · 1 part · GSM-7 · €0.0418")
    await page.get_by_role("button", name="Send the SMS").click()
    await expect(page.get_by_role("heading", name="SMS with Niamh O'Connor")).to_be_visible()
    await expect(page.get_by_text("Your answer leaves in a moment.")).to_be_visible()
