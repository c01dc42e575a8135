"""A private form of report as data: how it is known, where its recipients stand, what its sentences mean.

Most mail servers of the last thirty years invented a form of their own, and most of them differ only in such
particulars; a form that needs more brings a function that reads it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from channels.mail.bounce_forms.failure import FAILURES_LIMIT, WORDS_LIMIT, Failure, find_address, take
from channels.mail.bounce_forms.notice import Notice

#: What a form is known by: the name of a header (lower case; `text` is what is written for people), and a pattern.
Mark = tuple[str, re.Pattern[str]]
#: Fragments of a server's words (lower case) and the reason that this form means by them.
Hints = tuple[tuple[str, str], ...]

_SHARED_LIMIT: Final = 1_500
_MARKS_LIMIT: Final = 20_000  #: characters in which a mark must stand


@dataclass(frozen=True, slots=True)
class Form:
    """How one mail server writes reports. A report is of this form when `needs` of its marks are found.

    `recipient` finds a recipient in a line: group `who`, else 1, holds an address, group `words`, where there is one,
    what the server said; the lines that follow belong to that recipient. Reading starts after the line that `begins` finds
    (with it, when `inclusive`) and ends before the one that `ends` finds.
    """

    name: str
    marks: tuple[Mark, ...]
    needs: int = 1
    begins: re.Pattern[str] | None = None
    inclusive: bool = False
    recipient: re.Pattern[str] | None = None
    ends: re.Pattern[str] | None = None
    hints: Hints = ()
    read: Callable[[Notice], list[Failure]] | None = None
    explained_above: bool = False  #: what the server said stands above the recipients
    outranks_status: bool = False  #: its text says more than the fields of RFC 3464 beside it
    delays_are_temporary: bool = False  #: its own words for waiting and for full mailboxes mean 4.x.x

    @property
    def _named(self) -> bool:
        return bool(self.recipient and "who" in self.recipient.groupindex)

    @property
    def headed(self) -> tuple[str, ...]:
        """The headers that its marks stand in: what it may be known by in a mail that a person seems to have written."""
        return tuple(place for place, _ in self.marks if place not in ("text", "subject"))

    def fits(self, notice: Notice, *, by_machine: bool = True) -> bool:
        """Whether a report is of this form. In what a person seems to have written, only headers count as marks:
        people paste reports into their mails."""
        found = 0
        for place, mark in self.marks:
            if not by_machine and place in ("text", "subject"):
                continue
            values = [notice.text[:_MARKS_LIMIT]] if place == "text" else notice.headers.get(place, [])
            if not values:
                continue
            found += any(mark.search(value) for value in values)
            if found >= self.needs:
                return True
        return False

    def failures(self, notice: Notice) -> list[Failure]:
        """The recipients that the text names."""
        failures = self.read(notice) if self.read else self._walk(notice)
        for failure in failures:
            self.hint(failure)
        return failures

    def hint(self, failure: Failure) -> None:
        """Set the reason by the form's own sentences, where none is set."""
        if not failure.hint and self.hints:
            words = failure.words.lower()
            failure.hint = next((reason for fragment, reason in self.hints if fragment in words), "")

    def _walk(self, notice: Notice) -> list[Failure]:
        if self.recipient is None:
            return []
        failures: list[Failure] = []
        shared = ""
        started = self.begins is None
        for line in notice.lines():
            if not started:
                started = bool(self.begins and self.begins.search(line))
                if not started or not self.inclusive:
                    continue
            if self.ends and self.ends.search(line):
                break
            match = self.recipient.search(line)
            address = find_address((match["who"] if self._named else match[1]) or "") if match else ""
            if match and address:
                if not take(failures, address) and len(failures) >= FAILURES_LIMIT:
                    break
                failure = next(one for one in failures if one.address == address)
                if "words" in self.recipient.groupindex and match["words"]:
                    failure.say(match["words"].strip())
            elif failures:
                failures[-1].say(line.strip())
            elif len(shared) < _SHARED_LIMIT:
                shared = f"{shared} {line.strip()}".strip()
        if self.explained_above:
            for failure in failures:
                failure.words = f"{shared} {failure.words}".strip()[:WORDS_LIMIT]
        return spread(failures, shared)


def spread(failures: list[Failure], shared: str = "") -> list[Failure]:
    """Give words to recipients without any: those of the next one (a list above one explanation), else the shared."""
    words = ""
    for failure in reversed(failures):
        words = failure.words or words
        failure.words = words
    for failure in failures:
        failure.words = failure.words or shared
    return failures


def pattern(text: str) -> re.Pattern[str]:
    """A pattern that ignores case and works on lines; unbounded repetition must not cross them."""
    return re.compile(text, re.IGNORECASE | re.MULTILINE)
