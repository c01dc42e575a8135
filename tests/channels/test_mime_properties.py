"""Whatever the bytes: reading a mail never raises, keeps what it promises, and its work grows with the size only."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.mail.mime import read
from channels.mail.reading import limits
from tests.channels.odd_mails import ODD_MAILS
from tests.fuzz.mime_promises import check

_quick = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
_SNIPPETS = (
    b"\r\n", b"\n\n", b"\x00", b"\xff\xfe", b"=?utf-8?B?", b"=?iso-2022-jp?Q?=1B$B?=", b"--b", b"--b--", b"<", b">", b'"',
    b"(", b"boundary=", b"charset=utf-7", b"; name*0*=", b"begin 644 x\n", b"\x78\x9f\x3e\x22", b"LZFu", b"{\\rtf1", b"\x1b$B",
    b"Content-Type: message/rfc822\n\n", b"Content-Transfer-Encoding: base64\n", b"=", b"\\", b"+2AA-", b"@",
)  # fmt: skip


@_quick
@given(st.binary(max_size=3_000))
def test_random_bytes_are_read(raw: bytes) -> None:
    check(raw)


@_quick
@given(st.data())
def test_real_mails_that_were_damaged_are_read(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(list(ODD_MAILS.values()))))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw)))
        until = min(len(raw), at + data.draw(st.integers(0, 40)))
        raw[at:until] = data.draw(st.sampled_from(_SNIPPETS) | st.binary(max_size=8))
    check(bytes(raw))


_words = st.sampled_from(
    ["a", "é", "=?utf-8?Q?=C3=A9?=", "<x@y.org>", '"q', ";", "(c", "b", "utf-8", "x-odd", "\t", "日本"]
)
_values = st.lists(_words, max_size=6).map(" ".join)
_names = st.sampled_from(
    [
        "From",
        "To",
        "Subject",
        "Date",
        "Content-ID",
        "Content-Disposition",
        "References",
        "X-Odd",
        "Content-Type",
    ]
)
_leaf_types = st.sampled_from(
    ["text/plain", "text/html; charset=gb2312", "text/plain; charset=utf-8; format=flowed", "text/rtf", "text/enriched",
     "image/png; name=a.png", "application/ms-tnef", "message/rfc822", "message/partial", "text", "x/y; name*0*=utf-8''%", ""]
)  # fmt: skip
_encodings = st.sampled_from(["", "base64", "quoted-printable", "x-uuencode", "8bit", "nonsense"])


@st.composite
def _part(draw: st.DrawFn, depth: int = 0) -> str:
    lines = [f"{name}: {value}" for name, value in draw(st.lists(st.tuples(_names, _values), max_size=4))]
    if depth < 4 and draw(st.booleans()):
        boundary = draw(st.sampled_from(["b", "bb", "b b", "--", "b--"]))
        kind = draw(st.sampled_from(["mixed", "alternative", "related", "digest", "signed", "report"]))
        lines.append(f'Content-Type: multipart/{kind}; boundary="{boundary}"')
        parts = draw(st.lists(_part(depth + 1), max_size=3))
        body = "".join(f"--{boundary}\n{part}\n" for part in parts)
        body += draw(st.sampled_from([f"--{boundary}--\n", "", "--b--\n"]))
    else:
        lines += [f"Content-Type: {draw(_leaf_types)}", f"Content-Transfer-Encoding: {draw(_encodings)}"]
        body = draw(
            st.text(max_size=200)
            | st.sampled_from(["QUJD\n", "=C3=A9=\n", "begin 644 x\n#0V%T\nend\n", "<p>x</p>"])
        )
    return "\n".join(lines) + draw(st.sampled_from(["\n\n", "\n", "\r\n\r\n"])) + body


@_quick
@given(_part())
def test_mails_built_by_a_grammar_are_read(mail: str) -> None:
    check(mail.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("name", ODD_MAILS)
def test_every_beginning_of_an_odd_mail_is_read(name: str) -> None:
    raw = ODD_MAILS[name]
    for cut in range(0, len(raw), max(1, len(raw) // 25)):
        check(raw[:cut])


_SHAPES: dict[str, tuple[bytes, bytes]] = {
    "headers": (b"", b"X: y\n"),
    "lines that are no headers": (b"", b"foo bar\nx: y\n"),
    "encoded words that never end": (b"", b"Subject: " + b"=?u?q?" * 5_000 + b"\n"),
    "signs at": (b"", b"To: " + b"@" * 50_000 + b"\n"),
    "open comments": (b"", b"To: " + b"(" * 50_000 + b"\n"),
    "folds of carriage returns": (b"", b"X: " + b"\r" * 50_000 + b"x\n"),
    "parameters": (b"", b"--b\nContent-Type: text/plain" + b"; a*0*=x" * 5_000 + b"\n"),
    "parts": (b"Content-Type: multipart/mixed; boundary=b\n\n", b"--b\n\nx\n"),
    "boundary signs": (b'Content-Type: multipart/mixed; boundary="' + b"-" * 1_000 + b'"\n\n', b"-"),
    "mails in mails": (b"", b"Content-Type: message/rfc822\n\n"),
    "quoted-printable spaces": (b"Content-Transfer-Encoding: quoted-printable\n\n=", b" " * 999 + b"x"),
    "quoted-printable returns": (b"Content-Transfer-Encoding: quoted-printable\n\n=", b"\r"),
    "uuencode that never ends": (b"X: y\n\n", b"begin 644 x\nM" + b"A" * 60 + b"\n"),
    "tags": (b"Content-Type: text/html\n\n", b'<a href="x">'),
    "open comments of HTML": (b"Content-Type: text/html\n\n", b"<!--"),
    "groups of rich text": (b"Content-Type: text/rtf\n\n{\\rtf1", b"{\\b x}"),
    "shifts of charset": (b"Content-Type: text/plain; charset=iso-2022-jp\n\n", b"\x1b$B!!"),
}


@pytest.mark.parametrize("shape", _SHAPES)
def test_a_megabyte_of_anything_takes_no_second(shape: str) -> None:
    start, unit = _SHAPES[shape]
    raw = (start + unit * (1_000_000 // len(unit)))[:1_000_000]
    began = time.process_time()
    check_nothing_but_reading = read(raw)
    assert time.process_time() - began < 5, "ten times what it takes on a slow machine"
    assert len(check_nothing_but_reading.headers) <= limits.HEADERS


def test_ten_thousand_nested_parts_are_kept_but_not_read() -> None:
    raw = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(10_000)
    )
    mail = read(raw)
    assert "nested too deep" in mail.defects
    assert len(mail.attachments) == 1
    assert mail.attachments[0].content.endswith(b"--b9999\n")


def test_a_hundred_thousand_headers_are_cut_and_the_text_is_found() -> None:
    mail = read(b"Subject: first\n" + b"X: y\n" * 100_000 + b"\nthe text\n")
    assert mail.subject == "first"
    assert mail.text == "the text\n"
    assert len(mail.headers) == limits.HEADERS
    assert "too many headers" in mail.defects


def test_far_too_many_addresses_are_cut_and_told() -> None:
    mail = read(b"From: a@b.org\nTo: c@d.org\n" + (b"Cc: " + b"a@b.org, " * 5_000 + b"\n") * 30 + b"\n")
    assert [box.address for box in mail.to] == ["c@d.org"]
    assert len(mail.cc) == 25_000
    assert "too many addresses" in mail.defects


def test_parts_beyond_the_limit_are_kept_in_one_piece() -> None:
    mail = read(
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\nContent-Type: image/gif\n\nGIF\n" * 5_000
    )
    assert "too many parts" in mail.defects
    assert len(mail.attachments) == limits.PARTS
    assert mail.attachments[-1].content.count(b"GIF") > 3_000
