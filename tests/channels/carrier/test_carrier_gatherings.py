"""Queues and conferences: people wait, are taken, talk, and leave."""

from __future__ import annotations

import pytest
from twilio.rest import Client

from channels.sandbox.carrier.carrier import Carrier
from tests.channels.carrier.conftest import OURS
from tests.channels.carrier.house import House, eventually
from tests.channels.carrier.test_carrier_calls import ANNA, BEN, CLEO, sounds, when

ENQUEUE = '<Response><Enqueue waitUrl="/wait" action="/left">support</Enqueue><Say>After</Say></Response>'
TAKE = '<Response><Dial timeout="250" action="/taken"><Queue url="/whisper">support</Queue></Dial></Response>'
WAIT = "<Response><Say>Please hold</Say></Response>"


@pytest.fixture
def desk(house: House) -> House:
    """The first caller waits; whoever calls from Ben's phone takes the first."""
    house.documents |= {
        "/voice": lambda given: TAKE if given["From"] == BEN else ENQUEUE,
        "/wait": WAIT,
        "/left": "<Response><Say>After</Say></Response>",
    }
    return house


async def test_a_caller_waits_hears_music_and_is_taken_by_an_agent(
    carrier: Carrier, client: Client, desk: House
) -> None:
    desk.documents["/whisper"] = "<Response><Say>You are being connected</Say></Response>"
    anna = await carrier.phones.call(ANNA, OURS)
    waited = (await desk.wait_for("/wait", 2))[0]
    assert (waited["QueuePosition"], waited["CurrentQueueSize"]) == ("1", "1")
    queue = (await client.queues.list_async())[0]
    assert (queue.friendly_name, queue.current_size) == ("support", 1)
    members = await client.queues(queue.sid).members.list_async()
    assert [one.call_sid for one in members] == [anna]
    assert (await client.queues(queue.sid).members("Front").fetch_async()).position == 1
    ben = await carrier.phones.call(BEN, OURS)
    await eventually(lambda: carrier.parts.switch.lines[ben].peers)
    await carrier.phones.speak(ben, "How may I help")
    call = await when(carrier, ANNA, "talking")
    assert sounds(call, "voice") == ["How may I help"]
    assert "You are being connected" in sounds(call, "said")
    assert desk.about("/whisper")[0]["DequeingCallSid"] == ben
    await carrier.phones.hang_up(ben)
    assert (await desk.wait_for("/left"))[0]["QueueResult"] == "bridged"
    assert (await desk.wait_for("/taken"))[0]["DialCallSid"] == anna
    assert sounds(await when(carrier, ANNA, "ended"), "said")[-1] == "After"
    assert await client.queues(queue.sid).delete_async()


async def test_an_agent_waits_for_the_first_caller(carrier: Carrier, client: Client, desk: House) -> None:
    desk.documents["/whisper"] = "<Response/>"
    created = await client.queues.create_async(friendly_name="support", max_size=1)
    ben = await carrier.phones.call(BEN, OURS)
    await when(carrier, BEN, "talking")
    await carrier.phones.call(ANNA, OURS)
    await eventually(lambda: carrier.parts.switch.lines[ben].peers)
    assert (await client.queues(created.sid).fetch_async()).current_size == 0
    assert (await client.queues(created.sid).update_async(max_size=5)).max_size == 5


async def test_a_caller_leaves_the_queue_by_the_waiting_document(carrier: Carrier, desk: House) -> None:
    desk.documents["/wait"] = "<Response><Leave/></Response>"
    await carrier.phones.call(ANNA, OURS)
    assert (await desk.wait_for("/left"))[0]["QueueResult"] == "leave"
    await when(carrier, ANNA, "ended")


async def test_a_caller_hangs_up_while_waiting(carrier: Carrier, client: Client, desk: House) -> None:
    anna = await carrier.phones.call(ANNA, OURS)
    await desk.wait_for("/wait")
    await carrier.phones.hang_up(anna)
    told = (await desk.wait_for("/left"))[0]
    assert (told["QueueResult"], told["CallStatus"]) == ("hangup", "completed")
    assert (await client.queues.list_async())[0].current_size == 0


async def test_a_full_queue_takes_nobody(carrier: Carrier, client: Client, desk: House) -> None:
    await client.queues.create_async(friendly_name="support", max_size=1)
    await carrier.phones.call(ANNA, OURS)
    await desk.wait_for("/wait")
    await carrier.phones.call(CLEO, OURS)
    assert (await desk.wait_for("/left"))[0]["QueueResult"] == "queue-full"


