"""No mail takes the test mailbox away from the others, whatever its bytes."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Received
from inbox.sandbox import SandboxMailbox
from tests.web.house import House
from web.mails.view import MailView, decode_words, read_mail

GOOD = (
    b"From: =?utf-8?q?Zo=C3=A9?= <zoe@a.example>\r\nTo: b@c.example\r\nSubject: =?iso-8859-1?q?caf=E9?=\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="xx"\r\n\r\n--xx\r\n'
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nw6k=\r\n--xx\r\n"
    b"Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>=E9</p>\r\n--xx--\r\n"
)
BROKEN_WORD = "=?utf-8?b?a?="
CHARSETS = (
    "idna",
    "undefined",
    "punycode",
    "unicode_escape",
    "utf-7",
    "a\0b",
    "rot13",
    "zlib",
    "\xff",
    "x" * 500,
)


def in_charset(charset: str) -> bytes:
    head = f'Subject: =?{charset}?b?YYYY?=\r\nContent-Type: text/plain; charset="{charset}"\r\n\r\n'
    return head.encode("latin-1") + b"Caf\xc3\xa9 +2AA- \\ud800 \xff\r\n"


def nested_parts(depth: int) -> bytes:
    parts = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth)
    )
    return parts + b"\r\nhello"


HOSTILE = {
    "broken header words": f"From: {BROKEN_WORD}\r\nSubject: {BROKEN_WORD}\r\n\r\nhello".encode(),
    "a filename in no charset": b"Content-Type: text/plain; name*=undefined''a%FF\r\n\r\nhello",
    "a charset in no charset": b"Content-Type: text/plain; charset*=undefined''a%FF\r\n\r\nhello",
    "bytes in a header": b"Subject: caf\xe9 \xff\r\nX-\xff: 1\r\n\r\nhello",
    "a thousand parts in parts": nested_parts(3000),
    "a thousand mails in mails": b"Content-Type: message/rfc822\r\n\r\n" * 3000 + b"hello",
    **{f"the charset {charset[:14]!r}": in_charset(charset) for charset in CHARSETS},
}  # fmt: skip


def check(view: MailView) -> None:
    """The pages and the API can write it."""
    json.dumps([view.from_words, *view.headers, view.text, view.html], ensure_ascii=False).encode("utf-8")


def test_a_good_mail_is_taken_apart() -> None:
    view = read_mail(GOOD)
    assert (view.from_words, view.text, view.html.strip()) == ("Zoé <zoe@a.example>", "é", "<p>é</p>")
    assert dict(view.headers)["Subject"] == "café"
    assert not view.broken


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_mail_is_shown_all_the_same(name: str) -> None:
    view = read_mail(HOSTILE[name])
    check(view)
    assert "hello" in view.text or "Caf" in view.text


def test_a_mail_that_cannot_be_taken_apart_is_shown_as_it_arrived() -> None:
    view = read_mail(nested_parts(3000))
    assert view.broken
    assert view.text.endswith("hello")


def test_header_words_that_cannot_be_decoded_stay_as_they_are() -> None:
    assert decode_words(BROKEN_WORD) == BROKEN_WORD
    assert decode_words("lone \ud800 surrogate") == "lone \ufffd surrogate"
    assert decode_words("bytes caf\udcc3\udca9") == "bytes café"


@given(st.binary(max_size=2000))
def test_no_bytes_make_the_reader_raise(raw: bytes) -> None:
    check(read_mail(raw))


@given(
    st.sampled_from([GOOD, *HOSTILE.values()]).filter(lambda mail: len(mail) < 2000),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 40), st.binary(max_size=12)), max_size=6),
)
def test_no_damage_to_a_mail_makes_the_reader_raise(raw: bytes, cuts: list[tuple[int, int, bytes]]) -> None:
    for start, length, other in cuts:
        raw = raw[:start] + other + raw[start + length :]
    check(read_mail(raw))


@given(st.text(max_size=200) | st.from_regex(r"(=\?[a-z0-9_*-]{0,9}\?[bq]\?[!-~]{0,9}\?=[ \t]?){1,4}"))
def test_no_header_makes_the_reader_raise(value: str) -> None:
    decode_words(value).encode("utf-8")


def test_every_mail_of_a_collection_can_be_read() -> None:
    """CLYTIE_TEST_MAILS names a folder with mails to read besides these."""
    folder = os.environ.get("CLYTIE_TEST_MAILS")
    mails = [path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()] if folder else []
    for raw in [GOOD, *HOSTILE.values(), *mails]:
        check(read_mail(raw))


@pytest.mark.parametrize(
    "head",
    [
        b'Content-Type: text/plain; a="' + b";" * 100_000,
        b"Content-Type: text/plain" + b"; a=b" * 100_000,
        b"Content-Type: text/plain;" + b'\r\n a=";' * 20_000,
        b'X: 1\rContent-Disposition: inline; a="' + b";" * 100_000,
        b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(900)
        ),
    ],
)
def test_a_mail_that_takes_the_parser_long_is_not_given_to_it(head: bytes) -> None:
    began = time.process_time()
    check(read_mail(head + b"\r\n\r\n" + b"hello\r\n" * 20_000))
    assert time.process_time() - began < 2


async def test_hostile_mails_leave_the_mailbox_open(house: House) -> None:
    mailbox = SandboxMailbox(house.pool, house.context.announcer)
    for raw in [*HOSTILE.values(), GOOD]:
        await mailbox(Received(raw, "a@b.example", ("c@d.example",)))
    visitor = await house.signed_in("marketer")
    page = await visitor.get("/mailbox")
    assert page.status == 200
    assert "café" in page.words
    status, body = await visitor.call("GET", "/sandbox/mails")
    assert (status, len(body["items"])) == (200, len(HOSTILE) + 1)
    for mail in body["items"]:
        for path in (
            f"/mailbox/{mail['id']}",
            f"/mailbox/{mail['id']}?view=headers",
            f"/mailbox/{mail['id']}/body",
        ):
            assert (await visitor.get(path)).status == 200, path
        assert (await visitor.call("GET", f"/sandbox/mails/{mail['id']}"))[0] == 200
