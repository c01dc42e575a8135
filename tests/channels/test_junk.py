"""Junk and viruses: the notes of other filters, and real scanners that are asked, are away, or answer nonsense."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import ValidationError

from channels.mail.junk import Junk, JunkJudge, JunkSettings
from channels.mail.junk.scanners import ScannerAway, ask_clamav, ask_rspamd
from channels.mail.junk.upstream import read_notes
from channels.mail.parsed import ParsedMail
from tests.servers import find_program

VIRUS = b"a file that this test calls a virus"
RAW = b"From: a@there.example\r\nTo: us@hub.example\r\nSubject: x\r\n\r\n%s\r\n"


def noted(*headers: tuple[str, str]) -> tuple[str, str]:
    return read_notes(ParsedMail(headers=headers))


@pytest.mark.parametrize(
    ("header", "value", "by"),
    [
        ("X-Spam-Flag", "YES", "SpamAssassin"),
        ("X-Spam-Status", "Yes, score=12.3 required=5.0 tests=BAYES_99", "SpamAssassin"),
        ("X-Spam", "Yes", "rspamd"),
        ("X-MS-Exchange-Organization-SCL", "6", "Exchange"),
        ("X-Forefront-Antispam-Report", "CIP:1.2.3.4;CTRY:US;SCL:1;SFV:SPM;CAT:SPM;", "Exchange Online"),
        ("X-Bogosity", "Spam, tests=bogofilter, spamicity=0.99", "bogofilter"),
        ("x-barracuda-spam-status", "Yes, SCORE=7", "Barracuda"),
    ],
)
def test_the_notes_of_filters_before_ours_are_understood(header: str, value: str, by: str) -> None:
    assert noted((header, value)) == (by, "")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-Spam-Flag", "NO"),
        ("X-Spam-Status", "No, score=-1.2 required=5.0 tests=YES_PLEASE"),
        ("X-MS-Exchange-Organization-SCL", "-1"),
        ("X-MS-Exchange-Organization-SCL", "1"),
        ("X-Forefront-Antispam-Report", "SCL:1;SFV:NSPM;CAT:NONE;"),
        ("X-Proofpoint-Spam-Details", "rule=notspam policy=default score=0"),
        ("X-Virus-Status", "Clean"),
        ("X-Virus-Scanned", "amavisd-new at there.example"),
        ("X-Bogosity", "Ham, tests=bogofilter"),
    ],
)
def test_a_good_note_is_no_verdict(header: str, value: str) -> None:
    assert noted((header, value)) == ("", "")


def test_the_topmost_of_several_notes_counts() -> None:
    assert noted(("X-Spam-Flag", "NO"), ("X-Spam-Flag", "YES")) == ("", "")


def test_a_virus_is_named() -> None:
    assert noted(("X-Virus-Status", "Infected (Eicar-Signature)")) == ("", "Eicar-Signature")
    assert noted(("X-Amavis-Alert", "INFECTED, message contains virus: Win.Trojan")) == ("", "Win.Trojan")


async def judge(settings: JunkSettings, raw: bytes, *headers: tuple[str, str]) -> Junk:
    return await JunkJudge(settings).judge(
        raw,
        ParsedMail(headers=headers),
        sender="a@there.example",
        recipients=["us@hub.example"],
        peer="192.0.2.1",
        helo="there.example",
    )


async def test_headers_are_believed_unless_told_otherwise() -> None:
    assert (await judge(JunkSettings(), RAW, ("X-Spam-Flag", "YES"))).reason == "SpamAssassin"
    assert not await judge(JunkSettings(headers=False), RAW, ("X-Spam-Flag", "YES"))


# Real scanners ------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(400):
        assert process.poll() is None, "the scanner ended by itself"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the scanner did not begin to listen")


def run(process: subprocess.Popen[bytes], port: int) -> Iterator[int]:
    try:
        await_port(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A clamd with one signature; gives its port."""
    program = find_program("clamd", "clamav-daemon")
    folder, port = tmp_path_factory.mktemp("clamd"), free_port()
    (folder / "db").mkdir()
    (folder / "db" / "own.hdb").write_text(f"{hashlib.md5(VIRUS).hexdigest()}:{len(VIRUS)}:Clytie.Test\n")
    (folder / "clamd.conf").write_text(
        f"TCPSocket {port}\nTCPAddr 127.0.0.1\nDatabaseDirectory {folder}/db\nForeground yes\nStreamMaxLength 1M\n"
    )
    (folder / "db" / "own.hdb").chmod(0o644)
    yield from run(
        subprocess.Popen(
            [program, f"--config-file={folder}/clamd.conf"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ),
        port,
    )


@pytest.fixture(scope="module")
def rspamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """An rspamd with one rule and no DNS; gives its port."""
    program = find_program("rspamd", "rspamd")
    folder, port = tmp_path_factory.mktemp("rspamd"), free_port()
    (folder / "rspamd.conf").write_text(
        f"""
options {{
  pidfile = "{folder}/pid"; filters = "regexp"; tempdir = "{folder}"; hs_cache_dir = "{folder}";
  dns {{ nameserver = ["127.0.0.1:1"]; timeout = 0.1s; retransmits = 1; }}
  control_socket = "{folder}/control mode=0600";
}}
logging {{ type = "console"; level = "error"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
metric {{ name = "default"; actions {{ reject = 15; add_header = 6; greylist = 4; }} group "x" {{ symbol "OURS" {{ weight = 10; }} }} }}
regexp {{ OURS {{ re = "/buy my pills/Psi"; }} }}
"""
    )
    with (folder / "log").open("wb") as log:
        yield from run(
            subprocess.Popen([program, "-f", "-i", "-c", f"{folder}/rspamd.conf"], stdout=log, stderr=log),
            port,
        )


async def test_clamd_names_what_it_finds(clamd: int) -> None:
    place = f"127.0.0.1:{clamd}"
    assert await ask_clamav(place, VIRUS) == "Clytie.Test.UNOFFICIAL"
    assert await ask_clamav(place, b"x" * 300_000) == ""
    found = await judge(JunkSettings(clamav=place), VIRUS)
    assert (found.reason, found.virus) == ("virus", "Clytie.Test.UNOFFICIAL")


async def test_a_mail_too_long_for_clamd_counts_as_unscanned(clamd: int) -> None:
    found = await judge(JunkSettings(clamav=f"127.0.0.1:{clamd}"), b"x" * 5_000_000)
    assert (bool(found), found.unscanned) == (False, ("clamav",))


async def test_rspamd_is_asked_with_the_envelope(rspamd: int) -> None:
    settings = JunkSettings(rspamd=f"http://127.0.0.1:{rspamd}")
    found = await judge(settings, RAW % b"Buy my pills")
    assert (found.reason, found.score) == ("rspamd", 10.0)
    assert not await judge(settings, RAW % b"See you on Monday")


async def test_a_scanner_that_is_away_delays_nothing() -> None:
    port = free_port()
    settings = JunkSettings(rspamd=f"http://127.0.0.1:{port}", clamav=f"127.0.0.1:{port}")
    found = await judge(settings, RAW, ("X-Spam-Flag", "YES"))
    assert (found.reason, found.unscanned) == ("SpamAssassin", ("rspamd", "clamav"))


@asynccontextmanager
async def nonsense(reply: bytes) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(reply)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    "reply", [b"", b"rubbish\0", b"x" * 100_000, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]
)
async def test_an_answer_that_is_none_is_an_absence(reply: bytes) -> None:
    async with nonsense(reply) as port:
        with pytest.raises(ScannerAway):
            await ask_clamav(f"127.0.0.1:{port}", RAW, 2)
    async with nonsense(reply) as port:
        with pytest.raises(ScannerAway):
            await ask_rspamd(
                f"http://127.0.0.1:{port}", RAW, sender="", recipients=[], peer="", helo="", timeout=2
            )


def test_a_place_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError):
        JunkSettings(clamav="3310")
    assert JunkSettings(clamav=f"unix:{Path('/run/clamd')}").clamav == "unix:/run/clamd"
