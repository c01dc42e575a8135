"""Gather: asks for keys or speech, and goes on with what was given."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from channels.sandbox.carrier.twiml import is_true, number_of
from channels.sandbox.carrier.voice.line import Deed, Source

if TYPE_CHECKING:
    from channels.sandbox.carrier.voice.script import Script


async def gather(script: Script, verb: Element) -> Source | None:
    """Play the prompts, wait for keys or words; nothing given means the verb after it. Raises TwimlError."""
    line, exchange = script.line, script.exchange
    wanted = frozenset(verb.get("input", "dtmf").split())
    patience = number_of(verb, "timeout", 5)
    if "speech" in wanted:
        patience += exchange.settings.typing_seconds
    most = int(number_of(verb, "numDigits", 1000))
    finish = verb.get("finishOnKey", "#")
    prompts = asyncio.create_task(_play(script, verb))
    digits, speech, finished_by = "", "", ""
    try:
        await asyncio.sleep(0)  # the first words are heard before anything can be answered
        line.listen(*(("digits",) if "dtmf" in wanted else ()), *(("speech",) if "speech" in wanted else ()))
        while len(digits) < most and not speech:
            deed = await _next(script, prompts, patience)
            if deed is None:
                break
            if deed.speech and "speech" in wanted:
                speech = deed.speech
            elif deed.digit and "dtmf" in wanted:
                if deed.digit in finish:
                    finished_by = deed.digit
                    break
                digits += deed.digit
            else:
                continue
            prompts.cancel()
            patience = number_of(verb, "timeout", 5)
    finally:
        line.listen()
        prompts.cancel()
        await asyncio.wait([prompts])
    if not prompts.cancelled():
        prompts.result()
    if not digits and not speech and not finished_by and not is_true(verb.get("actionOnEmptyResult")):
        return None
    params = {"msg": "Gather End"}
    if speech:
        params |= {"SpeechResult": speech, "Confidence": "0.95", "Language": verb.get("language", "en-US")}
    else:
        params |= {"Digits": digits, "FinishedOnKey": finished_by}
    return script.source(verb.get("action", ""), verb.get("method", "POST"), **params)


async def _play(script: Script, verb: Element) -> None:
    for prompt in verb:
        await script.prompt(prompt)


async def _next(script: Script, prompts: asyncio.Task[None], patience: float) -> Deed | None:
    """What the person does next: patience begins when the prompts have ended."""
    deed = asyncio.create_task(script.line.deeds.get())
    try:
        if not prompts.done():
            await asyncio.wait([deed, prompts], return_when=asyncio.FIRST_COMPLETED)
        if not deed.done():
            await asyncio.wait([deed], timeout=script.exchange.real(patience))
        return deed.result() if deed.done() else None
    finally:
        deed.cancel()
