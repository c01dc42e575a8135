"""Reading odd mail: the text, the HTML and the attachments that a person would call right, and what was wrong with it."""

from __future__ import annotations

import pytest

from channels.mail import mime
from channels.mail.mime import parse
from tests.channels.odd_mails import HTML, ODD_MAILS, PDF, TEXT, in_base64, mail, multipart

_TEXTS: dict[str, str] = {
    "empty": "",
    "no headers": "Hello there,\nthis is text: all of it\n\nand more\n",
    "no blank line": "Hello Bob,\nsee http://foo: x\nbye\n\nmore\n",
    "bad header line": "text\n",
    "carriage returns only": "one\ntwo\n",
    "doubled carriage returns": "one\ntwo\n",
    "mailbox line": "text\n",
    "blank lines first": "text",
    "boundary is a prefix": "text\n--b2\nstill text",
    "parts after the end": "text",
    "one boundary for two": "plain",
    "no boundary parameter": "text",
    "boundary with an open quote": "text",
    "two content types": "text",
    "multipart in base64": "text",
    "UTF-8 called Latin-1": "Grüße – „ja“\n",
    "Latin-1 called UTF-8": "Grüße, à bientôt\n",
    "Windows-1252 called Latin-1": "“smart” – €5\n",
    "GB 18030 called GB 2312": "镕基先生：您好€\n",
    "Cyrillic without a charset": "Здравствуйте, высылаю договор во вложении\n",
    "Japanese without a charset": "お世話になっております。資料を送ります\n",
    "unknown charset": "Crème brûlée\n",
    "ISO-2022-JP with a circled one": "①日本語 ok\n",
    "UTF-7": "Hi Mom ☺!\n",
    "UTF-16 HTML": "Zoë ☃",
    "charset in HTML": "Привет",
    "broken quoted-printable": "café =ZZ c= def g=end",
    "base64 with a list's footer": "Bonjour à tous, voici le message",
    "base64 that is text": "This is plain text, not base64 at all.\n",
    "base64 in padded pieces": "onetwo!three",
    "uuencode in the text": "see\nbye\n",
    "flowed": "one two\n> quoted too\n\n-- \nAnn\n",
    "flowed with DelSp": "日本語です\n",
    "only HTML": "Hallo Welt !\nzwei\n\n- a\n- b\n\n> alt\n\nhier (https://x.example/?a=1&b=2)",
    "only rich text": "Café now\n€5",
    "enriched": "Now is <the time to\ngo",
    "HTML called plain": "Hi you",
    "text around a picture": "before\n\nafter",
    "HTML, then a footer": "one\n\n-- \nlist & footer",
    "invitation": "come",
    "picture by cid": "",
    "signed": "signed",
    "encrypted": "",
    "forwarded": "",
    "digest": "",
    "only a mail": "inner text\n",
}

_ATTACHMENTS: dict[str, list[tuple[str, str, str, bytes]]] = {
    "boundary is a prefix": [("1.2", "x.pdf", "application/pdf", b"%PDF")],
    "parts after the end": [("1.2", "x.pdf", "application/pdf", b"%PDF")],
    "one boundary for two": [("1.2", "x.pdf", "application/pdf", b"%PDF")],
    "no boundary parameter": [("1.2", "x.pdf", "application/pdf", b"%PDF")],
    "uuencode in the text": [("1.1", "hello wörld.txt", "application/octet-stream", b"Cat")],
    "uuencode as encoding": [("1", "c.gif", "image/gif", b"Cat")],
    "text around a picture": [("1.2", "a.png", "image/png", b"PNG")],
    "invitation": [("1.3", "invitation.ics", "text/calendar", b"BEGIN:VCALENDAR\nEND:VCALENDAR")],
    "picture by cid": [("1.2", "image.gif", "image/gif", b"GIF")],
    "signed": [("1.2", "signature.asc", "application/pgp-signature", b"-----BEGIN")],
    "encrypted": [("1", "smime.p7m", "application/pkcs7-mime", b"MIIB")],
    "forwarded": [("1.1", "Hé.eml", "message/rfc822", b"Subject: =?utf-8?Q?H=C3=A9?=\n\nbody")],
    "digest": [
        ("1.1", "one.eml", "message/rfc822", b"Subject: one\n\nbody one"),
        ("1.2", "two.eml", "message/rfc822", b"Subject: two\n\nbody two"),
    ],
}

_DEFECTS: dict[str, set[str]] = {
    "no headers": {"no headers"},
    "no blank line": {"missing blank line"},
    "bad header line": {"header line skipped"},
    "carriage returns only": {"bare carriage returns"},
    "boundary is a prefix": {"multipart not closed"},
    "parts after the end": {"parts after the end"},
    "no boundary parameter": {"missing boundary"},
    "UTF-8 called Latin-1": {"wrong charset"},
    "Latin-1 called UTF-8": {"wrong charset"},
    "Cyrillic without a charset": {"missing charset"},
    "unknown charset": {"unknown charset", "wrong charset"},
    "broken quoted-printable": {"content damaged"},
    "base64 with a list's footer": {"content damaged"},
    "only HTML": set(),
    "invitation": set(),
}


