"""The channel of calls against the test carrier: calls, reports and recordings as the provider makes them, all under its
description."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from channels.base import CallbackRequest
from channels.registry import open_channel
from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.carrier.mischief import Rule, Trick
from channels.sandbox.carrier.phone import PhoneCall
from channels.sandbox.carrier.settings import CarrierSettings, NumberSettings
from channels.sandbox.carrier.twiml import check_document
from channels.twilio.signatures import seen_url
from channels.voice.callbacks import (
    CallAsked,
    DialEnded,
    Gathered,
    LeftMessage,
    LegReport,
    RecordingReport,
    TranscriptReport,
    read_call,
    read_dial_ended,
    read_gathered,
    read_left_message,
    read_leg,
    read_recording,
    read_transcript,
)
from channels.voice.parties import PartyKind
from channels.voice.twilio import Placed, TwilioVoice
from domain.calls import Document, Gather, Hangup, Play, Record, Reject, Ring, Say, Target
from domain.errors import InvalidInput, NotFound
from domain.messages import DeliveryState, Outbound
from tests.channels.carrier.conformance import Conformance, open_conformance, watch
from tests.channels.scripted import eventually

TOKEN = "0123456789abcdef" * 2
PUBLIC = "https://hub.example"
OURS = "+33199000001"
REP, ANNA, BEN = "+33639980001", "+33639980002", "+33639980003"

#: What each address below /voice reads.
_READERS: dict[str, Callable[[bytes], Any]] = {
    "inbound": read_call,
    "bridge": read_call,
    "whisper": read_call,
    "connect": read_gathered,
    "step": read_gathered,
    "talked": read_dial_ended,
    "left": read_left_message,
    "status": read_leg,
    "recording": read_recording,
    "transcript": read_transcript,
}


def at(name: str) -> str:
    return f"{PUBLIC}/voice/{name}"


@dataclass
class Hub:
    """A carrier, a channel to it, and our door behind a proxy, which answers with `documents` by address."""

    carrier: Carrier
    voice: TwilioVoice
    conformance: Conformance | None
    documents: dict[str, Document] = field(default_factory=dict)
    told: list[tuple[str, Any]] = field(default_factory=list)
    refused: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        url = seen_url(PUBLIC, request.raw_path)
        asked = CallbackRequest(request.method, url, dict(request.headers), await request.read())
        name = request.path.rpartition("/")[2]
        try:
            self.voice.verify(asked)
        except InvalidInput:
            self.refused += 1
            return web.Response(status=403)
        self.told.append((name, _READERS[name](asked.body)))
        document = self.voice.write(self.documents.get(name, ()))
        assert check_document(document) == []
        return web.Response(text=document, content_type="text/xml")

    def about(self, name: str) -> list[Any]:
        return [value for told, value in self.told if told == name]

    async def hear(self, name: str, count: int = 1) -> Any:
        """The last that an address was told, once it was told so often."""
        await eventually(lambda: len(self.about(name)) >= count)
        return self.about(name)[-1]

    async def place(self, to: str = REP) -> Placed:
        return await self.voice.place(to, OURS, at("bridge"), at("status"), seconds=200)

    async def phone(self, number: str, state: str) -> PhoneCall:
        """The last call of a phone, once it is in this state, or listens to this."""
        async with asyncio.timeout(10):
            while True:
                calls = (await self.carrier.phones.show_phone(number)).calls
                if calls and (calls[-1].state == state or state in calls[-1].listening):
                    return calls[-1]
                await asyncio.sleep(0.005)

    def misbehave(self, trick: Trick, **values: Any) -> None:
        self.carrier.parts.exchange.mischief.add(Rule(trick=trick, **values))


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    started: list[Hub] = []

    async def answer(request: web.Request) -> web.Response:
        return await started[0].answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    carrier = Carrier(
        CarrierSettings.model_validate(
            {
                "port": 0,
                "auth_token": TOKEN,
                "numbers": (NumberSettings(phone_number=OURS, voice_url=at("inbound")),),
                "routes": {PUBLIC: f"http://127.0.0.1:{runner.addresses[0][1]}"},
                "second": 0.02,
                "typing_seconds": 250,
                "words_per_second": 20,
            }
        )
    )
    await carrier.start()
    account = {"account_sid": carrier.settings.account_sid, "auth_token": TOKEN, "base_url": carrier.url}
    timeouts = {"connect": 2, "answer": 1, "turn": 10, "grace": 0.3}
    voice = open_channel("voice", {"account": account, "rate": 1000, "timeouts": timeouts})
    assert isinstance(voice, TwilioVoice)
    assert voice._client is not None
    conformance = open_conformance()
    watch(voice._client.http_client, conformance)
    started.append(Hub(carrier, voice, conformance))
    yield started[0]
    await voice.close()
    await carrier.stop()
    await runner.cleanup()


def bridge(hub: Hub) -> None:
    """The documents of a call from one of us to a contact."""
    prompt = (Say("Press 1 to call Anna", "en-GB"),)
    hub.documents["bridge"] = (Gather(at("connect"), prompt, seconds=60), Hangup())
    target = Target(ANNA, status=at("status"))
    hub.documents["connect"] = (Ring((target,), at("talked"), 200, OURS, recorded=at("recording")),)
    hub.documents["talked"] = (Say("Goodbye"), Hangup())


def around() -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now - timedelta(minutes=1), now + timedelta(minutes=1)


async def talk(hub: Hub) -> str:
    """Click to call up to the talk; gives the number of our person's leg."""
    bridge(hub)
    placed = await hub.place()
    assert placed.state is DeliveryState.SENT
    await hub.carrier.phones.answer((await hub.phone(REP, "ringing")).sid)
    mine = await hub.phone(REP, "digits")
    await hub.carrier.phones.press(mine.sid, "1")
    await hub.carrier.phones.answer((await hub.phone(ANNA, "ringing")).sid)
    await hub.phone(ANNA, "talking")
    await eventually(lambda: bool(hub.carrier.parts.switch.lines[placed.provider_id].peers))
    return placed.provider_id


