"""TLS and logins at the SMTP door."""

from __future__ import annotations

import asyncio
import shutil
import smtplib
import ssl
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from pydantic import ValidationError

from channels.mail.door.mail_door import MailDoor
from channels.mail.door.settings import SmtpSettings
from domain.errors import ConfigurationError
from tests.channels.conftest import Certificate
from tests.channels.door_house import DoorHouse, wire_to

SECRET = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")


def submission(certificate: Certificate, **more: Any) -> dict[str, Any]:
    return {
        "certificate": certificate.cert,
        "certificate_key": certificate.key,
        "users": {"anna": SECRET},
        **more,
    }


def log_in(door: MailDoor, certificate: Certificate, user: str, password: str, method: str) -> Any:
    context = ssl.create_default_context(cafile=str(certificate.cert))
    with smtplib.SMTP("127.0.0.1", door.port) as client:
        client.starttls(context=context)
        client.ehlo()
        client.user, client.password = user, password
        if method == "PLAIN":
            return client.auth("plain", client.auth_plain)
        client.auth("LOGIN", client.auth_login, initial_response_ok=False)
        return client.sendmail(user + "@example.com", ["x@example.com"], b"Subject: x\r\n\r\n")


@pytest.mark.parametrize("method", ["PLAIN", "LOGIN"])
async def test_our_own_people_log_in_after_starttls(certificate: Certificate, method: str) -> None:
    house = DoorHouse()
    async with house.door(**submission(certificate)) as door:
        await asyncio.to_thread(log_in, door, certificate, "anna", "correct horse", method)
    if method == "LOGIN":
        assert house.mails[0].meta["user"] == "anna"
        assert house.mails[0].meta["protocol"] == "ESMTPSA"


@pytest.mark.parametrize(("user", "password"), [("anna", "wrong"), ("eve", "correct horse"), ("", "")])
async def test_others_do_not(certificate: Certificate, user: str, password: str) -> None:
    async with DoorHouse().door(**submission(certificate)) as door:
        with pytest.raises(smtplib.SMTPAuthenticationError) as failure:
            await asyncio.to_thread(log_in, door, certificate, user, password, "PLAIN")
    assert failure.value.smtp_code == 535


async def test_passwords_are_not_taken_in_the_clear(certificate: Certificate) -> None:
    async with DoorHouse().door(**submission(certificate)) as door, wire_to(door) as wire:
        assert "AUTH" not in await wire.say("EHLO c")
        token = b64encode(b"\0anna\0correct horse").decode()
        assert (await wire.say(f"AUTH PLAIN {token}")).startswith("538")


async def test_without_a_login_a_closed_door_takes_nothing(certificate: Certificate) -> None:
    settings = submission(certificate, login_required=True, tls_required=True)
    async with DoorHouse().door(**settings) as door, wire_to(door) as wire:
        await wire.say("EHLO c")
        assert (await wire.say("MAIL FROM:<a@b.example>")).startswith("530")

        def send() -> None:
            with smtplib.SMTP("127.0.0.1", door.port) as client:
                client.starttls(context=ssl.create_default_context(cafile=str(certificate.cert)))
                client.sendmail("a@b.example", ["x@example.com"], b"")

        with pytest.raises(smtplib.SMTPSenderRefused, match=r"5\.7\.0"):
            await asyncio.to_thread(send)


async def test_guessed_passwords_end_the_connection(certificate: Certificate) -> None:
    settings = submission(certificate, errors_limit=3, trusted_networks=[])

    def guess(port: int) -> list[int]:
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.starttls(context=ssl.create_default_context(cafile=str(certificate.cert)))
            client.ehlo()
            token = b64encode(b"\0anna\0guess").decode()
            codes = [client.docmd("AUTH", f"PLAIN {token}")[0] for _ in range(3)]
            codes.append(client.getreply()[0])
            client.close()
            return codes

    async with DoorHouse().door(**settings) as door:
        assert await asyncio.to_thread(guess, door.port) == [535, 535, 535, 421]


