"""Where a quote begins: attributions, header blocks and separator lines, recognised from `channels.mail.attributions`.

An attribution ("On ... wrote:") is told by its parts, a date, an address, a verb of writing, a colon at its end, not by
the pattern of one program, so that a language or a program nobody tried has a fair chance. Every test looks at a few
hundred characters at most, and a mail has a bounded number of tests: the time is linear in the mail.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from channels.mail.attributions import every

#: No attribution or header is longer than this; longer lines are text.
LONGEST = 600
#: An attribution is wrapped over at most this many lines.
MOST_LINES = 6
#: Lines that may be the end of an attribution are looked at closely this often in a mail, then no more.
MOST_LOOKS = 1500

ROLES = ("sender", "sent", "to", "subject")
LABELS: dict[str, frozenset[str]] = {}
for _role in ROLES:
    for _word in every(_role):
        LABELS[_word] = LABELS.get(_word, frozenset()) | {_role}


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
CAPITAL_LEAD = re.compile(
    r"(?:-{2,}\s*|(?<=[\s.!?…]))(?=(?:On|Le|Am|El|Il|Op|Em|Den|Dnia|W dniu|Dne|In data|Il giorno)\s[^\n]{0,40}?\d)"
)
DATE = re.compile(
    r"\d{1,4}\s?[./\-–]\s?\d{1,2}\s?[./\-–]\s?\d{1,4}|\d{1,2}\s?[:h]\s?\d{2}|(?<!\d)(?:19|20)\d{2}(?!\d)"
    r"|\d{1,2}[.,]?\s[^\W\d]{3,12}[.,]?\s(?:\d{2,4}|kl|à|at|um|om|о|v\s)|\d{1,2}\s?月"
)
TIME = re.compile(r"(?<!\d)\d{1,2}\s?[:.h時点]\s?\d{2}(?!\d)")
START = re.compile(r"[^\w<]{0,24}(?:[^\W\d]{1,12}[.,]*(?:\(s\))?[\s,]+){0,4}[^\w]?\d")
ADDRESS = re.compile(r"[^\s<>()@,;:\"]{1,128}@[^\s<>()@,;:\"]{1,200}")
END = re.compile(r"(?:[:：](?:\s*\([^()]{6,60}\))?|\bwrote ?)[\s*_>»\"”\-–—]*$")
DASHED_END = re.compile(r"-{2,}\s*$")
SPEAKER = re.compile(
    r"\b(?:i|we|you|they|ich|wir|je|nous|yo|io|noi|ik|wij|we|eu|ja|jag|vi)\s+(?:have |had |just )?$", re.I
)
RULE = re.compile(r"[\s>]*[-_=*~—–─━]{2,}[\s\-_=*~—–─━]*$")
DECORATED = re.compile(r"[\s>*]*[-_=~—–─━]{2,}\s*([^\n]{2,100}?)\s*[-_=~—–─━:：>*]*\s*$")
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
    if start[:1] in "-_=~—–─━" and start:
        kind = _core(line)
        if kind:
            return kind
    if ":" in line[-6:] or "：" in line[-6:]:
        match = BARE_FORWARD.match(line)
        if match and " ".join(match[1].strip(" *").lower().split()) in STARTS_OF_FORWARDS:
            return "forward"
    return ""


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
    last, strangers, address, time = at, 0, False, False
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
            last, strangers = number, 0
        elif len(seen) >= 3 and "subject" in seen[-1]:
            break  # a wrapped subject is told from the text by nothing: the blank line ends it
        address = address or "@" in line
        time = time or TIME.search(line) is not None
    distinct = _distinct(seen)
    if not distinct & {"sender", "sent"} or len(distinct) < 2:
        return -1
    whole = {"sender", "sent", "to"} <= distinct and time
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


def _distinct(seen: Sequence[frozenset[str]]) -> set[str]:
    """The roles there are when each line takes one of its possible roles that no line before has taken."""
    taken: set[str] = set()
    for roles in sorted(seen, key=len):
        left = sorted(roles - taken)
        if left:
            taken.add(left[0])
    return taken


def _is_attribution(text: str, begins: str, quoted_next: bool) -> str:
    """ "strong" (begins with its date), "weak" (begins with a name), or "" for a window of joined lines."""
    date = DATE.search(text) is not None
    verb = VERB.search(text)
    address = ADDRESS.search(text) is not None
    colon = END.search(text) is not None
    spoken = verb is not None and SPEAKER.search(text[: verb.start()]) is not None
    sure = verb is not None and not spoken and (address or quoted_next or not WEAK_VERB.fullmatch(verb[0]))
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
            return Splitter(_wrapped_lead(lines, quoted, start), end, "attribution")
        if found == "weak" and weak is None:
            weak = start
        start -= 1
    if weak is not None:
        return Splitter(weak, end, "attribution")
    return None


def _wrapped_lead(lines: Sequence[str], quoted: Sequence[bool], start: int) -> int:
    """One line up when the attribution's first words were wrapped away from its date ("On Wed," / "Apr 4, 2012 ...")."""
    if LEAD.match(lines[start]) or start == 0 or quoted[start - 1]:
        return start
    above = lines[start - 1].strip()
    starts_paragraph = start < 2 or not lines[start - 2].strip()
    if above and len(above) < 60 and starts_paragraph and LEAD.match(above) and above[-1] not in ".!?:;":
        return start - 1
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
        splitter: Splitter | None = None
        kind = separator(line)
        if kind or line[0] in "-_=~—–─━":
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
            follower = next_text[number]
            quoted_next = follower < len(lines) and quoted[follower]
            if quoted_next or may_end_attribution(line):
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
    """The line of a drawn rule right above a header block, else the block's own first line."""
    above = number - 1
    while above >= 0 and number - above < 5 and not lines[above].strip():
        above -= 1
    if above >= 0 and number - above < 5 and len(lines[above]) < 200 and RULE.match(lines[above]):
        return above
    return number
