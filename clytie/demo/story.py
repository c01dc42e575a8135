"""The demo's story up to the full mailboxes: import the contacts, write the letter, send it, read what arrived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clytie.demo.api import Api, until
from clytie.demo.people import DemoFile
from clytie.demo.recipients import DeliveredMail, read_mail
from clytie.demo.seed import CAMPAIGN, SEGMENT
from domain.errors import Conflict


@dataclass(slots=True)
class Sent:
    """A campaign that is out: its number, and the mails by recipient as the test mailbox holds them."""

    campaign_id: int
    recipients: int
    mails: dict[str, DeliveredMail] = field(default_factory=dict)
    unsubscribe: dict[str, str] = field(default_factory=dict)  #: recipient → address of List-Unsubscribe
    message_ids: list[str] = field(default_factory=list)


async def import_contacts(marketer: Api, file: DemoFile) -> Mapping[str, Any]:
    """Upload the CSV and wait until it is in; gives the import as the API shows it. Raises Conflict if it failed."""
    begun = await marketer.upload("/imports", "contacts.csv", file.content)

    async def look() -> Mapping[str, Any] | None:
        job: Mapping[str, Any] = await marketer.get(f"/imports/{begun['id']}")
        if job["state"] == "failed":
            raise Conflict(f"The import failed: {job['error']}")
        return job if job["state"] == "done" else None

    return await until(look, "the contacts are imported", patience=120)


async def send_letter(marketer: Api) -> Sent:
    """Write the letter for the demo's segment, look at the preview, launch it, and wait until all of it is out."""
    segment = next(one for one in (await marketer.get("/segments"))["items"] if one["name"] == SEGMENT)
    taken = [one["name"] async for one in marketer.pages("/campaigns")]
    name, number = CAMPAIGN, 2
    while name in taken:
        name, number = f"{CAMPAIGN} ({number})", number + 1
    campaign = await marketer.post("/campaigns", {"name": name, "segment_id": segment["id"]})
    await marketer.get(f"/campaigns/{campaign['id']}/preview")
    launched = await marketer.post(f"/campaigns/{campaign['id']}/launch")

    async def look() -> bool | None:
        now = await marketer.get(f"/campaigns/{campaign['id']}")
        if now["launch_error"]:
            raise Conflict(now["launch_error"])
        return True if now["state"] == "done" else None

    await until(look, "the whole letter is sent", patience=120)
    return Sent(campaign["id"], launched["recipients"])


async def read_mailboxes(owner: Api, sent: Sent, base_url: str) -> None:
    """Read the letter's mails from the test mailbox into `sent`."""

    async def look() -> list[Any] | None:
        mails = [mail async for mail in owner.pages("/sandbox/mails")]
        ours = [mail for mail in mails if f".{sent.campaign_id}@" in mail["message_id"]]
        return ours if len(ours) >= sent.recipients else None

    for mail in await until(look, "every mail is in the test mailbox", patience=60):
        raw = await owner.raw(f"/sandbox/mails/{mail['id']}/raw")
        sent.mails[mail["recipient"]] = read_mail(raw, mail["recipient"], base_url)
        sent.unsubscribe[mail["recipient"]] = _unsubscribe_address(raw)
        sent.message_ids.append(mail["message_id"])


def _unsubscribe_address(raw: bytes) -> str:
    """The https address of the header List-Unsubscribe (RFC 2369)."""
    from email import message_from_bytes
    from email.policy import default

    header = str(message_from_bytes(raw, policy=default)["List-Unsubscribe"])
    return next(part.strip(" <>") for part in header.split(",") if "http" in part)
