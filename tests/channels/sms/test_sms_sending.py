"""Sending through the provider's own client: what is asked, what the answers mean, and that nothing goes twice."""

from __future__ import annotations

import asyncio
import base64
import time

import pytest

from channels.http.outcomes import judge_answer, seconds_of
from channels.http.sending import Unfit
from channels.sms.content import read_text
from domain.errors import DeliveryError, UnsupportedFeature
from domain.messages import DeliveryState, Outcome
from tests.channels.mails import outcomes_of
from tests.channels.scripted import eventually
from tests.channels.sms.conftest import MakeTwilio
from tests.channels.sms.provider import (
    ACCOUNT,
    AWAY,
    BROKEN,
    BUSY,
    BUSY_WITHOUT_TIME,
    CUT_AFTER,
    SERVICE,
    SILENCE,
    Provider,
    Script,
    refusal,
)
from tests.channels.sms.texts import SENDER, make_text


async def test_a_message_is_asked_for_with_all_that_it_needs(
    provider: Provider, open_sms: MakeTwilio
) -> None:
    options = {
        "token": "Tok-en_1",
        "validity": "600",
        "media": "https://hub.example/a.jpg\nhttps://hub.example/b.png",
    }
    receipt = await open_sms().send(make_text(7, body="Été à 10 €", options=options))
    assert receipt.provider_id == provider.messages[0]["sid"]
    assert receipt.reply == "queued"
    assert provider.forms == [
        {
            "To": ["+33610000007"],
            "From": [SENDER],
            "Body": ["Été à 10 €"],
            "MediaUrl": ["https://hub.example/a.jpg", "https://hub.example/b.png"],
            "ValidityPeriod": ["600"],
            "SmartEncoded": ["false"],
            "StatusCallback": ["https://hub.example/callbacks/sms/status/Tok-en_1"],
        }
    ]
    assert provider.headers[0]["Authorization"].startswith("Basic ")
    assert "twilio-python" in provider.headers[0]["User-Agent"]


@pytest.mark.parametrize(
    ("sender", "options", "asked"),
    [
        ("CLYTIE", {}, {"From": ["CLYTIE"]}),
        ("38000", {}, {"From": ["38000"]}),
        (SERVICE, {}, {"MessagingServiceSid": [SERVICE]}),
        ("", {"service": SERVICE}, {"MessagingServiceSid": [SERVICE]}),
        (SENDER, {"service": SERVICE}, {"MessagingServiceSid": [SERVICE], "From": [SENDER]}),
    ],
)
async def test_it_is_sent_by_a_number_a_name_or_a_service(
    provider: Provider,
    open_sms: MakeTwilio,
    sender: str,
    options: dict[str, str],
    asked: dict[str, list[str]],
) -> None:
    await open_sms().send(make_text(1, sender=sender, options=options))
    form = provider.forms[0]
    assert {name: form[name] for name in ("From", "MessagingServiceSid") if name in form} == asked


async def test_a_picture_may_go_without_a_text(provider: Provider, open_sms: MakeTwilio) -> None:
    await open_sms().send(make_text(1, content=b"", options={"media": "https://hub.example/a.jpg"}))
    assert "Body" not in provider.forms[0]


async def test_without_a_public_address_no_reports_are_asked_for(
    provider: Provider, open_sms: MakeTwilio
) -> None:
    await open_sms(callback_url="").send(make_text(1, options={"token": "x"}))
    assert "StatusCallback" not in provider.forms[0]


async def test_an_api_key_logs_in_in_place_of_the_accounts_token(
    provider: Provider, open_sms: MakeTwilio
) -> None:
    channel = open_sms(api_key="SK" + "0c" * 16, api_secret="s")
    await channel.send(make_text(1))
    assert provider.messages[0]["account_sid"] == ACCOUNT
    login = base64.b64decode(provider.headers[0]["Authorization"].removeprefix("Basic ")).decode()
    assert login == f"SK{'0c' * 16}:s"


async def test_an_unknown_option_is_refused_and_not_dropped(provider: Provider, open_sms: MakeTwilio) -> None:
    with pytest.raises(UnsupportedFeature, match="no option priority"):
        await open_sms().send(make_text(1, options={"priority": "high"}))
    assert provider.asked == 0


