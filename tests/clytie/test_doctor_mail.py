"""`clytie doctor mail`: what is wrong with a relay or a domain is found, with its remedy, and nothing is sent."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from channels.mail.oauth.settings import grant_name
from channels.mail.oauth.tokens import Grant
from channels.mail.settings import Encryption, RelaySettings
from clytie.commands.doctor_logins import examine_logins
from clytie.commands.doctor_mail import examine_mail
from clytie.commands.doctor_relay import examine_relay
from clytie.mailboxes import open_grants
from clytie.settings import Settings, load_settings
from domain.findings import Finding
from storage.pool import Pool
from tests.channels.odd_imap import OddServer
from tests.channels.scripted import ScriptedServer
from tests.oauth_provider import Provider

ROOT = Path(__file__).parents[2]


def make_certificate(folder: Path, days: int = 90, name: str = "127.0.0.1") -> tuple[Path, ssl.SSLContext]:
    """A certificate signed by itself, and the context of the server that shows it."""
    key = Ed25519PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    try:
        alternative: x509.GeneralName = x509.IPAddress(ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .sign(key, None)
    )
    file = folder / "server.pem"
    file.write_bytes(
        made.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return file, context


async def look(server: ScriptedServer, **settings: object) -> dict[str, Finding]:
    """The findings on a server that runs while they are made, by the last words of their subjects."""
    async with server.running():
        relay = RelaySettings(host="127.0.0.1", port=server.port, name="r", **settings)
        found = await asyncio.to_thread(list, examine_relay(relay))
    assert not [line for line in server.lines if line.startswith(("MAIL", "RCPT", "DATA"))]
    return {finding.subject.removeprefix("Mail r").strip(): finding for finding in found}


async def test_a_plain_server_is_told_to_be_one() -> None:
    found = await look(ScriptedServer(), encryption=Encryption.OPPORTUNISTIC)
    assert found[""].good
    assert "pipelining" in found[""].says
    assert (found["TLS"].good, "plain text" in found["TLS"].says) == (True, True)


async def test_required_encryption_that_is_not_offered_is_found() -> None:
    found = await look(ScriptedServer(), encryption=Encryption.REQUIRED)
    assert found["TLS"].good is False
    assert "587" in found["TLS"].remedy


async def test_a_good_certificate_and_login_are_told(tmp_path: Path) -> None:
    file, context = make_certificate(tmp_path)
    server = ScriptedServer(tls=context, extensions=("AUTH PLAIN",))
    server.always["AUTH"] = b"235 2.7.0 welcome\r\n"
    found = await look(
        server, encryption=Encryption.REQUIRED, ca_file=file, username="claire", password="secret"
    )
    assert {key: finding.good for key, finding in found.items()} == {"": True, "TLS": True, "login": True}
    assert "certificate checked, valid until" in found["TLS"].says


async def test_a_password_is_never_tried_where_the_sender_would_not_send_it() -> None:
    """Somebody on the way may have taken STARTTLS out of what the server offers."""
    server = ScriptedServer(extensions=("AUTH PLAIN",))
    found = await look(server, encryption=Encryption.OPPORTUNISTIC, username="claire", password="secret")
    assert (found["TLS"].good, "nothing is sent" in found["TLS"].says) == (False, True)
    assert "login" not in found
    assert not [line for line in server.lines if line.startswith("AUTH")]


async def test_a_password_in_any_script_is_tried_as_the_sender_does() -> None:
    server = ScriptedServer(extensions=("AUTH CRAM-MD5 PLAIN",))
    server.always["AUTH"] = b"235 2.7.0 welcome\r\n"
    found = await look(
        server, encryption=Encryption.NEVER, plain_login=True, username="zoë", password="пароль"
    )
    assert found["login"].good
    said = b64encode("\0zoë\0пароль".encode()).decode()
    assert f"AUTH PLAIN {said}" in server.lines


async def test_certificates_to_trust_that_cannot_be_read_are_found(tmp_path: Path) -> None:
    found = await look(ScriptedServer(), encryption=Encryption.REQUIRED, ca_file=tmp_path / "missing.pem")
    assert (found["TLS"].good, "CA_FILE" in found["TLS"].remedy) == (False, True)


def by_oauth(database_url: str, tmp_path: Path, provider: Provider, port: int) -> Settings:
    """A relay and a mailbox that log in as Anna; nobody listens where the mailbox should be."""
    login = {"host": "127.0.0.1", "encryption": "never", "plain_login": True, "oauth": provider.settings()}
    return Settings.model_validate(
        {
            "var": tmp_path,
            "database_url": database_url,
            "redis_url": "redis://127.0.0.1:1",
            "token_keys": {"1": bytes(range(32)).hex()},
            "mail": {**login, "port": port, "name": "r", "username": "anna@firm.example"},
            "inbox": {"imap": [{**login, "port": 1, "name": "anna", "username": "anna@firm.example"}]},
        }
    )


async def test_a_relay_by_oauth_is_logged_in_at_with_a_token(
    database_url: str, pool: Pool, tmp_path: Path
) -> None:
    server = ScriptedServer(extensions=("AUTH PLAIN XOAUTH2",))
    server.always["AUTH"] = b"235 2.7.0 welcome\r\n"
    async with server.running(), Provider().running() as provider:
        settings = by_oauth(database_url, tmp_path, provider, server.port)
        found = {finding.subject: finding async for finding in examine_logins(settings)}
        assert (found["Mail r"].good, found["Mail r login"].good) == (True, False)
        assert "clytie mail login r" in found["Mail r login"].remedy
        assert "Nobody has logged in" in found["Mailbox anna"].says
        assert not [line for line in server.lines if line.startswith("AUTH")]
        assert settings.mail is not None
        assert settings.mail.oauth is not None
        async with open_grants(settings, pool).hold(
            grant_name(settings.mail.oauth, "anna@firm.example")
        ) as held:
            await held.keep(Grant(refresh_token=provider.grant_refresh("anna@firm.example")))
        found = {finding.subject: finding async for finding in examine_logins(settings)}
        assert found["Mail r login"].good
        assert "Nobody" not in found["Mailbox anna"].says
        [token] = provider.access
    [said] = [line for line in server.lines if line.startswith("AUTH")]
    assert f"Bearer {token}".encode() in b64decode(said.removeprefix("AUTH XOAUTH2 "))
    assert token not in str(found)


async def test_without_the_database_nobody_can_tell_about_logins_by_oauth(tmp_path: Path) -> None:
    async with ScriptedServer().running() as server, Provider().running() as provider:
        settings = by_oauth("postgresql://nobody@127.0.0.1:1/none", tmp_path, provider, server.port)
        found = {finding.subject: finding async for finding in examine_logins(settings)}
    assert [found[name].good for name in ("Mail r", "Mail r login", "Mailbox anna")] == [True, None, None]


async def test_a_mailbox_in_order_has_one_line(tmp_path: Path) -> None:
    async with OddServer().running() as server:
        account = server.account().model_dump(mode="json", exclude_defaults=True) | {"password": "secret"}
        off = {**account, "name": "off", "enabled": False}
        gone = {**account, "name": "gone", "port": 1}
        settings = Settings.model_validate({"var": tmp_path, "inbox": {"imap": [account, off, gone]}})
        found = [one async for one in examine_logins(settings) if one.subject.startswith("Mailbox")]
    assert [(one.subject, one.good) for one in found] == [("Mailbox odd", True), ("Mailbox gone", False)]
    assert found[0].says.endswith("read: INBOX")
    assert found[1].remedy


async def test_a_refused_login_says_what_to_check(tmp_path: Path) -> None:
    file, context = make_certificate(tmp_path)
    server = ScriptedServer(tls=context, extensions=("AUTH PLAIN",))
    server.always["AUTH"] = b"535 5.7.8 wrong\r\n"
    found = await look(
        server, encryption=Encryption.REQUIRED, ca_file=file, username="claire", password="secret"
    )
    assert "535 5.7.8 wrong" in found["login"].says
    assert "__PASSWORD" in found["login"].remedy
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    ("days", "name", "says"), [(90, "mail.firm.example", "127.0.0.1"), (3, "127.0.0.1", "")]
)
async def test_a_certificate_of_another_name_or_soon_over_is_found(
    tmp_path: Path, days: int, name: str, says: str
) -> None:
    file, context = make_certificate(tmp_path, days, name)
    found = await look(ScriptedServer(tls=context), encryption=Encryption.REQUIRED, ca_file=file)
    assert found["TLS"].good is False
    assert says in found["TLS"].says
    assert "certificate" in found["TLS"].remedy


def test_a_server_that_is_not_there_is_found(free_port: int) -> None:
    (found,) = examine_relay(RelaySettings(host="127.0.0.1", port=free_port))
    assert (found.good, "CLYTIE_MAIL__HOST" in found.remedy) == (False, True)


async def test_the_domains_of_queues_and_campaigns_are_looked_up(
    database_url: str, pool: Pool, redis_url: str, tmp_path: Path
) -> None:
    await pool.execute("INSERT INTO queues (name, from_address) VALUES ('Help', 'help@firm.de')")
    await pool.execute(
        """INSERT INTO campaigns (name, source) VALUES ('Spring', '{"from_address": "news@other.example"}')"""
    )
    asked: list[str] = []

    def resolver(name: str, kind: str) -> Sequence[str]:
        asked.append(name)
        return ()

    async with ScriptedServer().running() as server:
        settings = Settings(
            var=tmp_path,
            database_url=database_url,
            redis_url=redis_url,
            mail={"host": "127.0.0.1", "port": server.port},
        )
        found = {finding.subject: finding async for finding in examine_mail(settings, resolver)}
    assert found["SPF firm.de"].good is False
    assert found["DMARC firm.de"].good is False
    assert found["Domain other.example"].good
    assert "_dmarc.firm.de" in asked


def test_the_command_tells_of_keys_that_cannot_be_read(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clytie", "doctor", "mail"],
        cwd=ROOT,
        env={
            **os.environ,
            "CLYTIE_DATABASE_URL": database_url,
            "CLYTIE_REDIS_URL": redis_url,
            "CLYTIE_VAR": str(tmp_path / "var"),
            "CLYTIE_DKIM": json.dumps(
                [{"domain": "firm.example", "selector": "s1", "file": str(tmp_path / "no")}]
            ),
        },
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "!! DKIM key s1" in done.stdout
    assert "Check the path" in done.stdout


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_dkim_keys_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLYTIE_DKIM", '[{"domain": "firm.example", "selector": "s1", "file": "/k.pem"}]')
    assert load_settings().dkim[0].file == Path("/k.pem")
