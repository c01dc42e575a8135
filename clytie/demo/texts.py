"""Short messages of the demo: a campaign, a STOP while it goes out, an answer that becomes a conversation and a task."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from clytie.demo.api import Api, until
from clytie.demo.findings import Findings
from clytie.demo.people import CLAIRES_PHONE
from clytie.demo.seed import SALES_PHONE, SEGMENT
from clytie.demo.story import Letter, until_sent

TEXT_CAMPAIGN: Final = "Spring text"
_TEXT: Final = (
    "Bonjour {{ contact.given_name|default(contact.name) }}, les visites de toiture du printemps sont ouvertes. "
    "Un mot en retour et nous vous rappelons. {{ sender.name }}"
)
_PHRASE: Final = "les visites de toiture du printemps"
_RATE: Final = 12  # a second, so that somebody can stop it while it goes out


async def write_texts(marketer: Api) -> int:
    """A draft of the campaign by SMS; gives its id, or that of the one which is there."""
    async for known in marketer.pages("/campaigns"):
        if known["name"] == TEXT_CAMPAIGN:
            return int(known["id"])
    segment = next(one for one in (await marketer.get("/segments"))["items"] if one["name"] == SEGMENT)
    source = {"text": _TEXT, "sender": SALES_PHONE, "stop_hint": True, "language": "fr"}
    draft = {
        "name": TEXT_CAMPAIGN,
        "channel": "sms",
        "purpose": "texts",
        "segment_id": segment["id"],
        "source": source,
        "rate": _RATE,
    }
    return int((await marketer.post("/campaigns", draft))["id"])


async def check_texts(
    findings: Findings, apis: Mapping[str, Api], people: Mapping[str, Mapping[str, str]]
) -> None:
    """Play the campaign and verify it from outside: on the phones, in the report, in conversations and tasks."""
    marketer, owner = apis["marketer"], apis["administrator"]
    wanted = {row["phone"]: address for address, row in people.items() if _gets_texts(row)}
    campaign_id = await write_texts(marketer)
    launched = await marketer.post(f"/campaigns/{campaign_id}/launch")
    findings.expect("recipients of the short message", launched["recipients"], len(wanted))
    stopper = await _stop_in_between(findings, marketer, owner, campaign_id, wanted)
    await until_sent(marketer, Letter(campaign_id, launched["recipients"]))
    reached = {phone for phone in wanted if phone != stopper}
    found = await _until_arrived(owner, sorted(wanted), len(reached))
    findings.counts |= {"texts": len(found), "texts_expected": len(reached)}
    findings.expect("short messages by phone", dict(found), dict.fromkeys(reached, 1))
    await _check_report(findings, marketer, campaign_id, len(reached))
    await _check_answer(findings, apis, campaign_id)


def _gets_texts(row: Mapping[str, str]) -> bool:
    """As the segment and the consent history have it, read from the file."""
    purposes = row["consent_purpose"].split(";") if row["consent_date"] else []
    in_segment = row["country"] == "FR" and row["relation"] == "prospect" and "newsletter" in purposes
    return in_segment and "texts" in purposes and bool(row["phone"])


async def _arrivals(owner: Api, phones: list[str]) -> Counter[str]:
    """How often the campaign's text arrived, by phone."""
    shown = await asyncio.gather(*(owner.get(f"/sandbox/phones/{quote(phone)}") for phone in phones))
    return Counter(
        phone["number"]
        for phone in shown
        for text in phone["texts"]
        if not text["mine"] and _PHRASE in text["body"]
    )


async def _until_arrived(owner: Api, phones: list[str], count: int) -> Counter[str]:
    """The arrivals, once there are enough, and a moment later, for those that must not come."""

    async def enough() -> bool | None:
        return True if (await _arrivals(owner, phones)).total() >= count else None

    await until(enough, "the short messages are on the phones", patience=60)
    await asyncio.sleep(1)
    return await _arrivals(owner, phones)


async def _stop_in_between(
    findings: Findings, marketer: Api, owner: Api, campaign_id: int, wanted: Mapping[str, str]
) -> str:
    """While the campaign goes out, somebody who has nothing yet answers STOP to our number; gives their phone."""
    phones = sorted(wanted)

    async def begun() -> bool | None:
        return True if await _arrivals(owner, phones) else None

    await until(begun, "the first short message arrives", patience=60)
    await marketer.post(f"/campaigns/{campaign_id}/pause")
    await asyncio.sleep(1)  # what was begun arrives
    arrived = await _arrivals(owner, phones)
    left = [phone for phone in phones if phone not in arrived and phone != CLAIRES_PHONE]
    if not left:
        findings.differences.append("the short messages were all out before anybody could stop them")
        return ""
    stopper = left[-1]
    await owner.post(f"/sandbox/phones/{quote(stopper)}/texts", {"to": SALES_PHONE, "text": "STOP"})
    contact = next(one for one in (await owner.get("/contacts", search=wanted[stopper]))["items"])

    async def withdrawn() -> bool | None:
        standing = (await owner.get(f"/contacts/{contact['id']}/consents"))["standing"]
        return True if standing["texts"]["state"] == "withdrawn" else None

    await until(withdrawn, "STOP withdraws the consent", patience=30)
    standing = (await owner.get(f"/contacts/{contact['id']}/consents"))["standing"]
    findings.expect("the newsletter after STOP", standing["newsletter"]["state"], "granted")
    await marketer.post(f"/campaigns/{campaign_id}/resume")
    return stopper


async def _check_report(findings: Findings, marketer: Api, campaign_id: int, reached: int) -> None:
    """The provider's reports come a moment after the messages."""

    async def delivered() -> Any:
        report = await marketer.get(f"/campaigns/{campaign_id}/report")
        return report if report["texts"]["delivered"] >= reached else None

    report = await until(delivered, "every short message is reported as delivered", patience=30)
    stopped = sum(report["deliveries"].values()) - report["deliveries"]["sent"]
    findings.counts |= {"texts_delivered": report["texts"]["delivered"], "texts_stopped": stopped}
    findings.expect("sent short messages", report["deliveries"]["sent"], reached)
    findings.expect("short messages that STOP kept back", stopped, 1)


async def _check_answer(findings: Findings, apis: Mapping[str, Api], campaign_id: int) -> None:
    """Claire answers: a conversation in the queue of the number, and a callback for whoever looks after her."""
    words = "Oui, rappelez-moi jeudi."
    owner, rep = apis["administrator"], apis["rep"]
    await owner.post(f"/sandbox/phones/{quote(CLAIRES_PHONE)}/texts", {"to": SALES_PHONE, "text": words})

    async def conversation() -> Any:
        found = (await rep.get("/conversations", q="Claire"))["items"]
        return next((one for one in found if one["preview"] == words), None)

    talk = await until(conversation, "the answer is a conversation", patience=30)
    findings.counts["text_conversation"] = talk["queue_name"]
    findings.expect("whose conversation it is", talk["contact_name"], "Claire Dubreuil")
    findings.expect("the queue of the number", talk["queue_name"], "Sales")

    async def task() -> Any:
        found = await rep.get("/tasks", contact_id=talk["contact_id"], campaign_id=campaign_id)
        return found["items"] or None

    tasks = await until(task, "the answer opens a callback", patience=30)
    findings.counts["text_tasks"] = len(tasks)
    findings.expect("callbacks for the answer", len(tasks), 1)
