"""The test phone in a real browser: a message arrives while one watches, is answered; a call rings and is talked on."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest
from playwright.async_api import Page, async_playwright, expect

from storage.pool import Pool
from tests.web.house import House, open_house
from tests.web.screenshots import ARGUMENTS, CHROMIUM
from tests.web.telephone import (
    ANNA,
    SALES,
    Telephone,
    draw_picture,
    give_phone,
    open_telephone,
)
from tests.web.test_in_a_browser import sign_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason=f"Chromium is missing ({CHROMIUM})"),
    # the browser's driver leaves its transports to the collector when a loop ends
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
async def telephone() -> AsyncIterator[Telephone]:
    """The carrier."""
    async with open_telephone() as opened:
        yield opened


@pytest.fixture
async def house(pool: Pool, database_url: str, telephone: Telephone) -> AsyncIterator[House]:
    """A web process without an account, with a marketer and Claire."""
    async with open_house(pool, database_url, test_phone=telephone.test_phone) as opened:
        await opened.user("marketer", email="marketer@helianthe.example")
        await give_phone(pool, await opened.contact("Claire Dubreuil"), ANNA)
        yield opened


@pytest.fixture
async def page(house: House) -> AsyncIterator[Page]:
    """A page that fails the test when a script or the policy complains; it is closed before its house."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = await browser.new_context(locale="en", viewport={"width": 1280, "height": 900})
        opened = await context.new_page()
        complaints: list[str] = []
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on(
            "console",
            lambda message: complaints.append(message.text) if message.type == "error" else None,
        )
        yield opened
        await browser.close()
        assert [one for one in complaints if "responded with a status of" not in one] == []


async def take_phone(page: Page, house: House, number: str = ANNA) -> None:
    """Open a phone and wait until it hears what happens."""
    await sign_in(page, house, "marketer")
    await page.goto(f"{house.url}/phone/{quote(number)}")
    await page.wait_for_selector("html[data-connected]")


async def test_a_message_arrives_while_one_watches_and_is_answered_with_a_picture(
    page: Page, house: House, telephone: Telephone
) -> None:
    await take_phone(page, house)
    await telephone.text(ANNA, "Your roof study is ready.")
    thread = page.locator("#talk")
    await expect(thread).to_contain_text("Your roof study is ready.", timeout=5000)
    await expect(page.locator("#live-status")).to_have_text("A message arrived on the phone.")
    await page.locator(".attach input").set_input_files(
        {"name": "roof.png", "mimeType": "image/png", "buffer": draw_picture()}
    )
    await page.get_by_label("Message to Sales").fill("Thank you! <b>When</b>?")
    await page.keyboard.press("Enter")
    await expect(thread).to_contain_text("Thank you! <b>When</b>?", timeout=5000)
    await expect(page.get_by_label("Message to Sales")).to_have_value("")
    picture = thread.get_by_role("img", name="Picture")
    await expect(picture).to_have_js_property("naturalWidth", 96)
    (told,) = await telephone.switchboard.wait_for("/sms")
    assert (told["Body"], told["NumMedia"]) == ("Thank you! <b>When</b>?", "1")


async def test_what_cannot_be_sent_is_said_and_stays_written(
    page: Page, house: House, telephone: Telephone
) -> None:
    await take_phone(page, house)
    await telephone.carrier.stop()
    await page.get_by_label("Message to Sales").fill("Half a sentence")
    await page.keyboard.press("Enter")
    await expect(page.locator("#phone-problem")).to_contain_text("cannot be reached")
    await expect(page.get_by_label("Message to Sales")).to_have_value("Half a sentence")


async def test_a_call_rings_is_answered_by_keyboard_and_hung_up(
    page: Page, house: House, telephone: Telephone
) -> None:
    await take_phone(page, house)
    await telephone.call(ANNA)
    await expect(page.get_by_text("calls you")).to_be_visible(timeout=5000)
    await expect(page.locator("[aria-current=page]").filter(has_text="Claire")).to_contain_text("rings")
    await expect(page.get_by_role("button", name="Answer")).to_be_visible()
    await expect(page.locator("#live-status")).to_have_text("The phone rings.")
    await page.keyboard.press("c")
    await expect(page.locator("#call")).to_contain_text(re.compile(r"talking\s+0:0[1-9]"), timeout=5000)
    await expect(page.locator("#call")).to_contain_text("Un conseiller va vous parler.", timeout=5000)
    await page.keyboard.press("h")
    await expect(page.get_by_text(re.compile("Call from us"))).to_be_visible(timeout=5000)
    await page.get_by_text(re.compile("Call from us")).click()
    await expect(page.locator(".past-call")).to_contain_text("Un conseiller va vous parler.")


async def test_one_calls_us_chooses_by_key_and_speaks(page: Page, house: House, telephone: Telephone) -> None:
    await take_phone(page, house)
    await page.get_by_role("button", name="Call Support").click()
    await expect(page.locator("#call")).to_contain_text("tapez un", timeout=5000)
    await expect(page.get_by_text("Press keys: they are listened for.")).to_be_visible(timeout=5000)
    await page.keyboard.press("1")
    await expect(page.locator("#call")).to_contain_text("Vous avez choisi 1", timeout=5000)
    speech = page.get_by_label("Say something")
    await speech.fill("Claire Dubreuil")
    await asyncio.sleep(1.5)  # what is being typed stays while the page is kept current
    await expect(speech).to_have_value("Claire Dubreuil")
    await expect(speech).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#call")).to_contain_text("Merci, Claire Dubreuil.", timeout=5000)
    await page.get_by_role("button", name="Hang up").click()
    await expect(page.get_by_text(re.compile("Call to us"))).to_be_visible(timeout=5000)


@pytest.mark.parametrize("width", [390, 320])
async def test_it_fits_a_narrow_screen_in_every_state(
    page: Page, house: House, telephone: Telephone, width: int
) -> None:
    await page.set_viewport_size({"width": width, "height": 760})
    await telephone.text(ANNA, "https://hub.example/" + "x" * 300)
    await take_phone(page, house)

    async def fits() -> bool:
        return bool(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"))

    await expect(page.locator("#talk")).to_contain_text("hub.example", timeout=5000)
    assert await fits()
    await telephone.call(ANNA, caller=SALES)
    await expect(page.get_by_role("button", name="Answer")).to_be_in_viewport(timeout=5000)
    assert await fits()
    await page.get_by_role("button", name="Answer").click()
    await expect(page.get_by_role("button", name="Hang up")).to_be_in_viewport(timeout=5000)
    await expect(page.get_by_role("button", name="5")).to_be_visible()
    assert await fits()
    await page.goto(f"{house.url}/phone")
    assert await fits()