@pytest.mark.parametrize("name", _TEXTS)
def test_the_text_is_what_a_person_would_read(name: str) -> None:
    assert parse(ODD_MAILS[name]).text == _TEXTS[name]


@pytest.mark.parametrize("name", ODD_MAILS)
def test_attachments_have_their_place_name_type_and_content(name: str) -> None:
    found = [
        (item.part, item.name, item.media_type, item.content) for item in parse(ODD_MAILS[name]).attachments
    ]
    assert found == _ATTACHMENTS.get(name, [])


@pytest.mark.parametrize("name", _DEFECTS)
def test_what_is_wrong_is_told(name: str) -> None:
    assert set(parse(ODD_MAILS[name]).defects) == _DEFECTS[name]


def test_html_of_a_mail_with_both_is_kept_beside_the_text() -> None:
    assert parse(ODD_MAILS["one boundary for two"]).html == "<p>rich</p>"
    assert parse(ODD_MAILS["invitation"]).html == "<b>come</b>"


def test_plain_text_beside_html_is_shown_in_the_html_too() -> None:
    html = parse(ODD_MAILS["HTML, then a footer"]).html
    assert html.startswith("<p>one</p>\n")
    assert "list &amp; footer" in html


def test_a_picture_that_the_html_shows_is_inline() -> None:
    (picture,) = parse(ODD_MAILS["picture by cid"]).attachments
    assert picture.inline
    assert picture.content_id == "i1@x"


def test_a_text_file_is_an_attachment_and_a_second_text_is_not() -> None:
    read = parse(
        multipart("mixed", TEXT + "one", "Content-Type: text/plain; name=notes.txt\n\nnotes", TEXT + "two")
    )
    assert read.text == "one\n\ntwo"
    assert [item.name for item in read.attachments] == ["notes.txt"]


def test_enriched_text_does_not_double_the_plain_text() -> None:
    read = parse(
        multipart("alternative", TEXT + "hello", "Content-Type: text/enriched\n\n<bold>hello</bold>")
    )
    assert read.text == "hello"


def test_html_without_any_words_still_counts_as_html() -> None:
    assert parse(multipart("mixed", HTML + '<img src="https://x.example/a.png">')).html.startswith("<img")


def test_a_name_is_put_together_from_its_pieces() -> None:
    head = "Content-Type: application/pdf; name*0*=utf-8''R%C3%A9sum%C3; name*1*=%A9%20final; name*2=\".pdf\""
    assert parse(mail(head, "x")).attachments[0].name == "Résumé final.pdf"


def test_a_name_in_encoded_words_is_decoded_though_the_standard_forbids_it() -> None:
    head = 'Content-Type: application/pdf\nContent-Disposition: attachment; filename="=?utf-8?B?UmVjaG51bmdfw5w=?=\n =?utf-8?Q?.pdf?="'
    assert parse(mail(head, "x")).attachments[0].name == "Rechnung_Ü.pdf"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ('"../../etc/passwd"', "passwd"),
        (r'"C:\\windows\\evil.exe"', "evil.exe"),
        ("my file (1).pdf; size=12", "my file (1).pdf"),
        ('"inv\u202efdp.exe"', "invfdp.exe"),
        ('"CON.txt"', "_CON.txt"),
        ('"..."', "document.pdf"),
        ('"a\tb\x01?.pdf"', "a b_.pdf"),
        ('"' + "a" * 500 + '.pdf"', "a" * 116 + ".pdf"),
        ("", "document.pdf"),
    ],
)
def test_names_are_safe_to_save(written: str, name: str) -> None:
    head = f"Content-Type: application/pdf\nContent-Disposition: attachment; filename={written}"
    assert parse(mail(head, "x")).attachments[0].name == name


def test_a_vague_type_is_made_exact_by_the_name() -> None:
    assert (
        parse(mail("Content-Type: application/octet-stream; name=a.PNG", "x")).attachments[0].media_type
        == "image/png"
    )


def test_wrong_text_around_a_nested_mail_does_not_hide_it() -> None:
    encoded = in_base64(b"Subject: inner\n\ninner text\n")
    part = f"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{encoded}"
    (item,) = parse(multipart("mixed", TEXT + "see below", part, PDF)).attachments[:1]
    assert (item.name, item.content) == ("inner.eml", b"Subject: inner\n\ninner text\n")


def test_a_mistake_of_ours_shows_the_raw_mail_instead_of_losing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(raw: bytes) -> None:
        raise RuntimeError

    monkeypatch.setattr(mime, "read", fail)
    read = parse(b"Subject: s\r\n\r\n\xfftext\x00")
    assert read.text == "Subject: s\n\n�text"
    assert read.defects == ("not understood",)


@pytest.mark.parametrize("lines", [2, 3, 12, 13])
def test_a_footer_below_base64_costs_no_word_of_the_mail(lines: int) -> None:
    said = "Bonjour à tous, ceci est un long message.\n" * lines
    footer = "_______________\nstaff mailing list\nstaff@lists.example.org\n"
    head = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64"
    raw = mail(head, in_base64(said.encode()) + footer)
    assert parse(raw).text == said
