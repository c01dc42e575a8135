"""`clytie demo --check`: the story once, each step verified from outside by SMTP, HTTP and the API.

What must come out follows from the CSV and from what the recipients did, never from looking into the database.
"""

from __future__ import annotations

import asyncio
import csv
import io
import random
import re
import smtplib
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp

from clytie.demo.api import Api, open_client, until
from clytie.demo.calls import call_back, check_incoming
from clytie.demo.findings import Findings
from clytie.demo.people import CLAIRE, DemoFile
from clytie.demo.recipients import HUMAN, Answers, Crowd, DeliveredMail, Habit, plan_visits
from clytie.demo.seed import Seeded
from clytie.demo.story import Letter, arriving_mails, import_contacts, launch_letter, until_sent
from clytie.demo.texts import check_texts
from clytie.serve import House
from clytie.settings import Settings

#: who does what, by the recipient's place in the list; the fewer the habit, the rarer it is in life
_HABITS: Final = (Habit.OPENS, Habit.CLICKS, Habit.DOWNLOADS, Habit.GATEWAY, Habit.PROXY, Habit.OPENS) + (
    Habit.IGNORES,
) * 4
_PATIENCE: Final = 10.0  # seconds within which people come to their mail
_ENGAGED: Final = frozenset({"Opened", "Clicked", "Downloaded"})
_OUTCOMES: Final = re.compile(r'^clytie_hits_total\{outcome="(\w+)"\} ([0-9.e+]+)$', re.MULTILINE)


async def check_story(house: House, seeded: Seeded, file: DemoFile) -> Findings:
    """Play the story and verify it; gives the counts and the differences."""
    findings = Findings()
    began = time.monotonic()
    people = {row["email"].strip().lower(): row for row in csv.DictReader(io.StringIO(file.content.decode()))}
    cast = _assign_parts(people)
    async with open_client() as client:
        apis = {role: Api(client, house.settings.public_url, token) for role, token in seeded.tokens.items()}
        await _check_import(findings, apis["marketer"], file)
        letter, answers = await _send_and_read(findings, house.settings, client, apis, cast)
        await _check_hits(findings, client, apis, letter, answers, house.settings.public_url)
        await _check_tasks(findings, apis, letter, cast, people)
        await _check_consent(findings, apis["marketer"], people, cast)
        await _check_callback(findings, apis, letter)
        await check_texts(findings, apis, people)
        await check_incoming(findings, apis)
    findings.counts["seconds"] = round(time.monotonic() - began, 1)
    findings.counts["differences"] = findings.differences
    return findings


@dataclass(frozen=True, slots=True)
class Cast:
    """Who gets the letter and how each treats it; `refusing` take their consent back before they read it."""

    habits: Mapping[str, Habit]
    refusing: frozenset[str]


def _assign_parts(people: Mapping[str, Mapping[str, str]]) -> Cast:
    """Prospects in France who may be written to, each with a habit; Claire clicks, two withdraw."""
    wanted = sorted(
        address
        for address, row in people.items()
        if row["country"] == "FR" and row["relation"] == "prospect" and "newsletter" in row["consent_purpose"]
        and row["consent_date"]
    )  # fmt: skip
    habits = {address: _HABITS[place % len(_HABITS)] for place, address in enumerate(wanted)}
    measured = [one for one in wanted if "measure" in people[one]["consent_purpose"] and one != CLAIRE]
    refusing = frozenset(measured[:2])
    return Cast(habits | dict.fromkeys(refusing, Habit.CLICKS) | {CLAIRE: Habit.CLICKS}, refusing)


async def _check_import(findings: Findings, marketer: Api, file: DemoFile) -> None:
    job = await import_contacts(marketer, file)
    imported = job["created"] + job["joined"]
    rejects = [line async for line in marketer.pages(f"/imports/{job['id']}/rejects")]
    findings.counts |= {"lines": file.lines, "imported": imported, "rejected": job["rejected"]}
    findings.expect("rejected lines", job["rejected"], file.refused)
    findings.expect("rejected lines in the report", len(rejects), file.refused)
    findings.expect("imported lines", imported, file.lines - job["rejected"])


async def _send_and_read(
    findings: Findings,
    settings: Settings,
    client: aiohttp.ClientSession,
    apis: Mapping[str, Api],
    cast: Cast,
) -> tuple[Letter, Answers]:
    """Launch the letter; machines come to each mail at once, people some seconds later."""
    findings.expect("the test mailbox's SMTP door", await asyncio.to_thread(_knock, settings), 250)
    chance = random.Random(7)
    mails: list[DeliveredMail] = []
    letter = await launch_letter(apis["marketer"])
    async with Crowd() as crowd:
        async for mail in arriving_mails(apis["administrator"], letter, settings.public_url):
            mails.append(mail)
            if mail.recipient in cast.refusing:
                await _withdraw(client, mail)
            habit = cast.habits.get(mail.recipient, Habit.IGNORES)
            crowd.come(plan_visits(mail, habit, chance, patience=_PATIENCE))
        await until_sent(apis["marketer"], letter)
    report = await apis["marketer"].get(f"/campaigns/{letter.campaign_id}/report")
    findings.counts |= {
        "sent": report["deliveries"]["sent"],
        "in_mailbox": len(mails),
        "message_ids": len({mail.message_id for mail in mails}),
    }
    findings.expect("recipients", sorted(mail.recipient for mail in mails), sorted(cast.habits))
    findings.expect("rows sent", report["deliveries"]["sent"], len(cast.habits))
    findings.expect("Message-IDs", findings.counts["message_ids"], len(mails))
    return letter, crowd.answers


