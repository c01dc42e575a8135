"""Calls step by step: our documents on one side, a person at a phone on the other."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client
from twilio.twiml.voice_response import Dial, Gather, VoiceResponse

from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.carrier.phone import PhoneCall
from domain.errors import Conflict
from tests.channels.carrier.conftest import OURS, TOKEN
from tests.channels.carrier.house import House, eventually

ANNA, BEN, CLEO = "+33639980001", "+33639980002", "+33639980003"


async def last_call(carrier: Carrier, number: str) -> PhoneCall | None:
    calls = (await carrier.phones.show_phone(number)).calls
    return calls[-1] if calls else None


async def when(carrier: Carrier, number: str, state: str, seconds: float = 5.0) -> PhoneCall:
    """The phone's last call, once it is in this state, or listens to this."""
    until = asyncio.get_running_loop().time() + seconds
    while True:
        call = await last_call(carrier, number)
        if call is not None and (call.state == state or state in call.listening):
            return call
        assert asyncio.get_running_loop().time() < until, f"{number} is not {state} but {call}"
        await carrier.phones.wait(-1, 0)
        await asyncio.sleep(0.005)


def sounds(call: PhoneCall, *kinds: str) -> list[str]:
    return [one.text for one in call.sounds if one.kind in kinds]


async def be_connected(carrier: Carrier, call_sid: str) -> None:
    await eventually(lambda: carrier.parts.switch.lines[call_sid].peers)


async def ring(client: Client, house: House, to: str = ANNA, **more: Any) -> Any:
    return await client.calls.create_async(
        to=to,
        from_=OURS,
        url=f"{house.url}/call",
        status_callback=f"{house.url}/status",
        status_callback_event=["initiated", "ringing", "answered", "completed"],
        **{"timeout": 250, **more},
    )


async def test_a_call_rings_is_answered_speaks_and_ends(
    carrier: Carrier, client: Client, house: House
) -> None:
    document = VoiceResponse()
    document.say("Bonjour Anna, ici Clytie", language="fr-FR")
    document.pause(1)
    document.play(f"{house.url}/tune.mp3")
    house.documents["/call"] = str(document)
    created = await ring(client, house)
    assert created.status == "queued"
    ringing = await when(carrier, ANNA, "ringing")
    assert (ringing.incoming, ringing.other) == (True, OURS)
    await carrier.phones.answer(ringing.sid)
    told = await house.wait_for("/status", 4)
    assert [one["CallStatus"] for one in told] == ["initiated", "ringing", "in-progress", "completed"]
    assert [one["SequenceNumber"] for one in told] == ["0", "1", "2", "3"]
    assert int(told[-1]["CallDuration"]) >= 4
    asked = house.about("/call")[0]
    assert (asked["CallStatus"], asked["Direction"], asked["To"]) == ("in-progress", "outbound-api", ANNA)
    assert all(one.signed for one in house.told)
    call = await when(carrier, ANNA, "ended")
    assert sounds(call, "said", "played") == ["Bonjour Anna, ici Clytie", f"{house.url}/tune.mp3"]
    assert call.sounds[0].language == "fr-FR"
    fetched = await client.calls(created.sid).fetch_async()
    assert (fetched.status, fetched.price_unit) == ("completed", "USD")
    assert [one.sid for one in await client.calls.list_async(to=ANNA, status="completed")] == [created.sid]


async def test_a_declined_call_is_busy_and_an_unheeded_one_is_not_answered(
    carrier: Carrier, client: Client, house: House
) -> None:
    await ring(client, house)
    await carrier.phones.hang_up((await when(carrier, ANNA, "ringing")).sid)
    await ring(client, house, BEN, timeout=20)
    told = await house.wait_for("/status", 6)
    assert {one["To"]: one["CallStatus"] for one in told} == {ANNA: "busy", BEN: "no-answer"}


@pytest.mark.parametrize(
    ("ending", "status"), [("941", "busy"), ("942", "no-answer"), ("943", "failed"), ("945", "busy")]
)
async def test_numbers_end_calls_as_asked(client: Client, house: House, ending: str, status: str) -> None:
    call = await ring(client, house, "+33639980" + ending, timeout=20)
    final = {"busy", "no-answer", "failed"}
    await eventually(lambda: final & {one["CallStatus"] for one in house.about("/status")})
    assert (await client.calls(call.sid).fetch_async()).status == status