async def test_what_was_sent_before_tls_is_forgotten(certificate: Certificate) -> None:
    """Commands put in front of the handshake by a stranger in between (CVE-2011-0411)."""
    house = DoorHouse()
    async with house.door(**submission(certificate)) as door, wire_to(door) as wire:
        await wire.say("EHLO stranger")
        wire.send("STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@b.example>\r\nRCPT TO:<x@example.com>")
        assert (await wire.read()).startswith("220")
        context = ssl.create_default_context(cafile=str(certificate.cert))
        try:
            await asyncio.wait_for(wire.writer.start_tls(context, server_hostname="localhost"), 5)
        except (ssl.SSLError, ConnectionError, TimeoutError):
            return  # the clear text was taken for a part of the handshake, and that failed
        assert (await wire.say("MAIL FROM:<a@b.example>")).startswith("503")
    assert house.mails == []


async def test_an_answer_without_an_end_is_its_senders_fault(
    certificate: Certificate, caplog: pytest.LogCaptureFixture
) -> None:
    def answer_at_length(port: int) -> int:
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.starttls(context=ssl.create_default_context(cafile=str(certificate.cert)))
            client.ehlo()
            assert client.docmd("AUTH", "PLAIN")[0] == 334
            code = client.docmd("A" * 100_000)[0]
            client.close()
            return code

    async with DoorHouse().door(**submission(certificate)) as door:
        assert await asyncio.to_thread(answer_at_length, door.port) == 500
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_tls_begins_once(certificate: Certificate, caplog: pytest.LogCaptureFixture) -> None:
    def begin_twice(port: int) -> tuple[int, int]:
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.starttls(context=ssl.create_default_context(cafile=str(certificate.cert)))
            client.ehlo()
            return client.docmd("STARTTLS")[0], client.noop()[0]

    async with DoorHouse().door(**submission(certificate)) as door:
        assert await asyncio.to_thread(begin_twice, door.port) == (503, 250)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_handshake_that_fails_ends_the_connection_and_fills_no_log(
    certificate: Certificate, caplog: pytest.LogCaptureFixture
) -> None:
    async with DoorHouse().door(**submission(certificate)) as door:
        async with wire_to(door) as wire:
            await wire.say("EHLO c")
            assert (await wire.say("STARTTLS")).startswith("220")
            wire.writer.write(b"GET / HTTP/1.1\r\n\r\n" * 100)
            assert await wire.closed()
        await asyncio.sleep(0.1)
        assert door.peers.total == 0
    assert [
        record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")
    ] == []


async def test_a_renewed_certificate_is_used_without_a_restart(
    certificate: Certificate, tmp_path: Path
) -> None:
    file = tmp_path / "both.pem"
    file.write_bytes(certificate.cert.read_bytes() + certificate.key.read_bytes())
    async with DoorHouse().door(certificate=file) as door:
        assert door.certificate is not None
        first = door.certificate.context()
        assert door.certificate.context() is first
        file.write_bytes(b"broken while it is being written")
        assert door.certificate.context() is first
        file.write_bytes(certificate.key.read_bytes() + certificate.cert.read_bytes())
        assert door.certificate.context() is not first


async def test_a_certificate_that_cannot_be_used_names_its_setting(
    certificate: Certificate, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    shutil.copy(certificate.cert, other)
    for files in ({"certificate": tmp_path / "missing.pem"}, {"certificate": other}):
        with pytest.raises(ConfigurationError, match=r"inbox\.smtp\.certificate"):
            MailDoor("smtp", DoorHouse().store, DoorHouse().knows, SmtpSettings.model_validate(files))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"users": {"anna": "secret"}}, "argon2"),
        ({"users": {"anna": SECRET}}, "certificate"),
        ({"tls_required": True}, "certificate"),
        ({"login_required": True}, "add users"),
        ({"certificate_key": "/key.pem"}, "set both"),
    ],
)
def test_settings_that_cannot_work_say_what_is_missing(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SmtpSettings.model_validate(values)
