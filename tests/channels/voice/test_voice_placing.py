"""Placing calls at a provider that follows a script: each is asked for once, and its outcome is one of four."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from channels.registry import open_channel
from channels.voice.codes import REASONS, SIP_REASONS
from channels.voice.reasons import VOCABULARY
from channels.voice.settings import VoiceSettings, join_settings
from channels.voice.twilio import Placed, TwilioVoice
from domain.errors import InvalidInput, NotFound, Unavailable
from domain.messages import DeliveryState
from tests.channels.scripted import eventually
from tests.channels.sms import provider as scripts
from tests.channels.voice.provider import ACCOUNT, RECORDING, CallProvider

ANNA = "+33612345678"
OURS = "+33199000001"
URL = "https://hub.example/callbacks/voice/token/bridge"
STATUS = "https://hub.example/callbacks/voice/token/status/us"
SOUND = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/{RECORDING}"


async def place(voice: TwilioVoice, to: str = ANNA) -> Placed:
    return await voice.place(to, OURS, URL, STATUS)


def around() -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now - timedelta(seconds=1), now + timedelta(seconds=1)


async def test_a_call_is_asked_for_with_all_that_belongs_to_it(
    provider: CallProvider, voice: TwilioVoice
) -> None:
    placed = await voice.place(ANNA, OURS, URL, STATUS, fallback_url=URL + "/again", seconds=20, longest=600)
    assert placed == Placed(DeliveryState.SENT, provider.messages[0]["sid"], "", "queued")
    assert provider.forms == [
        {
            "To": [ANNA],
            "From": [OURS],
            "Url": [URL],
            "FallbackUrl": [URL + "/again"],
            "StatusCallback": [STATUS],
            "StatusCallbackEvent": ["initiated", "ringing", "answered", "completed"],
            "Timeout": ["20"],
            "TimeLimit": ["600"],
        }
    ]
    assert provider.headers[0]["Authorization"].startswith("Basic ")


async def test_the_settings_say_how_long_it_rings_and_lasts(
    provider: CallProvider, open_voice: Callable[..., TwilioVoice]
) -> None:
    await open_voice(our_seconds=33, longest=900).place("client:anna", OURS, URL)
    (form,) = provider.forms
    assert (form["To"], form["Timeout"], form["TimeLimit"]) == (["client:anna"], ["33"], ["900"])
    assert "StatusCallback" not in form


@pytest.mark.parametrize(
    ("script", "state", "reason"),
    [
        (scripts.CUT_BEFORE, DeliveryState.UNCERTAIN, "connection_lost"),
        (scripts.CUT_AFTER, DeliveryState.UNCERTAIN, "connection_lost"),
        (scripts.SILENCE, DeliveryState.UNCERTAIN, "timeout"),
        (scripts.GARBAGE, DeliveryState.UNCERTAIN, "protocol_error"),
        (scripts.BROKEN, DeliveryState.UNCERTAIN, "unavailable"),
        (scripts.GATEWAY, DeliveryState.UNCERTAIN, None),
        (scripts.AWAY, DeliveryState.DEFERRED, "unavailable"),
        (scripts.refusal(20003, 401), DeliveryState.DEFERRED, "auth_failed"),
        (scripts.refusal(21211), DeliveryState.REJECTED, "number_invalid"),
        (scripts.refusal(21215), DeliveryState.REJECTED, "region_closed"),
        (scripts.refusal(21210), DeliveryState.REJECTED, "sender_refused"),
        (scripts.refusal(21219), DeliveryState.REJECTED, "number_unverified"),
        (scripts.refusal(99999), DeliveryState.REJECTED, "refused"),
    ],
)
async def test_every_answer_has_its_outcome_and_nothing_is_asked_twice(
    provider: CallProvider,
    voice: TwilioVoice,
    script: scripts.Script,
    state: DeliveryState,
    reason: str | None,
) -> None:
    provider.script.append(script)
    placed = await place(voice)
    assert placed.state is state
    assert reason is None or placed.reason == reason
    assert placed.reason in VOCABULARY
    assert provider.asked == 1


@pytest.mark.parametrize(
    ("to", "caller", "url", "reason"),
    [
        ("0612345678", OURS, URL, "number_invalid"),
        ("client:", OURS, URL, "number_invalid"),
        (ANNA, "anonymous", URL, "sender_refused"),
        (ANNA, OURS, "/bridge", "content_invalid"),
        (ANNA, OURS, "", "content_invalid"),
    ],
)
async def test_what_no_provider_could_take_is_not_even_asked(
    provider: CallProvider, voice: TwilioVoice, to: str, caller: str, url: str, reason: str
) -> None:
    placed = await voice.place(to, caller, url, STATUS)
    assert (placed.state, placed.reason) == (DeliveryState.REJECTED, reason)
    assert placed.words
    assert provider.asked == 0


async def test_too_many_requests_wait_as_long_as_the_provider_says(
    provider: CallProvider, voice: TwilioVoice
) -> None:
    provider.script.extend([scripts.Script(status=429, code=20429, takes=False, retry_after="0.3")])
    began = time.monotonic()
    assert (await place(voice)).state is DeliveryState.SENT
    assert time.monotonic() - began >= 0.3
    assert len(provider.messages) == 1


async def test_a_rest_beyond_patience_leaves_the_call_unplaced(
    provider: CallProvider, open_voice: Callable[..., TwilioVoice]
) -> None:
    provider.always = scripts.Script(status=429, code=20429, takes=False, retry_after="60")
    timeouts = {**provider.settings()["timeouts"], "turn": 0.2}
    placed = await asyncio.wait_for(place(open_voice(timeouts=timeouts)), 5)
    assert (placed.state, placed.reason) == (DeliveryState.DEFERRED, "throttled")


async def test_calls_of_a_number_keep_its_rate(
    provider: CallProvider, open_voice: Callable[..., TwilioVoice]
) -> None:
    voice = open_voice(rate=5)
    began = time.monotonic()
    await asyncio.gather(*(place(voice) for _ in range(11)))
    assert time.monotonic() - began >= 2
    assert len(provider.messages) == 11


async def test_without_an_account_nothing_is_placed_and_questions_say_so() -> None:
    voice = open_channel("voice", {})
    assert isinstance(voice, TwilioVoice)
    placed = await place(voice)
    assert (placed.state, placed.reason) == (DeliveryState.DEFERRED, "auth_failed")
    with pytest.raises(Unavailable, match="no account"):
        await voice.end("CA" + "0" * 32)
    await voice.close()


async def test_an_unreachable_provider_leaves_the_call_unplaced(
    provider: CallProvider, open_voice: Callable[..., TwilioVoice], free_port: int
) -> None:
    account = {**provider.settings()["account"], "base_url": f"http://127.0.0.1:{free_port}"}
    voice = open_voice(account=account)
    placed = await place(voice)
    assert (placed.state, placed.reason) == (DeliveryState.DEFERRED, "connection_failed")
    with pytest.raises(Unavailable):
        await voice.fetch_call("CA" + "0" * 32)


async def test_a_call_that_is_being_placed_can_be_cancelled_and_is_then_in_doubt(
    provider: CallProvider, voice: TwilioVoice
) -> None:
    provider.script.append(scripts.SILENCE)
    task = asyncio.create_task(place(voice))
    await eventually(lambda: provider.asked == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await voice.look_up(ANNA, OURS, *around())).found is not None


async def test_a_call_in_doubt_is_found_by_its_numbers_and_its_time(
    provider: CallProvider, voice: TwilioVoice
) -> None:
    provider.script.append(scripts.CUT_AFTER)
    assert (await place(voice)).state is DeliveryState.UNCERTAIN
    looked = await voice.look_up(ANNA, OURS, *around())
    assert looked.found is not None
    assert (looked.found.provider_id, looked.found.status) == (provider.messages[0]["sid"], "queued")
    assert (await voice.look_up(ANNA, OURS, *around(), taken={looked.found.provider_id})).candidates == 0
    then = datetime.now(UTC) - timedelta(hours=1)
    assert (await voice.look_up(ANNA, OURS, then, then)).candidates == 0
    assert (await voice.look_up("+33612345679", OURS, *around())).candidates == 0


async def test_two_calls_that_could_be_meant_settle_nothing(
    provider: CallProvider, voice: TwilioVoice
) -> None:
    await place(voice)
    await place(voice)
    looked = await voice.look_up(ANNA, OURS, *around())
    assert (looked.found, looked.candidates) == (None, 2)


async def test_legs_that_were_rung_for_a_call_are_not_taken_for_one(
    provider: CallProvider, voice: TwilioVoice
) -> None:
    await place(voice)
    await place(voice)
    parent = provider.messages[1]["sid"]
    provider.messages[0] |= {"parent_call_sid": parent, "direction": "outbound-dial"}
    looked = await voice.look_up(ANNA, OURS, *around())
    assert looked.found is not None
    assert looked.found.provider_id == parent
    (leg,) = await voice.list_legs(parent)
    assert (leg.parent_id, leg.outbound) == (parent, True)


async def test_what_a_call_cost_is_told_once_it_is_known(provider: CallProvider, voice: TwilioVoice) -> None:
    sid = (await place(voice)).provider_id
    record = await voice.fetch_call(sid)
    assert record is not None
    assert (record.price, record.seconds, record.is_end) == (None, None, False)
    provider.messages[0] |= {
        "price": "-0.02800",
        "duration": "65",
        "status": "completed",
        "price_unit": "usd",
    }
    record = await voice.fetch_call(sid)
    assert record is not None
    assert (record.price, record.currency, record.seconds, record.is_end) == (
        Decimal("-0.02800"),
        "USD",
        65,
        True,
    )
    assert await voice.fetch_call("CA" + "f" * 32) is None


async def test_a_call_is_hung_up_once(provider: CallProvider, voice: TwilioVoice) -> None:
    sid = (await place(voice)).provider_id
    assert await voice.end(sid)
    provider.script.append(scripts.refusal(21220))
    assert not await voice.end(sid)
    assert not await voice.end("CA" + "f" * 32)
    provider.script.append(scripts.BROKEN)
    with pytest.raises(Unavailable):
        await voice.end(sid)


async def test_a_recording_is_fetched_with_our_login_from_our_own_address_of_the_provider(
    voice: TwilioVoice,
) -> None:
    for url in (SOUND, SOUND + ".mp3", SOUND + ".wav", SOUND.replace("api.twilio.com", "evil.example")):
        media = await voice.fetch_recording(url)
        assert (media.content_type, media.content) == ("audio/mpeg", b"MP3!" * 100)


async def test_a_recording_is_bounded_and_not_fetched_from_inside_our_network(voice: TwilioVoice) -> None:
    with pytest.raises(InvalidInput, match="more than 50 bytes"):
        await voice.fetch_recording(SOUND, 50)
    with pytest.raises(InvalidInput, match="not at the provider"):
        await voice.fetch_recording(SOUND, form="wav")  # the scripted provider leads inside
    for nowhere in ("odd", "port"):
        with pytest.raises(InvalidInput, match="not at the provider"):
            await voice.fetch_recording(SOUND, form=nowhere)
    for url in ("", "https://api.twilio.com/x", SOUND + "/../../secret", "http://169.254.169.254/latest"):
        with pytest.raises(InvalidInput, match="not a recording's address"):
            await voice.fetch_recording(url)
    with pytest.raises(NotFound):
        await voice.fetch_recording(SOUND.replace(RECORDING, "RE" + "1" * 32))


async def test_a_recording_is_deleted_after_its_transcripts(
    provider: CallProvider, voice: TwilioVoice
) -> None:
    texts = [f"TR{number:032x}" for number in (1, 2)]
    for _ in range(2):  # what is gone is fine
        await voice.delete_recording(RECORDING)
        assert provider.deleted == [*texts, RECORDING]


def test_every_code_and_every_answer_of_the_network_has_a_word_of_the_vocabulary() -> None:
    assert set(REASONS.values()) | set(SIP_REASONS.values()) <= set(VOCABULARY)
    assert all(reason.gloss.endswith(".") for reason in VOCABULARY.values())


def test_the_channel_takes_what_is_about_calls_and_the_account_of_short_messages() -> None:
    account = open_channel(
        "sms", {"account_sid": ACCOUNT, "auth_token": "t", "callback_url": "https://a.example"}
    )
    joined = join_settings(VoiceSettings(longest=77), account.settings)  # type: ignore[attr-defined]
    assert (joined.longest, joined.account.account_sid, joined.account.tokens) == (77, ACCOUNT, ("t",))
