"""What a mailbox still tells of the envelope."""

from __future__ import annotations

import time

import pytest

from channels.mail.imap.envelope import envelope_sender


@pytest.mark.parametrize(
    ("raw", "sender"),
    [
        (b"Return-Path: <bounce@shop.example>\r\nFrom: a@b.example\r\n\r\n", "bounce@shop.example"),
        (b"Delivered-To: x\nreturn-path:anna@b.example\nFrom: a@b.example\n\n", "anna@b.example"),
        (b"Return-Path: <>\r\nFrom: mailer-daemon@b.example\r\n\r\n", ""),
        (b"From: a@b.example\r\n\r\nReturn-Path: <in@the.text>\r\n", ""),
        (b"Return-Path: <two words@b.example>\r\n\r\n", ""),
        ("Return-Path: <jürgen@müller.example>\r\n\r\n".encode(), "jürgen@müller.example"),
        (b"Return-Path: <a\xff\x00b@c.example>\r\n\r\n", "a�?b@c.example"),
        (b"", ""),
        (b"\r\n", ""),
    ],
)
def test_the_envelopes_sender_is_what_the_last_server_noted(raw: bytes, sender: str) -> None:
    assert envelope_sender(raw) == sender


@pytest.mark.parametrize("raw", [b"Return-Path: " + b" " * 70_000, b"Return-Path: <" * 5_000, b"\n" * 70_000])
def test_hostile_headers_cost_no_time(raw: bytes) -> None:
    started = time.perf_counter()
    envelope_sender(raw)
    assert time.perf_counter() - started < 0.1
