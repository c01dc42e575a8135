"""Mailboxes in From, To and their like (RFC 5322 section 3.4, RFC 6532), and everything that mailers write instead.

One pass over tokens: groups, comments, obsolete routes, quoted names with commas, names with commas and no quotes, missing
commas between addresses, single quotes around addresses, encoded words around whole addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import idna

from channels.mail.parsed import Mailbox
from channels.mail.reading.defects import Defect
from channels.mail.reading.limits import ADDRESSES
from channels.mail.reading.names import without_controls
from channels.mail.reading.words import decode_words

_SIMPLE = re.compile(r'(?:"([^"\\<>=]*+)"|([\w .\'-]*+))\s*+<([\w.+=-]++@[A-Za-z0-9.-]++)>', re.ASCII)
_PLAIN = re.compile(r"[\w.+=-]++@[A-Za-z0-9.-]++", re.ASCII)
_TOKEN = re.compile(
    r"""(?P<white>\s++)
    | "(?P<quoted>(?:[^"\\]++|\\.)*+)"
    | <++(?P<angle>(?:"(?:[^"\\]++|\\.)*+"|[^<>"]++|"(?=[^"]*+\Z))*+)(?:>++|\Z)
    | (?P<word>=\?[^?\s]{1,60}+\?[bBqQ]\?[^?]*+\?=)
    | (?P<stop>[,;:])
    | (?P<atom>(?:[^\s"(),:;<>\[\\]++|\[[^\]\s,<>]{0,100}+\]|\[|\\.)++)
    | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_BRACKET = re.compile(r"[()]|\\.", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SPACED_AT = re.compile(r"\s*+@\s*+")
_SPACED_DOT = re.compile(r"\s*+([.@])\s*+")
_ADDRESS = re.compile(
    r'("(?:[^"\\]++|\\.)*+"|[^\s@"<>(),;:\\\[\]]++)@([^\s@"<>(),;:\\\[\]]++|\[[^\[\]\s]{1,100}\])'
)
_ROUTE = re.compile(r"@[^:<>]*+:")
_LONGEST = 1_000  #: characters, with comments and routes
_MAXIMUM = 320  #: characters of an address
_CONVERSIONS = (
    100  #: domains beyond ASCII that are converted in one header: each takes a tenth of a millisecond
)


@dataclass(slots=True)
class _Draft:
    """What was read of one mailbox so far."""

    words: list[str] = field(default_factory=list)  #: names and atoms, in order
    comments: list[str] = field(default_factory=list)
    angle: str | None = None

    def is_empty(self) -> bool:
        return not self.words and self.angle is None


def mailboxes(value: str, defects: set[str]) -> tuple[Mailbox, ...]:
    """The mailboxes of a header's value (unfolded, not yet decoded). What is no address is left out, as a defect."""
    simple = _SIMPLE.fullmatch(value)
    if simple and (address := _checked(simple[3])):
        return (Mailbox(_name(simple[1] or simple[2] or ""), address),)
    if _PLAIN.fullmatch(value) and (address := _checked(value)):
        return (Mailbox("", address),)
    problems: set[str] = set()
    found = _read(value, problems)
    if not found and "=?" in value and "@" in (decoded := decode_words(value, set())):
        problems = set()
        found = _read(decoded, problems)
    defects |= problems
    return tuple(_with_ascii_domains(found))


def _read(value: str, defects: set[str]) -> list[Mailbox]:
    found: list[Mailbox] = []
    left_over: list[str] = []  # a name cut by a comma that nobody quoted
    for draft, in_list in _drafts(value):
        if draft.is_empty():
            continue
        boxes = _boxes(draft, left_over)
        if boxes:
            if left_over and draft.angle is None:
                defects.add(Defect.BAD_ADDRESS)
            found.extend(boxes)
            left_over = []
        elif draft.words and draft.angle is None and in_list:
            if left_over:
                defects.add(Defect.BAD_ADDRESS)
            left_over = draft.words[:20]
        elif draft.words or draft.angle:
            defects.add(Defect.BAD_ADDRESS)
        if len(found) >= ADDRESSES:
            defects.add(Defect.TOO_MANY_ADDRESSES)
            break
    if left_over:
        defects.add(Defect.BAD_ADDRESS)
    return found[:ADDRESSES]


def _drafts(value: str) -> Iterator[tuple[_Draft, bool]]:
    """Each mailbox's tokens, with whether a comma ended it."""
    draft = _Draft()
    position, end = 0, len(value)
    comments = True
    glue = False  # whether the next atom continues the last word ("john doe"@example.org)
    while position < end:
        if value[position] == "(" and comments:
            close = _comment_end(value, position)
            if close:
                draft.comments.append(value[position + 1 : close - 1])
                position = close
                continue
            comments = False  # never closed: from here on a bracket is only a character
        match = _TOKEN.match(value, position)
        if match is None:  # cannot be: the last branch takes any character
            break
        position = match.end()
        kind, text = match.lastgroup, match[match.lastgroup or 0]
        if kind == "white":
            glue = False
        elif kind == "quoted":
            draft.words.append(f'"{text}"' if value.startswith("@", position) else _ESCAPE.sub(r"\1", text))
            glue = value.startswith("@", position)
        elif kind in ("word", "atom"):
            if glue:
                draft.words[-1] += text
            else:
                draft.words.append(text)
            glue = False
        elif kind == "angle":
            if draft.angle:
                yield draft, False
                draft = _Draft()
            draft.angle = text
        elif kind == "stop":
            if text == ":":
                if not any("@" in word for word in draft.words) and draft.angle is None:
                    draft = _Draft()  # the name of a group, or mailto:
                continue
            yield draft, text == ","
            draft = _Draft()
    yield draft, False


def _comment_end(value: str, start: int) -> int:
    """Where the comment that opens at `start` is over; 0 when it never closes."""
    depth = 0
    for match in _BRACKET.finditer(value, start):
        if match[0] == "(":
            depth += 1
        elif match[0] == ")":
            depth -= 1
            if depth == 0:
                return match.end()
    return 0


def _boxes(draft: _Draft, left_over: list[str]) -> list[Mailbox]:
    if draft.angle is not None and (address := _checked(draft.angle)):
        name = " ".join(draft.words)
        if left_over:
            name = " ".join(left_over) + ", " + name
        shown = _name(name or " ".join(draft.comments))
        return [Mailbox("" if shown.lower() == address.lower() else shown, address)]
    text = _SPACED_AT.sub("@", " ".join(draft.words)) if any("@" in word for word in draft.words) else ""
    names: list[str] = []
    boxes: list[Mailbox] = []
    for word in [text] if _checked(text) else text.split():
        if "@" in word and (address := _checked(word)):
            boxes.append(Mailbox(_name(" ".join(names)), address))
            names = []
        else:
            names.append(word)
    if len(boxes) == 1 and not boxes[0].name:
        comment = _name(" ".join(draft.comments))
        boxes = [Mailbox(comment or _name(" ".join(names)), boxes[0].address)]
    return boxes


def _checked(text: str) -> str:
    """The address in its form for everybody else, or "" when it is none."""
    text = text.strip(" \t'<>`").removeprefix("mailto:")
    if len(text) > _LONGEST:
        return ""
    if text.startswith("["):
        text = text.strip("[]")
    if text.startswith("@"):
        route = _ROUTE.match(text)
        text = text[route.end() :] if route else text
    if "(" in text:
        text = re.sub(r"\([^()]*+\)", "", text)
    if " " in text and not text.startswith('"'):
        text = _SPACED_DOT.sub(r"\1", " ".join(text.split()))
    if len(text) > _MAXIMUM or (match := _ADDRESS.fullmatch(text)) is None:
        return ""
    local, domain = match[1].strip("'"), match[2].rstrip(".")
    if not local or not domain or domain.startswith(".") or not (local + domain).isprintable():
        return ""
    if "=?" in local and "?=" in domain + local:
        return ""
    return f"{local}@{domain.lower()}"


def _with_ascii_domains(found: list[Mailbox]) -> list[Mailbox]:
    """Domains as DNS knows them, which is how contacts keep them; as written where IDNA does not allow them."""
    left = _CONVERSIONS
    for index, box in enumerate(found):
        local, _, domain = box.address.rpartition("@")
        if domain.isascii() or not left:
            continue
        left -= 1
        try:
            found[index] = Mailbox(box.name, f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}")
        except (idna.IDNAError, UnicodeError):
            pass
    return found


def _name(text: str) -> str:
    text = without_controls(decode_words(text, set()))
    text = " ".join(text.split())
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    return text[:500]
