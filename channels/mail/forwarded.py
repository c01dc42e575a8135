"""Who wrote a mail that a person forwarded to us: as an attachment, or below "Forwarded message" and its like."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from channels.mail.mime import parse
from channels.mail.parsed import ParsedMail
from channels.mail.quotes.attributions import ADDRESS
from channels.mail.quotes.headerblocks import TIME, header_block, label
from channels.mail.quotes.htmlquotes import Lines
from channels.mail.quotes.htmltree import Document, TooManyNodes
from channels.mail.quotes.splitters import says_forwarded, splitters
from channels.mail.reading.dates import read_date
from channels.mail.subjects import is_forward

#: Where the headers of a forwarded mail may be, in characters and lines of the text.
LONGEST_TEXT = 200_000
MOST_LINES = 3_000
LONGEST_HEADERS = 64_000  #: bytes of an attached mail that are read

_FORWARD_TYPES = frozenset({"message/rfc822", "message/global"})
_REPORT_TYPES = frozenset(
    {"message/delivery-status", "message/feedback-report", "message/disposition-notification"}
)
_MARK = re.compile(r"^[>\s]+")
_MAILTO = re.compile(r"<?\[?mailto:[^\s>\]]{0,320}[>\]]?", re.IGNORECASE)
_AT = re.compile(
    r",?\s(?:at|à|um|a las|alle(?: ore)?|om|o|às|kl\.?|klo|v|в|о|г\.,?(?: в)?|р\.,?(?: о)?)\s(?=\d)",
    re.IGNORECASE,
)
_ZONE = re.compile(r"[+-]\d{2}:?\d{2}|\b(?:GMT|UTC|[A-Z]{3,4}T|MESZ|MEZ)\b")
_ORDINAL = re.compile(r"^on\s|(?<=\d)(?:st|nd|rd|th)\b", re.IGNORECASE)
_SLASHED = re.compile(r"(?<!\d)(\d{1,2})[/.](\d{1,2})[/.](\d{4}|\d{2})(?!\d)")
_EASTERN = re.compile(r"(\d{4})\s?[年년]\s?(\d{1,2})\s?[月월]\s?(\d{1,2})\s?[日일]?")
_WORDED = re.compile(r"(?<!\d)(\d{1,2})[.\s]{1,3}(?:de\s)?([^\W\d]{3,12})[.,]?\s(?:de\s)?(\d{4})(?!\d)")
#: How the months begin: Finnish, Czech, Russian, Ukrainian, Turkish; Swedish, Danish and Norwegian where they differ.
_STEMS = (
    ("tammi", "led", "янв", "січ", "oca"), ("helmi", "únor", "фев", "лют", "şub"), ("maalis", "břez", "мар", "бер"),
    ("huhti", "dub", "апр", "кві", "nis"), ("touko", "květ", "ма", "тра", "maj", "mai", "may"),
    ("kesä", "červn", "июн", "чер", "haz", "jun"), ("heinä", "červenc", "июл", "лип", "tem"), ("elo", "srp", "авг", "сер", "ağu"),
    ("syys", "září", "сен", "вер", "eyl"), ("loka", "říj", "окт", "жов", "eki"), ("marras", "listop", "ноя", "лис", "kas"),
    ("joulu", "prosin", "дек", "гру", "ara"),
)  # fmt: skip
_REST = re.compile(r"[\s<\[(\"'“”„«»*,;:]+$|^[\s\"'“”„«»*<]+")


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The author of the original, with address; date and subject as far as it says them. A date without a zone has
    the zone of the mail that brought it."""

    name: str
    address: str
    date: datetime | None = None
    subject: str = ""


def original_author(mail: ParsedMail) -> Forwarded | None:
    """Who wrote what was forwarded; None when nothing was, or when no address of the author is told.

    A line that says "forwarded" is enough; a mere header block, which replies carry too, counts with a subject that says
    so. The first forwarded mail counts. Never raises.
    """
    if _is_report(mail):
        return None
    attached = _attached(mail)
    if attached is not None:
        return attached
    lines = _lines(mail)
    number = _begin(lines, is_forward(mail.subject))
    return None if number is None else _read(lines, number, mail)


def _is_report(mail: ParsedMail) -> bool:
    """Whether a program returned the mail, or a list server made a digest: then nobody forwarded it."""
    kind = mail.header("content-type").lower().replace(" ", "")
    if kind.startswith(("multipart/report", "multipart/digest")):
        return True
    if mail.sender is not None and mail.sender.address.lower().startswith(("mailer-daemon@", "postmaster@")):
        return True
    if mail.header("auto-submitted").strip().lower() not in ("", "no"):
        return True
    return any(one.media_type in _REPORT_TYPES for one in mail.attachments)


def _attached(mail: ParsedMail) -> Forwarded | None:
    if mail.in_reply_to and not is_forward(mail.subject):
        return None  # an answer that encloses a mail
    for one in mail.attachments:
        if one.media_type not in _FORWARD_TYPES:
            continue
        inner = parse(one.content[:LONGEST_HEADERS])
        if inner.sender is not None and inner.sender.address:
            return Forwarded(inner.sender.name, inner.sender.address, inner.date, inner.subject)
    return None


