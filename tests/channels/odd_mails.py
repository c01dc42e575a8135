"""Odd mails, each for one thing that goes wrong in the world: read by the tests, broken further by the property tests."""

from __future__ import annotations

import base64
from typing import Final


def mail(head: str, body: str | bytes, charset: str = "utf-8") -> bytes:
    """A mail from Ann to Bob with these further headers and this body."""
    start = f"From: Ann <ann@example.org>\nTo: bob@example.net\nSubject: s\nMIME-Version: 1.0\n{head}\n\n"
    return start.encode("utf-8") + (body if isinstance(body, bytes) else body.encode(charset))


def multipart(kind: str, *parts: str, boundary: str = "b") -> bytes:
    """A multipart of these parts, each with its own headers, a blank line and a body."""
    body = "".join(f"--{boundary}\n{part}\n" for part in parts) + f"--{boundary}--\n"
    return mail(f'Content-Type: multipart/{kind}; boundary="{boundary}"', body)


def in_base64(content: bytes) -> str:
    """Lines of base64."""
    return base64.encodebytes(content).decode()


TEXT: Final = "Content-Type: text/plain; charset=utf-8\n\n"
HTML: Final = "Content-Type: text/html; charset=utf-8\n\n"
PDF: Final = 'Content-Type: application/pdf; name="x.pdf"\nContent-Disposition: attachment\n\n%PDF'

