"""The dialogue with a mail server: what is offered is used, what is secret travels under TLS only."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable

import pytest

from channels.mail.sending.opening import make_tls
from channels.mail.settings import Encryption, MailSettings, Timeouts
from channels.mail.smtp import MailChannel
from domain.errors import ConfigurationError
from domain.messages import DeliveryState
from tests.channels.conftest import Certificate
from tests.channels.mails import BODY, make_message, outcomes_of
from tests.channels.scripted import ScriptedServer, eventually

OpenChannel = Callable[..., MailChannel]
SENT, DEFERRED, REJECTED = DeliveryState.SENT, DeliveryState.DEFERRED, DeliveryState.REJECTED


async def test_a_message_arrives_as_it_was_composed(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    await outcomes_of(open_channel(server.port), [make_message(1)])
    assert server.mails == [("bounces+1@clytie.example", "user1@example.com", BODY % 1)]
    assert b"\r\n..dotted\r\n" in server.mails[0][2]


async def test_commands_are_pipelined_past_the_dot(open_channel: OpenChannel) -> None:
    """The next message's MAIL, RCPT and DATA come in one packet with the end of the content before them."""
    reads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 x\r\n")
        while data := await reader.read(65536):
            reads.append(data)
            answers = b""
            for line in data.split(b"\r\n"):
                if line.startswith(b"EHLO"):
                    answers += b"250-x\r\n250 PIPELINING\r\n"
                elif line == b"DATA":
                    answers += b"354 go\r\n"
                elif line == b"." or line.startswith((b"MAIL", b"RCPT")):
                    answers += b"250 ok\r\n"
                elif line == b"QUIT":
                    answers += b"221 bye\r\n"
            writer.write(answers)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    channel = open_channel(server.sockets[0].getsockname()[1])
    await outcomes_of(channel, [make_message(key) for key in (1, 2, 3)])
    await channel.close()
    server.close()
    assert len(reads) == 6  # EHLO, group 1, content 1 and group 2, content 2 and group 3, content 3, QUIT
    assert reads[1].startswith(b"MAIL")
    assert reads[2].endswith(
        b"\r\n.\r\nMAIL FROM:<bounces+2@clytie.example>\r\nRCPT TO:<user2@example.com>\r\nDATA\r\n"
    )
    assert reads[4].endswith(b"\r\n.\r\n")


@pytest.mark.parametrize("offered", [True, False])
async def test_without_pipelining_each_command_waits_for_its_reply(
    server: ScriptedServer, open_channel: OpenChannel, offered: bool
) -> None:
    server.extensions = ("PIPELINING",) if offered else ("8BITMIME",)
    channel = open_channel(server.port, pipelining=False)
    outcomes = await outcomes_of(channel, [make_message(key) for key in range(5)])
    assert {outcome.state for outcome in outcomes.values()} == {SENT}
    assert server.early == 0
    assert server.connections == 1


async def test_the_scripted_server_sees_pipelining(server: ScriptedServer, open_channel: OpenChannel) -> None:
    await outcomes_of(open_channel(server.port), [make_message(key) for key in range(5)])
    assert server.early > 0


