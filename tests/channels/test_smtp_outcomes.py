"""What becomes of a message when the server refuses, breaks off, keeps silent or talks nonsense."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from channels.mail.reasons import VOCABULARY
from channels.mail.sending.outcomes import REASONS, Phase, judge_refusal, judge_silence
from channels.mail.settings import Timeouts
from channels.mail.smtp import MailChannel
from domain.errors import DeliveryError, UnsupportedFeature
from domain.messages import DeliveryState, Outcome
from tests.channels.mails import make_message, outcomes_of
from tests.channels.scripted import SILENCE, Answer, Cut, Pause, ScriptedServer

OpenChannel = Callable[..., MailChannel]
SENT, DEFERRED = DeliveryState.SENT, DeliveryState.DEFERRED
REJECTED, UNCERTAIN = DeliveryState.REJECTED, DeliveryState.UNCERTAIN
BEFORE_THE_DOT = ["greeting", "EHLO", "MAIL", "RCPT", "DATA"]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("step", BEFORE_THE_DOT)
async def test_a_connection_cut_before_the_dot_defers(
    server: ScriptedServer, open_channel: OpenChannel, step: str, reset: bool, pipelining: bool
) -> None:
    server.say(step, Cut(reset=reset))
    outcome = (await outcomes_of(open_channel(server.port, pipelining=pipelining), [make_message()]))[1]
    assert (outcome.state, outcome.reason) == (DEFERRED, "connection_lost")
    assert not server.complete


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("reset", [True, False])
async def test_a_connection_cut_after_the_dot_leaves_the_message_uncertain(
    server: ScriptedServer, open_channel: OpenChannel, reset: bool, pipelining: bool
) -> None:
    server.say("content", Cut(reset=reset))
    outcome = (await outcomes_of(open_channel(server.port, pipelining=pipelining), [make_message()]))[1]
    assert (outcome.state, outcome.reason) == (UNCERTAIN, "connection_lost")
    assert len(server.complete) == 1


async def test_a_connection_cut_inside_a_long_content_defers(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.cut_in_content = 200_000
    content = b"Subject: long\r\n\r\n" + (b"y" * 76 + b"\r\n") * 120_000 + b".\r\n"
    channel = open_channel(server.port)
    outcome = (await outcomes_of(channel, [make_message(content=content)]))[1]
    assert (outcome.state, outcome.reason) == (DEFERRED, "connection_lost")


async def test_a_long_content_arrives_whole(server: ScriptedServer, open_channel: OpenChannel) -> None:
    content = b"Subject: long\r\n\r\n" + (b"y" * 76 + b"\r\n") * 30_000 + b".\r\n"
    messages = [make_message(key, content=content) for key in (1, 2, 3)]
    outcomes = await outcomes_of(open_channel(server.port), messages)
    assert {outcome.state for outcome in outcomes.values()} == {SENT}
    assert [mail[2] for mail in server.mails] == [content] * 3


async def test_a_message_behind_a_cut_is_sent_over_a_new_connection(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.say("content", b"250 ok\r\n", Cut())
    outcomes = await outcomes_of(open_channel(server.port), [make_message(key) for key in (1, 2, 3)])
    assert [outcomes[key].state for key in (1, 2, 3)] == [SENT, UNCERTAIN, SENT]
    assert server.connections == 2
    assert [mail[1] for mail in server.complete] == [f"user{key}@example.com" for key in (1, 2, 3)]


async def test_421_on_a_used_connection_sends_the_message_over_a_new_one(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.say("MAIL", b"250 ok\r\n", b"421 4.7.0 enough for one connection\r\n")
    outcomes = await outcomes_of(open_channel(server.port), [make_message(key) for key in (1, 2)])
    assert {outcome.state for outcome in outcomes.values()} == {SENT}
    assert server.connections == 2


async def test_421_on_a_fresh_connection_defers(server: ScriptedServer, open_channel: OpenChannel) -> None:
    server.always["MAIL"] = b"421 4.3.2 shutting down\r\n"
    outcomes = await outcomes_of(open_channel(server.port), [make_message(key) for key in range(20)])
    assert {(o.state, o.reason) for o in outcomes.values()} == {(DEFERRED, "unavailable")}
    assert server.connections < 6


async def test_a_connection_that_the_server_closed_while_idle_costs_nothing(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    channel = open_channel(server.port)
    await outcomes_of(channel, [make_message(1)])
    server.say("MAIL", Cut())
    assert (await outcomes_of(channel, [make_message(2)]))[2].state is SENT
    assert server.connections == 2


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("step", "reply", "state", "reason"),
    [
        ("MAIL", b"451 4.3.0 later\r\n", DEFERRED, "unavailable"),
        ("MAIL", b"550 5.7.1 not you\r\n", REJECTED, "policy"),
        ("MAIL", b"530 5.7.0 log in first\r\n", DEFERRED, "auth_failed"),
        ("RCPT", b"450 4.2.0 Greylisted, try again\r\n", DEFERRED, "greylisted"),
        ("RCPT", b"452 4.2.2 mailbox full\r\n", DEFERRED, "mailbox_full"),
        ("RCPT", b"550 5.1.1 who?\r\n", REJECTED, "mailbox_unknown"),
        ("RCPT", b"550-5.1.1 who?\r\n550 5.1.1 nobody\r\n", REJECTED, "mailbox_unknown"),
        ("RCPT", b"550 no such user\r\n", REJECTED, "mailbox_unknown"),
        ("RCPT", b"556 5.1.10 null MX\r\n", REJECTED, "domain_unknown"),
        ("DATA", b"451 4.7.1 wait\r\n", DEFERRED, "policy"),
        ("DATA", b"554 no valid recipients\r\n", REJECTED, "policy"),
        ("content", b"452 4.3.1 disk full\r\n", DEFERRED, "unavailable"),
        ("content", b"552 5.3.4 too big\r\n", REJECTED, "too_big"),
        ("content", b"554 5.7.1 spam\r\n", REJECTED, "policy"),
        ("content", b"421 4.3.2 shutting down\r\n", DEFERRED, "unavailable"),
    ],
)
async def test_a_refusal_settles_one_message_and_the_next_ones_go_through(
    server: ScriptedServer,
    open_channel: OpenChannel,
    step: str,
    reply: bytes,
    state: DeliveryState,
    reason: str,
    pipelining: bool,
) -> None:
    server.by_recipient["user2@example.com"] = {step: reply}
    if step == "MAIL":  # said before the recipient is known, so by order
        server.by_recipient.clear()
        server.say("MAIL", b"250 ok\r\n", reply)
    channel = open_channel(server.port, pipelining=pipelining)
    outcomes = await outcomes_of(channel, [make_message(key) for key in (1, 2, 3, 4)])
    assert (outcomes[2].state, outcomes[2].reason) == (state, reason)
    assert outcomes[2].reply.startswith(reply[:3].decode())
    assert [outcomes[key].state for key in (1, 3, 4)] == [SENT, SENT, SENT]
    assert [mail[1] for mail in server.mails] == [f"user{key}@example.com" for key in (1, 3, 4)]


async def test_a_failed_transaction_is_followed_by_rset(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.say("RCPT", b"550 5.1.1 who?\r\n")
    await outcomes_of(open_channel(server.port), [make_message(1), make_message(2)])
    verbs = [line.split()[0] for line in server.lines if line.split()[0] in ("MAIL", "RSET", "DATA")]
    assert verbs == ["MAIL", "DATA", "RSET", "MAIL", "DATA"]


async def test_354_without_a_recipient_is_answered_with_a_lone_dot(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.say("RCPT", b"550 5.1.1 who?\r\n")
    server.say("DATA", b"354 go ahead\r\n")
    server.say("content", b"554 5.5.1 no valid recipients\r\n")
    outcomes = await outcomes_of(open_channel(server.port), [make_message(1), make_message(2)])
    assert (outcomes[1].state, outcomes[2].state) == (REJECTED, SENT)
    assert server.complete[0][2] == b".\r\n"
    assert [mail[1] for mail in server.mails] == ["user2@example.com"]
    assert server.connections == 1


async def test_an_empty_message_is_never_ended_when_a_recipient_was_taken(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.say("MAIL", b"451 4.3.0 later\r\n")
    server.say("RCPT", b"250 ok\r\n")  # and yet these are taken
    server.say("DATA", b"354 go ahead\r\n")
    outcomes = await outcomes_of(open_channel(server.port), [make_message(1), make_message(2)])
    assert (outcomes[1].state, outcomes[2].state) == (DEFERRED, SENT)
    assert [mail[1] for mail in server.complete] == ["user2@example.com"]


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "content"])
@pytest.mark.parametrize(
    "garbage",
    [b"hello\r\n", b"\r\n", b"999 no\r\n", b"250" * 3000, b"250-a\r\n251 b\r\n", b"199 x\r\n", b"\x00\xff\n"],
)
async def test_garbage_ends_the_connection_and_loses_no_message(
    server: ScriptedServer, open_channel: OpenChannel, step: str, garbage: bytes
) -> None:
    server.say(step, garbage)
    outcomes = await outcomes_of(open_channel(server.port), [make_message(key) for key in (1, 2, 3)])
    expected = UNCERTAIN if step == "content" else DEFERRED
    assert (outcomes[1].state, outcomes[1].reason) == (expected, "protocol_error")
    assert {outcomes[2].state, outcomes[3].state} == {SENT}


@pytest.mark.parametrize(
    ("step", "reply"), [("DATA", b"250 ok\r\n"), ("content", b"354 more\r\n"), ("MAIL", b"354 go\r\n")]
)
async def test_a_reply_out_of_place_is_not_taken_for_a_yes(
    server: ScriptedServer, open_channel: OpenChannel, step: str, reply: bytes
) -> None:
    server.say(step, reply)
    outcomes = await outcomes_of(open_channel(server.port), [make_message(key) for key in (1, 2)])
    assert outcomes[1].state is (UNCERTAIN if step == "content" else DEFERRED)
    assert outcomes[1].reason == "protocol_error"
    assert outcomes[2].state is SENT


@pytest.mark.parametrize(
    ("step", "patience"),
    [
        ("greeting", Timeouts(greeting=0.1, quit=0.1)),
        ("EHLO", Timeouts(command=0.1, quit=0.1)),
        ("MAIL", Timeouts(mail=0.1, quit=0.1)),
        ("RCPT", Timeouts(rcpt=0.1, quit=0.1)),
        ("DATA", Timeouts(data=0.1, quit=0.1)),
        ("content", Timeouts(dot=0.1, quit=0.1)),
    ],
)
async def test_a_silent_server_times_out(
    server: ScriptedServer, open_channel: OpenChannel, step: str, patience: Timeouts
) -> None:
    server.say(step, SILENCE)
    outcome = (await outcomes_of(open_channel(server.port, timeouts=patience), [make_message()]))[1]
    assert (outcome.state, outcome.reason) == (UNCERTAIN if step == "content" else DEFERRED, "timeout")


async def test_a_server_that_stops_reading_a_long_content_times_out_deferred(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.stop_in_content = True
    server.extensions = ("PIPELINING",)
    # More than the buffers of both ends take in.
    content = b"Subject: long\r\n\r\n" + (b"y" * 76 + b"\r\n") * 500_000 + b".\r\n"
    channel = open_channel(server.port, timeouts=Timeouts(block=0.3, quit=0.1))
    outcome = (await outcomes_of(channel, [make_message(content=content)]))[1]
    assert (outcome.state, outcome.reason) == (DEFERRED, "timeout")


@pytest.mark.parametrize("step", ["greeting", "MAIL", "RCPT", "DATA", "content"])
async def test_a_slow_server_is_waited_for(
    server: ScriptedServer, open_channel: OpenChannel, step: str
) -> None:
    usual = {"greeting": b"220 hi\r\n", "DATA": b"354 go\r\n"}.get(step, b"250 ok\r\n")
    server.say(step, Pause(0.2, usual))
    assert (await outcomes_of(open_channel(server.port), [make_message()]))[1].state is SENT


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [(b"554 5.7.1 no service for you\r\n", "policy"), (b"421 4.3.2 busy\r\n", "unavailable")],
)
async def test_a_server_that_turns_us_away_says_nothing_about_recipients(
    server: ScriptedServer, open_channel: OpenChannel, greeting: Answer, reason: str
) -> None:
    server.always["greeting"] = greeting
    outcomes = await outcomes_of(open_channel(server.port), [make_message(key) for key in range(5)])
    assert {(o.state, o.reason) for o in outcomes.values()} == {(DEFERRED, reason)}


async def test_nobody_listening_defers_the_whole_batch(open_channel: OpenChannel, free_port: int) -> None:
    channel = open_channel(free_port, connections=4)
    outcomes = await outcomes_of(channel, [make_message(key) for key in range(50)])
    assert {(o.state, o.reason) for o in outcomes.values()} == {(DEFERRED, "connection_failed")}


async def test_a_limit_on_connections_leaves_the_work_to_those_that_are_open(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.say("greeting", b"220 hi\r\n", *[b"421 4.7.0 too many connections\r\n"] * 3)
    channel = open_channel(server.port, connections=4)
    outcomes = await outcomes_of(channel, [make_message(key) for key in range(200)])
    assert {outcome.state for outcome in outcomes.values()} == {SENT}


async def test_send_returns_a_receipt_with_the_servers_words(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    receipt = await open_channel(server.port).send(make_message(7))
    assert (receipt.key, receipt.attempt, receipt.reply) == (7, 1, "250 2.0.0 taken")


@pytest.mark.parametrize(
    ("step", "answer", "permanent", "uncertain"),
    [
        ("RCPT", b"550 5.1.1 who?\r\n", True, False),
        ("RCPT", b"451 4.3.0 later\r\n", False, False),
        ("content", Cut(), False, True),
    ],
)
async def test_send_raises_a_delivery_error_that_says_whether_to_retry(
    server: ScriptedServer,
    open_channel: OpenChannel,
    step: str,
    answer: Answer,
    permanent: bool,
    uncertain: bool,
) -> None:
    server.say(step, answer)
    with pytest.raises(DeliveryError) as caught:
        await open_channel(server.port).send(make_message())
    assert (caught.value.permanent, caught.value.uncertain) == (permanent, uncertain)


async def test_send_raises_unsupported_feature_when_the_server_lacks_smtputf8(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.extensions = ("PIPELINING", "8BITMIME")
    with pytest.raises(UnsupportedFeature, match="SMTPUTF8"):
        await open_channel(server.port).send(make_message(recipient="jürgen@example.com"))
    assert not any(line.startswith("MAIL") for line in server.lines)


async def test_an_error_in_settle_is_raised_after_the_last_message(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    seen: list[int] = []

    def settle(outcome: Outcome) -> None:
        seen.append(outcome.key)
        if outcome.key == 2:
            raise RuntimeError("the store is away")

    with pytest.raises(RuntimeError, match="away"):
        await open_channel(server.port).deliver([make_message(key) for key in (1, 2, 3)], settle)
    assert sorted(seen) == [1, 2, 3]
    assert len(server.mails) == 3


async def test_concurrent_batches_share_the_connections(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    channel = open_channel(server.port, connections=3)
    batches = [[make_message(100 * batch + key) for key in range(40)] for batch in range(5)]
    results = await asyncio.gather(*(outcomes_of(channel, batch) for batch in batches))
    assert [len(result) for result in results] == [40] * 5
    assert server.connections == 3
    assert len({mail[1] for mail in server.mails}) == 200


@pytest.mark.parametrize("phase", list(Phase))
def test_every_code_has_a_reason_that_people_can_read(phase: Phase) -> None:
    for code in range(400, 600):
        for text in (b"", b"5.1.1 x", b"4.7.1 x", b"5.99.99 x"):
            state, reason = judge_refusal(phase, code, text)
            assert reason in REASONS
            about_us = code in (530, 534, 535, 538)
            assert state is (REJECTED if code >= 500 and not about_us else DEFERRED)


def test_silence_is_harmless_before_the_dot_and_uncertain_after_it() -> None:
    assert judge_silence(dot_left=False) is DEFERRED
    assert judge_silence(dot_left=True) is UNCERTAIN


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("status", ["5.1.7", "5.1.8"])
def test_a_refusal_of_the_senders_address_is_named_so(phase: Phase, status: str) -> None:
    text = f"{status} <us@hub.example>: Sender address rejected".encode()
    assert judge_refusal(phase, 553, text) == (REJECTED, "sender_refused")


@pytest.mark.parametrize("code", range(500, 557))
@pytest.mark.parametrize("status", ["", "5.1.1 ", "5.1.2 ", "5.1.3 ", "5.1.6 ", "5.1.10 ", "5.4.4 "])
def test_an_answer_to_mail_from_condemns_no_recipient(code: int, status: str) -> None:
    reason = judge_refusal(Phase.MAIL, code, f"{status}no".encode())[1]
    assert not VOCABULARY[reason].hard or code == 521  # which is about the server itself
