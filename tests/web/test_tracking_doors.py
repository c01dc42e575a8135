"""Pixel and redirect over real HTTP: what they answer, what is in the database when they have answered."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from domain.tokens import TokenKeys, TokenUse
from storage.pool import Pool, open_pool
from tests.tracking.town import (
    BROWSER,
    KEYS,
    LINK,
    NOON,
    Client,
    Letter,
    count_traces,
    open_doors,
    read_counts,
    read_hits,
    send_letter,
    until,
)
from tests.tracking.wire import lay_wire
from tracking.settings import TrackingSettings
from web.tracking.doors import GIF
from web.tracking.redirects import to_location

MARK = "Clytie-Unrecorded"


@pytest.fixture
async def doors(pool: Pool, tmp_path: Path) -> AsyncIterator[Client]:
    async with open_doors(pool, tmp_path) as client:
        yield client


@pytest.fixture
async def letter(pool: Pool) -> Letter:
    return await send_letter(pool)


async def test_the_pixel_is_a_picture_that_no_cache_keeps(doors: Client, letter: Letter) -> None:
    answer = await doors.get(letter.pixel)
    assert (answer.status, await answer.read()) == (200, GIF)
    assert len(GIF) == 43
    assert answer.headers["Content-Type"] == "image/gif"
    assert "no-store" in answer.headers["Cache-Control"]
    assert "Date" in answer.headers
    assert MARK not in answer.headers


async def test_when_the_pixel_answers_the_open_is_in_the_database(
    pool: Pool, doors: Client, letter: Letter
) -> None:
    await doors.get(letter.pixel, headers={"User-Agent": BROWSER})
    [hit] = await read_hits(pool)
    assert (hit["type"], hit["message_id"], hit["agent"]) == ("Opened", letter.message_id, BROWSER)
    assert (hit["address"], hit["method"], hit["reasons"]) == ("127.0.0.1", "GET", [])
    assert hit["occurred_at"] == NOON


async def test_a_link_leads_to_where_the_campaign_says(pool: Pool, doors: Client, letter: Letter) -> None:
    answer = await doors.get(letter.link(2), allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, LINK)
    [hit] = await read_hits(pool)
    assert (hit["type"], hit["link_no"], hit["data"]) == ("Clicked", 2, {"link_no": 2})


async def test_a_link_that_a_draft_got_just_now_works(pool: Pool, doors: Client, letter: Letter) -> None:
    assert (await doors.get(letter.link(9), allow_redirects=False)).status == 404
    await pool.execute("INSERT INTO campaign_links VALUES ($1, 9, $2)", letter.campaign_id, LINK)
    await asyncio.sleep(1.1)
    assert (await doors.get(letter.link(9), allow_redirects=False)).status == 302


async def test_an_anonymous_link_leads_there_too_and_names_nobody(
    pool: Pool, doors: Client, letter: Letter
) -> None:
    token = KEYS.sign(TokenUse.MEASURE, letter.campaign_id)
    answer = await doors.get(f"/c/{token}.1", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, LINK)
    assert await read_counts(pool) == {("Clicked", 1): 1}
    assert await read_hits(pool) == []


async def test_after_a_withdrawal_the_doors_open_and_nothing_is_recorded(
    pool: Pool, doors: Client, letter: Letter
) -> None:
    await pool.execute("UPDATE consents SET state = 'withdrawn' WHERE purpose = 'measure'")
    assert (await doors.get(letter.pixel)).status == 200
    assert (await doors.get(letter.link(1), allow_redirects=False)).status == 302
    assert await count_traces(pool) == 0


async def test_head_is_answered_without_a_body_and_noted_as_automatic(
    pool: Pool, doors: Client, letter: Letter
) -> None:
    pixel = await doors.head(letter.pixel)
    assert (pixel.status, pixel.headers["Content-Length"], await pixel.read()) == (200, "43", b"")
    assert (await doors.head(letter.link(1), allow_redirects=False)).status == 302
    assert [(hit["method"], hit["reasons"]) for hit in await read_hits(pool)] == [("HEAD", ["head"])] * 2


@pytest.mark.parametrize(
    "header", [{"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}, {"X-Moz": "prefetch"}]
)
async def test_a_prefetch_is_noted(pool: Pool, doors: Client, letter: Letter, header: dict[str, str]) -> None:
    await doors.get(letter.pixel, headers=header)
    [hit] = await read_hits(pool)
    assert hit["reasons"] == ["prefetch"]


async def test_connections_stay_open_and_close_when_the_client_asks(doors: Client, letter: Letter) -> None:
    host, port = doors.server.host, doors.server.port
    reader, writer = await asyncio.open_connection(host, port)
    request = f"GET {letter.pixel} HTTP/1.1\r\nHost: {host}\r\n"
    writer.write(f"{request}\r\n{request}\r\n".encode())
    for _ in range(2):
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Connection" not in head
        assert await reader.readexactly(43) == GIF
    writer.write(f"{request}Connection: close\r\n\r\n".encode())
    rest = await asyncio.wait_for(reader.read(), 5)
    assert b"Connection: close" in rest
    assert rest.endswith(GIF)
    writer.close()


async def test_http_1_0_gets_its_answer_and_a_closed_connection(doors: Client, letter: Letter) -> None:
    assert (await ask(doors, f"GET {letter.pixel} HTTP/1.0\r\n\r\n".encode())).endswith(GIF)


ASKED = 5_000  # about 1.5 MB of answers


async def ask_without_reading(
    doors: Client,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.Transport]:
    """Ask ASKED times for a pixel over one connection with small buffers; gives the server's side of it, too."""
    near = socket.socket()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    near.setblocking(False)
    await asyncio.get_running_loop().sock_connect(near, (doors.server.host, doors.server.port))
    reader, writer = await asyncio.open_connection(sock=near, limit=1)
    assert doors.server.runner is not None
    server = doors.server.runner.server
    assert server is not None

    async def is_connected() -> bool:
        return any(each.transport is not None for each in server.connections)

    await until(is_connected)
    [far] = [each.transport for each in server.connections if each.transport is not None]
    far.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    writer.write(b"GET /o/nobody.gif HTTP/1.1\r\nHost: a\r\n\r\n" * ASKED)
    return reader, writer, far


