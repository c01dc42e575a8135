"""Make one block of a contact list ready for COPY: duplicates within it joined, refused lines set apart."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contacts.csv_columns import Layout
from contacts.csv_reading import Line, read_block
from contacts.import_rows import FILLED, NewContact, RowReader, to_json
from domain.errors import InvalidInput

LONGEST_CONTENT: Final = 2000  #: characters of a refused line that are kept
_NAME: Final = FILLED.index("name")
_NAMELESS: Final = InvalidInput(
    "phone",
    "several contacts have this number, and the line does not name one of them.",
    "Add the name or the mail address.",
)
_NAMESAKES: Final = InvalidInput(
    "phone", "several contacts have this number and this name.", "Add the mail address."
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a block amounts to. The four bodies are CSV for COPY, with an empty field for null.

    `contacts`: row, line, FILLED, fields, mail, mail_given, phone, phone_given, more_phones; `consents`: row,
    purpose, wording, source, occurred_at; `rejects`: line, field, problem, content; `doubts`: row, and what would be
    said of each of its lines if nobody could tell whose number it is.
    """

    offset: int
    line: int
    at_end: bool
    rows: int
    joined: int  #: lines that belong to a contact of an earlier line of the same block
    rejected: int
    contacts: bytes
    consents: bytes
    rejects: bytes
    doubts: bytes  #: of the lines without a mail address


class ChunkReader:
    """Reads a file block by block. With `overwrite` a later line wins over an earlier one about the same contact."""

    def __init__(self, path: Path, layout: Layout, reader: RowReader, *, overwrite: bool) -> None:
        self._path, self._layout, self._reader, self._overwrite = path, layout, reader, overwrite

    def read(self, offset: int, line: int) -> Chunk:
        """The chunk that begins at this place. Raises InvalidInput when the file cannot be read on."""
        block = read_block(self._path, self._layout.text, self._layout.delimiter, offset, line)
        rejects: list[tuple[int, str, str, str]] = []
        found: list[NewContact] = []
        joined = 0
        doubts: list[tuple[int, int, str, str, str]] = []
        known: dict[tuple[str | None, str], tuple[int, NewContact]] = {}
        for record in block.lines:
            try:
                contact = self._read_record(record)
            except InvalidInput as error:
                rejects.append(self._refuse(record, error))
                continue
            number, first = known.setdefault(_key(contact), (len(found), contact))
            if first is contact:
                found.append(contact)
            else:
                self._join(first, contact)
                joined += 1
            if contact.mail is None:
                doubt = _NAMESAKES if contact.values[_NAME] else _NAMELESS
                doubts.append((number, *self._refuse(record, doubt)))
        return Chunk(
            offset=block.offset,
            line=block.line,
            at_end=block.at_end,
            rows=len(found),
            joined=joined,
            rejected=len(rejects),
            contacts=_write([_contact_row(number, contact) for number, contact in enumerate(found)]),
            consents=_write(
                [
                    (number, one.purpose, one.wording, one.source, one.occurred_at.isoformat())
                    for number, contact in enumerate(found)
                    for one in contact.consents
                ]
            ),
            rejects=_write(rejects, quoting=csv.QUOTE_ALL),
            doubts=_write(doubts, quoting=csv.QUOTE_ALL),
        )

    def _read_record(self, record: Line) -> NewContact:
        if record.fields is None:
            raise InvalidInput("line", f"{record.problem}.")
        return self._reader.read(record.number, record.fields)

    def _refuse(self, record: Line, error: InvalidInput) -> tuple[int, str, str, str]:
        problem = f"{error.problem} {error.remedy}".strip()
        return record.number, error.field, problem, self._content(record)

    def _content(self, record: Line) -> str:
        if record.fields is None:
            content = record.raw.rstrip("\r\n")
        else:
            content = _write([record.fields], delimiter=self._layout.delimiter).decode("utf-8").rstrip("\n")
        content = content[:LONGEST_CONTENT].replace("\0", "\u2400")
        return content.encode("utf-8", "replace").decode("utf-8")

    def _join(self, first: NewContact, later: NewContact) -> None:
        for place, value in enumerate(later.values):
            if value is not None and (self._overwrite or first.values[place] is None):
                first.values[place] = value
        if later.own:
            old, new = (first.own or {}), later.own
            first.own = {**old, **new} if self._overwrite else {**new, **old}
        if later.phone is not None:
            if first.phone is None:
                first.phone, first.phone_given = later.phone, later.phone_given
            elif later.phone != first.phone and later.phone not in first.more_phones:
                first.more_phones.append(later.phone)
        first.consents += later.consents


def _key(contact: NewContact) -> tuple[str | None, str]:
    """What makes two lines of a block one contact: the mail address; without one, number and name.

    A number alone does not: it may be a switchboard's, and one person's consent is not another's.
    """
    if contact.mail is not None:
        return None, contact.mail
    return contact.phone, (contact.values[_NAME] or "").casefold()


def _contact_row(number: int, contact: NewContact) -> tuple[Any, ...]:
    return (
        number,
        contact.line,
        *contact.values,
        to_json(contact.own),
        contact.mail,
        contact.mail_given,
        contact.phone,
        contact.phone_given,
        "{" + ",".join(contact.more_phones) + "}" if contact.more_phones else None,
    )


def _write(rows: list[Any], *, quoting: Any = csv.QUOTE_MINIMAL, delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8")