async def test_one_of_us_is_rung_then_the_contact_and_they_talk(hub: Hub) -> None:
    sid = await talk(hub)
    assert hub.about("bridge")[0].provider_id == sid
    gathered: Gathered = hub.about("connect")[0]
    assert (gathered.keys, gathered.call.outbound, gathered.call.called.number) == ("1", True, REP)
    theirs = (await hub.phone(ANNA, "talking")).sid
    await hub.carrier.phones.speak(theirs, "Hello, this is Anna")
    await hub.carrier.phones.hang_up(theirs)
    ended: DialEnded = await hub.hear("talked")
    assert (ended.status, ended.bridged, ended.leg_id) == ("completed", True, theirs)
    assert ended.recording is not None
    await eventually(lambda: [one.status for one in legs(hub, sid)][-1:] == ["completed"])
    assert [one.status for one in legs(hub, sid)] == ["initiated", "ringing", "in-progress", "completed"]
    assert [one.sequence for one in legs(hub, sid)] == [0, 1, 2, 3]
    assert {one.parent_id for one in legs(hub, theirs)} == {sid}
    assert hub.refused == 0


def legs(hub: Hub, sid: str) -> list[LegReport]:
    return [one for one in hub.about("status") if one.provider_id == sid]


async def test_length_and_price_of_all_legs_are_fetched_after_the_end(hub: Hub) -> None:
    sid = await talk(hub)
    await hub.carrier.phones.hang_up((await hub.phone(REP, "talking")).sid)
    await eventually(lambda: any(one.is_end for one in legs(hub, sid)))
    record = await hub.voice.fetch_call(sid)
    (leg,) = await hub.voice.list_legs(sid)
    for one in (record, leg):
        assert one is not None
        assert (one.status, one.currency) == ("completed", "USD")
        assert one.price is not None
        assert one.price < 0
        assert one.seconds is not None
        assert one.seconds > 0
    assert (leg.recipient, leg.parent_id) == (ANNA, sid)