ODD_MAILS: Final[dict[str, bytes]] = {
    "empty": b"",
    "no headers": b"Hello there,\nthis is text: all of it\n\nand more\n",
    "no blank line": b"From: a@b.org\nSubject: s\nHello Bob,\nsee http://foo: x\nbye\n\nmore\n",
    "bad header line": b"From: a@b.org\nno header here\nSubject: s\n\ntext\n",
    "carriage returns only": b"From: a@b.org\rSubject: mac\r\rone\rtwo\r",
    "doubled carriage returns": b"From: a@b.org\r\r\nSubject: x\r\r\n y\r\r\n\r\r\none\r\r\ntwo\r\r\n",
    "mailbox line": b"From a@b.org Tue Jan  1 00:00:00 2020\nFrom: a@b.org\nSubject: m\n\ntext\n",
    "blank lines first": b"\r\n\r\nReceived: x\r\nFrom: a@b.org\r\nSubject: late\r\n\r\ntext",
    "boundary is a prefix": mail(
        "Content-Type: multipart/mixed; boundary=b", "--b\n\ntext\n--b2\nstill text\n--b\n" + PDF
    ),
    "parts after the end": mail(
        "Content-Type: multipart/mixed; boundary=b", f"--b\n\ntext\n--b--\n\n--b\n{PDF}\n--b--\n"
    ),
    "one boundary for two": multipart(
        "mixed",
        f'Content-Type: multipart/alternative; boundary="b"\n\n--b\n{TEXT}plain\n--b\n{HTML}<p>rich</p>\n--b--',
        PDF,
    ),
    "no boundary parameter": mail("Content-Type: multipart/mixed", f"--x\n\ntext\n--x\n{PDF}\n--x--\n"),
    "boundary with an open quote": mail(
        'Content-Type: multipart/mixed; boundary="b\nX-Y: z', "--b\n\ntext\n--b--\n"
    ),
    "two content types": mail(
        "Content-Type: text/html\nContent-Type: multipart/mixed; boundary=b", f"--b\n{TEXT}text\n--b--\n"
    ),
    "multipart in base64": mail(
        "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64",
        in_base64(b"--b\nContent-Type: text/plain\n\ntext\n--b--\n"),
    ),
    "UTF-8 called Latin-1": mail("Content-Type: text/plain; charset=iso-8859-1", "Grüße – „ja“\n"),
    "Latin-1 called UTF-8": mail("Content-Type: text/plain; charset=utf-8", "Grüße, à bientôt\n", "latin-1"),
    "Windows-1252 called Latin-1": mail(
        "Content-Type: text/plain; charset=iso-8859-1", "“smart” – €5\n", "cp1252"
    ),
    "GB 18030 called GB 2312": mail(
        "Content-Type: text/plain; charset=gb2312", "镕基先生：您好€\n", "gb18030"
    ),
    "Cyrillic without a charset": mail("X-Y: z", "Здравствуйте, высылаю договор во вложении\n", "cp1251"),
    "Japanese without a charset": mail("X-Y: z", "お世話になっております。資料を送ります\n", "cp932"),
    "unknown charset": mail("Content-Type: text/plain; charset=x-martian", "Crème brûlée\n", "latin-1"),
    "ISO-2022-JP with a circled one": mail(
        "Content-Type: text/plain; charset=ISO-2022-JP", b"\x1b$B-!F|K\\8l\x1b(B ok\n"
    ),
    "UTF-7": mail("Content-Type: text/plain; charset=unicode-1-1-utf-7", "Hi Mom +Jjo-!\n"),
    "UTF-16 HTML": mail(
        "Content-Type: text/html; charset=utf-16\nContent-Transfer-Encoding: base64",
        in_base64("<p>Zoë ☃</p>".encode("utf-16")),
    ),
    "charset in HTML": mail("Content-Type: text/html", '<meta charset="koi8-r"><p>Привет</p>', "koi8-r"),
    "broken quoted-printable": mail(
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: Quoted-Printable",
        "caf=C3=A9 =ZZ c= d=\ne=  \nf g==\nend=",
    ),
    "base64 with a list's footer": mail(
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64",
        in_base64("Bonjour à tous, voici le message".encode())
        + "\n____\nMailing list: http://list.example/x\n",
    ),
    "base64 that is text": mail(
        "Content-Transfer-Encoding: base64", "This is plain text, not base64 at all.\n"
    ),
    "base64 in padded pieces": mail("Content-Transfer-Encoding: base64", "b25l\ndHdvIQ==\ndGhyZWU=\n"),
    "uuencode in the text": mail("X-Y: z", "see\nbegin 644 hello wörld.txt\n#0V%T\n`\nend\nbye\n"),
    "uuencode as encoding": mail(
        "Content-Type: image/gif; name=c.gif\nContent-Transfer-Encoding: x-uuencode",
        "begin 644 c.gif\n#0V%T\n`\nend\n",
    ),
    "flowed": mail("Content-Type: text/plain; format=flowed", "one \ntwo\n> quoted \n> too\n\n-- \nAnn\n"),
    "flowed with DelSp": mail(
        "Content-Type: text/plain; charset=utf-8; format=flowed; delsp=yes", "日本 \n語です\n"
    ),
    "only HTML": mail(
        "Content-Type: text/html; charset=utf-8",
        "<title>no</title><style>p{}</style><p>Hallo <b>Welt</b>&nbsp;!<br>zwei</p><ul><li>a<li>b</ul>"
        '<blockquote>alt</blockquote><a href="https://x.example/?a=1&amp;b=2">hier</a><script>no()</script>',
    ),
    "only rich text": mail(
        "Content-Type: text/rtf", r"{\rtf1\ansi{\fonttbl{\f0 Arial;}}Caf\'e9 {\b now}\par \u8364?5}"
    ),
    "enriched": mail(
        "Content-Type: text/enriched", "<bold>Now</bold> is <<the\ntime<param>red</param> to\n\ngo"
    ),
    "HTML called plain": mail(
        "Content-Type: text/plain", "<!DOCTYPE html><html><body>Hi <b>you</b></body></html>"
    ),
    "text around a picture": multipart(
        "mixed",
        TEXT + "before",
        "Content-Type: image/png; name=a.png\nContent-Disposition: inline\n\nPNG",
        TEXT + "after",
    ),
    "HTML, then a footer": multipart("mixed", HTML + "<p>one</p>", TEXT + "-- \nlist & footer"),
    "invitation": multipart(
        "alternative",
        TEXT + "come",
        HTML + "<b>come</b>",
        "Content-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\nEND:VCALENDAR",
    ),
    "picture by cid": multipart(
        "related", HTML + '<img src="cid:i1@x">', "Content-Type: image/gif\nContent-ID: <i1@x>\n\nGIF"
    ),
    "signed": multipart("signed", TEXT + "signed", "Content-Type: application/pgp-signature\n\n-----BEGIN"),
    "encrypted": mail("Content-Type: application/pkcs7-mime; smime-type=enveloped-data", "MIIB"),
    "forwarded": multipart("mixed", "Content-Type: message/rfc822\n\nSubject: =?utf-8?Q?H=C3=A9?=\n\nbody"),
    "digest": multipart("digest", "\nSubject: one\n\nbody one", "\nSubject: two\n\nbody two"),
    "only a mail": mail("Content-Type: message/rfc822", f"Subject: inner\n{TEXT}inner text\n"),
    "encoded words in odd places": mail(
        "X-Subject: Re:=?utf-8?q?=5Bx=5D?=y =?UTF-8?B?w6k=?==?utf-8?Q?_b?= =?utf-8?Q?what??= =?utf-8?Q?a b?=",
        "text",
    ),
}