def _lines(mail: ParsedMail) -> list[str]:
    text = mail.text[:LONGEST_TEXT]
    if not text.strip() and mail.html:
        try:
            return Lines(Document(mail.html[:LONGEST_TEXT])).texts()[:MOST_LINES]
        except TooManyNodes:
            return []
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:MOST_LINES]


def _begin(lines: Sequence[str], by_subject: bool) -> int | None:
    """The line that the forwarded mail is announced on, or its first header."""
    bare = [line if line[:1].isalnum() else _MARK.sub("", line) for line in lines]
    if not by_subject and not says_forwarded(bare):
        return None
    for splitter in splitters(bare, [False] * len(bare)):
        if splitter.kind == "forward":
            return splitter.first + 1
        if not by_subject:
            return None  # what stands below a reply's quote is not what this person forwards
        if splitter.kind in ("headers", "original"):
            return splitter.first
    return None


def _read(lines: Sequence[str], number: int, mail: ParsedMail) -> Forwarded | None:
    """The headers from line `number` on."""
    bare = [_MARK.sub("", line).strip() for line in lines[number : number + 40]]
    start = next(
        (place for place, line in enumerate(bare) if label(line) and header_block(bare, place) >= 0), None
    )
    if start is None:
        return _attributed(bare)
    values: dict[str, str] = {}
    role = ""
    for line in bare[start : header_block(bare, start) + 1]:
        roles = label(line)
        if roles:
            role = next(
                (one for one in ("sender", "sent", "to", "subject") if one in roles and one not in values), ""
            )
            if role:
                values[role] = re.split("[:：]", line, maxsplit=1)[1].strip(" *_\t\xa0")
        elif role and line:
            values[role] += " " + line
    name, address = _person(values.get("sender", ""))
    if not address:
        return None
    english = re.match(r"[\s*>]*from\b", bare[start], re.IGNORECASE) is not None
    sent = values.get("sent", "")
    if not english:  # no other language writes the month first
        sent = _SLASHED.sub(
            lambda m: f"{m[3] if len(m[3]) == 4 else '20' + m[3]}-{m[2]:0>2}-{m[1]:0>2}", sent, count=1
        )
    return Forwarded(name, address, _date(sent, mail), values.get("subject", ""))


def _attributed(bare: Sequence[str]) -> Forwarded | None:
    """An author who is only named in a line such as "Ann <ann@example.com> wrote:"."""
    for splitter in splitters(bare, [False] * len(bare)):
        if splitter.kind == "attribution":
            _, address = _person(" ".join(bare[splitter.first : splitter.last + 1]))
            return Forwarded("", address) if address else None
    return None


def _person(text: str) -> tuple[str, str]:
    """Name and address out of `Ann Lee <ann@example.com>`, `Ann [mailto:ann@example.com]`, `ann@example.com` ..."""
    text = text[:1000]
    found = ADDRESS.search(text.replace("mailto:", " "))
    if found is None:
        return "", ""
    local, _, domain = found[0].strip("[]'.").rpartition("@")
    before = _MAILTO.sub("", text[: text.find(local + "@")].replace("mailto:", ""))
    name = before
    for _ in range(3):
        name = _REST.sub("", name)
    return ("" if "@" in name else name.strip()), f"{local}@{domain.lower()}"


def _date(text: str, mail: ParsedMail) -> datetime | None:
    """The date of a header that people read, in their language. 3/5/2024 is told from 5/3/2024 only by AM or PM, or
    by a number above twelve: else it is not guessed."""
    text = " ".join(_AT.sub(" ", text[:200]).replace("\u202f", " ").replace("\xa0", " ").split())
    text = _ORDINAL.sub("", text)
    digit = re.search(r"\d", text)
    if digit is None:
        return None
    for form in dict.fromkeys((text, text[digit.start() :], _numbered(text))):
        found = read_date(form, set())
        if found is None:
            continue
        if mail.date is not None and _ZONE.search(text) is None:
            return found.replace(tzinfo=mail.date.tzinfo)
        return found
    return None


def _numbered(text: str) -> str:
    """A date with the month as a number and the year first, of those languages that our reading of Date has no words for."""
    date = _EASTERN.search(text)
    if date is not None:
        year, month, day = (int(part) for part in date.groups())
    else:
        date = _WORDED.search(text)
        if date is None:
            return text
        stem = date[2].lower()
        month = next((number for number, stems in enumerate(_STEMS, 1) if stem.startswith(stems)), 0)
        if not month:
            return text
        day, year = int(date[1]), int(date[3])
    time = TIME.search(text, date.end())
    clock = re.sub(r"\D", ":", time[0]) if time else ""
    zone = _ZONE.search(text, date.end())
    return f"{year}-{month:02}-{day:02} {clock} {zone[0] if zone else ''}".strip()