async def test_a_price_that_is_not_known_yet_is_told_later(hub: Hub) -> None:
    sid = await talk(hub)
    exchange = hub.carrier.parts.exchange
    exchange.settings = exchange.settings.model_copy(update={"price_after": 20.0})
    await hub.voice.end(sid)
    await eventually(lambda: any(one.is_end for one in legs(hub, sid)))
    record = await hub.voice.fetch_call(sid)
    assert record is not None
    assert (record.status, record.price) == ("completed", None)
    async with asyncio.timeout(5):
        while record is not None and record.price is None:
            await asyncio.sleep(0.02)
            record = await hub.voice.fetch_call(sid)
    assert record is not None
    assert record.price is not None


async def test_a_call_is_hung_up_for_everybody(hub: Hub) -> None:
    sid = await talk(hub)
    assert await hub.voice.end(sid)
    assert (await hub.phone(ANNA, "ended")).status == "completed"
    await hub.phone(REP, "ended")
    assert not await hub.voice.end(sid)


async def test_a_call_is_stopped_from_ringing(hub: Hub) -> None:
    placed = await hub.place()
    await hub.phone(REP, "ringing")
    assert await hub.voice.end(placed.provider_id)
    await hub.phone(REP, "ended")
    await eventually(lambda: any(one.is_end for one in hub.about("status")))


@pytest.mark.parametrize(
    ("trick", "status", "reason"),
    [
        (Trick.BUSY, "busy", ""),
        (Trick.RINGS_OUT, "no-answer", ""),
        (Trick.UNREACHABLE, "failed", "number_unreachable"),
    ],
)
async def test_a_contact_who_is_not_reached_is_told_by_the_leg_and_by_the_result(
    hub: Hub, trick: Trick, status: str, reason: str
) -> None:
    bridge(hub)
    hub.documents["connect"] = (Ring((Target(ANNA, status=at("status")),), at("talked"), 5, OURS),)
    hub.misbehave(trick, to_ends=ANNA[-3:])
    await hub.place()
    await hub.carrier.phones.answer((await hub.phone(REP, "ringing")).sid)
    await hub.carrier.phones.press((await hub.phone(REP, "digits")).sid, "1")
    ended: DialEnded = await hub.hear("talked")
    assert (ended.status, ended.bridged, ended.recording) == (status, False, None)
    leg = next(one for one in hub.about("status") if one.parent_id and one.is_end)
    assert (leg.status, leg.reason) == (status, reason)


@pytest.mark.parametrize("trick", [Trick.BACKWARDS, Trick.TWICE, Trick.LATE])
async def test_reports_that_come_oddly_tell_their_order(hub: Hub, trick: Trick) -> None:
    hub.misbehave(trick, resource="calls", seconds=1)
    sid = await talk(hub)
    await hub.carrier.phones.hang_up((await hub.phone(REP, "talking")).sid)
    await eventually(lambda: {one.sequence for one in legs(hub, sid)} == {0, 1, 2, 3})
    ranked = sorted(legs(hub, sid), key=lambda one: one.sequence or 0)
    assert [one.rank for one in ranked] == sorted(one.rank for one in ranked)
    assert max(ranked, key=lambda one: one.rank).status == "completed"


async def test_a_forged_report_is_refused(hub: Hub) -> None:
    hub.misbehave(Trick.FORGED, resource="calls")
    await hub.place()
    await hub.phone(REP, "ringing")
    await eventually(lambda: hub.refused > 0)
    assert hub.about("status") == []


@pytest.mark.parametrize("trick", [Trick.KEPT, Trick.SILENT, Trick.GARBLED])
async def test_a_call_in_doubt_is_settled_by_its_reports_and_by_looking_it_up(hub: Hub, trick: Trick) -> None:
    hub.misbehave(trick, times=1)
    placed = await hub.place()
    assert (placed.state, placed.provider_id) == (DeliveryState.UNCERTAIN, "")
    report: LegReport = await hub.hear("status")
    looked = await hub.voice.look_up(REP, OURS, *around())
    assert looked.found is not None
    assert looked.found.provider_id == report.provider_id


