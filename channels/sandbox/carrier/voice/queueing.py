"""Enqueue, and Dial with Queue: callers wait, and are connected with whoever takes them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

from channels.sandbox.carrier.records import CallQueue
from channels.sandbox.carrier.refusals import Refusal
from channels.sandbox.carrier.twiml import TwimlError, number_of, words_of
from channels.sandbox.carrier.voice.line import Bridge, Line, Source, cancel_and_wait, first_of
from channels.sandbox.carrier.voice.queues import Taken, Waiting

if TYPE_CHECKING:
    from channels.sandbox.carrier.voice.script import Script


async def enqueue(script: Script, verb: Element) -> Source | None:
    """Wait in a queue; afterwards the action's document, or the verb after it. Raises TwimlError."""
    name = words_of(verb)
    if not name or verb.get("workflowSid"):
        raise TwimlError(12200, "The test carrier enqueues by the name of a queue, not by a workflow.")
    line, queues = script.line, script.switch.queues
    queue = queues.open(line.call.account_sid, name)
    action, method = verb.get("action"), verb.get("method", "POST")
    result = {"QueueResult": "hangup", "QueueSid": queue.sid, "QueueTime": "0"}
    waiting = queues.join(queue, line)
    if waiting is None:
        result["QueueResult"] = "queue-full"
        return script.source(action, method, **result) if action else None
    try:
        try:
            taken = await _wait(script, verb, queue, waiting)
        finally:
            result["QueueTime"] = str(queues.leave(queue, line))
        if taken is None:
            result["QueueResult"] = "leave"
        elif taken.source is not None:
            result["QueueResult"] = "redirected"
            script.part(action, method, result)
            return taken.source
        elif taken.by is not None:
            result["QueueResult"] = "bridged"
            await _be_connected(script, queue, taken, taken.by, result)
    except asyncio.CancelledError:
        if not line.ended.is_set():
            bridged = result["QueueResult"] == "bridged"
            result["QueueResult"] = "redirected-from-bridged" if bridged else "redirected"
        script.part(action, method, result)
        raise
    finally:
        if waiting.taken.done() and not waiting.taken.cancelled():
            waiting.taken.result().over.set()  # whoever took the caller may wait no longer
    return script.source(action, method, **result) if action else None


async def _wait(script: Script, verb: Element, queue: CallQueue, waiting: Waiting) -> Taken | None:
    """Until somebody takes the caller, or the waiting document lets the caller leave: then None."""
    line = script.line
    told = {"QueueSid": queue.sid, "QueuePosition": str(queue.members.index(line.call.sid) + 1)}
    told |= {"CurrentQueueSize": str(len(queue.members)), "MaxQueueSize": str(queue.max_size)}
    told |= {"QueueTime": "0", "AvgQueueTime": "0"}
    way = script.beside(line, **told)
    music = asyncio.create_task(_amuse(way, verb.get("waitUrl"), verb.get("waitUrlMethod", "POST")))
    try:
        either: list[asyncio.Future[Any]] = [music, waiting.taken]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if waiting.taken.done():
            return waiting.taken.result()
        music.result()
        if way.hung_up:
            script.hang_up()
        return None
    finally:
        await cancel_and_wait(music)


async def _amuse(way: Script, url: str | None, method: str) -> None:
    """What is heard while waiting, again and again."""
    if url is None:
        way.line.hear("played", "hold music")
        await asyncio.Event().wait()
    while not way.ended:
        await way.run(way.source(url or "", method))
        await asyncio.sleep(0.01)


async def _be_connected(
    script: Script, queue: CallQueue, taken: Taken, by: Line, result: dict[str, str]
) -> None:
    if taken.whisper is not None:
        told = {"QueueSid": queue.sid, "QueueTime": result["QueueTime"], "DequeingCallSid": by.call.sid}
        way = script.beside(script.line, **told)
        await way.run(taken.whisper)
    taken.ready.set()
    await first_of(taken.over, by.ended, script.line.ended)


async def take_first(script: Script, verb: Element, noun: Element, result: dict[str, str]) -> None:
    """Dial with Queue: be connected with whoever waits longest, or wait for somebody. `result` tells how it went."""
    queues, line = script.switch.queues, script.line
    queue = script.exchange.memory.find_queue(line.call.account_sid, words_of(noun))
    if queue is None:
        result["DialCallStatus"] = "failed"
        return
    result["DialCallStatus"] = "no-answer"
    if not await queues.wait_for_somebody(queue, script.exchange.real(number_of(verb, "timeout", 30))):
        return
    whisper = script.source(noun.get("url", ""), noun.get("method", "POST")) if noun.get("url") else None
    taken = Taken(by=line, whisper=whisper)
    try:
        other = queues.take(queue, "Front", taken)
    except Refusal:
        return
    result |= {"DialCallStatus": "completed", "DialCallSid": other.call.sid, "QueueSid": queue.sid}
    bridge = None
    try:
        await first_of(taken.ready, taken.over, other.ended)
        if not other.ended.is_set() and not taken.over.is_set():
            bridge = Bridge(line, other)
            line.hear("note", f"connected with {other.person}")
            other.hear("note", f"connected with {line.person}")
            await bridge.wait(taken.over)
    finally:
        if bridge is not None:
            bridge.part()
        taken.over.set()
