"""The contract that every registered channel keeps, tried against the real other side of its kind."""

from __future__ import annotations

from collections import Counter

import pytest

from channels.base import CallbackRequest, Capability, Channel
from channels.description import describe_channel
from channels.registry import channel_class, channel_names, declaration_problems, open_channel
from domain.errors import DeliveryError, InvalidInput, UnsupportedFeature
from domain.messages import DeliveryState, Outcome
from tests.channels.counterparts import COUNTERPARTS, Mischief, counterpart_of

NAMES = channel_names()
MISCHIEFS = [
    pytest.param(name, mischief, id=f"{name}: {mischief.name}")
    for name in NAMES
    for mischief in counterpart_of(channel_class(name)).mischiefs
]


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def _deliver(channel: Channel, keys: range) -> list[Outcome]:
    settled: list[Outcome] = []
    make_message = counterpart_of(type(channel)).make_message
    await channel.deliver([make_message(key) for key in keys], settled.append)
    return settled


def test_its_declaration_is_complete(name: str) -> None:
    assert declaration_problems(name, channel_class(name)) == []


def test_its_kind_has_a_counterpart_to_test_it_with(name: str) -> None:
    assert channel_class(name).kind in COUNTERPARTS


def test_its_documentation_derives_from_its_declaration(name: str) -> None:
    channel = channel_class(name)
    page = describe_channel(channel)
    assert page.startswith(f"## {name}\n")
    for setting, field in channel.settings_model.model_fields.items():
        assert f"| `{setting}" in page
        assert field.description
    for capability in channel.capabilities:
        assert capability.value in page


def test_a_wrong_setting_is_named(name: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^{name}\.no_such_setting: "):
        open_channel(name, {"no_such_setting": 1})


async def test_send_returns_a_receipt_for_what_arrived(name: str) -> None:
    async with counterpart_of(channel_class(name)).running() as other:
        channel = open_channel(name, other.settings)
        receipt = await channel.send(counterpart_of(type(channel)).make_message(7))
        await channel.close()
        assert (receipt.key, receipt.attempt) == (7, 1)
        assert other.arrived() == [7]


async def test_deliver_brings_each_message_exactly_once(name: str) -> None:
    async with counterpart_of(channel_class(name)).running() as other:
        channel = open_channel(name, other.settings)
        settled = await _deliver(channel, range(150))
        await channel.close()
        assert sorted(outcome.key for outcome in settled) == list(range(150))
        assert {outcome.state for outcome in settled} == {DeliveryState.SENT}
        assert sorted(other.arrived()) == list(range(150))


async def test_an_empty_batch_is_done_at_once(name: str) -> None:
    async with counterpart_of(channel_class(name)).running() as other:
        channel = open_channel(name, other.settings)
        assert await _deliver(channel, range(0)) == []
        await channel.close()


async def test_closing_twice_is_no_error_and_it_can_be_used_again(name: str) -> None:
    async with counterpart_of(channel_class(name)).running() as other:
        channel = open_channel(name, other.settings)
        await channel.close()
        await _deliver(channel, range(2))
        await channel.close()
        await channel.close()
        assert sorted(other.arrived()) == [0, 1]


async def test_injections_are_refused_for_good_and_nothing_arrives(name: str) -> None:
    kind = counterpart_of(channel_class(name))
    async with kind.running() as other:
        channel = open_channel(name, other.settings)
        for message in kind.injections:
            with pytest.raises(DeliveryError) as caught:
                await channel.send(message)
            assert caught.value.permanent
            assert not caught.value.uncertain
            assert caught.value.reply
        await channel.close()
        assert other.arrived() == []


@pytest.mark.asyncio(loop_factories=["uvloop"])
@pytest.mark.parametrize(("name", "mischief"), MISCHIEFS)
async def test_each_message_is_settled_once_however_the_other_side_behaves(
    name: str, mischief: Mischief
) -> None:
    async with mischief.running() as other:
        channel = open_channel(name, other.settings)
        settled = await _deliver(channel, range(1, 9))
        await channel.close()
        assert sorted(outcome.key for outcome in settled) == list(range(1, 9))
        assert {outcome.state for outcome in settled} <= mischief.states
        arrived = Counter(other.arrived())
        assert all(count == 1 for count in arrived.values())
        sent = {outcome.key for outcome in settled if outcome.state is DeliveryState.SENT}
        uncertain = {outcome.key for outcome in settled if outcome.state is DeliveryState.UNCERTAIN}
        assert sent <= set(arrived) <= sent | uncertain
        assert all(o.state is DeliveryState.SENT or (o.reason and len(o.reply) <= 500) for o in settled)


def test_a_callback_is_understood_or_refused_as_unsupported(name: str) -> None:
    channel = open_channel(name, {})
    request = CallbackRequest("POST", "https://hub.example/callbacks/x", {}, b"nonsense")
    expected = InvalidInput if Capability.CALLBACKS in channel.capabilities else UnsupportedFeature
    with pytest.raises(expected):
        channel.parse_callback(request)


@pytest.mark.parametrize("raw", [b"", b"\x00\xff", b":\n:\n", b"From\r\n\r\n", b"\n" * 1000, b"a" * 100_000])
def test_whatever_arrives_is_read_without_an_error(name: str, raw: bytes) -> None:
    assert open_channel(name, {}).parse_inbound(raw).raw == raw
