"""Replies in, commands out: the pure part of the SMTP dialogue."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.mail.sending.wire import (
    BROKEN,
    LINE_LIMIT,
    REPLY_LIMIT,
    Features,
    Refusal,
    Reply,
    ReplyParser,
    reply_text,
    transaction,
)
from tests.channels.mails import make_message

_texts = st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b"")), min_size=1)
_replies = st.lists(st.tuples(st.integers(200, 599), _texts), max_size=8)
_ALL = Features(pipelining=True, eightbit=True, utf8=True, size=0)


def _write(replies: list[tuple[int, list[bytes]]], end: bytes) -> bytes:
    stream = b""
    for code, lines in replies:
        *first, last = lines
        stream += b"".join(b"%d-%b%b" % (code, line, end) for line in first) + b"%d %b%b" % (code, last, end)
    return stream


def _read(stream: bytes, cuts: list[int]) -> list[Reply]:
    parser = ReplyParser()
    found: list[Reply] = []
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    for start, stop in itertools.pairwise(places):
        found += parser.feed(stream[start:stop])
    return found


@given(replies=_replies, cuts=st.lists(st.integers(0, 400)), end=st.sampled_from([b"\r\n", b"\n"]))
def test_any_chunking_of_replies_gives_the_same_replies(
    replies: list[tuple[int, list[bytes]]], cuts: list[int], end: bytes
) -> None:
    expected = [(code, b"\n".join(lines)) for code, lines in replies]
    assert _read(_write(replies, end), cuts) == expected


@given(stream=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300)))
def test_any_chunking_of_any_bytes_gives_the_same_replies(stream: bytes, cuts: list[int]) -> None:
    assert _read(stream, cuts) == _read(stream, [])


_lines = st.sampled_from(
    [b"250 a\r\n", b"250-a\r\n", b"251-b\n", b"354\r\n", b"25", b"x\r\n", b"\r", b"9" * 5000]
)


@given(pieces=st.lists(_lines, max_size=12), cuts=st.lists(st.integers(0, 9000)))
def test_any_chunking_of_half_right_replies_gives_the_same_replies(
    pieces: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(pieces)
    assert _read(stream, cuts) == _read(stream, list(range(0, len(stream), 1000)))


def test_nothing_is_read_after_garbage() -> None:
    parser = ReplyParser()
    assert [code for code, _ in parser.feed(b"250 ok\r\nnonsense\r\n250 ok\r\n")] == [250, BROKEN]
    assert parser.feed(b"250 ok\r\n") == []


def test_an_endless_line_and_an_endless_reply_are_cut_short() -> None:
    endless_line = ReplyParser()
    assert endless_line.feed(b"2" * (LINE_LIMIT + 2))[0][0] == BROKEN
    endless_reply = ReplyParser()
    codes = [
        code
        for _ in range(REPLY_LIMIT // 1000 + 2)
        for code, _ in endless_reply.feed(b"250-" + b"x" * 1000 + b"\n")
    ]
    assert codes == [BROKEN]


def test_a_replys_text_is_one_printable_line_of_at_most_500_characters() -> None:
    text = reply_text(550, b"no\x00such\nuser \xff\x1b[31m" + b"x" * 1000)
    assert text.startswith("550 no such user")
    assert text.isprintable()
    assert len(text) == 500


def test_features_are_read_from_ehlo() -> None:
    text = (
        b"mx.example greets you\nPIPELINING\nSIZE 1000\n8BITMIME\nsmtputf8\nSTARTTLS\nAUTH=LOGIN\nAUTH PLAIN"
    )
    assert Features.from_ehlo(text) == Features(
        pipelining=True,
        eightbit=True,
        utf8=True,
        starttls=True,
        size=1000,
        auth=frozenset({"LOGIN", "PLAIN"}),
    )


def test_the_servers_name_is_no_feature() -> None:
    assert Features.from_ehlo(b"PIPELINING") == Features()
    assert Features.from_ehlo(b"x\nSIZE\n\n") == Features(size=0)


def test_a_transaction_names_sender_recipient_and_size() -> None:
    message = make_message(1, "anna@example.com")
    assert transaction(message, _ALL) == (
        b"MAIL FROM:<bounces+1@clytie.example> SIZE=%d\r\nRCPT TO:<anna@example.com>\r\nDATA\r\n"
        % len(message.content)
    )


def test_parameters_are_written_only_when_they_are_needed_and_offered() -> None:
    assert b"SIZE" not in transaction(make_message(), Features())
    assert b" BODY=8BITMIME" in transaction(make_message(eightbit=True), _ALL)
    assert b" SMTPUTF8" in transaction(make_message(utf8=True), _ALL)
    assert "<jürgen@exämple.com>".encode() in transaction(make_message(recipient="jürgen@exämple.com"), _ALL)
    assert b"MAIL FROM:<>" in transaction(make_message(sender=""), _ALL)


@pytest.mark.parametrize(
    ("changes", "features", "reason"),
    [
        ({"recipient": "jürgen@example.com"}, Features(eightbit=True), "unsupported"),
        ({"utf8": True}, Features(eightbit=True), "unsupported"),
        ({"eightbit": True}, Features(utf8=True), "unsupported"),
        ({"content": b"Subject: x\r\n\r\n\xc3\xa9\r\n.\r\n"}, Features(), "unsupported"),
        ({}, Features(size=10), "too_big"),
    ],
)
def test_what_the_server_does_not_offer_is_refused(
    changes: dict[str, object], features: Features, reason: str
) -> None:
    with pytest.raises(Refusal) as caught:
        transaction(make_message(**changes), features)  # type: ignore[arg-type]
    assert caught.value.reason == reason


_POISON = [chr(n) for n in (*range(0x21), 0x3C, 0x3E, *range(0x7F, 0xA1), 0x2028, 0xD800)]


@pytest.mark.parametrize("field", ["sender", "recipient"])
def test_no_address_breaks_out_of_its_command(field: str) -> None:
    for poison in _POISON:
        for place in ("{}a@example.com", "a{}b@example.com", "a@example.com{}"):
            with pytest.raises(Refusal, match="address"):
                transaction(make_message(**{field: place.format(poison)}), _ALL)  # type: ignore[arg-type]


@given(sender=st.text(), recipient=st.text(min_size=1))
def test_whatever_the_addresses_hold_a_transaction_is_three_lines(sender: str, recipient: str) -> None:
    try:
        commands = transaction(make_message(sender=sender, recipient=recipient), _ALL)
    except Refusal:
        return
    assert commands.count(b"\n") == commands.count(b"\r") == commands.count(b"\r\n") == 3
    assert commands.splitlines()[1] == b"RCPT TO:<" + recipient.encode() + b">"


@pytest.mark.parametrize("recipient", ["", "nobody", "a" * 250 + "@b.example"])
def test_an_address_without_domain_or_too_long_is_refused(recipient: str) -> None:
    with pytest.raises(Refusal):
        transaction(make_message(content=b"\r\n.\r\n", recipient=recipient or " "), _ALL)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".\r\n",
        b"Subject: x\r\n\r\nno end\r\n",
        b"Subject: x\r\n\r\nbare end\n.\r\n",
        b"a\r\n.\r\nMAIL FROM:<evil@example.com>\r\n.\r\n",
        b"a\r\n.\r\n.\r\n",
        b"a\n.\nMAIL FROM:<evil@example.com>\r\n.\r\n",
        b"a\n.\r\nMAIL FROM:<evil@example.com>\r\n.\r\n",
        b"a\r.\rMAIL FROM:<evil@example.com>\r\n.\r\n",
        b"a\r\n.\nMAIL FROM:<evil@example.com>\r\n.\r\n",
        b"a\r\n.\rMAIL FROM:<evil@example.com>\r\n.\r\n",
        b".\r\nMAIL FROM:<evil@example.com>\r\n.\r\n",
        b".\nMAIL FROM:<evil@example.com>\r\n.\r\n",
    ],
)
def test_a_content_that_ends_early_or_not_at_all_is_refused(content: bytes) -> None:
    with pytest.raises(Refusal, match="content"):
        transaction(make_message(content=content), _ALL)


@pytest.mark.parametrize(
    "content",
    [b"\r\n.\r\n", b"..\r\n.\r\n", b"a\r\n..\r\n.\r\n", b"end.\r\n.\r\n", b"a.\r\nb .\r\n...\r\n.\r\n"],
)
def test_an_honest_content_is_not_refused(content: bytes) -> None:
    assert transaction(make_message(content=content), _ALL).endswith(b"DATA\r\n")