async def test_a_number_picks_up_by_itself(carrier: Carrier, client: Client, house: House) -> None:
    house.documents["/call"] = "<Response><Say>Hello</Say></Response>"
    await ring(client, house, "+33639980944")
    await house.wait_for("/status", 4)
    assert sounds(await when(carrier, "+33639980944", "ended"), "said") == ["Hello"]


async def test_a_menu_takes_digits_and_goes_on_with_them(carrier: Carrier, house: House) -> None:
    menu = VoiceResponse()
    gather = Gather(num_digits=1, action="/chosen", timeout=250)
    gather.say("Press 1 for sales")
    menu.append(gather)
    menu.say("Nothing chosen")
    house.documents["/voice"] = str(menu)
    house.documents["/chosen"] = lambda given: (
        f"<Response><Say>You pressed {given['Digits']}</Say></Response>"
    )
    sid = await carrier.phones.call(ANNA, OURS)
    await when(carrier, ANNA, "digits")
    await carrier.phones.press(sid, "1")
    call = await when(carrier, ANNA, "ended")
    assert sounds(call, "said", "keys") == ["Press 1 for sales", "1", "You pressed 1"]
    assert house.about("/voice")[0]["CallStatus"] == "ringing"
    assert house.about("/chosen")[0]["CallStatus"] == "in-progress"


async def test_a_menu_without_choice_goes_on(carrier: Carrier, house: House) -> None:
    house.documents["/voice"] = (
        '<Response><Gather timeout="1"><Say>Choose</Say></Gather><Say>Nothing chosen</Say></Response>'
    )
    await carrier.phones.call(ANNA, OURS)
    assert sounds(await when(carrier, ANNA, "ended"), "said") == ["Choose", "Nothing chosen"]


async def test_a_menu_takes_many_digits_until_the_finishing_key(carrier: Carrier, house: House) -> None:
    house.documents["/voice"] = '<Response><Gather action="/chosen" timeout="250"/></Response>'
    sid = await carrier.phones.call(ANNA, OURS)
    await when(carrier, ANNA, "digits")
    await carrier.phones.press(sid, "4711#99")
    told = (await house.wait_for("/chosen"))[0]
    assert (told["Digits"], told["FinishedOnKey"]) == ("4711", "#")


async def test_a_menu_takes_speech(carrier: Carrier, house: House) -> None:
    house.documents["/voice"] = (
        '<Response><Gather input="speech dtmf" action="/chosen" language="fr-FR"><Say>Dites</Say></Gather></Response>'
    )
    sid = await carrier.phones.call(ANNA, OURS)
    assert "speech" in (await when(carrier, ANNA, "speech")).listening
    await carrier.phones.speak(sid, "  un conseiller  ")
    told = (await house.wait_for("/chosen"))[0]
    assert (told["SpeechResult"], told["Language"]) == ("un conseiller", "fr-FR")
    assert float(told["Confidence"]) > 0.5


async def test_a_person_hangs_up_in_the_middle(carrier: Carrier, client: Client, house: House) -> None:
    house.documents["/voice"] = '<Response><Say loop="50">Again and again</Say></Response>'
    number = (await client.incoming_phone_numbers.list_async())[0]
    await client.incoming_phone_numbers(number.sid).update_async(status_callback=f"{house.url}/status")
    sid = await carrier.phones.call(ANNA, OURS)
    await when(carrier, ANNA, "talking")
    await carrier.phones.hang_up(sid)
    told = (await house.wait_for("/status"))[0]
    assert (told["CallStatus"], told["Direction"]) == ("completed", "inbound")
    with pytest.raises(Conflict):
        await carrier.phones.speak(sid, "still there?")
    with pytest.raises(Conflict):
        await carrier.phones.hang_up(sid)


