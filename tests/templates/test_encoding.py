"""Bodies and headers as they go over the wire."""

from __future__ import annotations

import quopri
import re
from email.header import decode_header, make_header

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from templates.encoding import body_bytes, encoded_words, flat, header_text, mailbox, value_bytes

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=200)


def decoded(encoded: bytes) -> str:
    return quopri.decodestring(encoded).decode("utf-8").replace("\r\n", "\n")


def unfolded(value: bytes) -> str:
    return str(make_header(decode_header(value.decode("ascii").replace("\r\n", ""))))


@given(st.lists(words, max_size=5))
@example([" ", "\n", "."])
@example(["a\t", "", "From x", "=\r\n"])
def test_texts_that_are_encoded_apart_can_be_joined(texts: list[str]) -> None:
    encoded = b"".join(body_bytes(text, more=True) for text in texts) + body_bytes("end", more=False)
    assert decoded(encoded) == "".join(re.sub(r"\r\n?", "\n", text) for text in texts) + "end"
    for line in encoded.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.startswith((b".", b"From "))
        assert not line.endswith((b" ", b"\t"))
        assert b"\n" not in line


@given(words)
def test_a_value_encoded_in_c_reads_the_same(text: str) -> None:
    text = text.replace("\r", "\n")
    assert decoded(value_bytes(text)) == decoded(body_bytes(text, more=True))
    assert not value_bytes(text) or value_bytes(text).endswith(b"\r\n")
    assert not value_bytes(text).startswith((b".", b"From "))


def test_no_character_is_cut_in_two() -> None:
    for line in body_bytes("é🌻" * 60, more=False).split(b"=\r\n"):
        quopri.decodestring(line).decode("utf-8")


@given(words)
@example("x" * 3000)
@example("=?utf-8?q?x?=")
@example("Subject\r\nBcc: a@b.example")
def test_a_subject_is_one_header_whatever_it_says(text: str) -> None:
    value = header_text(text)
    for line in value.split(b"\r\n")[1:]:
        assert line.startswith(b" ")
        assert line.strip()
    assert b"\n" not in value.replace(b"\r\n", b"")
    assert max(map(len, value.split(b"\r\n"))) <= 600
    assert unfolded(value) == flat(text)


@given(words.filter(lambda text: flat(text) != ""))
@example("a" * 400)
def test_encoded_words_are_short_and_read_back(text: str) -> None:
    text = flat(text)
    value = encoded_words(text)
    assert all(len(word) <= 76 for word in value.split(b"\r\n"))
    assert unfolded(value) == text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", b"a@example.org"),
        ("Claire Moreau", b"Claire Moreau <a@example.org>"),
        ("Moreau, Claire", b'"Moreau, Claire" <a@example.org>'),
        ('The "Boss" \\', b'"The \\"Boss\\" \\\\" <a@example.org>'),
        ("Zoé Lefèvre", b"=?utf-8?q?Zo=C3=A9_Lef=C3=A8vre?= <a@example.org>"),
        ("O'Neil é", b"=?utf-8?q?O=27Neil_=C3=A9?= <a@example.org>"),
        ("日本", b"=?utf-8?b?5pel5pys?= <a@example.org>"),
        ("a\r\nBcc: b@c.de", b'"a Bcc: b@c.de" <a@example.org>'),
    ],
)
def test_a_mailbox_is_written_as_rfc_5322_and_2047_say(name: str, expected: bytes) -> None:
    assert mailbox(name, "a@example.org") == expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "a b@c.de",
        "a@c.de\r\nBcc: x@y.de",
        "<a@c.de>",
        "a@c.de, b@c.de",
        "a@b@c.de",
        "a\x00@c.de",
        "a@c.de\n",
    ],
)
def test_an_address_that_could_change_a_header_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="not a mail address"):
        mailbox("Name", address)
