"""Mail, both ways, in a browser: it comes in at the front door, is routed, read and answered; the answer arrives in
the test mailbox in the same thread, and the answer to that comes back into the conversation."""

from __future__ import annotations

import asyncio
import os
import re
import smtplib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright, expect

from clytie.bootstrap import open_doors, open_web, open_worker
from clytie.serve import settle_ports
from clytie.settings import Settings, load_settings
from storage.pool import Pool
from tests.web.house import PASSWORD, PASSWORD_HASH
from tests.web.screenshots import ARGUMENTS, CHROMIUM
from web.app import build_app
from worker.run import run_worker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason=f"Chromium is missing ({CHROMIUM})"),
    # the browser's driver leaves its transports to the collector when a loop ends
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
CLAIRE = "claire@dubreuil.example"


@dataclass
class Firm:
    """Every process of a deployment, in this one; `conversation` is made by the first mail."""

    settings: Settings
    pool: Pool
    browser: Browser

    async def person(self, name: str) -> Page:
        """Somebody's browser, signed in; it fails the test when a script or the policy complains."""
        context = await self.browser.new_context(locale="en", viewport={"width": 1280, "height": 900})
        page = await context.new_page()
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        await page.goto(f"{self.settings.public_url}/sign-in")
        await page.get_by_label("E-mail address").fill(f"{name}@house.example")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(f"{self.settings.public_url}/")
        return page

    async def receive(self, mail: EmailMessage) -> None:
        """Hand a mail in at the front door."""

        def send() -> None:
            with smtplib.SMTP("127.0.0.1", self.settings.inbox.smtp.port, timeout=20) as server:
                server.send_message(mail)

        await asyncio.to_thread(send)


@pytest.fixture
async def firm(pool: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[Firm]:
    """Web, worker and doors, an administrator and two agents, a queue."""
    settings = settle_ports(
        load_settings(
            database_url=database_url,
            var=tmp_path / "var",
            port=0,
            sandbox={"port": 0},
            carrier={"enabled": False},
            inbox={"smtp": {"port": 0}, "authentication": {"check": False}},
            outbox={"reply_domain": "house.example"},
            web={"undo_seconds": 5},
        ),
        ("web", "mail"),
    )
    for name, role in (("ada", "agent"), ("ben", "agent"), ("maud", "administrator")):
        await pool.execute(
            "INSERT INTO users (email, name, role, password_hash) VALUES ($1, $2, $3, $4)",
            f"{name}@house.example", f"{name.title()} Example", role, PASSWORD_HASH,
        )  # fmt: skip
    queue = await pool.fetchval(
        "INSERT INTO queues (name, from_name, from_address, signature)"
        " VALUES ('Support', 'House support', 'support@house.example', '{agent}') RETURNING id"
    )
    await pool.execute("INSERT INTO queue_addresses VALUES ('support@house.example', $1)", queue)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_doors(settings))
        worker = await stack.enter_async_context(open_worker(settings))
        stop = asyncio.Event()
        working = asyncio.create_task(run_worker(worker, stop))
        context = await stack.enter_async_context(open_web(settings))
        runner = web.AppRunner(build_app(context), access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, settings.host, settings.port).start()
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield Firm(settings, pool, browser)
        finally:
            await browser.close()
            await runner.cleanup()
            stop.set()
            await working


def question() -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = f"Claire Dubreuil <{CLAIRE}>"
    mail["To"] = "support@house.example"
    mail["Subject"] = "Where are my panels?"
    mail["Message-ID"] = "<question.1@dubreuil.example>"
    mail["References"] = "<before@dubreuil.example>"
    mail.set_content("Hello,\n\nmy panels have not arrived.\n\nClaire\n")
    return mail


