"""The headers of a mail: addresses, dates, ids and encoded words, as the standards have them and as mailers write them."""

from __future__ import annotations

from datetime import datetime

import pytest

from channels.mail.mime import parse
from channels.mail.reading.addresses import mailboxes
from channels.mail.reading.dates import read_date
from channels.mail.reading.identifiers import message_ids
from channels.mail.reading.words import decode_words
from tests.channels.odd_mails import ODD_MAILS


@pytest.mark.parametrize(
    ("written", "boxes"),
    [
        ("John Doe <j@X.COM>", [("John Doe", "j@x.com")]),
        ('"Doe, John" <j@x.com>, jane@y.org', [("Doe, John", "j@x.com"), ("", "jane@y.org")]),
        ("Doe, John <j@x.com>", [("Doe, John", "j@x.com")]),
        ('Group: a@b.c, "X Y" <x@y.z>;, z@z.z', [("", "a@b.c"), ("X Y", "x@y.z"), ("", "z@z.z")]),
        ("undisclosed-recipients:;", []),
        ("<@a.b,@c.d:joe@where.test>", [("", "joe@where.test")]),
        ("jdoe@test   . example", [("", "jdoe@test.example")]),
        (r"Pete(A nice \) chap) <pete(his)@silly.test(host)>", [("Pete", "pete@silly.test")]),
        ("=?utf-8?Q?J=C3=B6rg?= <j@x.de>", [("Jörg", "j@x.de")]),
        ('"=?utf-8?Q?J=C3=B6rg?=" <j@x.de>', [("Jörg", "j@x.de")]),
        ("=?utf-8?Q?Doe=2C_Jane?= <jane@x.com>", [("Doe, Jane", "jane@x.com")]),
        ("=?utf-8?B?Sm9obiA8am9obkB4LmNvbT4=?=", [("John", "john@x.com")]),
        ("a@b.com b@c.com; d@e.org", [("", "a@b.com"), ("", "b@c.com"), ("", "d@e.org")]),
        ("'a@b.com' <a@b.com>", [("", "a@b.com")]),
        ("john@x.com (John Doe)", [("John Doe", "john@x.com")]),
        ('"john doe"@x.com', [("", '"john doe"@x.com')]),
        ("<<a@b.c>>", [("", "a@b.c")]),
        ("jörg@münchen.de", [("", "jörg@xn--mnchen-3ya.de")]),
        ("x@[192.168.1.1]", [("", "x@[192.168.1.1]")]),
        ('"unterminated <a@b.c>, d@e.f', [("unterminated", "a@b.c"), ("", "d@e.f")]),
        ("Name <a@b.c", [("Name", "a@b.c")]),
        ("mikel@work <r@g.com>", [("mikel@work", "r@g.com")]),
        ("evil\u202emoc <f@b.c>", [("evilmoc", "f@b.c")]),
        ("((((((a@b.c", [("", "a@b.c")]),
        ("MAILER-DAEMON", []),
        ("a@b@c", []),
        ("<>", []),
    ],
)
def test_mailboxes_are_found_in_whatever_was_written(written: str, boxes: list[tuple[str, str]]) -> None:
    assert [(box.name, box.address) for box in mailboxes(written, set())] == boxes


def test_what_is_no_address_is_told() -> None:
    defects: set[str] = set()
    mailboxes("nobody, a@b.org", defects)
    assert defects == {"address not understood"}


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00"),
        ("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21T09:55:06-06:00"),
        ("21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06+00:00"),
        ("Wed, 11 Feb 98 11:51 CST", "1998-02-11T11:51:00-06:00"),
        ("Mon, 5 Jan 2024 10:11:12", "2024-01-05T10:11:12+00:00"),
        ("Sunday, 5 Jan 2024 10:11:12 +0100", "2024-01-05T10:11:12+01:00"),
        ("Wed Feb 11 11:51:00 CST 1998", "1998-02-11T11:51:00-06:00"),
        ("Wed Feb 11 11:51:00 1998 +0100", "1998-02-11T11:51:00+01:00"),
        ("2004-05-06T12:34:56Z", "2004-05-06T12:34:56+00:00"),
        ("2004-05-06 12:34:56.789 +02:00", "2004-05-06T12:34:56+02:00"),
        ("lun., 5 févr. 2024 10:11:12 +0100", "2024-02-05T10:11:12+01:00"),
        ("Di, 5 Mrz 2024 10:11:12 +0100", "2024-03-05T10:11:12+01:00"),
        ("March 5, 2021 at 4:05 PM", "2021-03-05T16:05:00+00:00"),
        ("03.05.2019 10:20", "2019-05-03T10:20:00+00:00"),
        ("13/06/2020 10:11 PM", "2020-06-13T22:11:00+00:00"),
        ("Fri, 3 May 119 10:20:30 EDT", "2019-05-03T10:20:30-04:00"),
        ("Sun, 31 Dec 2006 23:59:60 -0000", "2006-12-31T23:59:59+00:00"),
        ("Tue,16 Jun 2009 10:11:12+0200", "2009-06-16T10:11:12+02:00"),
        ("Wed, 9 Dec 2009 08:35:17 PST-0800", "2009-12-09T08:35:17-08:00"),
        ("Sat, 1 Mar 2008 12:00:00 +9999", "2008-03-01T12:00:00+00:00"),
    ],
)
def test_dates_are_read_in_the_forms_that_mailers_write(written: str, moment: str) -> None:
    assert read_date(written, set()) == datetime.fromisoformat(moment)


