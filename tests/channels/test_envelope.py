"""The envelope of a mail that came without one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from channels.mail.envelope import named_addresses, read_envelope


def test_trace_headers_come_before_what_the_author_wrote() -> None:
    raw = (
        b"Return-Path: <bounce@example.com>\r\nDelivered-To: desk@clytie.example\r\n"
        b"From: Anna <anna@example.com>\r\nTo: support@clytie.example\r\n\r\nbody"
    )
    received = read_envelope(raw)
    assert (received.sender, received.recipients) == ("bounce@example.com", ("desk@clytie.example",))
    assert received.raw == raw


def test_without_trace_headers_from_to_and_cc_count() -> None:
    raw = b"From: Anna <anna@example.com>\nTo: a@x.example,\n b@x.example\nCC: a@x.example, C <c@x.example>\n\nTo: d@x.example"
    received = read_envelope(raw)
    assert received.sender == "anna@example.com"
    assert received.recipients == ("a@x.example", "b@x.example", "c@x.example")


def test_the_empty_return_path_of_a_bounce_stays_empty() -> None:
    assert read_envelope(b"Return-Path: <>\r\nFrom: mailer-daemon@example.com\r\n\r\n").sender == ""


def test_all_whom_headers_name_are_told_together_and_authors_when_asked() -> None:
    raw = b"Delivered-To: desk@x.example\nFrom: Anna <anna@x.example>\nTo: hr@x.example\nCc: b@x.example\n\nTo: d@x.example"
    assert named_addresses(raw) == ("desk@x.example", "hr@x.example", "b@x.example")
    assert named_addresses(raw, authors=True) == (*named_addresses(raw), "anna@x.example")
    assert named_addresses(b"") == ()


@given(raw=st.binary(max_size=400))
def test_no_bytes_raise(raw: bytes) -> None:
    assert read_envelope(raw).raw == raw
    assert isinstance(named_addresses(raw, authors=True), tuple)


@given(raw=st.text("FTorm: @<>\r\n\tax.,", max_size=300))
def test_no_headers_raise(raw: str) -> None:
    assert isinstance(read_envelope(raw.encode()).recipients, tuple)
