"""Attributions: "On ... wrote:" and its like, above what is quoted.

An attribution is told by its parts, a date, an address, a verb of writing, a colon at its end, not by the pattern of one
program, so that a language or a program nobody tried has a fair chance. Every test looks at a few hundred characters at
most.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from channels.mail.quotes.headerblocks import DATE, LONGEST, TIME, rule_above
from channels.mail.quotes.wordings import FOLLOWING, PARTICLES, every

#: An attribution is wrapped over at most this many lines.
MOST_LINES = 6


def _either(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in words)


def _initials(words: Iterable[str]) -> str:
    """A class of the first letters: looking for one of them first spares trying every word at every place."""
    return "".join(sorted({re.escape(word[0]) for word in words}))


_EDGE = r"(?<![^\W_])", r"(?![^\W_])"  # words of alphabets with spaces stand alone
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_CJK_VERBS = [verb for verb in every("wrote") if _CJK.search(verb)]
_VERBS = [verb for verb in every("wrote") if not _CJK.search(verb)]
VERB = re.compile(
    rf"(?=[{_initials(_CJK_VERBS)}])(?:{_either(_CJK_VERBS)})"
    rf"|{_EDGE[0]}(?=[{_initials(_VERBS)}])(?:{_either(_VERBS)}){_EDGE[1]}",
    re.IGNORECASE,
)
#: Verbs that also stand in ordinary sentences before a list; they count only beside an address.
WEAK_VERB = re.compile(
    r"\b(?:sent|said|envoyé|a envoyé|envió|enviou|ha inviato|scritto|heeft|hat am|replied|от|on)\b", re.I
)
LEAD = re.compile(r"[^\w<\"'(]*(?:" + _either(every("lead")) + r")(?![^\W_])", re.IGNORECASE)
_WORD = re.compile(r"[^\s]*[^\W_][^\s]*")
CAPITAL_LEAD = re.compile(
    r"(?:-{2,}\s*|(?<=[\s.!?…]))(?=(?:On|Le|Am|El|Il|Op|Em|Den|Dnia|W dniu|Dne|In data|Il giorno)\s[^\n]{0,40}?\d)"
)
CAPITAL_START = re.compile(
    r"[\W_]{0,6}(?:On|Le|Am|El|Il|Op|Em|Den|Dnia|W dniu|Dne|In data|Il giorno|In|Pada|Vào|Pe|În|Dana|На|Στις)(?![^\W_])"
)
START = re.compile(r"[^\w<]{0,24}(?:[^\W\d]{1,12}[.,]*(?:\(s\))?[\s,]+){0,4}[^\w]?\d")
ADDRESS = re.compile(r"[^\s<>()@,;:\"]{1,128}@[^\s<>()@,;:\"]{1,200}")
END = re.compile(r"(?:[:：](?:\s*\([^()]{6,60}\))?|\bwrote ?)[\s*_>»\"”\-–—]*$")
DASHED_END = re.compile(r"-{2,}\s*$")
SPEAKER = re.compile(
    r"\b(?:i|we|you|he|she|they|ich|wir|je|nous|yo|io|noi|ik|wij|we|eu|ja|jag|vi)\s+(?:have |had |just )?$",
    re.I,
)


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


def how_sure(text: str, begins: str, quoted_next: bool) -> str:
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


def attribution(
    lines: Sequence[str], quoted: Sequence[bool], end: int, quoted_next: bool
) -> tuple[int, int] | None:
    """Where the attribution begins whose last line is `end`: line, and how many characters of it come before. Or None."""
    shared = _shared(lines[end], quoted_next)
    if shared is not None:
        return end, shared
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
        found = how_sure(text, line, quoted_next)
        if found == "strong":
            return rule_above(lines, _wrapped_lead(lines, quoted, start)), 0
        if found == "weak" and weak is None:
            weak = start
        start -= 1
    if weak is not None:
        return weak, 0
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
        if line[: match.start()].strip("-_=~ \t") and how_sure(rest, rest, quoted_next) == "strong":
            return match.start()
    return None


def may_end_attribution(line: str) -> bool:
    """Cheap: whether it is worth asking `attribution` about this line."""
    tail = line[-16:].rstrip(' \t\xa0*_>»"”-–—')
    if tail.endswith((":", "：", "wrote")) or (tail.endswith(")") and ": (" in line[-64:]):
        return True
    return line.rstrip()[-2:] == "--" and VERB.search(line[-120:]) is not None
