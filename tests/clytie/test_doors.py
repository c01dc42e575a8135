"""The mail role: the doors that the settings enable are open, and what comes in is committed."""

from __future__ import annotations

import asyncio
import smtplib
import socket
from pathlib import Path

import pytest

from clytie.bootstrap import open_doors
from clytie.serve import plan_processes, settle_ports
from clytie.settings import Settings, load_settings
from domain.errors import ConfigurationError
from storage.pool import Pool

ACCOUNT = {"account_sid": "AC" + "0" * 32, "auth_token": "token"}


def make_settings(tmp_path: Path, database_url: str | None = None, **inbox: object) -> Settings:
    return load_settings(
        var=tmp_path,
        database_url=database_url,
        sandbox={"port": 0},
        carrier={"port": 0},
        inbox={"smtp": {"port": 0}} | inbox,
    )


async def test_mail_by_either_door_is_committed(database_url: str, pool: Pool, tmp_path: Path) -> None:
    settings = make_settings(
        tmp_path, database_url, lmtp={"enabled": True, "port": 0}, domains=["help.example"]
    )
    async with open_doors(settings) as doors:
        assert doors.sandbox is not None

        def send() -> None:
            for name, client in (("smtp", smtplib.SMTP), ("lmtp", smtplib.LMTP)):
                with client("127.0.0.1", doors.mail[name].port) as opened:
                    opened.sendmail("a@b.example", ["x@help.example"], f"Subject: by {name}\r\n\r\nHello")

        await asyncio.to_thread(send)
    rows = await pool.fetch(
        "SELECT door, recipients, sender, size FROM arrivals JOIN raw_mails r ON r.id = raw_id ORDER BY door DESC"
    )
    assert [tuple(row) for row in rows] == [
        ("smtp", ["x@help.example"], "a@b.example", 27),
        ("lmtp", ["x@help.example"], "a@b.example", 27),
    ]


async def test_only_what_is_enabled_is_open(database_url: str, tmp_path: Path) -> None:
    settings = make_settings(tmp_path, database_url, smtp={"enabled": False})
    async with open_doors(settings) as doors:
        assert doors.mail == {}


def test_the_mail_process_runs_while_any_door_is_enabled(tmp_path: Path) -> None:
    def roles(**changes: object) -> list[str]:
        settings = load_settings(var=tmp_path, **changes)
        return [process.name for process in plan_processes(settings, ["mail"], 1, {})]

    assert roles() == ["mail-1"]
    assert roles(sandbox={"enabled": False}) == ["mail-1"]
    off = {"enabled": False}
    assert roles(sandbox=off, inbox={"smtp": off}) == ["mail-1"]  # the test carrier
    assert roles(sandbox=off, carrier=off, inbox={"smtp": off}) == []
    assert roles(sandbox=off, sms=ACCOUNT, inbox={"smtp": off}) == []
    assert roles(sandbox=off, carrier=off, inbox={"smtp": off, "lmtp": {"enabled": True}}) == ["mail-1"]


def test_every_door_has_its_port_before_the_processes_start(tmp_path: Path) -> None:
    settings = settle_ports(make_settings(tmp_path, lmtp={"enabled": True, "port": 0}), ["mail"])
    ports = {
        settings.sandbox.port,
        settings.carrier.port,
        settings.inbox.smtp.port,
        settings.inbox.lmtp.port,
    }
    assert len(ports) == 4
    assert 0 not in ports


def test_a_taken_port_names_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = make_settings(tmp_path, smtp={"port": port})
        with pytest.raises(ConfigurationError, match=rf"CLYTIE_INBOX__SMTP__PORT.*{port}"):
            settle_ports(settings, ["mail"])
