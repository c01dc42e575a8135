"""Names of files from strangers: read as they are, fetched whatever they are."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from storage.pool import Pool
from tests.web.correspondence import Correspondence, build_correspondence
from tests.web.house import House
from tests.web.test_conversation_pages import enter
from tests.web.world import build_world
from web.console.mail_files import disposition
from web.mails.file_names import file_name, file_url

ODD = (
    "", ".", "..", "...", "/", "a/b.pdf", "..\\..\\x", "{1}.pdf", "%2e%2e%2f", "a?b#c.txt", 'x";filename="y.exe',
    "line\r\nSet-Cookie: a=b", "\u202egpj.exe", "\u2066a\u2069.pdf", "nul\0.txt", "é" * 300, "<img src=x>.png", "'\"><script>",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("a\r\nb", "ab"),
        ("..", "file"),
        (" \u200f ", "file"),
        ("devis été.pdf", "devis été.pdf"),
    ],
)
def test_a_name_reads_as_it_is(name: str, read: str) -> None:
    assert file_name(name) == read


@pytest.mark.parametrize("name", ODD)
def test_a_header_has_one_line_and_one_name(name: str) -> None:
    header = disposition(name)
    assert header.isascii()
    assert header.isprintable()
    assert header.startswith('attachment; filename="')
    assert header.count('"') == 2
    assert "\u202e" not in unquote(header)


@pytest.mark.parametrize("name", ODD)
def test_an_address_has_one_segment_for_the_name(name: str) -> None:
    assert file_url(1, 2, 3, name).count("/") == 7
    assert file_url(1, 2, 3, name).rpartition("/")[2].strip(".")


async def test_every_file_is_fetched_by_the_link_on_the_page(house: House, pool: Pool) -> None:
    world = await build_world(pool)
    post: Correspondence = await build_correspondence(pool, house.context.blobs, world.users, world.contacts)
    message = post.messages["thanks"]
    blob = await pool.fetchval("SELECT blob FROM attachments WHERE message_id = $1 LIMIT 1", message)
    for number, name in enumerate(ODD, 10):
        await pool.execute(
            "INSERT INTO attachments (message_id, no, name, media_type, size, blob) VALUES ($1, $2, $3, 'text/html', 9, $4)",
            message, number, name.replace("\0", ""), blob,
        )  # fmt: skip
    agent = await enter(house, "agent")
    page = await agent.get(f"/conversations/{post.conversations['order']}")
    assert "\u202e" not in page.text
    assert "<script>" not in page.text.split("<main", 1)[1]
    for number, name in enumerate(ODD, 10):
        url = file_url(post.conversations["order"], message, number, name.replace("\0", ""))
        assert f'href="{url}"' in page.text, name
        fetched = await agent.get(url)
        assert fetched.status == 200, name
        assert fetched.headers["Content-Type"] == "application/octet-stream"
        assert "sandbox" in fetched.headers["Content-Security-Policy"]