async def test_without_an_account_nothing_is_tried_and_an_administrator_is_told(
    provider: Provider, open_sms: MakeTwilio
) -> None:
    outcomes = await outcomes_of(open_sms(account_sid="", auth_token=""), [make_text(1)])
    assert (outcomes[1].state, outcomes[1].reason) == (DeliveryState.DEFERRED, "auth_failed")
    assert "account_sid" in outcomes[1].reply
    assert provider.asked == 0


@pytest.mark.parametrize(
    ("script", "state", "reason"),
    [
        (refusal(21610), DeliveryState.REJECTED, "opted_out"),
        (refusal(21211), DeliveryState.REJECTED, "number_invalid"),
        (refusal(21614), DeliveryState.REJECTED, "number_fixed"),
        (refusal(21606), DeliveryState.REJECTED, "sender_refused"),
        (refusal(21408, 403), DeliveryState.REJECTED, "region_closed"),
        (refusal(21617), DeliveryState.REJECTED, "too_big"),
        (refusal(12345), DeliveryState.REJECTED, "refused"),
        (refusal(20003, 401), DeliveryState.DEFERRED, "auth_failed"),
        (refusal(20404, 404), DeliveryState.DEFERRED, "auth_failed"),
        (AWAY, DeliveryState.DEFERRED, "unavailable"),
        (BROKEN, DeliveryState.UNCERTAIN, "unavailable"),
        (Script(status=503), DeliveryState.UNCERTAIN, "unavailable"),
        (CUT_AFTER, DeliveryState.UNCERTAIN, "connection_lost"),
        (SILENCE, DeliveryState.UNCERTAIN, "timeout"),
        (Script(body=b"{}"), DeliveryState.UNCERTAIN, "protocol_error"),
        (Script(body=b"[]"), DeliveryState.UNCERTAIN, "protocol_error"),
        (Script(status=400, takes=False, body=b"<html>"), DeliveryState.REJECTED, "refused"),
    ],
)
async def test_what_the_provider_answers_is_told_in_our_words(
    provider: Provider, open_sms: MakeTwilio, script: Script, state: DeliveryState, reason: str
) -> None:
    provider.script.append(script)
    outcome = (await outcomes_of(open_sms(), [make_text(1)]))[1]
    assert (outcome.state, outcome.reason) == (state, reason)
    assert provider.asked == 1


async def test_a_refusal_keeps_the_providers_number_and_words(
    provider: Provider, open_sms: MakeTwilio
) -> None:
    provider.script.append(refusal(21610))
    with pytest.raises(DeliveryError, match=r"^21610: no$") as caught:
        await open_sms().send(make_text(1))
    assert caught.value.permanent


async def test_a_message_that_is_created_as_failed_is_refused(
    provider: Provider, open_sms: MakeTwilio
) -> None:
    body = b'{"sid": "SM1", "status": "failed", "error_code": 30034, "error_message": "unregistered"}'
    provider.script.append(Script(body=body))
    outcome = (await outcomes_of(open_sms(), [make_text(1)]))[1]
    assert (outcome.state, outcome.reason) == (DeliveryState.REJECTED, "sender_unregistered")
    assert outcome.reply == "30034: unregistered"


async def test_an_answer_that_comes_in_pieces_is_read_whole(provider: Provider, open_sms: MakeTwilio) -> None:
    provider.script.append(Script(in_pieces=True))
    assert (await open_sms().send(make_text(1))).provider_id == provider.messages[0]["sid"]


async def test_an_endless_answer_is_not_read_and_leaves_doubt(
    provider: Provider, open_sms: MakeTwilio
) -> None:
    provider.script.append(Script(body=b" " * 2_000_000))
    outcome = (await outcomes_of(open_sms(), [make_text(1)]))[1]
    assert (outcome.state, outcome.reason) == (DeliveryState.UNCERTAIN, "protocol_error")


async def test_a_provider_that_cannot_be_reached_leaves_no_doubt(
    open_sms: MakeTwilio, free_port: int
) -> None:
    channel = open_sms(base_url=f"http://127.0.0.1:{free_port}")
    outcome = (await outcomes_of(channel, [make_text(1)]))[1]
    assert (outcome.state, outcome.reason, outcome.unreached) == (
        DeliveryState.DEFERRED,
        "connection_failed",
        True,
    )


