"""The author of a mail that somebody forwarded is found, whatever program forwarded it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.mail.forwarded import Forwarded, original_author
from channels.mail.parsed import Attachment, Mailbox, ParsedMail
from tests.channels.announcements import ATTRIBUTIONS, HEADER_BLOCKS

PARIS = timezone(timedelta(hours=2))
BROUGHT = datetime(2024, 5, 6, 8, 0, tzinfo=PARIS)


def forwarded(text: str, subject: str = "Fwd: Quote", **more: object) -> Forwarded | None:
    return original_author(ParsedMail(subject=subject, text=text, date=BROUGHT, **more))  # type: ignore[arg-type]


INLINE = [
    ("Gmail", "---------- Forwarded message ---------\nFrom: Ann Lee <ann@Example.com>\nDate: Fri, May 3, 2024 at 10:12 AM\nSubject: Quote\nTo: <bob@example.com>\n\nHello"),
    ("Gmail in French", "---------- Forwarded message ---------\nDe : Ann Lee <ann@example.com>\nDate: ven. 3 mai 2024 à 10:12\nSubject: Quote\nTo: Bob <bob@example.com>\n\nBonjour"),
    ("Apple Mail", "Begin forwarded message:\n\nFrom: Ann Lee <ann@example.com>\nSubject: Quote\nDate: 3 May 2024 at 10:12:00 CEST\nTo: Bob <bob@example.com>\n\nHello"),
    ("Apple Mail, marked", "> Begin forwarded message:\n> \n> From: Ann Lee <ann@example.com>\n> Subject: Quote\n> Date: 3 May 2024 at 10:12:00 CEST\n> To: Bob\n> \n> Hello"),
    ("Apple Mail in German", "Anfang der weitergeleiteten Nachricht:\n\nVon: Ann Lee <ann@example.com>\nBetreff: Quote\nDatum: 3. Mai 2024 um 10:12:00 MESZ\nAn: Bob"),
    ("Thunderbird", "-------- Forwarded Message --------\nSubject: \tQuote\nDate: \tFri, 3 May 2024 10:12:00 +0200\nFrom: \tAnn Lee <ann@example.com>\nTo: \tbob@example.com\n\nHello"),
    ("Thunderbird in German", "-------- Weitergeleitete Nachricht --------\nBetreff: \tQuote\nDatum: \tFri, 3 May 2024 10:12:00 +0200\nVon: \tAnn Lee <ann@example.com>\nAn: \tbob@example.com"),
    ("Thunderbird in Spanish", "-------- Mensaje reenviado --------\nAsunto: \tQuote\nFecha: \tFri, 3 May 2024 10:12:00 +0200\nDe: \tAnn Lee <ann@example.com>\nPara: \tbob@example.com"),
    ("Thunderbird in Italian", "-------- Messaggio Inoltrato --------\nOggetto: \tQuote\nData: \tFri, 3 May 2024 10:12:00 +0200\nMittente: \tAnn Lee <ann@example.com>\nA: \tbob@example.com"),
    ("Thunderbird in Dutch", "-------- Doorgestuurd bericht --------\nOnderwerp: \tQuote\nDatum: \tFri, 3 May 2024 10:12:00 +0200\nVan: \tAnn Lee <ann@example.com>\nAan: \tbob@example.com"),
    ("Thunderbird in Polish", "-------- Przekazana wiadomość --------\nTemat: \tQuote\nData: \tFri, 3 May 2024 10:12:00 +0200\nNadawca: \tAnn Lee <ann@example.com>\nAdresat: \tbob@example.com"),
    ("Thunderbird in Swedish", "-------- Vidarebefordrat meddelande --------\nÄmne: \tQuote\nDatum: \tFri, 3 May 2024 10:12:00 +0200\nFrån: \tAnn Lee <ann@example.com>\nTill: \tbob@example.com"),
    ("Gmail in Portuguese", "---------- Mensagem encaminhada ---------\nDe: Ann Lee <ann@example.com>\nData: sex., 3 de mai. de 2024 às 10:12\nAssunto: Quote\nPara: Bob"),
    ("Outlook with mailto", "From: Ann Lee [mailto:ann@example.com]\nSent: Friday, May 3, 2024 10:12 AM\nTo: Bob\nSubject: Quote"),
    ("Outlook in French", "-----Message d'origine-----\nDe : Ann Lee <ann@example.com>\nEnvoyé : vendredi 3 mai 2024 10:12\nÀ : Bob\nObjet : Quote"),
    ("Proton", "------- Forwarded Message -------\nFrom: Ann Lee <ann@example.com>\nDate: On Friday, May 3rd, 2024 at 10:12\nSubject: Quote\nTo: Bob <bob@example.com>"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "words"), INLINE, ids=[program for program, _ in INLINE])
def test_the_author_is_read_below_the_announcement(program: str, words: str) -> None:
    found = forwarded(f"For you.\n\nBob\n\n{words}\n")
    assert found is not None
    assert (found.name, found.address, found.subject) == ("Ann Lee", "ann@example.com", "Quote")
    assert found.date is not None
    assert found.date == datetime(2024, 5, 3, 10, 12, tzinfo=PARIS)


@pytest.mark.parametrize(
    ("language", "program", "words"), [row for row in HEADER_BLOCKS if "@" in "".join(row[2].split("\n")[:2])]
)
def test_a_header_block_below_a_subject_that_says_forwarded_is_enough(
    language: str, program: str, words: str
) -> None:
    found = forwarded(f"For you\n\n{words}\n\nHello")
    assert found is not None
    assert found.address.startswith(("ann", "hann", "hanako", "wei", "ay", "ana"))
    assert found.name
    assert "\n" not in found.name


@pytest.mark.parametrize(("language", "program", "words"), HEADER_BLOCKS)
def test_a_reply_forwards_nothing(language: str, program: str, words: str) -> None:
    assert forwarded(f"Yes.\n\n{words}\n\nHello", subject="Re: Quote") is None


@pytest.mark.parametrize(("language", "program", "words"), ATTRIBUTIONS)
def test_an_attribution_forwards_nothing(language: str, program: str, words: str) -> None:
    assert forwarded(f"Yes.\n\n{words}\n> Hello", subject="Quote") is None


def test_a_forwarded_mail_within_a_quote_is_not_forwarded_by_this_person() -> None:
    text = "Thanks!\n\nOn 3 May 2024, Bob <bob@example.com> wrote:\n> ---------- Forwarded message ---------\n> From: Ann <ann@example.com>\n> Subject: x\n"
    assert forwarded(text, subject="Re: Fwd: x") is None


def test_an_attached_mail_names_its_author() -> None:
    raw = b"From: =?utf-8?q?Ann_L=C3=A9?= <ann@example.com>\r\nDate: Fri, 3 May 2024 10:12:00 +0000\r\nSubject: Quote\r\n\r\nHello"
    mail = ParsedMail(subject="See", attachments=(Attachment("2", "quote.eml", "message/rfc822", raw),))
    assert original_author(mail) == Forwarded(
        "Ann Lé", "ann@example.com", datetime(2024, 5, 3, 10, 12, tzinfo=UTC), "Quote"
    )


def test_an_answer_that_encloses_a_mail_forwards_nothing() -> None:
    raw = b"From: ann@example.com\r\n\r\nHello"
    attached = (Attachment("2", "quote.eml", "message/rfc822", raw),)
    assert (
        original_author(ParsedMail(subject="Re: x", in_reply_to=("1@example.com",), attachments=attached))
        is None
    )


def test_a_returned_mail_was_forwarded_by_nobody() -> None:
    raw = b"From: ann@example.com\r\n\r\nHello"
    inner = Attachment("3", "mail.eml", "message/rfc822", raw)
    status = Attachment("2", "status.txt", "message/delivery-status", b"")
    assert original_author(ParsedMail(attachments=(status, inner))) is None
    report = (("Content-Type", 'multipart/report; report-type="delivery-status"'),)
    assert original_author(ParsedMail(headers=report, attachments=(inner,))) is None
    assert (
        original_author(ParsedMail(headers=(("Auto-Submitted", "auto-replied"),), attachments=(inner,)))
        is None
    )
    assert original_author(ParsedMail(headers=(("Auto-Submitted", "no"),), attachments=(inner,))) is not None


def test_the_author_is_read_in_a_mail_of_html_alone() -> None:
    html = (
        "<p>For you</p><div class='gmail_quote'>---------- Forwarded message ---------<br>From: <b>Ann Lee</b> "
        "&lt;<a href='mailto:ann@example.com'>ann@example.com</a>&gt;<br>Date: Fri, May 3, 2024 at 10:12 AM<br>Subject: Quote<br>To: Bob</div>"
    )
    found = original_author(ParsedMail(sender=Mailbox("Bob", "bob@example.com"), subject="Quote", html=html))
    assert found is not None
    assert (found.name, found.address) == ("Ann Lee", "ann@example.com")


def test_an_author_without_an_address_is_not_offered() -> None:
    assert (
        forwarded(
            "________________________________\nFrom: Ann Lee\nSent: Friday, May 3, 2024 10:12 AM\nTo: Bob\nSubject: x"
        )
        is None
    )


def test_a_date_that_may_be_read_in_two_ways_is_not_guessed() -> None:
    found = forwarded("FYI\n\nFrom: Ann <ann@example.com>\nDate: 03/05/2024 10:12\nSubject: x")
    assert found is not None
    assert found.date is None
    found = forwarded("Info\n\nVon: Ann <ann@example.com>\nDatum: 03.05.24 10:12\nBetreff: x")
    assert found is not None
    assert found.date == datetime(2024, 5, 3, 10, 12, tzinfo=PARIS)


PIECES = st.sampled_from(
    [words for _, words in INLINE]
    + [words for _, _, words in HEADER_BLOCKS]
    + ["From:", "Date: 99", "x", "", ">"]
)


@given(st.lists(st.one_of(PIECES, st.text(max_size=30)), max_size=6).map("\n".join), st.text(max_size=10))
def test_any_mail_is_read_without_an_error(text: str, subject: str) -> None:
    found = forwarded(text, f"Fwd: {subject}")
    assert found is None or "@" in found.address
