"""Header blocks that mail programs write above a quoted or forwarded mail: "From: / Sent: / To: / Subject:", in any language."""

from __future__ import annotations

import re
from collections.abc import Sequence

from channels.mail.quotes.wordings import DATES, every

ROLES = ("sender", "sent", "to", "subject")

LABELS: dict[str, frozenset[str]] = {}

for _role in ROLES:
    for _word in every(_role):
        LABELS[_word] = LABELS.get(_word, frozenset()) | {_role}

#: No attribution or header is longer than this; longer lines are text.
LONGEST = 600

TIME = re.compile(r"(?<!\d)\d{1,2}\s?[:.h時点]\s?\d{2}(?!\d)")

DATE = re.compile(
    r"\d{1,4}\s?[./\-–]\s?\d{1,2}\s?[./\-–]\s?\d{1,4}|\d{1,2}\s?[:h]\s?\d{2}|(?<!\d)(?:19|20)\d{2}(?!\d)"
    r"|\d{1,2}[.,]?\s[^\W\d]{3,12}[.,]?\s(?:\d{2,4}|kl|à|at|um|om|о|v\s)|\d{1,2}\s?月"
)

RULE = re.compile(r"[\s>]*[-_=*~—–─━‐]{2,}[\s\-_=*~—–─━‐]*$")

MESSAGE_OF = re.compile(
    r"[\s>]*(?:message|nachricht|mensaje|messaggio|bericht|mensagem|wiadomość)\b", re.IGNORECASE
)


def label(line: str) -> frozenset[str]:
    """The roles that the header label at the start of the line may have; empty when it is no header line."""
    colon = line.find(":", 0, 48)
    wide = line.find("：", 0, 48)
    if colon < 0 or -1 < wide < colon:
        colon = wide
    if colon < 1:
        return frozenset()
    word = line[:colon].strip(" \t\xa0\u202f*_>|\u200e\u200f-").lower()
    return LABELS.get(word) or LABELS.get(" ".join(word.split())) or frozenset()


_INNER_LABEL = re.compile(r"(?<=\s)[*_]{0,2}([^\W\d_][^\n:：*]{0,16}?)[*_\s]{0,3}[:：]")


def header_block(lines: Sequence[str], at: int, most_lines: int = 40) -> int:
    """The last line of the header block that begins on line `at`, or -1 when none begins there.

    Wants a sender or a date, one more header, and a sign that it is a mail's: a subject, an address, or sender, date
    with time and recipients together. ("From: Paris / To: London / Date: Monday" is a traveller's.)
    """
    first = label(lines[at])
    if not first:
        return -1
    seen: list[frozenset[str]] = []
    last, strangers, address, time, mailed = at, 0, False, False, False
    for number in range(at, min(len(lines), at + most_lines)):
        line = lines[number][:LONGEST]
        if not line.strip(" \t\xa0>*"):
            strangers += 1
            if strangers > 1 and number - last > 1:
                break
            continue
        roles = label(line)
        if not roles and (number - last > 3 or (number > 0 and not lines[number - 1].strip(" \t\xa0>"))):
            break
        if roles:
            seen.append(roles)
            seen.extend(
                LABELS[w] for m in _INNER_LABEL.finditer(line) if (w := m[1].strip().lower()) in LABELS
            )
            mailed = mailed or (
                "sent" in roles and line[: line.find(":")].strip(" *_>\xa0").lower() not in DATES
            )
            last, strangers = number, 0
        elif len(seen) >= 3 and "subject" in seen[-1]:
            break  # a wrapped subject is told from the text by nothing: the blank line ends it
        address = address or "@" in line
        time = time or TIME.search(line) is not None
    distinct = _distinct(seen)
    if not distinct & {"sender", "sent"} or len(distinct) < 2:
        return -1
    if "sender" not in distinct and not mailed and (not address or _in_a_form(lines, at)):
        return -1  # a meeting, or what somebody filled in
    whole = {"sender", "sent", "to"} <= distinct and time and mailed
    if not ("subject" in distinct or address or whole):
        return -1
    return last


_STRANGE_LABEL = re.compile(r"[\s*_]{0,4}[^\W\d_][^\n:：]{1,30}[:：][*_\s]*\S")


def strange_header_block(lines: Sequence[str], at: int) -> int:
    """The last line of a header block in a language we do not know, below a drawn rule on line `at`; else -1."""
    start = at + 1
    if start < len(lines) and not lines[start].strip():
        start += 1
    end = start
    while end < len(lines) and end - start < 12 and _STRANGE_LABEL.match(lines[end][:LONGEST]):
        end += 1
    block = " ".join(line[:LONGEST] for line in lines[start:end])
    return end - 1 if end - start >= 3 and "@" in block and TIME.search(block) else -1


def _in_a_form(lines: Sequence[str], at: int) -> bool:
    """Whether other "Name: value" stands right above: a form, whose date and subject are the writer's."""
    return at > 0 and _STRANGE_LABEL.match(lines[at - 1][:LONGEST]) is not None


def _distinct(seen: Sequence[frozenset[str]]) -> set[str]:
    """The roles there are when each line takes one of its possible roles that no line before has taken."""
    taken: set[str] = set()
    for roles in sorted(seen, key=len):
        left = sorted(roles - taken)
        if left:
            taken.add(left[0])
    return taken


def rule_above(lines: Sequence[str], number: int) -> int:
    """The line of a drawn rule, or Orange's "Message du 03/05/24", right above line `number`; else `number`."""
    above = number - 1
    while above >= 0 and number - above < 5 and not lines[above].strip():
        above -= 1
    if above < 0 or number - above >= 5 or len(lines[above]) >= 200:
        return number
    of_message = MESSAGE_OF.match(lines[above]) and DATE.search(lines[above])
    return above if of_message or RULE.match(lines[above]) else number
