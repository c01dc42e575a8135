"""Calls of the demo's check, played on the test phones: a rep calls back by a click; Claire calls, and leaves a message."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from clytie.demo.api import Api, until
from clytie.demo.findings import Findings
from clytie.demo.people import CLAIRES_PHONE
from clytie.demo.seed import PERSONAS, SALES_PHONE, SUPPORT_PHONE

_PAUL: Final = next(persona.phone for persona in PERSONAS if persona.role == "rep")


async def call_back(rep: Api, owner: Api, task_id: int) -> Mapping[str, Any]:
    """The rep places a call from a task; both phones are answered, Claire hangs up. Gives the call when it has ended.

    `owner` may play the test phones. Raises Unavailable when something does not come to pass.
    """
    placed = await rep.post("/calls", {"task_id": task_id})
    ringing = await until_call(owner, _PAUL, "the rep's phone rings", state="ringing")
    await act(owner, ringing, "answer")
    asked = await until_call(owner, _PAUL, "the rep is asked to press a key", listening="digits")
    await act(owner, asked, "press", digits="1")
    theirs = await until_call(owner, CLAIRES_PHONE, "Claire's phone rings", state="ringing")
    await act(owner, theirs, "answer")
    await until_call(owner, CLAIRES_PHONE, "they talk", state="talking")
    await act(owner, asked, "speak", text="Bonjour, Paul Girard à l'appareil.")
    await until_call(owner, CLAIRES_PHONE, "Claire hears him", heard="Paul Girard")
    await asyncio.sleep(1)  # of talk, so that its length is a number
    await act(owner, theirs, "hang-up")

    async def ended() -> Mapping[str, Any] | None:
        call: Mapping[str, Any] = await rep.get(f"/calls/{placed['id']}")
        return call if call["state"] == "ended" else None

    return await until(ended, "the call has ended", patience=30)


async def check_incoming(findings: Findings, apis: Mapping[str, Api]) -> None:
    """Claire calls twice: her owner takes the first; at the second nobody does, and she leaves a message."""
    owner, manager = apis["administrator"], apis["manager"]
    known = [one["id"] async for one in manager.pages("/calls", scope="all")]
    await _talk(owner)
    words = "Claire Dubreuil, rappelez-moi pour le devis de l'atelier."
    rung = await _leave_message(owner, words)
    findings.expect("whose phone rang first", rung[:1], [_PAUL])

    async def ended() -> Any:
        calls = [one async for one in manager.pages("/calls", scope="all") if one["id"] not in known]
        return calls if len(calls) == 2 and all(one["state"] == "ended" for one in calls) else None

    calls = sorted(await until(ended, "both calls have ended", patience=30), key=lambda one: one["id"])
    results = [(one["line_name"], one["result"]) for one in calls]
    findings.expect("calls that came in", results, [("Commercial", "answered"), ("Accueil", "voicemail")])
    findings.expect("who called", [one["contact_name"] for one in calls], ["Claire Dubreuil"] * 2)

    async def written() -> Any:
        """The transcript is the conversation's text, the recording its file."""
        found = (await manager.get("/conversations", q="Claire"))["items"]
        return next((one for one in found if words in one["preview"] and one["files"] == 1), None)

    talk = await until(written, "the message is a conversation", patience=60)
    tasks = [
        one
        for one in (await manager.get("/tasks", scope="all", contact_id=talk["contact_id"]))["items"]
        if one["title"].endswith("who left a message")
    ]
    findings.counts |= {
        "calls_in": len(calls),
        "voicemail": talk["queue_name"],
        "voicemail_tasks": len(tasks),
    }
    findings.expect("callbacks for the message", len(tasks), 1)


async def _talk(owner: Api) -> None:
    """Claire calls the line of sales; Paul takes the call."""
    await owner.post(f"/sandbox/phones/{quote(CLAIRES_PHONE)}/calls", {"to": SALES_PHONE})
    ringing = await until_call(owner, _PAUL, "Paul's phone rings", state="ringing")
    await act(owner, ringing, "answer")
    asked = await until_call(owner, _PAUL, "Paul hears who calls", listening="digits")
    await act(owner, asked, "press", digits="1")
    talking = await until_call(owner, CLAIRES_PHONE, "Claire is connected", heard="connected with")
    await act(owner, asked, "speak", text="Bonjour Claire.")
    await until_call(owner, CLAIRES_PHONE, "Claire hears Paul", heard="Bonjour Claire.")
    await asyncio.sleep(1)
    await act(owner, talking, "hang-up")
    await until_call(owner, _PAUL, "Paul's phone is free", state="ended")


async def _leave_message(owner: Api, words: str) -> list[str]:
    """Claire calls the house, chooses sales, everybody declines, she speaks after the tone. Gives whose phones rang."""
    staff, rung = [persona.phone for persona in PERSONAS], list[str]()
    place = f"/sandbox/phones/{quote(CLAIRES_PHONE)}"
    await owner.post(f"{place}/calls", {"to": SUPPORT_PHONE})
    asked = await until_call(owner, CLAIRES_PHONE, "the menu waits for a key", listening="digits")
    await act(owner, asked, "press", digits="1")

    async def tone() -> Any:
        for phone in {
            one["number"] for one in (await owner.get("/sandbox/phones"))["items"] if one["ringing"]
        }:
            if phone in staff:
                call = (await owner.get(f"/sandbox/phones/{quote(phone)}"))["calls"][-1]
                rung.append(phone)
                await act(owner, call, "hang-up")
        call = (await owner.get(place))["calls"][-1]
        return (
            call if any(one["kind"] == "note" and one["text"] == "beep" for one in call["sounds"]) else None
        )

    call = await until(tone, "Claire hears the tone", patience=90)
    await act(owner, call, "speak", text=words)
    await asyncio.sleep(1)
    await act(owner, call, "hang-up")
    return rung


async def until_call(
    owner: Api, phone: str, what: str, *, state: str = "", listening: str = "", heard: str = ""
) -> Mapping[str, Any]:
    """The newest call on a phone, once it is so."""

    async def look() -> Mapping[str, Any] | None:
        calls = (await owner.get(f"/sandbox/phones/{quote(phone)}"))["calls"]
        if not calls:
            return None
        call: Mapping[str, Any] = calls[-1]
        fits = (
            state in ("", call["state"])
            and (not listening or listening in call["listening"])
            and (not heard or any(heard in sound["text"] for sound in call["sounds"]))
        )
        return call if fits else None

    return await until(look, what, patience=30)


async def act(owner: Api, call: Mapping[str, Any], deed: str, **more: str) -> None:
    """Do something on a call."""
    await owner.post(f"/sandbox/calls/{call['sid']}", {"deed": deed, **more})