async def test_a_call_that_got_lost_is_in_doubt_and_not_found(hub: Hub) -> None:
    hub.misbehave(Trick.LOST, times=1)
    assert (await hub.place()).state is DeliveryState.UNCERTAIN
    assert (await hub.voice.look_up(REP, OURS, *around())).candidates == 0


@pytest.mark.parametrize(
    ("to", "caller", "reason"),
    [
        ("+15005550001", OURS, "number_invalid"),
        ("+15005550002", OURS, "number_unreachable"),
        ("+15005550003", OURS, "region_closed"),
        ("+15005550004", OURS, "policy"),
        (REP, "+33199000009", "sender_refused"),
        (REP, "+15005550001", "sender_refused"),
    ],
)
async def test_a_call_that_the_provider_refuses_says_why(hub: Hub, to: str, caller: str, reason: str) -> None:
    placed = await hub.voice.place(to, caller, at("bridge"), at("status"))
    assert (placed.state, placed.reason) == (DeliveryState.REJECTED, reason)
    assert placed.words


async def test_too_many_requests_only_delay(hub: Hub) -> None:
    hub.misbehave(Trick.BUSY_API, times=2, seconds=0)
    assert (await hub.place()).state is DeliveryState.SENT
    assert len(hub.carrier.parts.exchange.memory.calls) == 1


async def test_a_spoken_message_is_heard(hub: Hub) -> None:
    text = "Bonjour Anna, votre rendez-vous est demain à 9 h."
    receipt = await hub.voice.send(Outbound(1, 1, OURS, ANNA, text.encode(), options={"language": "fr"}))
    await hub.carrier.phones.answer((await hub.phone(ANNA, "ringing")).sid)
    call = await hub.phone(ANNA, "ended")
    assert call.sid == receipt.provider_id
    assert [(one.text, one.language) for one in call.sounds if one.kind == "said"] == [(text, "fr-FR")]


async def leave_message(hub: Hub, words: str = "Please call me back", caller: str = ANNA) -> PhoneCall:
    hub.documents["inbound"] = (Record(at("left"), at("recording"), at("transcript"), 60),)
    hub.documents["left"] = (Say("Thank you"), Hangup())
    await hub.carrier.phones.call(caller, OURS)
    call = await hub.phone(caller, "speech")
    await hub.carrier.phones.speak(call.sid, words)
    await hub.carrier.phones.press(call.sid, "#")
    return call


async def test_a_message_is_recorded_written_down_fetched_and_deleted(hub: Hub) -> None:
    call = await leave_message(hub)
    left: LeftMessage = await hub.hear("left")
    report: RecordingReport = await hub.hear("recording")
    told: TranscriptReport = await hub.hear("transcript")
    assert left.recording is not None
    assert left.recording.provider_id == report.provider_id == told.recording_id
    assert (report.status, report.call_id, told.text) == ("completed", call.sid, "Please call me back")
    sound = await hub.voice.fetch_recording(report.url)
    assert (sound.content_type, sound.content[:1]) == ("audio/mpeg", b"\xff")
    wave = await hub.voice.fetch_recording(report.url, form="wav")
    assert (wave.content_type, wave.content[:4]) == ("audio/x-wav", b"RIFF")
    with pytest.raises(InvalidInput):
        await hub.voice.fetch_recording(report.url, 100)
    assert [one.url for one in await hub.voice.list_recordings(call.sid)] == [report.url]
    transcript = await hub.voice.fetch_transcript(report.provider_id)
    assert transcript is not None
    assert transcript.text == "Please call me back"
    await hub.voice.delete_recording(report.provider_id)
    await hub.voice.delete_recording(report.provider_id)
    with pytest.raises(NotFound):
        await hub.voice.fetch_recording(report.url)
    assert await hub.voice.list_recordings(call.sid) == []
    assert await hub.voice.fetch_transcript(report.provider_id) is None


async def test_a_caller_who_says_nothing_leaves_nothing(hub: Hub) -> None:
    hub.documents["inbound"] = (Record(at("left"), at("recording")), Hangup())
    await hub.carrier.phones.call(ANNA, OURS)
    await hub.carrier.phones.press((await hub.phone(ANNA, "speech")).sid, "#")
    report: RecordingReport = await hub.hear("recording")
    assert report.status == "absent"
    await hub.phone(ANNA, "ended")
    assert hub.about("left") == []


