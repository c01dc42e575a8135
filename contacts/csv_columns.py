"""Recognise the columns of a contact list by their names, in English and in French."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from contacts.csv_reading import DELIMITERS, Encoding, detect_encoding, read_block
from domain.errors import InvalidInput

_HEAD: Final = 1 << 14  #: bytes in which a header is expected to end; more are read when it does not
_OWN: Final = re.compile(r"(?:fields|champs)\.([A-Za-z0-9_-]{1,60})")

#: what a column can be: its names, spelled without case, accents, spaces and punctuation
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "email": ("email", "mail", "emailaddress", "mailaddress", "courriel", "adressemail", "adresseemail", "adresseelectronique"),
    "phone": ("phone", "phonenumber", "telephone", "tel", "mobile", "mobilephone", "portable", "numerodetelephone"),
    "name": ("name", "fullname", "displayname", "nomcomplet", "contact"),
    "given_name": ("givenname", "firstname", "forename", "prenom"),
    "family_name": ("familyname", "lastname", "surname", "nom", "nomdefamille"),
    "organisation": ("organisation", "organization", "company", "companyname", "employer", "societe", "entreprise", "organisme"),
    "country": ("country", "countrycode", "pays", "codepays"),
    "language": ("language", "lang", "locale", "langue"),
    "relation": ("relation", "relationship", "type", "category", "categorie", "statut"),
    "kind": ("kind", "nature", "genre"),
    "owner": ("owner", "owneremail", "rep", "salesrep", "accountmanager", "proprietaire", "responsable", "commercial", "suivipar"),
    "consent_purpose": ("consentpurpose", "consentpurposes", "consent", "purpose", "purposes", "consentement", "consentements", "finalite", "finalites"),
    "consent_wording": ("consentwording", "wording", "consenttext", "formulation", "texteduconsentement", "libelleconsentement"),
    "consent_date": ("consentdate", "consentedat", "consentat", "dateconsentement", "dateduconsentement"),
    "consent_source": ("consentsource", "source", "origine", "sourceconsentement", "sourceduconsentement", "origineduconsentement"),
}  # fmt: skip
_NAMES: Final = {name: target for target, names in COLUMNS.items() for name in names}


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is to be read: its encoding, its delimiter, what each column is, where the data begin."""

    encoding: str
    mark: int
    newline: str
    delimiter: str
    columns: list[str | None]  #: a name of COLUMNS, `fields.x`, or None for a column that is left out
    ignored: list[str]  #: headers of the columns that are left out
    offset: int
    line: int

    def to_json(self) -> dict[str, Any]:
        """As it is kept with the import."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Layout:
        """As it was kept."""
        return cls(**{name: data[name] for name in cls.__dataclass_fields__})

    @property
    def text(self) -> Encoding:
        """The encoding as csv_reading takes it."""
        return Encoding(self.encoding, self.mark, self.newline)


def spell(text: str) -> str:
    """A word without case, accents, spaces and punctuation, to look it up by."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.casefold())
    return "".join(filter(str.isalnum, text.lower()))


def read_layout(path: Path, mapping: Mapping[str, str] | None = None) -> Layout:
    """Look at a file's encoding and first line.

    `mapping` says for some headers, as they are written, which column they are (`{"Courriel pro": "email"}`; an
    empty text leaves the column out). Raises InvalidInput when the header or the mapping make no sense.
    """
    encoding = detect_encoding(path)
    delimiter = max(DELIMITERS, key=lambda one: _count_known(path, encoding, one, mapping))
    block = _read_header(path, encoding, delimiter)
    header = [name.strip() for name in block[0]]
    columns = _match(header, mapping or {})
    return Layout(
        encoding=encoding.name,
        mark=encoding.start,
        newline=encoding.newline,
        delimiter=delimiter,
        columns=columns,
        ignored=[name for name, target in zip(header, columns, strict=True) if target is None and name],
        offset=block[1],
        line=block[2],
    )


def _read_header(path: Path, encoding: Encoding, delimiter: str) -> tuple[list[str], int, int]:
    block = read_block(path, encoding, delimiter, encoding.start, 0, size=_HEAD)
    first = next(iter(block.lines), None)
    if first is None or first.fields is None:
        problem = "there is no line in it" if first is None else first.problem
        raise InvalidInput("header", f"{problem}.", "The first line holds the names of the columns.")
    with path.open("rb") as file:
        file.seek(encoding.start)
        data = file.read(block.offset - encoding.start)
    text = data.decode(encoding.name, encoding.errors)
    following = block.lines[1].number - 1 if len(block.lines) > 1 else block.line
    place = 0
    for _ in range(following):
        place = text.find(encoding.newline, place) + 1 or len(text)
    return first.fields, encoding.start + encoding.measure(text[:place]), following


def _count_known(
    path: Path, encoding: Encoding, delimiter: str, mapping: Mapping[str, str] | None
) -> tuple[int, int]:
    try:
        header = _read_header(path, encoding, delimiter)[0]
    except InvalidInput:
        return -1, 0
    given = mapping or {}
    known = sum(
        name.strip() in given or spell(name) in _NAMES or _OWN.fullmatch(name.strip()) is not None
        for name in header
    )
    return known, len(header)


def _match(header: list[str], mapping: Mapping[str, str]) -> list[str | None]:
    for name in mapping:
        if name not in header:
            raise InvalidInput(
                f"mapping[{name}]", "the file has no such column.", f"It has {', '.join(header)}."
            )
    columns = [_target(name, mapping) for name in header]
    taken: dict[str, str] = {}
    for name, target in zip(header, columns, strict=True):
        if target is not None and target in taken:
            raise InvalidInput(
                "header",
                f"“{taken[target]}” and “{name}” are both {target};",
                "say which one it is in the mapping.",
            )
        if target is not None:
            taken[target] = name
    if "email" not in taken and "phone" not in taken:
        raise InvalidInput(
            "header",
            f"neither mail addresses nor phone numbers are among {', '.join(header) or 'the columns'}.",
            "Name one column email or phone, in the first line.",
        )
    return columns


def _target(name: str, mapping: Mapping[str, str]) -> str | None:
    own = _OWN.fullmatch(name)
    if name in mapping:
        target = mapping[name]
        if target and target not in COLUMNS and _OWN.fullmatch(target) is None:
            near = get_close_matches(target, COLUMNS, n=1)
            raise InvalidInput(
                f"mapping[{name}]",
                f"there is no column {target}.",
                f"Did you mean {near[0]}?" if near else f"Known are {', '.join(COLUMNS)} and fields.*.",
            )
        return target or None
    if own is not None:
        return f"fields.{own[1]}"
    if name.casefold().startswith(("fields.", "champs.")):
        raise InvalidInput(
            "header", f"“{name}” is no name for a field;", "use letters, digits, _ and - after the dot."
        )
    return _NAMES.get(spell(name))
