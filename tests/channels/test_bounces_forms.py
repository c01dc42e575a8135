"""Every private form of bounce is read: who, why, how final, whether the address is at fault."""

from __future__ import annotations

import pytest

from channels.mail.bounce_forms.families import FORMS
from channels.mail.bounces import Kind, classify, classify_parts
from channels.mail.mime import parse, read_parts
from channels.mail.reading.tree import read_tree
from tests.channels.bounce_mails import CASES, Case, status_report

#: Forms that only add their sense to a standard report; test_bounces_reports.py reads one of each.
_WITH_STATUS = {
    "Google Workspace",
    "AOL",
    "Hotmail",
    "Amazon SES receiving",
    "Facebook",
    "Amavis",
    "Postfix",
    "McAfee",
}


@pytest.mark.parametrize("case", CASES, ids=[f"{case.form}-{case.reason}" for case in CASES])
def test_a_report_of_each_form_is_read(case: Case) -> None:
    report = classify(case.mail.encode())
    assert report.kind is Kind.BOUNCE
    assert report.form == case.form
    (recipient,) = report.recipients
    assert recipient.address == case.address
    assert recipient.reason == case.reason
    assert recipient.status.startswith(case.status)
    assert recipient.hard is case.hard
    assert recipient.words


@pytest.mark.parametrize("case", CASES, ids=[f"{case.form}-{case.reason}" for case in CASES])
def test_it_is_read_alike_with_the_line_ends_of_the_wire(case: Case) -> None:
    on_disk, on_wire = classify(case.mail.encode()), classify(case.mail.replace("\n", "\r\n").encode())
    assert on_wire == on_disk


@pytest.mark.parametrize("case", CASES, ids=[f"{case.form}-{case.reason}" for case in CASES])
def test_it_is_read_alike_from_the_tree_that_the_mail_was_read_from(case: Case) -> None:
    raw, defects = case.mail.encode(), set[str]()
    tree = read_tree(raw, defects, within_mails=False)
    assert read_parts(tree, defects) == parse(raw)
    assert classify_parts(tree) == classify(raw)


def test_no_form_goes_untested() -> None:
    assert {form.name for form in FORMS} == {case.form for case in CASES if case.form} | _WITH_STATUS


@pytest.mark.parametrize(
    ("sender", "more", "words", "reason", "hard"),
    [
        ("postmaster@mx.aol.example", ("X-AOL-IP: 192.0.2.1",),
         "Host or domain name not found", "domain_unknown", True),
        ("postmaster@hotmail.com", ("X-Message-Info: 1", "X-Message-Delivery: 2"),
         "550 Requested action not taken: mailbox unavailable", "mailbox_unknown", True),
        ("mailer-daemon@mx.facebook.com", (), "550 5.1.1 RCP-P1 http://postmaster.facebook.com", "mailbox_unknown", True),
        ('"Content-filter at mx" <postmaster@mx.example>', (), "554 5.7.0 Bounce, id=1 - INFECTED: virus", "virus", False),
        ("MAILER-DAEMON@mx.example", ("X-NAI-Header: Modified by McAfee",), "550 Unknown user who", "mailbox_unknown", True),
    ],
)  # fmt: skip
def test_a_form_explains_a_standard_report(
    sender: str, more: tuple[str, ...], words: str, reason: str, hard: bool
) -> None:
    raw = status_report(
        f"Final-Recipient: rfc822; who@there.example\nAction: failed\nDiagnostic-Code: smtp; {words}",
        sender=sender,
        subject="Delivery Status Notification (Failure)",
        more=more,
    )
    (recipient,) = classify(raw).recipients
    assert (recipient.reason, recipient.hard) == (reason, hard)


def test_several_recipients_have_a_reason_each() -> None:
    raw = (
        b"From: MAILER-DAEMON@x.example\nSubject: failure notice\n\nHi. This is the qmail-send program at x.example.\n\n"
        b"<one@there.example>:\nRemote host said: 550 5.1.1 user unknown\n\n"
        b"<two@there.example>:\nRemote host said: 552 5.2.2 mailbox full\n\n--- Below this line is a copy of the message.\n\n"
        b"From: a@b.example\nTo: three@there.example\n"
    )
    one, two = classify(raw).recipients
    assert (one.address, one.reason, one.hard) == ("one@there.example", "mailbox_unknown", True)
    assert (two.address, two.reason, two.hard) == ("two@there.example", "mailbox_full", False)