@pytest.mark.parametrize(("reason", "status"), [("busy", "busy"), ("rejected", "no-answer")])
async def test_a_call_is_rejected_without_being_answered(
    carrier: Carrier, client: Client, house: House, reason: str, status: str
) -> None:
    house.documents["/voice"] = f'<Response><Reject reason="{reason}"/></Response>'
    sid = await carrier.phones.call(ANNA, OURS)
    await when(carrier, ANNA, "ended")
    fetched = await client.calls(sid).fetch_async()
    assert (fetched.status, fetched.start_time) == (status, None)


async def test_people_are_connected_and_hear_each_other(carrier: Carrier, house: House) -> None:
    document = VoiceResponse()
    dial = Dial(
        timeout=250, action="/after", record="record-from-answer", recording_status_callback="/recorded"
    )
    dial.number(BEN, status_callback="/leg", status_callback_event="ringing answered completed")
    document.append(dial)
    house.documents["/voice"] = str(document)
    house.documents["/after"] = "<Response><Say>Goodbye</Say></Response>"
    anna = await carrier.phones.call(ANNA, OURS)
    ben = (await when(carrier, BEN, "ringing")).sid
    await carrier.phones.answer(ben)
    await when(carrier, BEN, "talking")
    await be_connected(carrier, anna)
    await carrier.phones.speak(anna, "Bonjour Ben")
    await carrier.phones.speak(ben, "Bonjour Anna")
    await carrier.phones.press(ben, "5")
    assert "Bonjour Ben" in sounds(await when(carrier, BEN, "talking"), "voice")
    assert "5" in sounds(await when(carrier, ANNA, "talking"), "tone")
    await carrier.phones.hang_up(ben)
    told = (await house.wait_for("/after"))[0]
    assert (told["DialCallStatus"], told["DialCallSid"]) == ("completed", ben)
    assert told["RecordingUrl"].endswith(told["RecordingSid"])
    assert sounds(await when(carrier, ANNA, "ended"), "said") == ["Goodbye"]
    recorded = (await house.wait_for("/recorded"))[0]
    assert (recorded["RecordingSource"], recorded["RecordingStatus"]) == ("DialVerb", "completed")
    legs = [one["CallStatus"] for one in await house.wait_for("/leg", 3)]
    assert legs == ["ringing", "in-progress", "completed"]
    assert house.about("/leg")[0]["ParentCallSid"] == anna


async def test_the_first_to_answer_talks_and_the_others_stop_ringing(
    carrier: Carrier, client: Client, house: House
) -> None:
    house.documents["/voice"] = (
        f'<Response><Dial timeout="250"><Number>{BEN}</Number><Client>cleo</Client></Dial><Say>Over</Say></Response>'
    )
    anna = await carrier.phones.call(ANNA, OURS)
    await when(carrier, BEN, "ringing")
    cleo = (await when(carrier, "client:cleo", "ringing")).sid
    await carrier.phones.answer(cleo)
    ben = await when(carrier, BEN, "ended")
    assert ben.status == "canceled"
    await carrier.phones.hang_up(anna)
    assert (await when(carrier, "client:cleo", "ended")).status == "completed"
    assert len(await client.calls.list_async(parent_call_sid=anna)) == 2


async def test_one_after_the_other_rings_when_asked(carrier: Carrier, house: House) -> None:
    house.documents["/voice"] = (
        f'<Response><Dial sequential="true" timeout="20"><Number>{BEN}</Number><Number>{CLEO}</Number></Dial></Response>'
    )
    await carrier.phones.call(ANNA, OURS)
    await when(carrier, BEN, "ringing")
    assert await last_call(carrier, CLEO) is None
    await when(carrier, CLEO, "ringing")
    assert (await when(carrier, BEN, "ended")).status == "no-answer"


@pytest.mark.parametrize(("deed", "status"), [("decline", "busy"), ("wait", "no-answer")])
async def test_nobody_answers_and_the_action_is_told(
    carrier: Carrier, house: House, deed: str, status: str
) -> None:
    house.documents["/voice"] = f'<Response><Dial timeout="20" action="/after">{BEN}</Dial></Response>'
    await carrier.phones.call(ANNA, OURS)
    ringing = await when(carrier, BEN, "ringing")
    if deed == "decline":
        await carrier.phones.hang_up(ringing.sid)
    assert (await house.wait_for("/after"))[0]["DialCallStatus"] == status