async def test_a_recorded_talk_is_reported_with_two_channels(hub: Hub) -> None:
    sid = await talk(hub)
    await hub.carrier.phones.speak((await hub.phone(ANNA, "talking")).sid, "I would like ten of them")
    await hub.carrier.phones.hang_up((await hub.phone(REP, "talking")).sid)
    report: RecordingReport = await hub.hear("recording")
    assert (report.status, report.channels, report.source, report.call_id) == (
        "completed",
        2,
        "DialVerb",
        sid,
    )


@pytest.mark.parametrize(
    ("caller", "kind"),
    [
        *(
            ("+266696687", PartyKind.HIDDEN),
            ("anonymous", PartyKind.HIDDEN),
            ("Restricted", PartyKind.HIDDEN),
        ),
        *(("", PartyKind.HIDDEN), ("client:anna", PartyKind.CLIENT), ("sip:anna@pbx.example", PartyKind.SIP)),
    ],
)
async def test_whoever_calls_is_read(hub: Hub, caller: str, kind: PartyKind) -> None:
    hub.documents["inbound"] = (Reject(),)
    await hub.carrier.phones.call(caller, OURS)
    asked: CallAsked = await hub.hear("inbound")
    assert (asked.caller.kind, asked.called.number, asked.outbound) == (kind, OURS, False)


async def test_a_caller_chooses_by_key_and_by_word(hub: Hub) -> None:
    prompt = (Say("Dites vente, ou tapez 1", "fr"), Play(at("tune.mp3")))
    hub.documents["inbound"] = (Gather(at("step"), prompt, speech=True, language="fr", hints=("vente",)),)
    hub.documents["step"] = (Gather(at("connect"), (), digits=None, seconds=30),)
    hub.documents["connect"] = (Hangup(),)
    await hub.carrier.phones.call(ANNA, OURS)
    call = await hub.phone(ANNA, "speech")
    await hub.carrier.phones.speak(call.sid, "Vente")
    said: Gathered = await hub.hear("step")
    assert (said.speech, said.keys) == ("Vente", "")
    await eventually(lambda: "speech" not in hub.carrier.parts.switch.lines[call.sid].listening)
    await hub.phone(ANNA, "digits")
    await hub.carrier.phones.press(call.sid, "42#")
    keys: Gathered = await hub.hear("connect")
    assert keys.keys == "42"


async def test_the_hash_is_an_answer_where_one_key_is_asked_for(hub: Hub) -> None:
    hub.documents["inbound"] = (Gather(at("step"), seconds=60),)
    hub.documents["step"] = (Hangup(),)
    await hub.carrier.phones.call(ANNA, OURS)
    await hub.carrier.phones.press((await hub.phone(ANNA, "digits")).sid, "#")
    gathered: Gathered = await hub.hear("step")
    assert gathered.keys == "#"


async def test_the_first_of_several_phones_gets_the_caller_who_hears_it_ring(hub: Hub) -> None:
    targets = (Target(REP, at("whisper"), at("status")), Target(BEN, at("whisper"), at("status")))
    hub.documents["inbound"] = (Ring(targets, at("talked"), 200),)
    hub.documents["whisper"] = (Say("A call from Anna"),)
    await hub.carrier.phones.call(ANNA, OURS)
    await hub.phone(REP, "ringing")
    theirs = await hub.phone(BEN, "ringing")
    assert (await hub.phone(ANNA, "calling")).status == "ringing"  # not answered, so not charged
    await hub.carrier.phones.answer(theirs.sid)
    await hub.phone(ANNA, "talking")
    assert (await hub.phone(REP, "ended")).status == "canceled"
    assert [one.text for one in (await hub.phone(BEN, "talking")).sounds if one.kind == "said"] == [
        "A call from Anna"
    ]
    await hub.carrier.phones.hang_up((await hub.phone(ANNA, "talking")).sid)
    ended: DialEnded = await hub.hear("talked")
    assert (ended.status, ended.leg_id) == ("completed", theirs.sid)
