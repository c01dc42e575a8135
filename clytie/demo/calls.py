"""Calls of the demo's check, played on the test phones: a rep calls back by a click."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from clytie.demo.api import Api, until
from clytie.demo.people import CLAIRES_PHONE
from clytie.demo.seed import PERSONAS


async def call_back(rep: Api, owner: Api, task_id: int) -> Mapping[str, Any]:
    """The rep places a call from a task; both phones are answered, Claire hangs up. Gives the call when it has ended.

    `owner` may play the test phones. Raises Unavailable when something does not come to pass.
    """
    placed = await rep.post("/calls", {"task_id": task_id})
    own = next(persona.phone for persona in PERSONAS if persona.role == "rep")
    ringing = await until_call(owner, own, "the rep's phone rings", state="ringing")
    await act(owner, ringing, "answer")
    asked = await until_call(owner, own, "the rep is asked to press a key", listening="digits")
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
