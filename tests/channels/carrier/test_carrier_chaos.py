"""Many calls at once, random documents and random people: every call ends, nothing is left over, no state goes back."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.carrier.moves import CALL_FINAL, CALL_MOVES
from domain.errors import Conflict
from tests.channels.carrier.conftest import OURS
from tests.channels.carrier.house import House, eventually

PEOPLE = [f"+3363998{number:04}" for number in range(6)]


def make_document(dice: random.Random) -> str:
    other = dice.choice(PEOPLE)
    verbs = [
        "<Say>Bonjour</Say>",
        '<Pause length="2"/>',
        '<Gather timeout="5" numDigits="1" action="/next" input="dtmf speech"><Say>Choose</Say></Gather>',
        f'<Dial timeout="10" action="/next" record="true"><Number url="/whisper">{other}</Number></Dial>',
        f'<Dial timeout="10" hangupOnStar="true"><Number statusCallback="/leg">{other}</Number><Client>cleo</Client></Dial>',
        '<Record maxLength="10" timeout="3" action="/next"/>',
        '<Enqueue waitUrl="/wait" action="/next">support</Enqueue>',
        '<Dial timeout="5" action="/next"><Queue>support</Queue></Dial>',
        '<Dial timeLimit="20"><Conference endConferenceOnExit="true">team</Conference></Dial>',
        "<Redirect>/next</Redirect>",
        "<Hangup/>",
        '<Reject reason="busy"/>',
        "<Fly/>",
    ]
    return f"<Response>{''.join(dice.choices(verbs, k=dice.randint(1, 4)))}</Response>"


async def live(carrier: Carrier, dice: random.Random) -> None:
    """People do things at random."""
    for _ in range(120):
        await asyncio.sleep(0.01)
        person = dice.choice([*PEOPLE, "client:cleo"])
        if dice.random() < 0.15 and person.startswith("+"):
            await carrier.phones.call(person, OURS)
            continue
        for call in (await carrier.phones.show_phone(person)).calls:
            if call.state == "ended":
                continue
            deed = dice.random()
            try:
                if call.state == "ringing":
                    await (carrier.phones.answer if deed < 0.8 else carrier.phones.hang_up)(call.sid)
                elif deed < 0.1:
                    await carrier.phones.hang_up(call.sid)
                elif call.state == "talking" and deed < 0.5:
                    await carrier.phones.press(call.sid, dice.choice("123*#"))
                elif call.state == "talking":
                    await carrier.phones.speak(call.sid, "Hello there")
            except Conflict:
                continue  # the other was faster


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whatever_people_and_documents_do_every_call_ends(
    open_carrier: Callable[..., Any], house: House, seed: int
) -> None:
    carrier = await open_carrier(typing_seconds=0, second=0.01)
    dice = random.Random(seed)
    for path in ("/voice", "/next", "/whisper"):
        house.documents[path] = lambda given: make_document(dice)
    house.documents["/wait"] = lambda given: dice.choice(
        [
            "<Response><Say>Please hold</Say></Response>",
            "<Response><Leave/></Response>",
            "<Response><Hangup/></Response>",
        ]
    )
    number = next(iter(carrier.parts.exchange.memory.numbers.values()))
    number.status_callback = f"{house.url}/status"
    await live(carrier, dice)
    for path in ("/voice", "/next", "/whisper", "/wait"):
        house.documents[path] = "<Response><Hangup/></Response>"
    for line in list(carrier.parts.switch.lines.values()):
        if line.call.status not in CALL_FINAL:
            try:
                carrier.parts.switch.hang_up(line)
            except Conflict:
                continue
    memory = carrier.parts.exchange.memory
    await eventually(lambda: all(call.status in CALL_FINAL for call in memory.calls.values()), 10)
    await eventually(lambda: not carrier.parts.exchange.tasks, 10)
    assert len(memory.calls) > 5
    assert all(not queue.members and not queue.since for queue in memory.queues.values())
    assert all(one.status == "completed" for one in memory.conferences.values())
    assert all(one.status in ("completed", "absent") for one in memory.recordings.values())
    for line in carrier.parts.switch.lines.values():
        assert line.ended.is_set()
        assert not line.peers
        assert not line.recorders
        assert not line.listening
    told = defaultdict(list)
    for one in house.about("/status"):
        told[one["CallSid"]].append(one["CallStatus"])
    assert all(states[-1] in CALL_FINAL and len(states) == 1 for states in told.values())
    assert all(one.signed for one in house.told)
    assert set(CALL_MOVES) & CALL_FINAL == set()
