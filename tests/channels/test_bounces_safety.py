"""No bytes make the reader of reports raise, and none make it slow or its answer large."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.mail.bounce_forms.failure import FAILURES_LIMIT, WORDS_LIMIT, find_addresses
from channels.mail.bounce_forms.notice import read_notice
from channels.mail.bounces import Kind, Report, classify
from channels.mail.reading.tree import read_tree
from channels.mail.reasons import VOCABULARY
from tests.channels.bounce_mails import CASES, complaint, head, status_report

MEGABYTE: Final = 1_000_000
DAEMON: Final = head(
    "Mail Delivery System <MAILER-DAEMON@x.example>",
    "Mail delivery failed: returning message to sender",
    "Return-Path: <>",
).encode()
SEEDS: Final = [case.mail.encode() for case in CASES] + [
    status_report("Final-Recipient: rfc822; who@there.example\nAction: failed\nStatus: 5.1.1"),
    complaint("Feedback-Type: abuse\nOriginal-Rcpt-To: who@there.example"),
]


def check(report: Report) -> None:
    """What holds for every report."""
    assert len(report.recipients) <= FAILURES_LIMIT
    for recipient in report.recipients:
        assert len(recipient.words) <= WORDS_LIMIT + 1_000
        assert "\n" not in recipient.address
        if report.kind is Kind.BOUNCE:
            assert recipient.reason in VOCABULARY
            assert recipient.status[:2] in ("4.", "5.", "2.")
        else:
            assert not recipient.hard


@given(raw=st.binary(max_size=3_000))
def test_no_bytes_raise(raw: bytes) -> None:
    check(classify(raw))
    check(classify(DAEMON + b"\n" + raw))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A report, cut, doubled, or with foreign bytes in it."""
    raw = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(raw)))
        end = draw(st.integers(start, min(len(raw), start + 400)))
        change: Callable[[bytes], bytes] = draw(
            st.sampled_from([lambda piece: b"", lambda piece: piece * 3, lambda piece: piece[::-1]])
        )
        foreign = draw(
            st.one_of(
                st.just(b""),
                st.binary(max_size=40),
                st.sampled_from([b"\n\n", b"\r", b"\0", b"<", b"@", b"--"]),
            )
        )
        raw = raw[:start] + change(raw[start:end]) + foreign + raw[end:]
    return raw  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(raw=damaged())
def test_no_damage_to_a_report_raises(raw: bytes) -> None:
    check(classify(raw))


def fill(piece: bytes) -> bytes:
    return piece * (MEGABYTE // len(piece))


def many(form: str) -> bytes:
    return "".join(form % number for number in range(MEGABYTE // len(form % 10_000))).encode()


REPORT: Final = DAEMON + b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
STATUS: Final = REPORT + b"--b\nContent-Type: message/delivery-status\n\n"


@pytest.mark.parametrize(
    "raw",
    [
        *(DAEMON + b"\n" + fill(piece) for piece in (
            b"\n", b" ", b"\t\n", b"@", b"a", b"a@b.example ", b"a@b.example\n", b"<a@b.c>: ", b"550 5.1.1 ", b"-", b"----- \n",
            b" * a@b.c\n", b"was not delivered to:\n", b"\r", b"Transcript of session follows\n", b"<<< 550 x\n",
            b"Recipient address: a@b.c\n", b"** \n", b">>> RCPT TO:<a@b.c>\n",
        )),
        DAEMON + b"Content-Type: text/html\n\n" + fill(b"<"),
        DAEMON + b"Content-Type: text/html\n\n" + fill(b"<style "),
        DAEMON + b"Content-Type: text/html\n\n" + fill(b"<br "),
        DAEMON + b"Content-Type: text/html\n\n" + fill(b"&"),
        DAEMON + b"\nThis message was created automatically by mail delivery software\n" + many("  u%d@there.example\n    550 x\n"),
        DAEMON + b"\nHi. This is the qmail-send program\n" + many("<u%d@there.example>:\nRemote host said: 550 x\n"),
        DAEMON + b"\nDiagnostic information for administrators:\n" + many("u%d@there.example\n#550 5.1.1 x\n"),
        STATUS + many("Final-Recipient: rfc822; u%d@there.example\nAction: failed\nDiagnostic-Code: smtp; 550 no\n\n"),
        STATUS + b"Final-Recipient: rfc822; u@there.example\nDiagnostic-Code: smtp;\n" + fill(b" x\n"),
        STATUS + b"Arrival-Date: " + fill(b"1 "),
        REPORT + fill(b"--b\n\n"),
        REPORT + fill(b"--bx\n"),
        REPORT + fill(b"\n--c"),
        b"Content-Type: multipart/x; boundary" + fill(b" "),
        b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (i, i) for i in range(18_000)),
        many("X-%d: bounces+token@there.example\n"),
        b"Subject: " + fill(b"=?utf-8?q?a?= "),
        b"Subject: " + fill(b"=?utf-8?b?") + b"\nFrom: MAILER-DAEMON@x.example\n\n",
        b"To: " + fill(b"bounces+a@b, "),
        fill(b"Received: (qmail 1 invoked from a\n"),
        fill(b"\0"),
        fill(b"\xff"),
        b"x: y\n\n" + fill(b"["),
        b"x: y\n\n" + fill(b'{"a":'),
        b'x: y\n\n{"notificationType":"Bounce","bounce":{"bouncedRecipients":[' + fill(b'{"emailAddress":"a@b.c"},') + b"]}}",
    ],
)  # fmt: skip
def test_a_hostile_megabyte_takes_less_than_a_second(raw: bytes) -> None:
    begun = time.process_time()
    report = classify(raw)
    assert time.process_time() - begun < 1
    check(report)


def test_of_a_long_returned_mail_only_the_beginning_is_looked_at() -> None:
    returned = b"To: who@there.example\n\n" + 12 * MEGABYTE * b"x"
    raw = (
        DAEMON
        + b'Content-Type: multipart/report; boundary="b"\n\n--b\nContent-Type: message/rfc822\n\n'
        + returned
    )
    assert len(read_notice(read_tree(raw, within_mails=False)).returned) <= 4 * MEGABYTE


@given(text=st.text(alphabet="a@.<>\"' ;:-[]é", max_size=200))
def test_addresses_in_any_text_have_two_sides(text: str) -> None:
    for address in find_addresses(text):
        local, at, domain = address.rpartition("@")
        assert local
        assert at
        assert domain or address.endswith("@")


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("<who@there.example>: 550", ["who@there.example"]),
        ("a@x.example, 'b@y.example'.", ["a@x.example", "b@y.example"]),
        ('"odd name"@there.example', ['"odd name"@there.example']),
        ("who@[192.0.2.1] said", ["who@[192.0.2.1]"]),
        ("Who@There.Example;", ["Who@There.Example"]),
        ("no address @ all", []),
    ],
)
def test_addresses_are_found_as_written(text: str, addresses: list[str]) -> None:
    assert list(find_addresses(text)) == addresses
