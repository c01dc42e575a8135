"""The test mailbox: it receives by real SMTP, answers for what it stored, and misbehaves on command."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator, Callable

import pytest

from channels.base import Received
from channels.mail.settings import Encryption, Timeouts
from channels.mail.smtp import MailChannel
from channels.sandbox.door import SandboxDoor
from channels.sandbox.tricks import Trick, Tricks
from domain.errors import ConfigurationError
from domain.messages import DeliveryState
from tests.channels.conftest import Certificate
from tests.channels.mails import BODY, make_message, outcomes_of

OpenChannel = Callable[..., MailChannel]


class Shelf:
    """Keeps mails, unless it is out of order."""

    def __init__(self) -> None:
        self.mails: list[Received] = []
        self.out_of_order = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, received: Received) -> None:
        await self.gate.wait()
        if self.out_of_order:
            raise OSError("no space")
        self.mails.append(received)


@pytest.fixture
async def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def door(shelf: Shelf) -> AsyncIterator[SandboxDoor]:
    opened = SandboxDoor(shelf)
    await opened.start()
    yield opened
    await opened.stop()


async def test_a_mail_is_stored_as_it_was_sent(
    door: SandboxDoor, shelf: Shelf, open_channel: OpenChannel
) -> None:
    await outcomes_of(open_channel(door.port), [make_message(1)])
    (mail,) = shelf.mails
    assert mail.raw == (BODY % 1).removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
    assert (mail.sender, mail.recipients) == ("bounces+1@clytie.example", ("user1@example.com",))
    assert mail.meta["peer"] == "127.0.0.1"


async def test_a_null_sender_is_an_empty_sender(
    door: SandboxDoor, shelf: Shelf, open_channel: OpenChannel
) -> None:
    outcomes = await outcomes_of(open_channel(door.port), [make_message(1, sender="")])
    assert outcomes[1].state is DeliveryState.SENT
    assert shelf.mails[0].sender == ""


async def test_250_waits_for_the_store(door: SandboxDoor, shelf: Shelf, open_channel: OpenChannel) -> None:
    shelf.gate.clear()
    task = asyncio.create_task(outcomes_of(open_channel(door.port), [make_message(1)]))
    await asyncio.sleep(0.2)
    assert not task.done()
    shelf.gate.set()
    assert (await task)[1].state is DeliveryState.SENT


async def test_a_store_that_fails_makes_the_sender_try_again(
    door: SandboxDoor, shelf: Shelf, open_channel: OpenChannel
) -> None:
    shelf.out_of_order = True
    channel = open_channel(door.port)
    outcome = (await outcomes_of(channel, [make_message(1)]))[1]
    assert (outcome.state, outcome.reply[:3]) == (DeliveryState.DEFERRED, "451")
    shelf.out_of_order = False
    assert (await outcomes_of(channel, [make_message(1)]))[1].state is DeliveryState.SENT
    assert len(shelf.mails) == 1


@pytest.mark.parametrize(
    ("tag", "state", "reason", "stored"),
    [
        ("take", DeliveryState.SENT, "", 1),
        ("defer", DeliveryState.DEFERRED, "unavailable", 0),
        ("full", DeliveryState.DEFERRED, "mailbox_full", 0),
        ("reject", DeliveryState.REJECTED, "mailbox_unknown", 0),
        ("spam", DeliveryState.REJECTED, "policy", 0),
        ("lost", DeliveryState.UNCERTAIN, "connection_lost", 0),
        ("kept", DeliveryState.UNCERTAIN, "connection_lost", 1),
        ("slow", DeliveryState.SENT, "", 1),
    ],
)
async def test_a_tag_in_the_address_makes_it_misbehave(
    door: SandboxDoor,
    shelf: Shelf,
    open_channel: OpenChannel,
    tag: str,
    state: DeliveryState,
    reason: str,
    stored: int,
) -> None:
    door.tricks.slow_seconds = 0.05
    messages = [make_message(1, f"anna+{tag}@example.org"), make_message(2), make_message(3)]
    outcomes = await outcomes_of(open_channel(door.port), messages)
    assert (outcomes[1].state, outcomes[1].reason) == (state, reason)
    assert outcomes[2].state is outcomes[3].state is DeliveryState.SENT
    assert sum(mail.recipients[0].startswith("anna") for mail in shelf.mails) == stored


def test_every_trick_has_a_tag() -> None:
    assert set(Tricks().by_tag) == {trick.value for trick in Trick}


async def test_tricks_can_be_changed_while_the_door_is_open(
    door: SandboxDoor, open_channel: OpenChannel
) -> None:
    channel = open_channel(door.port)
    door.tricks.everybody = Trick.DEFER
    assert (await outcomes_of(channel, [make_message(1)]))[1].state is DeliveryState.DEFERRED
    door.tricks.everybody = Trick.TAKE
    assert (await outcomes_of(channel, [make_message(1)]))[1].state is DeliveryState.SENT


async def test_the_door_offers_what_senders_like(door: SandboxDoor) -> None:
    def ask() -> set[str]:
        with smtplib.SMTP("127.0.0.1", door.port) as client:
            client.ehlo()
            return set(client.esmtp_features)

    offered = await asyncio.to_thread(ask)
    assert offered >= {"pipelining", "8bitmime", "smtputf8", "size"}
    assert "auth" not in offered


async def test_the_door_speaks_tls_and_smtputf8(
    shelf: Shelf, open_channel: OpenChannel, certificate: Certificate
) -> None:
    door = SandboxDoor(shelf, tls=certificate.context())
    await door.start()
    channel = open_channel(door.port, encryption=Encryption.REQUIRED, ca_file=certificate.cert)
    content = "Subject: été\r\n\r\né\r\n.\r\n".encode()
    message = make_message(1, "jürgen@exämple.com", content=content, utf8=True, eightbit=True)
    assert (await outcomes_of(channel, [message]))[1].state is DeliveryState.SENT
    assert shelf.mails[0].recipients == ("jürgen@exämple.com",)
    await channel.close()
    await door.stop()


async def test_a_taken_port_is_a_clear_error(door: SandboxDoor, shelf: Shelf) -> None:
    with pytest.raises(ConfigurationError, match=rf"sandbox\.port.*{door.port}"):
        await SandboxDoor(shelf, port=door.port).start()


async def test_stopping_cuts_connections_and_frees_the_port(
    shelf: Shelf, open_channel: OpenChannel, free_port: int
) -> None:
    door = SandboxDoor(shelf, port=free_port)
    await door.start()
    channel = open_channel(free_port, timeouts=Timeouts(quit=0.2))
    await outcomes_of(channel, [make_message(1)])
    await door.stop()
    await door.start()
    assert (await outcomes_of(channel, [make_message(2)]))[2].state is DeliveryState.SENT
    await door.stop()