async def test_the_called_person_hears_a_whisper_and_may_refuse(carrier: Carrier, house: House) -> None:
    house.documents["/voice"] = (
        f'<Response><Dial timeout="250" action="/after"><Number url="/whisper">{BEN}</Number></Dial></Response>'
    )
    house.documents["/whisper"] = (
        '<Response><Gather numDigits="1" timeout="250" action="/accept"><Say>A call from sales</Say></Gather></Response>'
    )
    house.documents["/accept"] = lambda given: (
        "<Response/>" if given["Digits"] == "1" else "<Response><Hangup/></Response>"
    )
    for key, status in (("1", "completed"), ("2", "no-answer")):
        anna = await carrier.phones.call(ANNA, OURS)
        ben = (await when(carrier, BEN, "ringing")).sid
        await carrier.phones.answer(ben)
        await when(carrier, BEN, "digits")
        await carrier.phones.press(ben, key)
        if key == "1":
            await be_connected(carrier, anna)
            await carrier.phones.hang_up(ben)
        await when(carrier, ANNA, "ended")
        assert house.about("/after")[-1]["DialCallStatus"] == status


async def test_when_the_caller_hangs_up_the_action_is_told_all_the_same(
    carrier: Carrier, house: House
) -> None:
    house.documents["/voice"] = f'<Response><Dial timeout="250" action="/after">{BEN}</Dial></Response>'
    anna = await carrier.phones.call(ANNA, OURS)
    await carrier.phones.answer((await when(carrier, BEN, "ringing")).sid)
    await be_connected(carrier, anna)
    await carrier.phones.hang_up(anna)
    told = (await house.wait_for("/after"))[0]
    assert (told["DialCallStatus"], told["CallStatus"]) == ("completed", "completed")


async def test_a_call_rings_on_until_bridged_when_asked(carrier: Carrier, house: House) -> None:
    house.documents["/voice"] = f'<Response><Dial timeout="250" answerOnBridge="true">{BEN}</Dial></Response>'
    anna = await carrier.phones.call(ANNA, OURS)
    ben = await when(carrier, BEN, "ringing")
    calling = await last_call(carrier, ANNA)
    assert calling is not None
    assert calling.state == "calling"
    await carrier.phones.answer(ben.sid)
    assert (await when(carrier, ANNA, "talking")).sid == anna


async def test_the_star_key_ends_a_connection_when_asked(carrier: Carrier, house: House) -> None:
    house.documents["/voice"] = (
        f'<Response><Dial timeout="250" hangupOnStar="true">{BEN}</Dial><Say>Next</Say></Response>'
    )
    anna = await carrier.phones.call(ANNA, OURS)
    await carrier.phones.answer((await when(carrier, BEN, "ringing")).sid)
    await be_connected(carrier, anna)
    await carrier.phones.press(anna, "*")
    await when(carrier, BEN, "ended")
    assert sounds(await when(carrier, ANNA, "ended"), "said") == ["Next"]


