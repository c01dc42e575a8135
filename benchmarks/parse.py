"""How fast mail is read: `channels.mail.mime.parse` against the standard library on generated mails of everyday shapes.

The library's modern interface (`policy.default`, bodies through `get_content`) is the yardstick that gives comparable
results; the old one (`compat32`, payloads decoded to bytes only) does less. Mails per second, median of several rounds.
"""

from __future__ import annotations

import base64
import email
import quopri
import statistics
import time
from collections.abc import Callable
from email import policy
from typing import Any

from channels.mail.mime import parse

_WORDS = "A plain sentence about how seeds are sorted, dried and kept until the next spring comes round.\n"
_FRENCH = "Les graines sont triées, séchées et gardées jusqu'au printemps suivant, à l'abri de la lumière.\n"


def _head(number: int, *more: str) -> str:
    trace = "".join(
        f"Received: from mx{hop}.example.net (mx{hop}.example.net [192.0.2.{hop}])\r\n\tby mx{hop + 1}.example.org with ESMTPS "
        f"id {number}{hop}; Mon, 01 Jun 2026 08:00:0{hop} +0000\r\n"
        for hop in range(4)
    )
    return (
        f"Return-Path: <zoe@example.net>\r\n{trace}DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=k1;\r\n\th=from:to:subject;"
        f" b={'A' * 300}\r\nMessage-ID: <m{number}@example.net>\r\nReferences: <a{number}@example.org>\r\n\t<b{number}@example.org>\r\n"
        "From: =?utf-8?Q?Zo=C3=A9_Lef=C3=A8vre?= <zoe@example.net>\r\nTo: Support <support@example.org>, \"Doe, Jane\" "
        "<jane@example.com>\r\nSubject: =?utf-8?B?" + base64.b64encode(f"Réservation n° {number}".encode()).decode() + "?=\r\n"
        "Date: Mon, 01 Jun 2026 10:00:00 +0200\r\nMIME-Version: 1.0\r\n" + "".join(line + "\r\n" for line in more) + "\r\n"
    )  # fmt: skip


def _quoted(text: str) -> str:
    return quopri.encodestring(text.encode()).decode().replace("\n", "\r\n")


def _mails() -> list[bytes]:
    html = "".join(
        f'<p style="margin:0">{_FRENCH}<a href="https://www.example.org/{n}">Lire</a></p>\n'
        for n in range(20)
    )
    picture = base64.encodebytes(bytes(range(256)) * 150).decode().replace("\n", "\r\n")
    plain = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    rich = "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    both = f"--in\r\n{plain}{_quoted(_FRENCH * 10)}\r\n--in\r\n{rich}{_quoted(html)}\r\n--in--\r\n"
    file = (
        'Content-Type: application/pdf; name="=?utf-8?Q?r=C3=A9servation.pdf?="\r\nContent-Transfer-Encoding: base64\r\n'
        f"Content-Disposition: attachment; filename*=utf-8''r%C3%A9servation.pdf\r\n\r\n{picture}"
    )
    mails = []
    for number in range(20):
        mails += [
            _head(number, "Content-Type: text/plain; charset=us-ascii") + _WORDS.replace("\n", "\r\n") * 10,
            _head(number, "Content-Type: multipart/alternative; boundary=in") + both,
            _head(number, "Content-Type: multipart/mixed; boundary=out")
            + f"--out\r\nContent-Type: multipart/alternative; boundary=in\r\n\r\n{both}--out\r\n{file}\r\n--out--\r\n",
        ]
    return [text.encode() for text in mails]


def _modern(raw: bytes) -> object:
    message: Any = email.message_from_bytes(raw, policy=policy.default)
    headers = [(name, str(value)) for name, value in message.items()]
    parts = [
        (part.get_content_type(), part.get_filename(), part.get_content())
        for part in message.walk()
        if not part.is_multipart()
    ]
    return headers, message["date"].datetime, message["from"].addresses, message["to"].addresses, parts


def _old(raw: bytes) -> object:
    message: Any = email.message_from_bytes(raw)
    parts = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    return message.items(), parts


def _per_second(read: Callable[[bytes], object], mails: list[bytes], rounds: int) -> float:
    read(mails[0])
    figures = []
    for _ in range(rounds):
        start = time.perf_counter()
        for raw in mails:
            read(raw)
        figures.append(len(mails) / (time.perf_counter() - start))
    return statistics.median(figures)


def run(rounds: int = 5) -> list[dict[str, str | float]]:
    """Measure all three, in mails per second; `ratio` tells how many times faster ours is."""
    mails = _mails()
    ours = _per_second(parse, mails, rounds)
    figures: list[dict[str, str | float]] = []
    for name, read in (("policy.default and get_content", _modern), ("compat32 and payloads", _old)):
        yardstick = _per_second(read, mails, rounds)
        figures.append(
            {
                "name": f"parse: our reading / {name}",
                "ours": round(ours),
                "yardstick": round(yardstick),
                "unit": "mails/s",
                "ratio": round(ours / yardstick, 2),
            }
        )
    return figures


if __name__ == "__main__":
    for row in run():
        print(row)
