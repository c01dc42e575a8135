"""Where a quote begins: attributions and separator lines here, header blocks in `channels.mail.quotes.headerblocks`.

An attribution ("On ... wrote:") is told by its parts, a date, an address, a verb of writing, a colon at its end, not by
the pattern of one program, so that a language or a program nobody tried has a fair chance. Every test looks at a few
hundred characters at most, and a mail has a bounded number of tests: the time is linear in the mail.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from channels.mail.quotes.attributions import FOLLOWING, PARTICLES, every
from channels.mail.quotes.headerblocks import (
    LONGEST,
    MESSAGE_OF,
    RULE,
    TIME,
    header_block,
    label,
    strange_header_block,
)

#: An attribution is wrapped over at most this many lines.
MOST_LINES = 6
#: Lines that may be the end of an attribution are looked at closely this often in a mail, then no more.
MOST_LOOKS = 1500


def _words(field: str) -> str:
    return "|".join(re.escape(word) for word in every(field))


_EDGE = r"(?<![^\W_])", r"(?![^\W_])"  # words of alphabets with spaces stand alone
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_VERBS = every("wrote")
VERB = re.compile(
    "|".join(
        [re.escape(verb) for verb in _VERBS if _CJK.search(verb)]
        + [_EDGE[0] + "(?:" + "|".join(re.escape(v) for v in _VERBS if not _CJK.search(v)) + ")" + _EDGE[1]]
    ),
    re.IGNORECASE,
)
#: Verbs that also stand in ordinary sentences before a list; they count only beside an address.
WEAK_VERB = re.compile(
    r"\b(?:sent|said|envoyé|a envoyé|envió|enviou|ha inviato|scritto|heeft|hat am|replied|от|on)\b", re.I
)
LEAD = re.compile(r"[^\w<\"'(]*(?:" + _words("lead") + r")(?![^\W_])", re.IGNORECASE)
_WORD = re.compile(r"[^\s]*[^\W_][^\s]*")
CAPITAL_LEAD = re.compile(
    r"(?:-{2,}\s*|(?<=[\s.!?…]))(?=(?:On|Le|Am|El|Il|Op|Em|Den|Dnia|W dniu|Dne|In data|Il giorno)\s[^\n]{0,40}?\d)"
)
CAPITAL_START = re.compile(
    r"[\W_]{0,6}(?:On|Le|Am|El|Il|Op|Em|Den|Dnia|W dniu|Dne|In data|Il giorno|In|Pada|Vào|Pe|În|Dana|На|Στις)(?![^\W_])"
)
DATE = re.compile(
    r"\d{1,4}\s?[./\-–]\s?\d{1,2}\s?[./\-–]\s?\d{1,4}|\d{1,2}\s?[:h]\s?\d{2}|(?<!\d)(?:19|20)\d{2}(?!\d)"
    r"|\d{1,2}[.,]?\s[^\W\d]{3,12}[.,]?\s(?:\d{2,4}|kl|à|at|um|om|о|v\s)|\d{1,2}\s?月"
)
START = re.compile(r"[^\w<]{0,24}(?:[^\W\d]{1,12}[.,]*(?:\(s\))?[\s,]+){0,4}[^\w]?\d")
ADDRESS = re.compile(r"[^\s<>()@,;:\"]{1,128}@[^\s<>()@,;:\"]{1,200}")
END = re.compile(r"(?:[:：](?:\s*\([^()]{6,60}\))?|\bwrote ?)[\s*_>»\"”\-–—]*$")
DASHED_END = re.compile(r"-{2,}\s*$")
SPEAKER = re.compile(
    r"\b(?:i|we|you|he|she|they|ich|wir|je|nous|yo|io|noi|ik|wij|we|eu|ja|jag|vi)\s+(?:have |had |just )?$",
    re.I,
)
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
    if start[:1] in "-_=~—–─━‐" and start:
        kind = _core(line)
        if kind:
            return kind
    if ":" in line[-6:] or "：" in line[-6:]:
        match = BARE_FORWARD.match(line)
        if match and " ".join(match[1].strip(" *").lower().split()) in STARTS_OF_FORWARDS:
            return "forward"
    return ""


def _is_by_name(text: str, verb: re.Match[str]) -> bool:
    """Whether a name stands around the verb, not the words of a sentence ("your driver wrote to me that:")."""
    if WEAK_VERB.fullmatch(verb[0]):
        return False
    before = _WORD.findall(text[max(0, verb.start() - 80) : verb.start()])
    after = [
        word for word in _WORD.findall(text[verb.end() : verb.end() + 80]) if word.lower() not in FOLLOWING
    ]
    if after and after[0][:1].islower() and after[0] not in PARTICLES:
        return False
    if not before or not before[-1][:1].islower() or before[-1] in PARTICLES:
        return True
    if len(before) > 1 and before[-2].lower() == "via":
        return True  # "Ann Lee via helpdesk wrote:"
    return len(before) > 1 and before[-2][-1:] == "," and "'" not in before[-1] and "’" not in before[-1]


def _is_attribution(text: str, begins: str, quoted_next: bool) -> str:
    """ "strong" (begins with its date), "weak" (begins with a name), or "" for a window of joined lines."""
    date = DATE.search(text) is not None
    verb = VERB.search(text)
    address = ADDRESS.search(text) is not None
    colon = END.search(text) is not None
    spoken = verb is not None and SPEAKER.search(text[: verb.start()]) is not None
    sure = verb is not None and not spoken and (address or quoted_next or _is_by_name(text, verb))
    if START.match(begins) or (LEAD.match(begins) and date):
        if date and (colon or DASHED_END.search(text)) and (sure or address):
            return "strong"
        if date and quoted_next and (address or verb):
            return "strong"
    if not (colon or DASHED_END.search(text)):
        return ""
    if quoted_next and address and date:
        return "weak"
    if verb and not text[:1].isspace() and len(text) < 300:
        if quoted_next and len(text) < 200:
            return "weak"
        if sure and address:
            return "weak"
        if sure and TIME.search(text) and DATE.search(text):
            return "weak"
        if sure and DASHED_END.search(text) and re.match(r"\s*-{2,}", text):
            return "weak"
    return ""


def _window(lines: Sequence[str], quoted: Sequence[bool], start: int, end: int) -> str:
    return " ".join(lines[n].strip() for n in range(start, end + 1) if lines[n].strip())[: LONGEST + 1]


def attribution(lines: Sequence[str], quoted: Sequence[bool], end: int, quoted_next: bool) -> Splitter | None:
    """The attribution whose last line is `end`, if there is one."""
    shared = _shared(lines[end], quoted_next)
    if shared is not None:
        return Splitter(end, end, "attribution", shared)
    weak: int | None = None
    start = end
    while start >= 0 and end - start < MOST_LINES:
        line = lines[start]
        if quoted[start] or len(line) > LONGEST:
            break
        if not line.strip():
            below = lines[start + 1].lstrip()
            if start == end or not below.startswith(("<", "[mailto", "(")):
                break
            start -= 1
            continue
        if start < end and END.search(line):
            break
        text = _window(lines, quoted, start, end)
        if len(text) > LONGEST:
            break
        found = _is_attribution(text, line, quoted_next)
        if found == "strong":
            return Splitter(_rule_above(lines, _wrapped_lead(lines, quoted, start)), end, "attribution")
        if found == "weak" and weak is None:
            weak = start
        start -= 1
    if weak is not None:
        return Splitter(weak, end, "attribution")
    return None


def _wrapped_lead(lines: Sequence[str], quoted: Sequence[bool], start: int) -> int:
    """Up to three lines up when the first words of the attribution were wrapped away from the rest of its date."""
    if CAPITAL_START.match(lines[start]):
        return start
    for number in range(start - 1, max(-1, start - 4), -1):
        above = lines[number].strip()
        if not above or quoted[number] or len(above) >= 60 or above[-1] in ".!?:;":
            break
        starts_paragraph = number == 0 or not lines[number - 1].strip()
        if CAPITAL_START.match(above) and (starts_paragraph or above.endswith(",") or DATE.search(above)):
            return number
    return start


def _shared(line: str, quoted_next: bool) -> int | None:
    """How many characters of the line come before an attribution that begins within it; None when none does."""
    if len(line) > LONGEST:
        return None
    for match in CAPITAL_LEAD.finditer(line):
        rest = line[match.end() :]
        if line[: match.start()].strip("-_=~ \t") and _is_attribution(rest, rest, quoted_next) == "strong":
            return match.start()
    return None


def may_end_attribution(line: str) -> bool:
    """Cheap: whether it is worth asking `attribution` about this line."""
    tail = line[-16:].rstrip(' \t\xa0*_>»"”-–—')
    if tail.endswith((":", "：", "wrote")) or (tail.endswith(")") and ": (" in line[-64:]):
        return True
    return line.rstrip()[-2:] == "--" and VERB.search(line[-120:]) is not None


def splitters(lines: Sequence[str], quoted: Sequence[bool]) -> list[Splitter]:
    """Every place where a quote is announced, in order, not overlapping. Quoted lines announce nothing here."""
    found: list[Splitter] = []
    looks, until = 0, -1
    next_text = _next_text(lines)
    for number, line in enumerate(lines):
        if number <= until or quoted[number] or not line or line.isspace():
            continue
        if looks > MOST_LOOKS:
            break
        follower = next_text[number]
        quoted_next = follower < len(lines) and quoted[follower]
        drawn = line[0] in "-_=~—–─━‐>* \t\xa0‐"
        if "--" in line[1:120] and BETWEEN_DASHES.match(line[:200]):
            found.append(Splitter(number, _end_of_headers(lines, number, next_text), "headers"))
            until = found[-1].last
            continue
        if quoted_next and len(line) < 60 and MESSAGE_OF.match(line) and DATE.search(line):
            found.append(Splitter(number, number, "attribution"))
            continue
        if not (quoted_next or drawn or ":" in line or "：" in line or "wrote" in line):
            continue
        splitter: Splitter | None = None
        kind = separator(line)
        if kind or line[0] in "-_=~—–─━‐":
            looks += 1
        if kind:
            splitter = Splitter(number, _end_of_headers(lines, number, next_text), kind)
        elif label(line):
            looks += 1
            last = header_block(lines, number)
            if last >= 0:
                splitter = Splitter(_rule_above(lines, number), last, "headers")
        elif line[0] in "-_" and RULE.match(line[:200]):
            last = strange_header_block(lines, number)
            if last >= 0:
                splitter = Splitter(number, last, "headers")
        if splitter is None and len(line) <= 4 * LONGEST:
            same_line = line.find(": >") if len(line) <= LONGEST else -1
            if same_line > 0:  # the quote begins right behind the colon
                looks += 1
                before = line[: same_line + 1]
                if _is_attribution(before, before, True) == "strong":
                    splitter = Splitter(number, number, "attribution")
            elif quoted_next or may_end_attribution(line):
                looks += 1
                splitter = attribution(lines, quoted, number, quoted_next)
        if splitter is not None:
            if found and splitter.first <= found[-1].last:
                splitter = Splitter(found[-1].last + 1, splitter.last, splitter.kind)
            found.append(splitter)
            until = splitter.last
    return found


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


def _rule_above(lines: Sequence[str], number: int) -> int:
    """The line of a drawn rule, or Orange's "Message du 03/05/24", right above line `number`; else `number`."""
    above = number - 1
    while above >= 0 and number - above < 5 and not lines[above].strip():
        above -= 1
    if above < 0 or number - above >= 5 or len(lines[above]) >= 200:
        return number
    of_message = MESSAGE_OF.match(lines[above]) and DATE.search(lines[above])
    return above if of_message or RULE.match(lines[above]) else number