async def test_a_kept_connection_that_broke_is_never_asked_again_by_itself(
    provider: Provider, open_sms: MakeTwilio
) -> None:
    channel = open_sms(connections=1)
    await channel.send(make_text(1))
    provider.script.append(CUT_AFTER)
    outcomes = await outcomes_of(channel, [make_text(2), make_text(3)])
    assert outcomes[2].state is DeliveryState.UNCERTAIN
    assert outcomes[3].state is DeliveryState.SENT
    assert len(provider.messages) == 3


async def test_too_many_requests_are_offered_again_after_the_providers_rest(
    provider: Provider, open_sms: MakeTwilio
) -> None:
    provider.script.extend([BUSY, BUSY])
    outcome = (await outcomes_of(open_sms(), [make_text(1)]))[1]
    assert outcome.state is DeliveryState.SENT
    assert provider.asked == 3
    assert len(provider.messages) == 1


async def test_a_rest_holds_for_all_that_wait(provider: Provider, open_sms: MakeTwilio) -> None:
    provider.script.append(Script(status=429, code=20429, takes=False, retry_after="0.4"))
    channel = open_sms(connections=1)
    began = time.monotonic()
    outcomes = await outcomes_of(channel, [make_text(key) for key in range(5)])
    assert {outcome.state for outcome in outcomes.values()} == {DeliveryState.SENT}
    assert time.monotonic() - began >= 0.4
    assert provider.asked == 6


async def test_a_rest_longer_than_our_patience_defers(provider: Provider, open_sms: MakeTwilio) -> None:
    provider.always = BUSY_WITHOUT_TIME
    waits = {"turn": 0.2, "answer": 1}
    outcomes = await outcomes_of(open_sms(timeouts=waits), [make_text(1), make_text(2)])
    assert {(o.state, o.reason) for o in outcomes.values()} == {(DeliveryState.DEFERRED, "throttled")}
    assert provider.asked <= 2


async def test_a_sender_keeps_its_rate_and_another_its_own(provider: Provider, open_sms: MakeTwilio) -> None:
    channel = open_sms(rates={SENDER: 10}, timeouts={"turn": 10, "answer": 5})
    slow = [make_text(key) for key in range(15)]
    quick = [make_text(key, sender="CLYTIE") for key in range(100, 150)]
    began = time.monotonic()
    await outcomes_of(channel, quick)
    assert time.monotonic() - began < 0.9
    began = time.monotonic()
    await outcomes_of(channel, slow)
    assert 0.9 <= time.monotonic() - began < 4


async def test_a_message_of_several_parts_takes_as_many_places(
    provider: Provider, open_sms: MakeTwilio
) -> None:
    channel = open_sms(rate=4, timeouts={"turn": 10, "answer": 5})
    began = time.monotonic()
    await outcomes_of(channel, [make_text(key, body="a" * 300) for key in range(4)])  # 8 parts at 4 a second
    assert time.monotonic() - began >= 0.9


async def test_what_waits_longer_than_the_patience_is_deferred_at_once(
    provider: Provider, open_sms: MakeTwilio
) -> None:
    channel = open_sms(rate=1, timeouts={"turn": 1.2, "answer": 5})
    outcomes = await outcomes_of(channel, [make_text(key) for key in range(10)])
    sent = [key for key, outcome in outcomes.items() if outcome.state is DeliveryState.SENT]
    assert len(sent) == 2
    assert {o.reason for o in outcomes.values()} == {"", "throttled"}
    assert channel.pace.delay(SENDER) > 0


async def test_no_more_requests_are_under_way_than_allowed(provider: Provider, open_sms: MakeTwilio) -> None:
    provider.always = Script(delay=0.01)
    await outcomes_of(open_sms(connections=3), [make_text(key) for key in range(30)])
    assert provider.most_at_once <= 3


