"""Who is a machine, and when we may answer by machine ourselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.mail.automatic import (
    AUTOMATIC,
    LOOP_HEADER,
    REFUSED,
    Caps,
    answer_address,
    may_answer,
    read_absence,
    why_automatic,
)
from channels.mail.parsed import Attachment, Mailbox, ParsedMail

NOW = datetime(2026, 7, 20, 12, tzinfo=UTC)
OURS = ("support@clytie.example", "sales@clytie.example")
MAIL = ParsedMail(
    message_id="1@customer.example",
    sender=Mailbox("Ada", "ada@customer.example"),
    to=(Mailbox("", "support@clytie.example"),),
    date=NOW,
    subject="A question",
    text="How much is it?",
)


def with_headers(*headers: tuple[str, str], subject: str = MAIL.subject) -> ParsedMail:
    return replace(MAIL, headers=headers, subject=subject)


def answer(
    mail: ParsedMail = MAIL,
    sender: str | None = "ada@customer.example",
    recent: tuple[datetime, ...] = (),
    hour: int = 0,
) -> str | None:
    refusal = may_answer(mail, sender, OURS, recent, NOW, Caps(), answers_this_hour=hour)
    assert refusal is None or refusal.gloss
    return refusal.reason if refusal else None


def test_a_person_s_mail_may_be_answered() -> None:
    assert why_automatic(MAIL, "ada@customer.example") is None
    assert answer() is None


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ([("Auto-Submitted", "auto-generated")], "auto_submitted"),
        ([("Auto-Submitted", "auto-replied (rejected)")], "auto_submitted"),
        ([("X-Autoreply", "yes")], "auto_submitted"),
        ([("X-Autorespond", "Thank you")], "auto_submitted"),
        ([("Precedence", "Bulk")], "precedence_bulk"),
        ([("Precedence", "junk")], "precedence_bulk"),
        ([("Feedback-ID", "42:campaign:mailer")], "precedence_bulk"),
        ([("List-Id", "<friends.example.org>")], "list"),
        ([("List-Unsubscribe", "<https://example.org/u>")], "list"),
        ([("X-Auto-Response-Suppress", "DR, OOF, AutoReply")], "no_responses"),
        ([("X-Auto-Response-Suppress", "All")], "no_responses"),
        ([(LOOP_HEADER, "clytie.example")], "loop"),
        ([("Delivered-To", "a@x.example"), ("Delivered-To", "A@x.example")], "loop"),
        ([("Content-Type", "multipart/report; report-type=disposition-notification")], "read_receipt"),
        ([("Content-Type", "multipart/report; report-type=delivery-status")], "report"),
        ([("Content-Type", "text/calendar; charset=utf-8; method=REPLY")], "calendar_response"),
    ],
)
def test_a_machine_is_known_by_its_headers(headers: list[tuple[str, str]], why: str) -> None:
    mail = with_headers(*headers)
    assert why_automatic(mail, "ada@customer.example", ["clytie.example"]) == why
    assert answer(mail) == why


@pytest.mark.parametrize(
    "headers",
    [
        [("Auto-Submitted", "no")],
        [("Auto-Submitted", "No"), ("Precedence", "bulk")],
        [("X-Auto-Response-Suppress", "DR, NDR, RN")],
        [("Precedence", "normal")],
        [(LOOP_HEADER, "somebody-else.example")],
        [("Delivered-To", "a@x.example"), ("Delivered-To", "b@x.example")],
        [("Content-Type", "text/calendar; method=REQUEST")],
    ],
)
def test_harmless_headers_make_no_machine(headers: list[tuple[str, str]]) -> None:
    assert answer(with_headers(*headers)) is None


@pytest.mark.parametrize("sender", ["", "<>", " <> "])
def test_a_null_sender_is_never_answered(sender: str) -> None:
    assert answer(sender=sender) == "null_sender"


@pytest.mark.parametrize(
    "address",
    [
        "MAILER-DAEMON@x.example",
        "postmaster@x.example",
        "owner-friends@x.example",
        "friends-request@x.example",
        "bounces+abc@x.example",
        "root@x.example",
        "post_master@x.example",
    ],
)
def test_a_daemon_is_never_answered(address: str) -> None:
    assert answer(sender=address) == "daemon_address"


def test_a_daemon_without_an_address_is_never_answered() -> None:
    nobody = replace(MAIL, sender=None, headers=(("From", "MAILER-DAEMON <>"),))
    assert answer(nobody, sender=None) == "daemon_address"


@pytest.mark.parametrize(
    "address",
    [
        "noreply@x.example",
        "no-reply@x.example",
        "No_Reply@x.example",
        "do-not-reply@x.example",
        "donotreply@x.example",
        "billing-noreply@x.example",
        "noreply+42@x.example",
        "ne-pas-repondre@x.example",
        "nepasrepondre@x.example",
        "nicht-antworten@x.example",
        "no-responder@x.example",
        "non-rispondere@x.example",
        "nao-responder@x.example",
    ],
)
def test_an_address_that_takes_no_answers_is_never_answered(address: str) -> None:
    assert answer(replace(MAIL, sender=Mailbox("", address))) == "no_reply_address"


@pytest.mark.parametrize(
    "address", ["noreen@x.example", "reply@x.example", "rooter@x.example", "nora@x.example"]
)
def test_people_with_such_names_are_answered(address: str) -> None:
    assert answer(replace(MAIL, sender=Mailbox("", address)), sender=address) is None


def test_an_invitation_that_was_accepted_is_no_question() -> None:
    invitation = Attachment("2", "invite.ics", "text/calendar", b"BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\n")
    assert answer(replace(MAIL, attachments=(invitation,))) == "calendar_response"


def test_an_out_of_office_answer_is_known_with_the_day_of_return() -> None:
    mail = replace(
        with_headers(("Auto-Submitted", "auto-replied"), subject="Automatic reply: Offer"),
        text="I am out of the office and will be back on 3 August 2026.",
    )
    absence = read_absence(mail)
    assert absence is not None
    assert absence.back_on == date(2026, 8, 3)
    assert why_automatic(mail, "ada@customer.example") == "out_of_office"


def test_a_person_who_writes_about_holidays_is_not_away() -> None:
    assert read_absence(replace(MAIL, subject="On vacation in August?")) is None


def test_only_mail_that_names_us_is_answered() -> None:
    assert answer(replace(MAIL, to=(Mailbox("", "friends@x.example"),))) == "not_addressed"
    assert answer(replace(MAIL, to=(), cc=(Mailbox("", "SALES@clytie.example"),))) is None


def test_we_never_answer_ourselves() -> None:
    assert answer(sender="support@clytie.example") == "ourselves"
    assert answer(replace(MAIL, sender=Mailbox("", "Sales@clytie.example"))) == "ourselves"


def test_a_correspondent_gets_an_answer_once_in_a_period() -> None:
    assert answer(recent=(NOW - timedelta(days=6),)) == "correspondent_cap"
    assert answer(recent=(NOW - timedelta(days=8),)) is None


def test_an_hour_has_its_cap() -> None:
    assert answer(hour=100) == "hour_cap"
    assert answer(hour=99) is None


def test_mail_without_any_sender_is_not_answered() -> None:
    assert answer(replace(MAIL, sender=None), sender=None) == "no_sender"


def test_an_answer_goes_to_the_envelope_s_sender_and_not_to_reply_to() -> None:
    mail = replace(MAIL, reply_to=(Mailbox("", "list@x.example"),))
    assert answer_address(mail, "<ada@customer.example>") == "ada@customer.example"
    assert answer_address(mail, None) == "ada@customer.example"
    back = replace(mail, headers=(("Return-Path", "<ada@home.example>"),))
    assert answer_address(back, None) == "ada@home.example"
    assert answer_address(mail, "") == ""


def test_every_word_has_its_sentence() -> None:
    assert all(gloss.endswith(".") for gloss in (*AUTOMATIC.values(), *REFUSED.values()))
    assert not set(AUTOMATIC) & set(REFUSED)


@given(
    headers=st.lists(st.tuples(st.text(max_size=30), st.text(max_size=200)), max_size=20),
    subject=st.text(max_size=100),
    sender=st.one_of(st.none(), st.text(max_size=80)),
)
def test_whatever_a_mail_holds_the_answer_is_a_known_word(
    headers: list[tuple[str, str]], subject: str, sender: str | None
) -> None:
    mail = with_headers(*headers, subject=subject)
    assert why_automatic(mail, sender) in {None, *AUTOMATIC}
    refusal = may_answer(mail, sender, OURS, [], NOW, Caps())
    assert refusal is None or refusal.reason in {*AUTOMATIC, *REFUSED}
