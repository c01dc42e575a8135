"""What of a mail's lines a person newly wrote: one set of rules for plain text and for the lines of an HTML mail.

forwarded    what stands below "Forwarded message" was sent on purpose: the mail is kept whole
announced    after "On ... wrote:" or a header block, quoted lines go, what is written below or between them stays;
             when no line is marked as quoted, all goes to the end
unannounced  lines behind ">" go when there are at least three of them
signatures   what follows "-- ", a program's "Sent from my phone" and a list server's footer go;
             greetings, names and telephone numbers stay: a person may have written them
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from channels.mail.quotes.headerblocks import RULE
from channels.mail.quotes.signatures import (
    AMBIGUOUS_DEVICES,
    DEVICES,
    DISCLAIMERS,
    FETCH,
    FETCHED,
    LIST_FOOTERS,
    REPLY_ABOVE,
    SENT_BY,
    SENT_FROM,
)
from channels.mail.quotes.splitters import Splitter, splitters

#: Kept whole; `written` gives it, 0 for nothing, or how many characters of the line stay.
WHOLE = -1

_DEVICE = "|".join(re.escape(device) for device in sorted(DEVICES, key=lambda device: (-len(device), device)))
_FROM = re.compile(r"[\W_]{0,6}(?:" + "|".join(SENT_FROM) + r")(?![^\W_])[\s:]{1,3}(.{2,90})$", re.IGNORECASE)
_NAMES_DEVICE = re.compile(r"(?<![^\W_])(?:" + _DEVICE + r")(?![^\W_])", re.IGNORECASE)
_BY = re.compile(r"[\W_]{0,6}(?:" + "|".join(SENT_BY) + r")[\W_]{0,6}$", re.IGNORECASE)
#: "Sent with Shift": any one word may be a tool's name when a link stands beside it
_TOOL = re.compile(
    r"[\W_]{0,6}\w+ (?:with|using|via|avec|mit|con|com|met|med|przez) \S+[\W_]*$", re.IGNORECASE
)
_SENTENCE = re.compile(
    r"[;!?]\s|\.\s+\w+\s+\w|(?<![^\W_])(?:is|was|are|because|than|then|ist|est|è)(?![^\W_])", re.I
)
_FETCH = re.compile(
    rf"[\W_]{{0,6}}(?:{'|'.join(sorted(FETCH, key=len, reverse=True))}) (?:{'|'.join(sorted(FETCHED, key=len, reverse=True))})"
    r"(?![^\W_])[^.;!?\n]{0,60}$",
    re.IGNORECASE,
)
#: What is not "i" or "s" but is taken for it where case does not matter.
_LOOKALIKES = str.maketrans("İıſ", "iis")
#: Cheap, on a line in lower case: whether programs add lines that begin like this one, or, where the first words are a
#: name (Turkish, Japanese, Korean), that hold this.
_BEGINS = re.compile(
    r"[\W_]{0,12}(?:"
    + "|".join(
        (
            *SENT_FROM,
            *(one for one in SENT_BY if one[0] != "."),
            *(re.escape(one) for one in FETCH),
            *REPLY_ABOVE,
            *DISCLAIMERS,
        )
    ).translate(_LOOKALIKES)
    + ")"
)
_HOLDS = ("gönder", "から送信", "에서 보냄")
_EXCUSE = re.compile(
    r"[.!–—-]\s*(?:(?:please|bitte|veuillez|por favor,?|proszę) )?(?:excuse|pardon|forgive|sorry|apolog|entschuldig|disculp|perdon|scus|"
    r"desculp|excuseer|wybacz|ursäkta|undskyld|beklager)[^\n]{0,60}$",
    re.IGNORECASE,
)
_LINK = re.compile(
    r"[<(\[]\s*(?:https?:|mailto:|www\.)[^\s>)\]]{0,400}[>)\]]?|https?://\S{1,400}", re.IGNORECASE
)
_ABOVE = re.compile(r"[\W_]{0,12}(?:" + "|".join(REPLY_ABOVE) + r")[\W_]{0,12}$", re.IGNORECASE)
_DISCLAIMER = re.compile(r"[\W_]{0,6}(?:" + "|".join(DISCLAIMERS) + ")", re.IGNORECASE)
_FOOTER = re.compile("|".join(LIST_FOOTERS), re.IGNORECASE)
_PARENTHESISED_LINK = re.compile(r"\(?<?\s*https?://")
_DELIMITER = re.compile(r"\s?--\s?$")
#: Lines that people draw above a signature, but between paragraphs too: only few lines may follow.
_WEAK_DELIMITER = re.compile(r"\s?(?:_{2,4}|={2,4}|\+{2,4})\s?$")
#: Drawn between paragraphs more often still: below must stand what looks like a name and its address.
_DRAWN_DELIMITER = re.compile(r"\s{0,4}-{2,4}\s?$")
_NAME = re.compile(r"[^\W\d_a-z][^\W\d_]+(?:[.,]?[- ][^\W\d_a-z][^\W\d_]*+\.?){1,3}$")
_PROSE = re.compile(r"\S+(?:\s+\S+){7}|.*[.!?:;,]\s*$")
LONGEST_SIGNATURE = 25  #: lines; what is longer below "--" is text
LONGEST_DELIMITER = 9  #: characters
MOST_LINES = 50_000  #: lines that are read; what is below goes the way of the last of them
MOST_LOOKS = 3000  #: lines of a mail that are looked at for signatures


def sent_from(line: str) -> bool:
    """Whether a mail program wrote this line: "Sent from my iPhone", "Télécharger Outlook pour Android"."""
    if len(line) > 500 or len(line) < 6:
        return False
    bare = _without_links(line).strip().rstrip(".")
    if len(bare) > 110 or not _is_suspect(bare):
        return False
    linked = len(bare) < len(line.strip().rstrip("."))
    if _BY.match(bare.rstrip(" ()")) and (linked or not _TOOL.match(bare)):
        return True
    if _FETCH.match(bare):
        return True
    match = _FROM.match(_EXCUSE.sub("", bare))
    if match is None or _SENTENCE.search(match[1]):
        return False
    words = match[1].split()
    if not words:
        return False
    if words[-1].strip(".,()*_") in AMBIGUOUS_DEVICES and len(words) <= 4:
        return True
    return len(words) <= 9 and _NAMES_DEVICE.search(match[1]) is not None


def _is_suspect(line: str) -> bool:
    """Cheap: whether it is worth asking if a program added this line. A link is taken out before that is asked."""
    if line.isascii():
        low = line.lower()
    else:
        low = line.translate(_LOOKALIKES).lower()
        if any(word in low for word in _HOLDS):
            return True
    return "http" in low or "www." in low or "mailto:" in low or _BEGINS.match(low) is not None


def _without_links(line: str) -> str:
    low = line.lower()
    return _LINK.sub("", line) if "http" in low or "www." in low or "mailto:" in low else line


def quote_marks(lines: Sequence[str]) -> list[bool]:
    """Which lines of a plain text are marked as quoted. A ">" that closes a "<" of the line above is no mark."""
    marks: list[bool] = []
    unclosed = 0  # "<" that wait for their ">", over at most two lines
    for line in lines:
        bare = line if line[:1] not in " \t\xa0" else line.lstrip(" \t\xa0")
        if not bare:
            unclosed = 0
            marks.append(False)
        elif bare[0] == ">" and not unclosed:
            marks.append(True)
        else:
            marks.append(False)
            if unclosed:
                unclosed = max(0, unclosed + bare.count("<") - bare.count(">"))
            elif "<" in bare and len(bare) <= 400:
                unclosed = (
                    max(0, bare.count("<") - bare.count(">")) if bare.rfind("<") > bare.rfind(">") else 0
                )
    return marks


def written(lines: Sequence[str], quoted: Sequence[bool], last_quote_counts: bool = False) -> list[int]:
    """For each line WHOLE, 0, or the number of its characters that the person newly wrote.

    `quoted` says which lines are marked as quoted (">" or a <blockquote>). `last_quote_counts`: the last run of quoted lines
    is a quote even when nothing announces it, as in HTML, where nobody types a <blockquote> by chance.
    """
    if len(lines) > MOST_LINES:
        keep = written(lines[:MOST_LINES], quoted[:MOST_LINES], last_quote_counts)
        return keep + [0 if keep[-1] == 0 else WHOLE] * (len(lines) - MOST_LINES)
    keep = [WHOLE] * len(lines)
    found = list(splitters(lines, quoted))
    runs = _quoted_runs(lines, quoted)
    first_run = runs[0][0] if runs and sum(size for _, _, size in runs) >= 2 else len(lines)
    if found and found[0].kind == "forward" and found[0].first < first_run:
        return keep
    if found and _is_all(lines, quoted, found[0]):
        return keep
    announced = found[0].first if found else len(lines)
    marked = list(quoted)
    if not found and sum(size for _, _, size in runs) < 3 and not _announces_itself(lines, quoted):
        marked = [False] * len(lines)
        if last_quote_counts and runs:
            marked[runs[-1][0] : runs[-1][1] + 1] = quoted[runs[-1][0] : runs[-1][1] + 1]
    elif last_quote_counts:  # earlier blockquotes that nothing announces are the writer's own
        for start, end, _ in runs[:-1]:
            if start < announced:
                marked[start : end + 1] = [False] * (end + 1 - start)
    _drop_quotes(lines, marked, found, keep)
    if (
        found
        and not any(quoted)
        and not any(line.strip() for line, size in zip(lines, keep, strict=True) if size)
    ):
        return [WHOLE] * len(lines)  # what seemed to announce a quote begins the mail: then it is the mail
    _drop_signatures(lines, keep)
    return keep


def _is_all(lines: Sequence[str], quoted: Sequence[bool], first: Splitter) -> bool:
    """Whether headers begin the mail and unmarked text follows: then nobody wrote anything but what they head."""
    if first.kind == "attribution" or any(line.strip() for line in lines[: first.first]):
        return False
    follower = _next(lines, first.last)
    return follower < len(lines) and not quoted[follower]


def _announces_itself(lines: Sequence[str], quoted: Sequence[bool]) -> bool:
    """Whether the few quoted lines begin with an attribution that is marked as quoted too."""
    bare = [line[:400].lstrip("> \t\xa0") for line, is_quoted in zip(lines, quoted, strict=True) if is_quoted]
    return any(True for _ in splitters(bare, [False] * len(bare)))


def _quoted_runs(lines: Sequence[str], quoted: Sequence[bool]) -> list[tuple[int, int, int]]:
    """(first, last, quoted lines) of each run of quoted lines; blank lines within do not end it."""
    runs: list[tuple[int, int, int]] = []
    for number, is_quoted in enumerate(quoted):
        if not is_quoted:
            continue
        if runs and all(not line.strip() for line in lines[runs[-1][1] + 1 : number]):
            runs[-1] = (runs[-1][0], number, runs[-1][2] + 1)
        else:
            runs.append((number, number, 1))
    return runs


def _drop_quotes(
    lines: Sequence[str], marked: Sequence[bool], found: Sequence[Splitter], keep: list[int]
) -> None:
    """Set to 0 what is quoted, what announces it, and the blank lines right after it."""
    by_line = {splitter.first: splitter for splitter in found}
    number, size, after_quote, cut_rest = 0, len(lines), False, False
    while number < size:
        splitter = by_line.get(number)
        if cut_rest:
            keep[number] = 0
        elif splitter is not None:
            keep[number] = splitter.kept
            for inner in range(number + 1, splitter.last + 1):
                keep[inner] = 0
            number = splitter.last
            after_quote = True
            follower = _next(lines, number)
            cut_rest = not (follower < size and (marked[follower] or follower in by_line))
        elif marked[number]:
            keep[number], after_quote = 0, True
        elif not lines[number].strip():
            if after_quote:
                keep[number] = 0
        elif after_quote and _continues_quote(lines, marked, number):
            keep[number] = 0
        else:
            after_quote = False
        number += 1


def _next(lines: Sequence[str], number: int) -> int:
    number += 1
    while number < len(lines) and not lines[number].strip():
        number += 1
    return number


def _continues_quote(lines: Sequence[str], marked: Sequence[bool], number: int) -> bool:
    """Whether one unmarked line between quoted lines is the rest of a quoted line that was wrapped."""
    if number == 0 or number + 1 >= len(lines) or not marked[number - 1] or not marked[number + 1]:
        return False
    above, line = lines[number - 1].strip(), lines[number].strip()
    if _PARENTHESISED_LINK.match(line) or above.count("(") > above.count(")") or above.endswith("<"):
        return True
    return len(above) >= 66 and len(line) < len(above) // 2 and not line[:1].isupper()


def _drop_signatures(lines: Sequence[str], keep: list[int]) -> None:
    """Set to 0 the lines of signatures that programs and list servers added, run by run of kept lines."""
    looks = 0
    something = False  # a person's own line was seen
    number, size = 0, len(lines)
    run_end = 0
    while number < size and looks < MOST_LOOKS:
        line = lines[number]
        if keep[number] != WHOLE or not line or line.isspace():
            number += 1
            continue
        looks += 1
        if run_end <= number:
            run_end = _end_of_run(keep, number)
        end = min(run_end, number + 4 * LONGEST_SIGNATURE)
        suspect = _is_suspect(line[:600])
        if len(line) <= 600:
            if suspect and _ABOVE.match(line) and something:
                keep[number:] = [0] * (size - number)
                return
            if suspect and sent_from(line):
                end = number + 1
                while something and end < size and keep[end] == WHOLE:
                    end += 1
                keep[number:end] = [0] * (end - number)
                number = end
                continue
            if something and len(line) <= LONGEST_DELIMITER and _begins_signature(lines, number, end):
                keep[number:end] = [0] * (end - number)
                number = end
                continue
        if something and (suspect or not line[0].isalnum()) and _is_footer(lines, number, end):
            keep[number:end] = [0] * (end - number)
            number = end
            continue
        something = True
        number += 1


def _begins_signature(lines: Sequence[str], number: int, end: int) -> bool:
    """Whether a signature stands between this line and `end`: few lines, and "--" is not drawn between paragraphs."""
    line = lines[number]
    if line == "-- ":
        longest = LONGEST_SIGNATURE
    elif _DELIMITER.match(line):
        around = (*lines[max(0, number - LONGEST_SIGNATURE) : number], *lines[number + 1 : end])
        longest = (
            0 if any(_DELIMITER.match(other) and other != "-- " for other in around) else LONGEST_SIGNATURE
        )
    elif _WEAK_DELIMITER.match(line) and not lines[number - 1].strip():
        longest = 6
    elif _DRAWN_DELIMITER.match(line) and not lines[number - 1].strip():
        below = [text[:200].strip() for text in lines[number + 1 : end] if text.strip()]
        return 0 < len(below) <= 5 and bool(_NAME.match(below[0])) and not any(map(_PROSE.match, below))
    else:
        return False
    return sum(1 for below in lines[number + 1 : end] if below.strip()) <= longest


def _end_of_run(keep: Sequence[int], number: int) -> int:
    """The first line after `number` that is not kept."""
    return next((end for end in range(number + 1, len(keep)) if keep[end] != WHOLE), len(keep))


def _is_footer(lines: Sequence[str], number: int, end: int) -> bool:
    """A list server's footer or a legal disclaimer that begins a paragraph here."""
    if number and lines[number - 1].strip() and not RULE.match(lines[number - 1][:200]):
        return False
    line = lines[number][:400]
    if RULE.match(line):
        below = "\n".join(text[:200] for text in lines[number + 1 : min(end, number + 4)])
        return _FOOTER.search(below) is not None or _DISCLAIMER.match(below.lstrip()) is not None
    return _DISCLAIMER.match(line) is not None