async def test_a_waiting_caller_is_taken_out_from_outside(
    carrier: Carrier, client: Client, desk: House
) -> None:
    desk.documents["/moved"] = "<Response><Say>Moved</Say></Response>"
    anna = await carrier.phones.call(ANNA, OURS)
    await desk.wait_for("/wait")
    queue = (await client.queues.list_async())[0]
    await client.queues(queue.sid).members(anna).update_async(url=f"{desk.url}/moved")
    call = await when(carrier, ANNA, "ended")
    assert sounds(call, "said")[-1] == "Moved"
    assert (await desk.wait_for("/left"))[0]["QueueResult"] == "redirected"


async def test_an_agent_is_free_again_when_the_caller_is_redirected_before_being_connected(
    carrier: Carrier, client: Client, desk: House
) -> None:
    desk.documents["/whisper"] = '<Response><Pause length="1000"/></Response>'
    anna = await carrier.phones.call(ANNA, OURS)
    await desk.wait_for("/wait")
    await carrier.phones.call(BEN, OURS)
    await desk.wait_for("/whisper")
    await client.calls(anna).update_async(twiml="<Response><Hangup/></Response>")
    await desk.wait_for("/taken")
    assert (await desk.wait_for("/left"))[0]["QueueResult"] == "redirected-from-bridged"


async def test_nobody_waits_and_the_agent_is_told_so(carrier: Carrier, client: Client, desk: House) -> None:
    desk.documents["/voice"] = (
        '<Response><Dial timeout="2" action="/taken"><Queue>support</Queue></Dial></Response>'
    )
    await client.queues.create_async(friendly_name="support")
    await carrier.phones.call(BEN, OURS)
    assert (await desk.wait_for("/taken"))[0]["DialCallStatus"] == "no-answer"


async def test_three_people_hear_each_other_until_the_one_who_ends_it_leaves(
    carrier: Carrier, client: Client, house: House
) -> None:
    house.documents["/voice"] = lambda given: (
        '<Response><Dial action="/over"><Conference statusCallback="/conference" '
        'statusCallbackEvent="start end join leave" '
        f'endConferenceOnExit="{"true" if given["From"] == ANNA else "false"}">team</Conference></Dial></Response>'
    )
    anna = await carrier.phones.call(ANNA, OURS)
    await when(carrier, ANNA, "talking")
    ben = await carrier.phones.call(BEN, OURS)
    cleo = await carrier.phones.call(CLEO, OURS)
    await eventually(lambda: len(carrier.parts.switch.lines[cleo].peers) == 2)
    await carrier.phones.speak(cleo, "Hello all")
    for phone in (ANNA, BEN):
        assert sounds(await when(carrier, phone, "talking"), "voice") == ["Hello all"]
    conference = (await client.conferences.list_async(friendly_name="team"))[0]
    assert conference.status == "in-progress"
    people = client.conferences(conference.sid).participants
    assert {one.call_sid for one in await people.list_async()} == {anna, ben, cleo}
    assert (await client.conferences(conference.sid).participants(cleo).update_async(muted=True)).muted
    await carrier.phones.speak(cleo, "Not heard")
    assert "Not heard" not in sounds(await when(carrier, ANNA, "talking"), "voice")
    assert (await client.conferences(conference.sid).participants(cleo).fetch_async()).muted
    await client.conferences(conference.sid).participants(cleo).delete_async()
    await when(carrier, CLEO, "ended")
    await carrier.phones.hang_up(anna)
    await when(carrier, BEN, "ended")
    assert (await client.conferences(conference.sid).fetch_async()).status == "completed"
    told = [one["StatusCallbackEvent"] for one in await house.wait_for("/conference", 7)]
    assert told[:3] == ["participant-join", "participant-join", "conference-start"]
    assert told[-1] == "conference-end"


async def test_a_conference_is_ended_from_outside(carrier: Carrier, client: Client, house: House) -> None:
    house.documents["/voice"] = (
        "<Response><Dial><Conference>team</Conference></Dial><Say>Over</Say></Response>"
    )
    await carrier.phones.call(ANNA, OURS)
    await when(carrier, ANNA, "talking")
    await eventually(lambda: carrier.parts.exchange.memory.conferences)
    conference = (await client.conferences.list_async())[0]
    ended = await client.conferences(conference.sid).update_async(status="completed")
    assert ended.reason_conference_ended == "conference-ended-via-api"
    assert sounds(await when(carrier, ANNA, "ended"), "said") == ["Over"]
