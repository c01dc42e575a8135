"""Take a picture of every page, in both languages and two widths: `python -m tests.web.screenshots [PAGE...]`.

The pictures lie in build/screenshots/; a person looks at them. Needs PostgreSQL (CLYTIE_TEST_DATABASE_URL, else an
embedded one) and Chromium.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path
from urllib.parse import quote

from playwright.async_api import Browser, async_playwright

from storage.migrations import upgrade
from storage.pool import Pool, open_pool
from tests.servers import Databases, start_servers
from tests.web.correspondence import Correspondence, build_correspondence
from tests.web.house import PASSWORD, open_house
from tests.web.telephone import ANNA, REP, SALES, Telephone, draw_picture, give_phone, open_telephone
from tests.web.telephony import Telephony, build_telephony, make_voice, ring_and_talk
from tests.web.texting import ACCOUNT, Texting, build_texting
from tests.web.world import World, build_world

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FOLDER = Path("build/screenshots")
WIDTHS = (1280, 390)


def pages(
    world: World, post: Correspondence, texting: Texting, phones: Telephony
) -> dict[str, tuple[str, str]]:
    """Name → who looks at it, and its path."""
    return {
        "sign-in": ("", "/sign-in"),
        "personas": ("", "/personas"),
        "home-rep": ("rep", "/"),
        "home-marketer": ("marketer", "/"),
        "home-agent": ("agent", "/"),
        "tasks": ("rep", "/tasks"),
        "tasks-closed": ("manager", "/tasks?scope=closed"),
        "tasks-empty": ("agent", "/tasks"),
        "task": ("rep", f"/tasks/{world.tasks[0]}"),
        "task-started": ("rep", f"/tasks/{world.tasks[4]}"),
        "contacts": ("rep", "/contacts"),
        "contacts-nobody": ("rep", "/contacts?q=zzz"),
        "contact": ("rep", f"/contacts/{world.contacts[0]}"),
        "contact-form": ("rep", f"/contacts/{world.contacts[0]}/edit"),
        "campaigns": ("marketer", "/campaigns"),
        "campaign": ("marketer", f"/campaigns/{world.campaign}"),
        "campaign-draft": ("marketer", f"/campaigns/{world.draft}"),
        "campaign-new": ("marketer", "/campaigns/new"),
        "campaign-form": ("marketer", f"/campaigns/{world.draft}/edit"),
        "sms-new": ("marketer", "/campaigns/new?channel=sms"),
        "sms-form": ("marketer", f"/campaigns/{texting.draft}/edit"),
        "sms-draft": ("marketer", f"/campaigns/{texting.draft}?contact={texting.contacts['Claire']}"),
        "sms-report": ("marketer", f"/campaigns/{texting.campaign}"),
        "sms-talk": ("agent", f"/conversations/{texting.conversations['parcel']}"),
        "sms-stopped": ("agent", f"/conversations/{texting.conversations['stopped']}"),
        "sms-beside": ("agent", f"/conversations/{texting.conversations['beside']}"),
        "sms-by-mail": ("agent", f"/conversations/{texting.conversations['mail']}?by=sms"),
        "sms-first": ("agent", f"/contacts/{texting.contacts['Niamh']}/text"),
        "sms-contact": ("agent", f"/contacts/{texting.contacts['Claire']}"),
        "sms-message": (
            "agent",
            f"/conversations/{texting.conversations['parcel']}/messages/{texting.undelivered}",
        ),
        "imports": ("marketer", "/imports"),
        "import": ("marketer", f"/imports/{world.job}"),
        "mailbox": ("marketer", "/mailbox"),
        "mail": ("marketer", f"/mailbox/{world.mail}"),
        "phones": ("marketer", "/phone"),
        "phone": ("marketer", f"/phone/{quote(ANNA)}"),
        "phone-rings": ("marketer", f"/phone/{quote(REP)}"),
        "mail-headers": ("marketer", f"/mailbox/{world.mail}?view=headers"),
        "conversations": ("agent", "/conversations"),
        "conversations-unassigned": ("manager", "/conversations?box=unassigned"),
        "conversations-waiting": ("agent", "/conversations?box=waiting"),
        "conversations-junk": ("agent", "/conversations?box=junk"),
        "conversations-search": ("agent", "/conversations?q=panels"),
        "conversations-empty": ("rep", "/conversations?box=waiting"),
        "conversation": ("agent", f"/conversations/{post.conversations['order']}"),
        "conversation-html": ("agent", f"/conversations/{post.conversations['offer']}"),
        "conversation-forged": ("agent", f"/conversations/{post.conversations['forged']}"),
        "conversation-away": ("agent", f"/conversations/{post.conversations['away']}"),
        "conversation-stranger": ("agent", f"/conversations/{post.conversations['stranger']}"),
        "conversation-junk": ("agent", f"/conversations/{post.conversations['junk']}"),
        "message": (
            "agent",
            f"/conversations/{post.conversations['order']}/messages/{post.messages['answer']}",
        ),
        "message-in": (
            "agent",
            f"/conversations/{post.conversations['order']}/messages/{post.messages['thanks']}",
        ),
        "cases": ("rep", "/cases"),
        "cases-board": ("rep", "/cases?kind=sale&view=board"),
        "cases-empty": ("rep", "/cases?kind=tender"),
        "case": ("rep", f"/cases/{world.case}"),
        "case-new": ("rep", f"/cases/new?contact={world.contacts[0]}"),
        "case-types": ("manager", "/cases/types"),
        "queues": ("manager", "/queues"),
        "queue": ("manager", f"/queues/{post.queues['support']}"),
        "queue-new": ("manager", "/queues/new"),
        "suppressions": ("manager", "/do-not-contact"),
        "suppressions-nobody": ("rep", "/do-not-contact?q=zzz"),
        "unreadable": ("manager", "/unreadable"),
        "unreadable-one": ("manager", f"/unreadable/{post.raw}"),
        "rules": ("manager", "/rules"),
        "rule": ("manager", f"/rules/{world.rule}"),
        "people": ("administrator", "/people"),
        "person": ("administrator", f"/people/{world.users['rep']}"),
        "team": ("administrator", f"/people/teams/{world.team}"),
        "account": ("rep", "/account"),
        "calls": ("rep", "/calls"),
        "calls-missed": ("agent", "/calls?scope=missed"),
        "calls-empty": ("marketer", "/calls"),
        "call": ("rep", f"/calls/{phones.calls['talk']}"),
        "call-voicemail": ("agent", f"/calls/{phones.calls['voicemail']}"),
        "call-thread": ("agent", f"/conversations/{phones.conversation}"),
        "call-timeline": ("rep", f"/contacts/{world.contacts[4]}"),
        "call-task": ("rep", f"/tasks/{world.tasks[4]}"),
        "lines": ("manager", "/lines"),
        "line": ("manager", f"/lines/{phones.line}"),
        "line-new": ("manager", "/lines/new"),
        "live-talk": ("rep", "/tasks"),
        "live-incoming": ("agent", "/conversations"),
        "live-own-phone": ("manager", f"/contacts/{world.contacts[1]}"),
        "forbidden": ("rep", "/campaigns"),
        "nothing": ("rep", "/nothing/here"),
    }


async def take_pictures(wanted: list[str], *, scheme: str = "light") -> None:
    """Start a house, fill it, and photograph it."""
    services = folder = None
    url = os.environ.get("CLYTIE_TEST_DATABASE_URL")
    if not url:
        services, folder, urls = start_servers()
        url = urls.database_url
    databases = Databases(url)
    upgrade(databases.create_template())
    database_url = databases.create()
    try:
        pool = await open_pool(database_url)
        async with (
            open_telephone() as telephone,
            open_house(pool, database_url, demo=True, test_phone=telephone.test_phone) as house,
            async_playwright() as playwright,
        ):
            world = await build_world(pool)
            await use_phones(pool, telephone, world)
            post = await build_correspondence(pool, house.context.blobs, world.users, world.contacts)
            house.context.texts = ACCOUNT
            house.context.voice = make_voice(pool)
            texting = await build_texting(pool)
            phones = await build_telephony(
                pool, house.context.blobs, world.users, world.contacts, post.queues["support"]
            )
            if any(name.startswith("live-") for name in wanted):  # it would stand on every page
                await ring_and_talk(pool, house.context.blobs, world.users, world.contacts, phones.line)
            house.context.settings.upload_limit = 2 * 1024**3
            await pool.execute(
                "INSERT INTO users (email, name, role) VALUES ('lea@helianthe.example', 'Léa Faure', 'marketer')"
            )
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            for language in ("en", "fr"):
                await pool.execute("UPDATE users SET language = $1", language)
                for width in WIDTHS:
                    await _photograph(
                        browser,
                        house.url,
                        pages(world, post, texting, phones),
                        language,
                        width,
                        wanted,
                        scheme,
                    )
            await browser.close()
        pool.terminate()
    finally:
        databases.drop(database_url)
        databases.close()
        if services is not None and folder is not None:
            services.stop()
            shutil.rmtree(folder)


async def use_phones(pool: Pool, telephone: Telephone, world: World) -> None:
    """Messages on one phone, a call that rings on another."""
    await give_phone(pool, world.contacts[0], ANNA)
    await pool.execute("UPDATE users SET phone = $1 WHERE role = 'rep'", REP)
    await telephone.text(ANNA, "Your roof study is ready. When may we call you? STOP ends these messages.")
    await asyncio.sleep(0.5)
    await telephone.test_phone.phones.send_text(ANNA, SALES, "Tomorrow!", [("image/png", draw_picture())])
    await telephone.call(REP)


async def _photograph(
    browser: Browser,
    url: str,
    all_pages: dict[str, tuple[str, str]],
    language: str,
    width: int,
    wanted: list[str],
    scheme: str,
) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for role in ("", "rep", "marketer", "manager", "agent", "administrator"):
        chosen = {
            name: path
            for name, (who, path) in all_pages.items()
            if who == role and (not wanted or name in wanted)
        }
        if not chosen:
            continue
        context = await browser.new_context(
            viewport={"width": width, "height": 844 if width < 600 else 900},
            locale=language,
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page = await context.new_page()
        page.on(
            "console",
            lambda message: print(f"  browser says: {message.text}") if message.type == "error" else None,
        )
        if role:
            await page.goto(f"{url}/sign-in")
            await page.fill("#email", f"{role}@helianthe.example")
            await page.fill("#password", PASSWORD)
            await page.click("form[action='/sign-in'] button")
            await page.wait_for_url(f"{url}/")
        for name, path in chosen.items():
            await page.goto(url + path)
            await page.wait_for_timeout(1500 if path.startswith("/campaigns") else 500)
            wide = await page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                print(f"{name} {language} {width}: wider than the screen ({wide})")
            suffix = "-dark" if scheme == "dark" else ""
            await page.screenshot(path=FOLDER / f"{name}-{language}-{width}{suffix}.png", full_page=True)
        await context.close()


if __name__ == "__main__":
    names = [name for name in sys.argv[1:] if not name.startswith("--")]
    asyncio.run(take_pictures(names, scheme="dark" if "--dark" in sys.argv else "light"))
