"""Splitting an mbox: every dialect, every size of chunk, bounded memory."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbox.arrival.mbox import BoxMail, split_mbox, starts_mbox

FROM = b"From a@b.example Thu Jan  1 00:00:00 1970\n"


def split(data: bytes, limit: int = 10_000_000, chunk: int = 1 << 20) -> list[BoxMail]:
    stream = io.BytesIO(data)
    return list(split_mbox(lambda size: stream.read(min(size, chunk)), limit))


def contents(data: bytes, **options: int) -> list[bytes | None]:
    return [mail.content for mail in split(data, **options)]


def test_mails_are_told_apart_and_placed() -> None:
    box = FROM + b"Subject: 1\n\none\n\n" + FROM + b"Subject: 2\n\ntwo\n\n"
    mails = split(box)
    assert [mail.content for mail in mails] == [b"Subject: 1\n\none\n", b"Subject: 2\n\ntwo\n"]
    assert [mail.offset for mail in mails] == [0, len(box) // 2]
    assert mails[0].from_line == FROM.rstrip()
    assert mails[-1].after == len(box)


@pytest.mark.parametrize(
    "line",
    [
        b"From a@b.example Thu Jan  1 00:00:00 1970",
        b"From - Mon Feb 03 12:01:02 2020",
        b"From MAILER-DAEMON Fri Jul  8 12:08:34 2011 +0200",
        b"From a@b Thu Jan 1 00:00:00 1970 remote from uucp",
        b"From 1234567890@xxx Tue Mar 05 10:11:12 +0000 2019",
    ],
)
def test_from_lines_come_in_many_forms(line: bytes) -> None:
    assert contents((line + b"\nSubject: x\n\nbody\n\n") * 3) == [b"Subject: x\n\nbody\n"] * 3


def test_text_that_begins_with_from_does_not_split() -> None:
    body = b"Subject: x\n\nFrom here on it is easy.\n\nFrom 10:30 we meet.\n\nFrom what I see\n"
    assert contents(FROM + body + b"\n" + FROM + b"x: y\n\n\n") == [body, b"x: y\n\n"]


def test_escaped_lines_come_out_as_they_were() -> None:
    box = FROM + b"Subject: x\n\n>From me\n>>From you\n> From no\nx >From no\n\n" + FROM + b"a: b\n\n"
    assert contents(box)[0] == b"Subject: x\n\nFrom me\n>From you\n> From no\nx >From no\n"


def test_a_content_length_that_is_true_is_believed() -> None:
    body = b"one\n\n" + FROM + b"is quoted here\n>From me\n"
    head = b"Subject: x\nContent-Length: %d\n\n" % len(body)
    assert contents(FROM + head + body + b"\n" + FROM + b"a: b\n\n") == [head + body, b"a: b\n"]


@pytest.mark.parametrize("length", [0, 1, 3, 5, 100, 99_999_999_999])
def test_a_content_length_that_is_wrong_is_not(length: int) -> None:
    mail = b"Content-Length: %d\n\none\ntwo\n" % length
    assert contents(FROM + mail + b"\n" + FROM + mail + b"\n") == [mail, mail]


def test_line_ends_of_windows_and_missing_blank_lines_are_fine() -> None:
    crlf = (FROM + b"Subject: x\n\nbody\n\n").replace(b"\n", b"\r\n") * 2
    assert contents(crlf) == [b"Subject: x\r\n\r\nbody\r\n"] * 2
    assert contents((FROM + b"Subject: x\n\nbody\n") * 2) == [b"Subject: x\n\nbody\n"] * 2


def test_boxes_whose_from_lines_have_no_time_split_at_any_after_a_blank_line() -> None:
    assert contents(b"From a\nx: y\n\n1\n\nFrom b\nx: y\n\n2\nFrom c\n") == [
        b"x: y\n\n1\n",
        b"x: y\n\n2\nFrom c\n",
    ]


def test_odd_boxes_raise_nothing() -> None:
    assert contents(b"") == []
    assert contents(b"\n\n") == []
    assert contents(b"From ") == [b""]
    assert contents(FROM) == [b""]
    assert contents(FROM * 3) == [b"", b"", b""]
    assert contents(b"\r\n\n" + FROM + b"x: y") == [b"x: y"]


def test_a_mail_beyond_the_limit_is_named_and_its_neighbours_come() -> None:
    big = FROM + b"Subject: big\n\n" + b"x" * 5_000_000 + b"\n\n"
    small = FROM + b"Subject: small\n\n"
    mails = split(small + big + small + big + small, limit=1_000_000)
    assert [mail.content is None for mail in mails] == [False, True, False, True, False]
    assert mails[1].offset == len(small)


@given(
    st.lists(
        st.lists(
            st.sampled_from([b"a", b"\n", b"From ", b">From ", b"x" * 50, b"\xff", b"Content-Length: 5\n"])
        )
    ),
    st.integers(1, 64),
)
def test_what_mboxrd_writes_is_read_as_it_was_however_it_comes(bodies: list[list[bytes]], chunk: int) -> None:
    mails = []
    for body in bodies:
        mail = b"Subject: x\n\n" + b"".join(body)
        mails.append(mail if mail.endswith(b"\n") else mail + b"\n")
    box = b"".join(FROM + escape(mail) + b"\n" for mail in mails)
    assert contents(box, chunk=chunk) == mails


def escape(mail: bytes) -> bytes:
    lines = mail.split(b"\n")
    return b"\n".join(b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in lines)


def big_box(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield FROM + b"Subject: %d\n\n" % number + b"some words of a mail\n" * 200 + b"\n"


def test_memory_does_not_grow_with_the_box() -> None:
    parts = big_box(20_000)
    rest = b""

    def read(size: int) -> bytes:
        nonlocal rest
        while len(rest) < size:
            piece = next(parts, None)
            if piece is None:
                break
            rest += piece
        given, rest = rest[:size], rest[size:]
        return given

    tracemalloc.start()
    count = sum(1 for mail in split_mbox(read, 1_000_000) if mail.content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 16_000_000


def test_an_mbox_is_known_by_its_first_line() -> None:
    assert starts_mbox(FROM)
    assert not starts_mbox(b"From: a@b.example\n")
    assert not starts_mbox(b"Received: by x\n")