async def test_helo_is_tried_when_ehlo_is_not_known(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.say("EHLO", b"502 5.5.1 what?\r\n")
    outcomes = await outcomes_of(open_channel(server.port, client_name="hub.example"), [make_message()])
    assert outcomes[1].state is SENT
    assert server.lines[:3] == [
        "EHLO hub.example",
        "HELO hub.example",
        "MAIL FROM:<bounces+1@clytie.example>",
    ]


async def test_a_client_without_a_name_gives_its_address(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    await outcomes_of(open_channel(server.port), [make_message()])
    assert server.lines[0] == "EHLO [127.0.0.1]"


async def test_a_message_above_the_servers_limit_is_rejected_unsent(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.extensions = ("PIPELINING", "SIZE 1000")
    big = make_message(1, content=b"x" * 1000 + b"\r\n.\r\n")
    outcomes = await outcomes_of(open_channel(server.port), [big, make_message(2)])
    assert (outcomes[1].state, outcomes[1].reason) == (REJECTED, "too_big")
    assert outcomes[2].state is SENT
    assert not any("user1@" in line for line in server.lines)


async def test_a_poisoned_address_is_rejected_before_a_byte_is_written(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    poisoned = make_message(1, recipient="a@example.com>\r\nRCPT TO:<victim@example.com")
    outcomes = await outcomes_of(open_channel(server.port), [poisoned, make_message(2)])
    assert (outcomes[1].state, outcomes[1].reason) == (REJECTED, "address_invalid")
    assert not any("victim" in line for line in server.lines)


async def test_smtputf8_and_8bitmime_reach_the_wire(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    content = "Subject: é\r\n\r\nété\r\n.\r\n".encode()
    message = make_message(recipient="jürgen@exämple.com", content=content, utf8=True, eightbit=True)
    assert (await outcomes_of(open_channel(server.port), [message]))[1].state is SENT
    assert server.lines[1].endswith(" BODY=8BITMIME SMTPUTF8")
    assert server.mails[0][1:] == ("jürgen@exämple.com", content)


async def test_a_connection_is_replaced_after_its_share_of_messages(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    channel = open_channel(server.port, messages_per_connection=3)
    outcomes = await outcomes_of(channel, [make_message(key) for key in range(8)])
    assert {outcome.state for outcome in outcomes.values()} == {SENT}
    assert server.connections == 3
    assert server.lines.count("QUIT") == 2


async def test_an_idle_connection_is_closed_with_quit(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    channel = open_channel(server.port, timeouts=Timeouts(idle=0.05, quit=0.5))
    await outcomes_of(channel, [make_message(1)])
    await eventually(lambda: not server.open_now)
    assert server.lines[-1] == "QUIT"
    assert (await outcomes_of(channel, [make_message(2)]))[2].state is SENT


async def test_close_says_quit(server: ScriptedServer, open_channel: OpenChannel) -> None:
    channel = open_channel(server.port)
    await outcomes_of(channel, [make_message(1)])
    await channel.close()
    assert server.lines[-1] == "QUIT"


@pytest.mark.parametrize("encryption", [Encryption.OPPORTUNISTIC, Encryption.REQUIRED])
async def test_starttls_is_used_when_offered(
    server: ScriptedServer, open_channel: OpenChannel, certificate: Certificate, encryption: Encryption
) -> None:
    server.tls = certificate.context()
    channel = open_channel(server.port, encryption=encryption, ca_file=certificate.cert)
    outcomes = await outcomes_of(channel, [make_message(key) for key in range(20)])
    assert {outcome.state for outcome in outcomes.values()} == {SENT}
    verbs = [line.split()[0] for line in server.lines]
    assert verbs[:4] == ["EHLO", "STARTTLS", "EHLO", "MAIL"]
    assert server.encrypted_mails == 20


async def test_implicit_tls_carries_messages_long_ones_too(
    open_channel: OpenChannel, certificate: Certificate
) -> None:
    async with ScriptedServer(tls=certificate.context(), implicit=True).running() as server:
        channel = open_channel(server.port, encryption=Encryption.IMPLICIT, ca_file=certificate.cert)
        long = b"Subject: long\r\n\r\n" + (b"y" * 76 + b"\r\n") * 20_000 + b".\r\n"
        messages = [make_message(1), make_message(2, content=long), make_message(3)]
        outcomes = await outcomes_of(channel, messages)
        assert {outcome.state for outcome in outcomes.values()} == {SENT}
        assert server.mails[1][2] == long
        await channel.close()


@pytest.mark.parametrize("encryption", [Encryption.REQUIRED, Encryption.IMPLICIT])
async def test_an_unknown_certificate_is_refused(
    open_channel: OpenChannel, certificate: Certificate, encryption: Encryption
) -> None:
    implicit = encryption is Encryption.IMPLICIT
    async with ScriptedServer(tls=certificate.context(), implicit=implicit).running() as server:
        channel = open_channel(server.port, encryption=encryption)
        outcome = (await outcomes_of(channel, [make_message()]))[1]
        assert (outcome.state, outcome.reason) == (DEFERRED, "tls_failed")
        assert not any(line.startswith("MAIL") for line in server.lines)


async def test_a_certificate_for_another_name_is_refused(
    open_channel: OpenChannel, certificate: Certificate
) -> None:
    async with ScriptedServer(tls=certificate.context()).running(host="127.0.0.2") as other:
        channel = open_channel(
            other.port, host="127.0.0.2", encryption=Encryption.REQUIRED, ca_file=certificate.cert
        )
        assert (await outcomes_of(channel, [make_message()]))[1].reason == "tls_failed"


async def test_an_opportunistic_connection_takes_any_certificate(
    server: ScriptedServer, open_channel: OpenChannel, certificate: Certificate
) -> None:
    server.tls = certificate.context()
    channel = open_channel(server.port, encryption=Encryption.OPPORTUNISTIC)
    assert (await outcomes_of(channel, [make_message()]))[1].state is SENT
    assert server.encrypted_mails == 1


async def test_required_tls_sends_nothing_in_the_clear(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    channel = open_channel(server.port, encryption=Encryption.REQUIRED)
    outcome = (await outcomes_of(channel, [make_message()]))[1]
    assert (outcome.state, outcome.reason) == (DEFERRED, "tls_failed")
    assert [line.split()[0] for line in server.lines] == ["EHLO"]


async def test_opportunistic_tls_goes_on_in_the_clear_when_the_server_cannot_now(
    server: ScriptedServer, open_channel: OpenChannel, certificate: Certificate
) -> None:
    server.tls = certificate.context()
    server.say("STARTTLS", b"454 4.7.0 not now\r\n")
    channel = open_channel(server.port, encryption=Encryption.OPPORTUNISTIC)
    assert (await outcomes_of(channel, [make_message()]))[1].state is SENT


@pytest.mark.parametrize("injected", [b"250-x\r\n250 AUTH PLAIN\r\n", b"250", b"junk"])
async def test_replies_injected_before_tls_are_not_believed(
    server: ScriptedServer, open_channel: OpenChannel, certificate: Certificate, injected: bytes
) -> None:
    server.tls = certificate.context()
    server.say("STARTTLS", b"220 go ahead\r\n" + injected)
    channel = open_channel(server.port, encryption=Encryption.REQUIRED, ca_file=certificate.cert)
    outcome = (await outcomes_of(channel, [make_message()]))[1]
    assert (outcome.state, outcome.reason) == (DEFERRED, "tls_failed")
    assert [line.split()[0] for line in server.lines] == ["EHLO", "STARTTLS"]


async def test_login_by_plain_under_tls(
    server: ScriptedServer, open_channel: OpenChannel, certificate: Certificate
) -> None:
    server.tls = certificate.context()
    server.extensions = ("PIPELINING", "AUTH PLAIN LOGIN")
    server.always["AUTH"] = b"235 2.7.0 welcome\r\n"
    channel = open_channel(
        server.port,
        encryption=Encryption.REQUIRED,
        ca_file=certificate.cert,
        username="jürgen",
        password="geheim",
    )
    assert (await outcomes_of(channel, [make_message()]))[1].state is SENT
    login = next(line for line in server.lines if line.startswith("AUTH"))
    assert base64.b64decode(login.split()[2]).decode() == "\0jürgen\0geheim"


async def test_login_by_login_when_plain_is_not_offered(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.extensions = ("AUTH LOGIN",)
    server.always["AUTH"] = b"334 VXNlcm5hbWU6\r\n"
    server.say("response", b"334 UGFzc3dvcmQ6\r\n", b"235 2.7.0 welcome\r\n")
    channel = open_channel(server.port, username="anna", password="secret", plain_login=True)
    assert (await outcomes_of(channel, [make_message()]))[1].state is SENT
    assert server.lines[1:4] == [
        "AUTH LOGIN",
        base64.b64encode(b"anna").decode(),
        base64.b64encode(b"secret").decode(),
    ]


async def test_a_refused_login_defers_everything_and_rejects_nobody(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.extensions = ("AUTH PLAIN",)
    server.always["AUTH"] = b"535 5.7.8 wrong\r\n"
    channel = open_channel(server.port, username="anna", password="wrong", plain_login=True)
    outcomes = await outcomes_of(channel, [make_message(key) for key in range(5)])
    assert {(o.state, o.reason) for o in outcomes.values()} == {(DEFERRED, "auth_failed")}
    assert all("wrong" not in line for line in server.lines)


async def test_a_password_is_not_sent_over_a_connection_without_tls(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.extensions = ("AUTH PLAIN",)
    channel = open_channel(
        server.port, encryption=Encryption.OPPORTUNISTIC, username="anna", password="secret"
    )
    assert (await outcomes_of(channel, [make_message()]))[1].reason == "auth_failed"
    assert not any(line.startswith("AUTH") for line in server.lines)


async def test_a_server_without_login_is_not_used_when_one_is_configured(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    channel = open_channel(server.port, username="anna", password="secret", plain_login=True)
    assert (await outcomes_of(channel, [make_message()]))[1].reason == "auth_failed"


def test_settings_refuse_a_login_in_the_clear() -> None:
    with pytest.raises(ValueError, match="plain_login"):
        MailSettings(encryption=Encryption.NEVER, username="anna")
    with pytest.raises(ValueError, match="NUL"):
        MailSettings(encryption=Encryption.REQUIRED, username="a\0b")
    with pytest.raises(ValueError, match="client_name"):
        MailSettings(client_name="hub\r\nRSET")


def test_a_ca_file_that_is_not_there_is_named(certificate: Certificate) -> None:
    missing = certificate.cert.with_name("missing.pem")
    with pytest.raises(ConfigurationError, match=r"missing\.pem"):
        make_tls(MailSettings(ca_file=missing))