async def test_a_voicemail_is_recorded_written_down_and_fetched(
    carrier: Carrier, client: Client, house: House
) -> None:
    document = VoiceResponse()
    document.say("Leave a message")
    document.record(
        action="/done",
        finish_on_key="#",
        recording_status_callback="/recorded",
        recording_status_callback_event="in-progress completed",
        transcribe=True,
        transcribe_callback="/text",
    )
    house.documents["/voice"] = str(document)
    house.documents["/done"] = "<Response><Say>Thank you</Say></Response>"
    sid = await carrier.phones.call(ANNA, OURS)
    await when(carrier, ANNA, "speech")
    await carrier.phones.speak(sid, "Please call me back")
    await carrier.phones.speak(sid, "before noon")
    await carrier.phones.press(sid, "#")
    done = (await house.wait_for("/done"))[0]
    assert (done["Digits"], int(done["RecordingDuration"])) == ("#", 1)
    text = (await house.wait_for("/text"))[0]
    assert (text["TranscriptionText"], text["TranscriptionStatus"]) == (
        "Please call me back before noon",
        "completed",
    )
    told = await house.wait_for("/recorded", 2)
    assert [one["RecordingStatus"] for one in told] == ["in-progress", "completed"]
    assert all(one.signed for one in house.told)
    recording = (await client.recordings.list_async(call_sid=sid))[0]
    assert (recording.status, recording.source, recording.duration) == ("completed", "RecordVerb", "1")
    assert (await client.recordings(recording.sid).fetch_async()).call_sid == sid
    assert len(await client.calls(sid).recordings.list_async()) == 1
    texts = await client.recordings(recording.sid).transcriptions.list_async()
    assert texts[0].transcription_text == text["TranscriptionText"]
    assert (await client.transcriptions(texts[0].sid).fetch_async()).recording_sid == recording.sid
    login = {"Authorization": aiohttp.encode_basic_auth(carrier.settings.account_sid, TOKEN)}
    async with aiohttp.ClientSession(headers=login) as session:
        async with session.get(done["RecordingUrl"]) as sound:
            with wave.open(io.BytesIO(await sound.read())) as opened:
                assert opened.getnframes() / opened.getframerate() == 1.0
        async with session.get(done["RecordingUrl"] + ".mp3") as sound:
            assert sound.content_type == "audio/mpeg"
    assert await client.recordings(recording.sid).delete_async()
    assert await client.transcriptions.list_async() == []


async def test_a_voicemail_is_kept_when_the_caller_hangs_up(carrier: Carrier, house: House) -> None:
    house.documents["/voice"] = '<Response><Record action="/done" transcribeCallback="/text"/></Response>'
    sid = await carrier.phones.call(ANNA, OURS)
    await when(carrier, ANNA, "speech")
    await carrier.phones.speak(sid, "It is urgent")
    await carrier.phones.hang_up(sid)
    assert (await house.wait_for("/done"))[0]["Digits"] == "hangup"
    assert (await house.wait_for("/text"))[0]["TranscriptionText"] == "It is urgent"


async def test_silence_ends_a_voicemail(open_carrier: Callable[..., Any], house: House) -> None:
    carrier = await open_carrier(typing_seconds=0)
    house.documents["/voice"] = '<Response><Record action="/done" timeout="25"/></Response>'
    sid = await carrier.phones.call(ANNA, OURS)
    await when(carrier, ANNA, "speech")
    await carrier.phones.speak(sid, "That is all")
    assert (await house.wait_for("/done"))[0]["Digits"] == ""


async def test_an_empty_voicemail_is_absent_and_the_next_verb_follows(carrier: Carrier, house: House) -> None:
    house.documents["/voice"] = (
        '<Response><Record action="/done" recordingStatusCallback="/recorded"/><Say>Nothing heard</Say></Response>'
    )
    sid = await carrier.phones.call(ANNA, OURS)
    await when(carrier, ANNA, "speech")
    await carrier.phones.press(sid, "1")
    assert sounds(await when(carrier, ANNA, "ended"), "said") == ["Nothing heard"]
    assert (await house.wait_for("/recorded"))[0]["RecordingStatus"] == "absent"
    assert house.about("/done") == []


async def test_a_call_is_redirected_and_ended_from_outside(
    carrier: Carrier, client: Client, house: House
) -> None:
    house.documents["/call"] = '<Response><Pause length="100"/></Response>'
    call = await ring(client, house)
    await carrier.phones.answer((await when(carrier, ANNA, "ringing")).sid)
    await house.wait_for("/call")
    await client.calls(call.sid).update_async(
        twiml='<Response><Say>Moved</Say><Pause length="100"/></Response>'
    )
    await eventually(lambda: carrier.parts.switch.lines[call.sid].heard)
    ended = await client.calls(call.sid).update_async(status="completed")
    assert ended.status == "completed"
    assert sounds(await when(carrier, ANNA, "ended"), "said") == ["Moved"]
    with pytest.raises(TwilioRestException) as refused:
        await client.calls(call.sid).update_async(url=f"{house.url}/call")
    assert refused.value.code == 21220
    assert await client.calls(call.sid).delete_async()


