"""Where a quote begins: what `attributions` and `headerblocks` find, and separator lines, in the order of the lines.

A mail has a bounded number of tests, and every test looks at a few hundred characters at most: the time is linear in
the mail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from channels.mail.quotes.attributions import attribution, how_sure, may_end_attribution
from channels.mail.quotes.headerblocks import (
    DATE,
    LONGEST,
    MESSAGE_OF,
    RULE,
    header_block,
    label,
    rule_above,
    strange_header_block,
)
from channels.mail.quotes.wordings import every

#: Lines that may be the end of an attribution are looked at closely this often in a mail, then no more.
MOST_LOOKS = 1500
#: What rules and the lines around titles are drawn with.
_DASHES = "-_=~—–─━‐"

DECORATED = re.compile(r"[\s>*]*[-_=~—–─━‐]{2,}\s*([^\n]{2,100}?)\s*[-_=~—–─━‐:：>*]*\s*$")
BARE_FORWARD = re.compile(r"[\s*]*([^\n:：]{6,60}?)\s*[:：]?[\s*]*$")
ORIGINALS = frozenset(every("original"))
FORWARDS = frozenset(every("forwarded"))
_OF = (
    " by",
    " von",
    " par",
    " door",
    " da",
    " por",
    " af",
    " av",
    " from",
    " de",
    " di",
    " van",
    " przez",
    " od",
)
FORWARDED_BY = tuple(word + " " for word in FORWARDS if word.endswith(_OF))
MESSAGE_FROM = tuple(word + " " for word in ORIGINALS if word.endswith(_OF))
#: Bare (without dashes) these are Apple Mail's; each needs its colon.
STARTS_OF_FORWARDS = frozenset(
    word for word in FORWARDS if re.match(r"(?:begin|d[ée]but|anfang|inicio|comienzo|inizio|início|początek|börja|start|"
                                          r"začátek|začiatok|začátok|начало|початок|a tov|início|început|αρχή|開始|开始|välitetty)", word)
)  # fmt: skip


#: HCL Notes: "Ann Lee---05/03/2024 10:07:00 AM---Subject".
BETWEEN_DASHES = re.compile(
    r"[^\n-][^\n]{1,80}?-{2,3}\d{1,4}[./-]\d{1,2}[./-]\d{1,4} \d{1,2}[:.]\d{2}[^\n-]{0,20}-{2,3}"
)


@dataclass(frozen=True, slots=True)
class Splitter:
    """A quote is announced on lines `first` to `last`; `kept` characters of the first line come before it.

    `kind` is "attribution", "headers", "original" or "forward".
    """

    first: int
    last: int
    kind: str
    kept: int = 0


def _core(line: str) -> str:
    """What the words between the dashes announce: "original", "forward", or ""."""
    match = DECORATED.match(line)
    if match is None:
        return ""
    words = " ".join(match[1].replace("&nbsp;", " ").strip(" .:：*").lower().split())
    if words in ORIGINALS:
        return "original"
    if words in FORWARDS:
        return "forward"
    # "---- Forwarded by Ann Lee/Paris on 3.5.2024 ----", "---- Message from Ann Lee ----"
    if words.startswith(FORWARDED_BY):
        return "forward"
    if words.startswith(MESSAGE_FROM):
        return "original"
    return ""


def separator(line: str) -> str:
    """ "original" or "forward" when the line says that a quoted or forwarded mail follows, else ""."""
    if len(line) > 200:
        return ""
    start = line.lstrip(" \t\xa0>*")[:2]
    if start[:1] in _DASHES and start:
        kind = _core(line)
        if kind:
            return kind
    if ":" in line[-6:] or "：" in line[-6:]:
        match = BARE_FORWARD.match(line)
        if match and " ".join(match[1].strip(" *").lower().split()) in STARTS_OF_FORWARDS:
            return "forward"
    return ""


def says_forwarded(lines: Iterable[str]) -> bool:
    """Cheap: whether one of the lines (not indented) announces a forwarded mail; without one, no splitter is a "forward"."""
    return any(
        separator(line) == "forward"
        for line in lines
        if line and (line[0] in _DASHES or line[0] == "*" or ":" in line[-6:] or "：" in line[-6:])
    )


def splitters(lines: Sequence[str], quoted: Sequence[bool]) -> Iterator[Splitter]:
    """Every place where a quote is announced, in order, not overlapping. Quoted lines announce nothing here."""
    looks, until = 0, -1
    next_text = _next_text(lines)
    marks = [*quoted, False]
    for number, line in enumerate(lines):
        if number <= until or marks[number] or not line or line.isspace():
            continue
        if looks > MOST_LOOKS:
            break
        quoted_next = marks[next_text[number]]
        if "--" in line and BETWEEN_DASHES.match(line[:200]):
            until = _end_of_headers(lines, number, next_text)
            yield Splitter(number, until, "headers")
            continue
        if quoted_next and len(line) < 60 and MESSAGE_OF.match(line) and DATE.search(line):
            until = number
            yield Splitter(number, number, "attribution")
            continue
        if not (
            ":" in line
            or quoted_next
            or line[0] in _DASHES
            or line[0] in ">* \t\xa0"
            or "：" in line
            or "wrote" in line
        ):
            continue
        splitter: Splitter | None = None
        kind = separator(line)
        if kind or line[0] in _DASHES:
            looks += 1
        if kind:
            splitter = Splitter(number, _end_of_headers(lines, number, next_text), kind)
        elif label(line):
            looks += 1
            last = header_block(lines, number)
            if last >= 0:
                splitter = Splitter(rule_above(lines, number), last, "headers")
        elif line[0] in "-_" and RULE.match(line[:200]):
            last = strange_header_block(lines, number)
            if last >= 0:
                splitter = Splitter(number, last, "headers")
        if splitter is None and len(line) <= 4 * LONGEST:
            same_line = line.find(": >") if len(line) <= LONGEST else -1
            if same_line > 0:  # the quote begins right behind the colon
                looks += 1
                before = line[: same_line + 1]
                if how_sure(before, before, True) == "strong":
                    splitter = Splitter(number, number, "attribution")
            elif quoted_next or may_end_attribution(line):
                looks += 1
                begins = attribution(lines, quoted, number, quoted_next)
                if begins is not None:
                    splitter = Splitter(begins[0], number, "attribution", begins[1])
        if splitter is not None:
            if splitter.first <= until:
                splitter = Splitter(until + 1, splitter.last, splitter.kind)
            until = splitter.last
            yield splitter


def _next_text(lines: Sequence[str]) -> list[int]:
    """For each line the number of the next line that is not blank (len(lines) when there is none)."""
    following = [0] * len(lines)
    upcoming = len(lines)
    for number in range(len(lines) - 1, -1, -1):
        following[number] = upcoming
        if lines[number] and not lines[number].isspace():
            upcoming = number
    return following


def _end_of_headers(lines: Sequence[str], number: int, next_text: Sequence[int]) -> int:
    """Where an announcement ends together with the header block that may follow it."""
    follower = next_text[number]
    if follower < len(lines):
        last = header_block(lines, follower)
        if last >= 0:
            return last
    return number
