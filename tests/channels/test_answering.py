"""The headers of our automatic answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from channels.mail.answering import AutomaticAnswer, write_answer
from channels.mail.automatic import LOOP_HEADER, Caps, may_answer, why_automatic
from channels.mail.parsed import Mailbox, ParsedMail
from domain.errors import InvalidInput
from tests.channels.test_automatic import MAIL, NOW, OURS


def write(
    mail: ParsedMail = MAIL, sender: str | None = "ada@customer.example", subject: str = ""
) -> AutomaticAnswer:
    return write_answer(
        mail,
        sender,
        sender="Support <support@clytie.example>",
        message_id="2@clytie.example",
        now=NOW,
        our_domains={"clytie.example"},
        subject=subject,
    )


def header(answer: AutomaticAnswer, name: str) -> str | None:
    return dict(answer.headers).get(name)


def test_an_answer_says_that_it_is_one_and_travels_without_a_sender() -> None:
    answer = write()
    assert answer.envelope_sender == ""
    assert answer.recipient == header(answer, "To") == "ada@customer.example"
    assert header(answer, "Auto-Submitted") == "auto-replied"
    assert header(answer, "X-Auto-Response-Suppress") == "All"
    assert header(answer, "Precedence") is None


def test_an_answer_belongs_to_the_thread() -> None:
    answer = write(replace(MAIL, references=("0@customer.example",)))
    assert header(answer, "In-Reply-To") == "<1@customer.example>"
    assert header(answer, "References") == "<0@customer.example> <1@customer.example>"


def test_a_long_thread_keeps_its_first_mail_and_its_last() -> None:
    answer = write(replace(MAIL, references=tuple(f"r{number}@x.example" for number in range(500))))
    references = (header(answer, "References") or "").split()
    assert references[0] == "<r0@x.example>"
    assert references[-2:] == ["<r499@x.example>", "<1@customer.example>"]
    assert len(references) <= 21


def test_a_mail_without_an_id_is_answered_without_references() -> None:
    answer = write(replace(MAIL, message_id=""))
    assert header(answer, "In-Reply-To") is None
    assert header(answer, "References") is None


def test_the_envelope_s_sender_gets_the_answer_and_not_reply_to() -> None:
    mail = replace(MAIL, reply_to=(Mailbox("", "everybody@x.example"),))
    assert write(mail).recipient == "ada@customer.example"


def test_a_stranger_s_subject_begins_no_header() -> None:
    answer = write(replace(MAIL, subject="Hello\r\nBcc: everybody@x.example"))
    assert header(answer, "Subject") == "Auto: Hello Bcc: everybody@x.example"
    assert all("\n" not in value and "\r" not in value for _, value in answer.headers)


def test_the_mark_of_an_answer_does_not_pile_up() -> None:
    assert header(write(replace(MAIL, subject="Auto: auto: Hello")), "Subject") == "Auto: Hello"


def test_a_subject_may_be_given() -> None:
    assert header(write(subject="We got your mail"), "Subject") == "We got your mail"


def test_nobody_to_answer_is_an_error() -> None:
    with pytest.raises(InvalidInput) as caught:
        write(sender="")
    assert caught.value.field == "envelope_sender"


def test_our_own_answer_is_known_as_a_loop_when_it_comes_back() -> None:
    answer = write()
    returned = ParsedMail(
        headers=answer.headers,
        message_id="2@clytie.example",
        sender=Mailbox("", "ada@customer.example"),
        to=MAIL.to,
    )
    assert header(answer, LOOP_HEADER) == "clytie.example"
    assert why_automatic(returned, "ada@customer.example", ["clytie.example"]) == "loop"
    refusal = may_answer(returned, "ada@customer.example", OURS, [], NOW, Caps())
    assert refusal is not None
    assert refusal.reason == "loop"