async def test_a_ringing_call_is_cancelled(carrier: Carrier, client: Client, house: House) -> None:
    call = await ring(client, house)
    await when(carrier, ANNA, "ringing")
    assert (await client.calls(call.sid).update_async(status="canceled")).status == "canceled"
    assert (await when(carrier, ANNA, "ended")).status == "canceled"


async def test_a_recording_is_started_paused_and_stopped_from_outside(
    carrier: Carrier, client: Client, house: House
) -> None:
    house.documents["/call"] = '<Response><Pause length="100"/></Response>'
    call = await ring(client, house, record=True)
    await carrier.phones.answer((await when(carrier, ANNA, "ringing")).sid)
    await when(carrier, ANNA, "talking")
    recordings = client.calls(call.sid).recordings
    started = await recordings.create_async(recording_status_callback=f"{house.url}/recorded")
    await carrier.phones.speak(call.sid, "kept")
    await client.calls(call.sid).recordings(started.sid).update_async(status="paused")
    await carrier.phones.speak(call.sid, "secret number")
    await client.calls(call.sid).recordings(started.sid).update_async(status="in-progress")
    stopped = await client.calls(call.sid).recordings(started.sid).update_async(status="stopped")
    assert stopped.sid == started.sid
    await house.wait_for("/recorded")
    assert carrier.parts.exchange.memory.recordings[started.sid].words == ["kept"]
    await carrier.phones.hang_up(call.sid)
    whole = [one for one in carrier.parts.exchange.memory.recordings.values() if one.source == "OutboundAPI"]
    assert whole[0].words == ["kept", "secret number"]


@pytest.mark.parametrize("document", ["no xml", "<Response><Fly/></Response>", None])
async def test_when_our_document_is_wrong_the_caller_hears_an_apology(
    carrier: Carrier, house: House, document: str | None
) -> None:
    if document is None:
        house.statuses["/voice"] = 500
    else:
        house.documents["/voice"] = document
    await carrier.phones.call(ANNA, OURS)
    call = await when(carrier, ANNA, "ended")
    assert sounds(call, "said") == ["We are sorry, an application error has occurred. Goodbye."]
    assert carrier.parts.exchange.problems


async def test_endless_redirection_ends(carrier: Carrier, house: House) -> None:
    house.documents["/voice"] = "<Response><Redirect>/voice</Redirect></Response>"
    await carrier.phones.call(ANNA, OURS)
    await when(carrier, ANNA, "ended", 20)
    assert len(house.about("/voice")) == 500


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"to": "+15005550001", "from_": OURS, "url": "http://127.0.0.1/"}, 21217),
        ({"to": "+15005550002", "from_": OURS, "url": "http://127.0.0.1/"}, 21214),
        ({"to": ANNA, "from_": "+33612345678", "url": "http://127.0.0.1/"}, 21210),
        ({"to": ANNA, "from_": "+15005550001", "url": "http://127.0.0.1/"}, 21212),
        ({"to": ANNA, "from_": OURS}, 21205),
    ],
)
async def test_calls_that_the_provider_refuses_are_refused_with_its_code(
    client: Client, fields: dict[str, Any], code: int
) -> None:
    with pytest.raises(TwilioRestException) as refused:
        await client.calls.create_async(**fields)
    assert refused.value.code == code


async def test_the_longest_time_of_a_call_is_kept(carrier: Carrier, client: Client, house: House) -> None:
    house.documents["/call"] = '<Response><Pause length="1000"/></Response>'
    await ring(client, house, time_limit=20)
    await carrier.phones.answer((await when(carrier, ANNA, "ringing")).sid)
    assert (await when(carrier, ANNA, "ended")).status == "completed"


async def test_stopping_the_carrier_ends_calls_that_last(
    open_carrier: Callable[..., Any], house: House
) -> None:
    carrier = await open_carrier()
    house.documents["/voice"] = f"<Response><Enqueue>sales</Enqueue><Dial>{BEN}</Dial></Response>"
    await carrier.phones.call(ANNA, OURS)
    await when(carrier, ANNA, "talking")
    await asyncio.wait_for(carrier.stop(), 3)
    assert (await carrier.phones.show_phone(ANNA)).calls[0].state == "ended"