async def test_answers_that_nobody_reads_do_not_pile_up(doors: Client) -> None:
    reader, writer, far = await ask_without_reading(doors)
    held = []
    for _ in range(30):
        await asyncio.sleep(0.05)
        held.append(far.get_write_buffer_size())
    assert 0 < max(held) < 200_000
    writer.write(b"GET /o/nobody.gif HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    answers = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    assert answers.count(b"HTTP/1.1 404") == ASKED + 1


async def test_who_never_reads_is_hung_up_on(doors: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.tracking.answers.READER_SECONDS", 0.2)
    _, writer, far = await ask_without_reading(doors)

    async def is_over() -> bool:
        return far.is_closing()

    await until(is_over)
    writer.transport.abort()


# Forged, damaged, unknown ------------------------------------------------------------------------------------------


async def test_a_forged_pixel_is_still_a_picture_but_not_found(
    pool: Pool, doors: Client, letter: Letter
) -> None:
    forged = TokenKeys({1: b"x" * 32}).sign(TokenUse.MEASURE, letter.campaign_id, letter.message_id)
    answer = await doors.get(f"/o/{forged}.gif")
    assert (answer.status, await answer.read()) == (404, GIF)
    assert await count_traces(pool) == 0


async def test_a_forged_link_leads_nowhere_and_says_so_calmly(
    pool: Pool, doors: Client, letter: Letter
) -> None:
    forged = TokenKeys({1: b"x" * 32}).sign(TokenUse.MEASURE, letter.campaign_id, letter.message_id)
    for path in (f"/c/{forged}.1", letter.link(99), letter.link(0), f"/c/{letter.token}", "/c/nonsense"):
        answer = await doors.get(path, allow_redirects=False, headers={"Accept-Language": "en"})
        assert (answer.status, "Location" in answer.headers) == (404, False)
        assert "This link leads nowhere" in await answer.text()
    assert await count_traces(pool) == 0


@pytest.mark.parametrize("use", [use for use in TokenUse if use is not TokenUse.MEASURE])
async def test_tokens_for_other_uses_measure_nothing(
    pool: Pool, doors: Client, letter: Letter, use: TokenUse
) -> None:
    token = KEYS.sign(use, letter.campaign_id, letter.message_id)
    assert (await doors.get(f"/o/{token}.gif")).status == 404
    assert (await doors.get(f"/c/{token}.1", allow_redirects=False)).status == 404
    assert await count_traces(pool) == 0


@pytest.mark.parametrize(
    "query", ["?url=https://evil.example", "?to=//evil.example", "//evil.example", "/https://evil.example"]
)
async def test_no_part_of_the_address_moves_the_target(doors: Client, letter: Letter, query: str) -> None:
    answer = await doors.get(URL(letter.link(1) + query, encoded=True), allow_redirects=False)
    assert answer.headers.get("Location", LINK) == LINK


@pytest.mark.parametrize(
    ("url", "location"),
    [
        (LINK, LINK),
        ("https://exämple.example/päth?q=ü", "https://xn--exmple-cua.example/p%C3%A4th?q=%C3%BC"),
        ("https://shop.example/a%20b?c=%26", "https://shop.example/a%20b?c=%26"),
        ("http://[2001:db8::1]:8080/x", "http://[2001:db8::1]:8080/x"),
        ("javascript:alert(1)", None),
        ("data:text/html,hello", None),
        ("//evil.example", None),
        ("https:///path", None),
        ("https://a.example/\r\nSet-Cookie: a=b", None),
        ("https://a.example/ b", None),
        ("https://[broken", None),
        ("", None),
    ],
)
def test_a_location_is_a_plain_web_address_or_nothing(url: str, location: str | None) -> None:
    assert to_location(url) == location


async def test_a_link_that_is_no_web_address_is_not_followed(
    pool: Pool, doors: Client, letter: Letter
) -> None:
    await pool.execute("UPDATE campaign_links SET url = 'javascript:alert(1)' WHERE no = 1")
    assert (await doors.get(letter.link(1), allow_redirects=False)).status == 404


hostile = st.one_of(
    st.text(max_size=80).map(lambda text: quote(text, safe="/:@!$&'()*+,;=~[]|^`{}")),
    st.binary(max_size=40).map(lambda raw: "".join(f"%{byte:02x}" for byte in raw)),
    st.sampled_from(["..", ".", "%00", "%2e%2e%2f", "%ff", "a" * 5000, "{token}", ".gif", "\\", "%5c", "%"]),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    door=st.sampled_from(["o", "c", "d", "u", "d/none"]),
    name=hostile,
    rest=st.none() | hostile,
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS"]),
    body=st.binary(max_size=60),
    kind=st.sampled_from(
        [
            "application/x-www-form-urlencoded",
            "application/x-www-form-urlencoded; charset=nonsense",
            "multipart/form-data",
            "multipart/form-data; boundary=x",
            "a/b",
            "\udcff",
        ]
    ),
)
async def test_whatever_is_asked_is_never_a_server_error(
    doors: Client,
    letter: Letter,
    door: str,
    name: str,
    rest: str | None,
    method: str,
    body: bytes,
    kind: str,
) -> None:
    for token in ("", letter.token, letter.preferences[3:]):
        path = "/".join(["", door, token + name] + ([rest] if rest is not None else []))
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        answer = await ask(doors, head.encode("utf-8", "surrogateescape") + body)
        assert answer.startswith(b"HTTP/1.")
        assert answer.split(b" ")[1] < b"500", answer


async def ask(doors: Client, request: bytes) -> bytes:
    """Send bytes, and read until the server has closed the connection."""
    reader, writer = await asyncio.open_connection(doors.server.host, doors.server.port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def test_strange_headers_are_recorded_as_text(pool: Pool, doors: Client, letter: Letter) -> None:
    agent = b"\xff\xfe caf\xe9 " + b"x" * 400
    head = f"GET {letter.pixel} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: ".encode()
    assert (await ask(doors, head + agent + b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    [hit] = await read_hits(pool)
    assert len(hit["agent"]) == 300
    assert " caf" in hit["agent"]


# Whose address -----------------------------------------------------------------------------------------------------

FORWARDED = {"X-Forwarded-For": "203.0.113.9, 198.51.100.4, 10.0.0.8"}


async def test_a_stranger_cannot_say_for_whom_it_asks(pool: Pool, doors: Client, letter: Letter) -> None:
    await doors.get(letter.pixel, headers=FORWARDED)
    [hit] = await read_hits(pool)
    assert hit["address"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("203.0.113.9, 198.51.100.4, 10.0.0.8", "198.51.100.4"),
        ("198.51.100.4", "198.51.100.4"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:198.51.100.4", "198.51.100.4"),
        ("unknown", "127.0.0.1"),
        ("203.0.113.9, nonsense, 10.0.0.8", "10.0.0.8"),
        ("", "127.0.0.1"),
    ],
)
async def test_a_trusted_proxy_says_for_whom_it_asks(
    pool: Pool, tmp_path: Path, letter: Letter, header: str, address: str
) -> None:
    trusted = TrackingSettings.model_validate({"trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"]})
    async with open_doors(pool, tmp_path, trusted) as doors:
        await doors.get(letter.pixel, headers={"X-Forwarded-For": header})
    [hit] = await read_hits(pool)
    assert hit["address"] == address


# Without a database ------------------------------------------------------------------------------------------------


async def test_without_a_database_the_pixel_says_so_and_the_redirect_still_leads_there(
    pool: Pool, database_url: str, letter: Letter, tmp_path: Path
) -> None:
    async with lay_wire(database_url) as wire:
        far = await open_pool(wire.url, max_size=3)
        async with open_doors(far, tmp_path, TrackingSettings(patience=0.5)) as doors:
            assert (await doors.get(letter.pixel)).status == 200
            await wire.break_down()
            begun = asyncio.get_running_loop().time()
            pixel, click, stranger = await asyncio.gather(
                doors.get(letter.pixel),
                doors.get(letter.link(1), allow_redirects=False),
                doors.get(f"/c/{KEYS.sign(TokenUse.MEASURE, 4711, 1)}.1", allow_redirects=False),
            )
            assert asyncio.get_running_loop().time() - begun < 2
            assert (pixel.status, pixel.headers[MARK], pixel.headers["Retry-After"]) == (503, "1", "5")
            assert (click.status, click.headers[MARK], click.headers["Location"]) == (302, "1", LINK)
            assert (stranger.status, stranger.headers["Retry-After"]) == (503, "5")
            wire.mend()
            async with asyncio.timeout(10):
                while MARK in (await doors.get(letter.pixel)).headers:
                    pass
        far.terminate()