def _knock(settings: Settings) -> int:
    """Say NOOP to the test mailbox."""
    with smtplib.SMTP(settings.sandbox.host, settings.sandbox.port, timeout=10) as client:
        client.ehlo()
        return client.noop()[0]


async def _withdraw(client: aiohttp.ClientSession, mail: DeliveredMail) -> None:
    """Take the consent to be measured back on the mail's own page, and keep the newsletter."""
    form = {"form": "preferences", "newsletter": "on"}
    async with client.post(mail.unsubscribe, data=form) as answer:
        answer.raise_for_status()


async def _check_hits(
    findings: Findings,
    client: aiohttp.ClientSession,
    apis: Mapping[str, Api],
    letter: Letter,
    answers: Answers,
    base_url: str,
) -> None:
    """Each answered hit is a person's event, an anonymous count, or was refused."""
    async with client.get(f"{base_url}/metrics") as answer:
        outcomes = Counter(
            {name: int(float(count)) for name, count in _OUTCOMES.findall(await answer.text())}
        )
    report = await apis["marketer"].get(f"/campaigns/{letter.campaign_id}/report")
    personal = 0
    async for contact in apis["marketer"].pages("/contacts"):
        events = [one async for one in apis["marketer"].pages(f"/contacts/{contact['id']}/events")]
        personal += sum(1 for event in events if event["type"] in _ENGAGED)
    anonymous = sum(hits["anonymous"] for hits in report["hits"].values())
    findings.counts |= {
        "hits_answered": answers.total,
        "personal": personal,
        "anonymous": anonymous,
        "refused": outcomes["refused"],
        "unrecorded": answers.unrecorded,
    }
    findings.expect("failed requests", answers.failed, [])
    findings.expect("unrecorded hits", answers.unrecorded, 0)
    findings.expect("answered hits", personal + anonymous + outcomes["refused"], answers.total)
    for name, count in (("anonymous", anonymous), ("refused", outcomes["refused"])):
        if not count:
            findings.differences.append(f"{name} hits: none, so nothing was shown about them")


async def _check_tasks(
    findings: Findings,
    apis: Mapping[str, Api],
    letter: Letter,
    cast: Cast,
    people: Mapping[str, Mapping[str, str]],
) -> None:
    """People who may be called and were seen reading get exactly one task; machines get none."""
    wanted = Counter(
        address
        for address, habit in cast.habits.items()
        if habit in HUMAN
        and address not in cast.refusing
        and {"measure", "calls"} <= set(people[address]["consent_purpose"].split(";"))
    )
    manager = apis["manager"]
    names = {one["id"]: one["email"] async for one in manager.pages("/contacts")}

    async def tasks() -> Counter[str]:
        found = manager.pages("/tasks", scope="all", campaign_id=letter.campaign_id)
        return Counter([names[task["contact_id"]] async for task in found])

    async def enough() -> bool | None:
        return True if (await tasks()).total() >= wanted.total() else None

    try:
        await until(enough, "every expected task is open", patience=45)
    finally:
        await asyncio.sleep(2)  # time for tasks that must not come
        found = await tasks()
        machines = sum(
            found[one] for one, habit in cast.habits.items() if habit in (Habit.GATEWAY, Habit.PROXY)
        )
        findings.counts |= {
            "tasks": found.total(),
            "expected_tasks": wanted.total(),
            "tasks_from_machines": machines,
        }
        findings.expect("tasks by contact", dict(found), dict(wanted))


async def _check_consent(
    findings: Findings, marketer: Api, people: Mapping[str, Mapping[str, str]], cast: Cast
) -> None:
    """Nobody who did not allow to be measured has an engagement event."""
    without = 0
    async for contact in marketer.pages("/contacts"):
        row = people.get(contact["email"] or "")
        if row is None or ("measure" in row["consent_purpose"] and contact["email"] not in cast.refusing):
            continue
        events = [one async for one in marketer.pages(f"/contacts/{contact['id']}/events")]
        without += sum(1 for event in events if event["type"] in _ENGAGED)
    findings.counts["events_without_consent"] = without
    findings.expect("events without consent", without, 0)


async def _check_callback(findings: Findings, apis: Mapping[str, Api], letter: Letter) -> None:
    """Claire's owner accepts the task, calls by a click, writes the outcome down; all of it is on her timeline."""
    rep = apis["rep"]
    claire = next(one for one in (await rep.get("/contacts", search=CLAIRE))["items"])
    found = (await rep.get("/tasks", contact_id=claire["id"], campaign_id=letter.campaign_id))["items"]
    task = await rep.post(
        f"/tasks/{found[0]['id']}/moves", {"move": "accept", "version": found[0]["version"]}
    )
    call = await call_back(rep, apis["administrator"], task["id"])
    findings.expect("the call's result", call["result"], "answered")
    findings.expect("the outcome that it suggests", call["suggested_outcome"], "reached")
    task = await rep.get(f"/tasks/{task['id']}")
    outcome = {"result": "interested", "note": "Wants a visit in January."}
    done = await rep.post(
        f"/tasks/{task['id']}/moves", {"move": "finish", "version": task["version"], "outcome": outcome}
    )
    events = [one async for one in rep.pages(f"/contacts/{claire['id']}/events")]
    told = Counter(event["type"] for event in events if event["task_id"] == task["id"])
    findings.counts |= {"callback": done["state"], "call": call["result"]}
    findings.expect("the callback's state", done["state"], "done")
    wanted = {"Called": 1, "Answered": 1, "CallEnded": 1, "TaskDone": 1}
    findings.expect("the call on the timeline", {name: told[name] for name in wanted}, wanted)
