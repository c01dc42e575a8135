"""The demo's story up to the full mailboxes: import the contacts, write the letter, send it, see it arrive."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clytie.demo.api import Api, until
from clytie.demo.people import DemoFile
from clytie.demo.recipients import DeliveredMail, read_mail
from clytie.demo.seed import CAMPAIGN, SEGMENT
from domain.errors import Conflict, Unavailable

_UNSUBSCRIBE: Final = re.compile(rb"^List-Unsubscribe:", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Letter:
    """A campaign that was launched. `newest` is the newest mail of the test mailbox before that."""

    campaign_id: int
    recipients: int
    newest: int = 0


async def import_contacts(marketer: Api, file: DemoFile) -> Mapping[str, Any]:
    """Upload the CSV and wait until it is in; gives the import as the API shows it. Raises Conflict if it failed."""
    begun = await marketer.upload("/imports", "contacts.csv", file.content)

    async def look() -> Mapping[str, Any] | None:
        job: Mapping[str, Any] = await marketer.get(f"/imports/{begun['id']}")
        if job["state"] == "failed":
            raise Conflict(f"The import failed: {job['error']}")
        return job if job["state"] == "done" else None

    return await until(look, "the contacts are imported", patience=120)


async def launch_letter(marketer: Api) -> Letter:
    """Write the letter for the demo's segment, look at the preview, launch it."""
    segment = next(one for one in (await marketer.get("/segments"))["items"] if one["name"] == SEGMENT)
    taken = [one["name"] async for one in marketer.pages("/campaigns")]
    name, number = CAMPAIGN, 2
    while name in taken:
        name, number = f"{CAMPAIGN} ({number})", number + 1
    campaign = await marketer.post("/campaigns", {"name": name, "segment_id": segment["id"]})
    await marketer.get(f"/campaigns/{campaign['id']}/preview")
    newest = (await marketer.get("/sandbox/mails", limit=1))["items"]
    launched = await marketer.post(f"/campaigns/{campaign['id']}/launch")
    return Letter(campaign["id"], launched["recipients"], newest[0]["id"] if newest else 0)


async def arriving_mails(owner: Api, letter: Letter, base_url: str) -> AsyncIterator[DeliveredMail]:
    """The letter's mails, each soon after it came into the test mailbox, until all are there.

    Raises Unavailable when nothing comes for a minute.
    """
    seen: set[int] = set()
    found = 0
    loop = asyncio.get_running_loop()
    last = loop.time()
    while found < letter.recipients:
        mails = []
        async for mail in owner.pages("/sandbox/mails"):
            if mail["id"] <= letter.newest:
                break
            if mail["id"] not in seen:
                mails.append(mail)
        raws = await asyncio.gather(*(owner.raw(f"/sandbox/mails/{mail['id']}/raw") for mail in mails))
        for mail, raw in zip(mails, raws, strict=True):
            seen.add(mail["id"])
            if _UNSUBSCRIBE.search(raw):  # answers that somebody writes meanwhile have no such header
                found += 1
                last = loop.time()
                yield read_mail(raw, mail["recipient"], base_url)
        if loop.time() - last > 60:
            raise Unavailable(f"Only {found} of {letter.recipients} mails came into the test mailbox.")
        await asyncio.sleep(0.1)


async def until_sent(marketer: Api, letter: Letter) -> None:
    """Wait until the campaign is done. Raises Conflict when it could not be launched."""

    async def look() -> bool | None:
        now = await marketer.get(f"/campaigns/{letter.campaign_id}")
        if now["launch_error"]:
            raise Conflict(now["launch_error"])
        return True if now["state"] == "done" else None

    await until(look, "the whole letter is sent", patience=120)