@pytest.mark.parametrize(
    "written",
    ["", "soon", "Thu, 31 Feb 2004 10:00:00 +0000", "Mon, 30 Jun 3609 15:33:50 +0600", "Mon, 1 Jan 0001 00:00:00 +0000",
     "Wed, 15 Dec 2010    59:10 -0500", "05/06/2020 10:11:12", "9" * 150, "Pn, 29 paX 2007 21:13:00 +0100"],
)  # fmt: skip
def test_absurd_and_ambiguous_dates_are_none_and_told(written: str) -> None:
    defects: set[str] = set()
    assert read_date(written, defects) is None
    assert defects == {"date not understood"}


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("=?utf-8?Q?caf=C3?= =?utf-8?Q?=A9?= au lait", "café au lait"),
        ("=?UTF-8?B?w6k=?==?utf-8?Q?_b?=", "é b"),
        ("Re:=?utf-8?q?=5Bx=5D?=y", "Re:[x]y"),
        ("=?utf-8?Q?what??= now", "what? now"),
        ("=?utf-8?Q?two words?=", "two words"),
        ("=?iso-2022-jp?B?GyRCRnxLXA==?= =?iso-2022-jp?B?OGwbKEI=?=", "日本語"),
        ("=?utf-8*en?Q?hello?=", "hello"),
        ("=?utf-8?X?no?= =?utf-8?Q?open", "=?utf-8?X?no?= =?utf-8?Q?open"),
        ("=?bogus?Q?caf=E9?=", "café"),
        ("=?utf-8?B?!!!?=", ""),
    ],
)
def test_encoded_words_are_decoded_where_they_stand(written: str, text: str) -> None:
    assert decode_words(written, set()) == text


def test_message_ids_survive_folds_words_and_commas() -> None:
    assert message_ids(["<a@b>, <c\t@d>", 'Your mail of "Monday" <a@b>', "e@f"]) == ("a@b", "c@d", "e@f")


def test_far_too_many_references_keep_the_first_and_the_last() -> None:
    ids = message_ids([" ".join(f"<{n}@x>" for n in range(5_000))])
    assert (len(ids), ids[0], ids[-1]) == (1_000, "0@x", "4999@x")


def test_headers_keep_their_order_and_are_decoded() -> None:
    read = parse(b"B: 1\nA: =?utf-8?Q?=C3=A9?=\r\n\tx\nb: M\xfcller\n\n")
    assert read.headers == (("B", "1"), ("A", "é\tx".replace("\t", " ")), ("b", "Müller"))
    assert read.all("B") == ["1", "Müller"]


def test_the_sender_stands_in_for_an_empty_from() -> None:
    read = parse(b"From: MAILER-DAEMON\nSender: Postmaster <p@x.org>\n\n")
    assert read.sender is not None
    assert read.sender.address == "p@x.org"


def test_raw_utf_8_in_headers_is_welcome() -> None:
    read = parse("From: 用户 <用户@例子.广告>\nSubject: 你好\n\nx".encode())
    assert (read.subject, read.defects) == ("你好", ())
    assert read.sender is not None
    assert read.sender.address == "用户@xn--fsqu00a.xn--4rr70v"


def test_debris_before_the_headers_is_skipped() -> None:
    assert parse(ODD_MAILS["mailbox line"]).subject == "m"
    assert parse(ODD_MAILS["blank lines first"]).subject == "late"
    assert parse(b"\xef\xbb\xbfSubject: marked\n\nx").subject == "marked"