async def test_a_mail_comes_in_is_answered_and_the_answer_arrives_in_the_same_thread(firm: Firm) -> None:
    ada, ben = await firm.person("ada"), await firm.person("ben")
    await ada.get_by_role("navigation", name="Main menu").get_by_role("link", name="Conversations").click()
    await expect(ada.get_by_text("Everybody has an answer")).to_be_visible()
    await ada.wait_for_selector("html[data-connected]")
    await ada.goto(f"{firm.settings.public_url}/conversations?box=unassigned")
    await ada.wait_for_selector("html[data-connected]")
    await firm.receive(question())
    row = ada.locator("[data-row]")
    await expect(row).to_contain_text("Where are my panels?", timeout=15_000)  # by itself, without a reload
    await expect(row).to_contain_text("my panels have not arrived.")
    await ada.keyboard.press("j")
    await ada.keyboard.press("Enter")
    await expect(ada.get_by_role("heading", name="Where are my panels?")).to_be_visible()
    await ada.wait_for_selector("html[data-connected]")
    await ada.keyboard.press("t")
    await expect(ada.get_by_role("status").first).to_contain_text("Assigned.")

    await ben.goto(ada.url.partition("?")[0])
    await ben.wait_for_selector("html[data-connected]")
    await ada.wait_for_selector("html[data-connected]")
    await ben.get_by_placeholder("Write your answer…").fill("I will look")
    warning = ada.get_by_text("Ben Example is writing an answer here, too.")
    await expect(warning).to_be_visible(timeout=15_000)
    await ben.get_by_placeholder("Write your answer…").fill("")
    await expect(warning).to_be_hidden(timeout=15_000)

    await ada.keyboard.press("r")
    await ada.keyboard.type("Dear Claire,\n\nthey arrive on Monday.")
    await ada.locator("#file").set_input_files(
        {"name": "note.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7"}
    )
    await expect(ada.locator("#answer-files")).to_contain_text("note.pdf")
    await ada.keyboard.press("Control+Enter")
    await expect(ada.get_by_text("Your answer leaves in a moment.")).to_be_visible()
    await ada.get_by_role("button", name="Undo").click()
    await expect(ada.get_by_text("Taken back. Nothing was sent; your answer is below.")).to_be_visible()
    await expect(ada.get_by_placeholder("Write your answer…")).to_have_value(
        "Dear Claire,\n\nthey arrive on Monday."
    )
    await ada.get_by_role("button", name="Send", exact=True).click()
    await expect(ada.get_by_text("Your answer leaves in a moment.")).to_be_visible()
    assert await firm.pool.fetchval("SELECT count(*) FROM sandbox_mails") == 0
    await expect(ada.locator(".message.ours")).to_contain_text("sent", timeout=20_000)

    rows = await firm.pool.fetch("SELECT * FROM sandbox_mails")
    assert [mail["recipient"] for mail in rows] == [CLAIRE]  # what was taken back never left
    mail = message_from_bytes(rows[0]["raw"], policy=policy.default)
    assert mail["In-Reply-To"] == "<question.1@dubreuil.example>"
    assert mail["References"].split() == ["<before@dubreuil.example>", "<question.1@dubreuil.example>"]
    assert mail["Subject"] == "Re: Where are my panels?"
    assert mail["From"] == "House support <support@house.example>"
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content().replace("\r\n", "\n")
    assert text.startswith("Dear Claire,\n\nthey arrive on Monday.\n\n-- \nAda Example\n")
    assert "> my panels have not arrived." in text
    assert [part.get_filename() for part in mail.iter_attachments()] == ["note.pdf"]

    await expect(ada.locator("a.crumb")).to_have_attribute(
        "href", re.compile("/conversations.box=unassigned$")
    )

    maud = await firm.person("maud")
    await maud.goto(f"{firm.settings.public_url}/mailbox?recipient={CLAIRE}")
    await maud.get_by_role("link", name="Re: Where are my panels?").click()
    await maud.get_by_label("What would they write?").fill("Monday is fine, thank you.")
    await maud.get_by_role("button", name="Send as Claire Dubreuil").click()
    await expect(maud.get_by_text("Sent. It comes in at the front door")).to_be_visible()
    await expect(ada.locator("#thread")).to_contain_text("Monday is fine, thank you.", timeout=20_000)
    assert await firm.pool.fetchval("SELECT count(*) FROM conversations") == 1
    assert await firm.pool.fetchval("SELECT state FROM conversations") == "open"
    await ada.goto(f"{firm.settings.public_url}/contacts/1")
    await expect(ada.get_by_role("heading", name="Claire Dubreuil")).to_be_visible()
    await expect(ada.get_by_role("region", name="Conversations")).to_contain_text("Where are my panels?")


async def test_nothing_in_a_hostile_mail_runs_and_pictures_wait_until_asked_for(firm: Firm) -> None:
    asked: list[str] = []
    ada = await firm.person("ada")
    ada.on("request", lambda request: asked.append(request.url))
    mail = EmailMessage()
    mail["From"] = "Mallory <mallory@evil.example>"
    mail["To"] = "support@house.example"
    mail["Subject"] = "Look"
    mail.set_content("See the pretty version.")
    mail.add_alternative(
        "<p>Pretty</p><script>parent.document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
        "<svg onload=\"document.title='taken'\"></svg><form action='https://evil.example'><button>Go</button></form>"
        "<meta http-equiv='refresh' content='0;url=https://evil.example/refresh'>"
        "<img src='https://127.0.0.1:1/pixel.gif'><p style='background:url(https://127.0.0.1:1/css.gif)'>styled</p>",
        subtype="html",
    )
    mail.add_attachment(b"<script>alert(1)</script>", "text", "html", filename="page.html")
    await firm.receive(mail)
    await ada.goto(f"{firm.settings.public_url}/conversations?box=unassigned")
    await ada.wait_for_selector("html[data-connected]")
    await ada.get_by_text("See the pretty version.").click(timeout=15_000)
    await ada.get_by_text("Show as its sender laid it out").click()
    frame = ada.frame_locator("iframe")
    await expect(frame.get_by_text("Pretty")).to_be_visible()
    await expect(frame.get_by_role("button")).to_have_count(0)
    assert not [url for url in asked if "127.0.0.1:1/" in url or "evil.example" in url]
    await ada.get_by_role("link", name="Show pictures").click()
    await expect(frame.get_by_text("Pretty")).to_be_visible()
    for _ in range(50):
        if any(url.endswith("/pixel.gif") for url in asked):
            break
        await asyncio.sleep(0.1)
    assert [url for url in asked if "127.0.0.1:1/" in url] == ["https://127.0.0.1:1/pixel.gif"]
    assert await ada.title() == "Look · Clytie"
    async with ada.expect_download() as download:
        await ada.get_by_role("link", name="page.html").click()
    assert (await download.value).suggested_filename == "page.html"