async def test_interrupted_it_tells_what_may_have_gone_from_what_did_not(
    provider: Provider, open_sms: MakeTwilio
) -> None:
    provider.always = SILENCE
    channel = open_sms(connections=2, timeouts={"answer": 20, "grace": 0.2})
    settled: list[Outcome] = []
    task = asyncio.create_task(channel.deliver([make_text(key) for key in range(5)], settled.append))
    await eventually(lambda: provider.asked == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    states = {outcome.key: (outcome.state, outcome.reason) for outcome in settled}
    assert len(settled) == 5
    taken = {int(body.rpartition(" ")[2]) for body in provider.bodies}
    for key, (state, reason) in states.items():
        assert reason == "interrupted"
        assert state is (DeliveryState.UNCERTAIN if key in taken else DeliveryState.DEFERRED)


async def test_interrupted_it_waits_a_moment_for_answers(provider: Provider, open_sms: MakeTwilio) -> None:
    provider.always = Script(delay=0.2)
    channel = open_sms(connections=2, timeouts={"answer": 20, "grace": 3})
    settled: list[Outcome] = []
    task = asyncio.create_task(channel.deliver([make_text(key) for key in range(5)], settled.append))
    await eventually(lambda: provider.asked == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(outcome.state for outcome in settled) == ["deferred"] * 3 + ["sent"] * 2


async def test_closing_interrupts_what_is_under_way(provider: Provider, open_sms: MakeTwilio) -> None:
    provider.always = SILENCE
    channel = open_sms(connections=1, timeouts={"answer": 20, "grace": 0.1})
    settled: list[Outcome] = []
    task = asyncio.create_task(channel.deliver([make_text(1), make_text(2)], settled.append))
    await eventually(lambda: provider.asked == 1)
    await channel.close()
    await task
    assert [outcome.state for outcome in settled] == [DeliveryState.DEFERRED, DeliveryState.UNCERTAIN]


async def test_an_error_in_settle_costs_no_other_message(provider: Provider, open_sms: MakeTwilio) -> None:
    settled: list[int] = []

    def settle(outcome: Outcome) -> None:
        settled.append(outcome.key)
        if outcome.key == 2:
            raise RuntimeError("the database is away")

    with pytest.raises(RuntimeError, match="database is away"):
        await open_sms().deliver([make_text(key) for key in range(5)], settle)
    assert sorted(settled) == list(range(5))


async def test_many_batches_at_once_share_the_connections(provider: Provider, open_sms: MakeTwilio) -> None:
    channel = open_sms(connections=4)
    settled: list[Outcome] = []
    batches = [[make_text(key) for key in range(start, start + 20)] for start in range(0, 100, 20)]
    await asyncio.gather(*(channel.deliver(batch, settled.append) for batch in batches))
    assert sorted(outcome.key for outcome in settled) == list(range(100))
    assert provider.most_at_once <= 4
    assert {outcome.provider_id for outcome in settled} == {message["sid"] for message in provider.messages}


@pytest.mark.parametrize(
    ("status", "reason", "retry_after", "state"),
    [
        (429, "refused", False, DeliveryState.DEFERRED),
        (400, "throttled", False, DeliveryState.DEFERRED),
        (403, "refused", False, DeliveryState.DEFERRED),
        (403, "region_closed", False, DeliveryState.REJECTED),
        (404, "refused", False, DeliveryState.REJECTED),
        (408, "refused", False, DeliveryState.DEFERRED),
        (500, "unavailable", True, DeliveryState.UNCERTAIN),
        (503, "refused", True, DeliveryState.DEFERRED),
        (503, "refused", False, DeliveryState.UNCERTAIN),
        (504, "refused", False, DeliveryState.UNCERTAIN),
        (302, "refused", False, DeliveryState.DEFERRED),
        (101, "refused", False, DeliveryState.UNCERTAIN),
    ],
)
def test_an_answer_that_may_have_sent_is_in_doubt(
    status: int, reason: str, retry_after: bool, state: DeliveryState
) -> None:
    assert judge_answer(status, reason, has_retry_after=retry_after).state is state


@pytest.mark.parametrize(
    ("header", "seconds"), [("3", 3.0), ("0.5", 0.5), ("900", 60.0), ("", None), ("-1", None), ("soon", None)]
)
def test_a_rest_is_as_long_as_asked_within_reason(header: str, seconds: float | None) -> None:
    assert seconds_of(header, 60) == seconds


def test_a_rest_that_is_no_number_is_no_wish() -> None:
    assert seconds_of("nan", 60) is None
    assert seconds_of("inf", 60) == 60


def test_a_name_sends_no_pictures() -> None:
    picture = {"media": "https://hub.example/1.png"}
    assert read_text(make_text(options=picture)).media
    with pytest.raises(Unfit, match="a name as sender takes no pictures"):
        read_text(make_text(sender="CLYTIE", options=picture))
    assert read_text(make_text(sender="CLYTIE")).sender == "CLYTIE"
