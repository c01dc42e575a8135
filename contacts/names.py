"""Countries, languages, relations and kinds as people write them, in English and in French, to their codes."""

from __future__ import annotations

from functools import cache
from typing import Final

from babel import Locale
from babel.core import get_global

from contacts.csv_columns import spell
from domain.contacts import ContactKind, Relation

_RELATIONS_FRENCH: Final = {
    "prospect": Relation.PROSPECT,
    "client": Relation.CUSTOMER,
    "fournisseur": Relation.SUPPLIER,
    "partenaire": Relation.PARTNER,
    "distributeur": Relation.DISTRIBUTOR,
    "revendeur": Relation.DISTRIBUTOR,
    "employe": Relation.EMPLOYEE,
    "salarie": Relation.EMPLOYEE,
    "collaborateur": Relation.EMPLOYEE,
    "candidat": Relation.CANDIDATE,
    "journaliste": Relation.JOURNALIST,
    "citoyen": Relation.CITIZEN,
    "usager": Relation.CITIZEN,
    "autre": Relation.OTHER,
}
_KINDS: Final = {
    "person": ContactKind.PERSON,
    "personne": ContactKind.PERSON,
    "individual": ContactKind.PERSON,
    "particulier": ContactKind.PERSON,
    "organisation": ContactKind.ORGANISATION,
    "organization": ContactKind.ORGANISATION,
    "company": ContactKind.ORGANISATION,
    "societe": ContactKind.ORGANISATION,
    "entreprise": ContactKind.ORGANISATION,
    "organisme": ContactKind.ORGANISATION,
}
_COUNTRY_HABITS: Final = {
    "uk": "GB",
    "england": "GB",
    "angleterre": "GB",
    "scotland": "GB",
    "wales": "GB",
    "greatbritain": "GB",
    "grandebretagne": "GB",
    "unitedstatesofamerica": "US",
    "etatsunisdamerique": "US",
    "holland": "NL",
    "hollande": "NL",
    "thenetherlands": "NL",
    "czechrepublic": "CZ",
    "republiquetcheque": "CZ",
    "turkey": "TR",
    "ivorycoast": "CI",
}
_LOCALES: Final = ("en", "fr")
_NO_COUNTRIES: Final = {"EU", "UN", "EZ", "QO", "XA", "XB", "ZZ"}


@cache
def _countries() -> dict[str, str]:
    names = [{str(code): str(text) for code, text in Locale(name).territories.items()} for name in _LOCALES]
    codes = {code for code in names[0] if len(code) == 2 and code.isalpha()} - _NO_COUNTRIES
    known = {code.lower(): code for code in codes}
    for alias, replaced in get_global("territory_aliases").items():
        if len(alias) == 3 and alias.isalpha() and replaced[0] in codes:
            known[alias.lower()] = replaced[0]
    for territories in names:
        known.update({spell(text): code for code, text in territories.items() if code in codes})
    return {**known, **_COUNTRY_HABITS}


@cache
def _languages() -> dict[str, str]:
    known: dict[str, str] = {}
    for name in _LOCALES:
        for code, text in Locale(name).languages.items():
            if len(str(code)) == 2:
                known[spell(str(text))] = known[str(code)] = str(code)
    return known


_RELATIONS: Final = {**{relation.value: relation for relation in Relation}, **_RELATIONS_FRENCH}


def read_country(text: str) -> str | None:
    """The ISO 3166-1 code of two letters, from a code of two or three letters or an English or French name."""
    return _countries().get(spell(text))


def read_language(text: str) -> str | None:
    """The ISO 639-1 code, from a code (`fr`, `fr-CA`) or an English or French name."""
    known = _languages()
    head = text.replace("_", "-").partition("-")[0].strip().lower()
    return known.get(spell(text)) or (head if len(head) == 2 and head in known else None)


def read_relation(text: str) -> str | None:
    """What the contact is to us, from its English or French word, in the singular or plural."""
    word = spell(text)
    return (
        _RELATIONS.get(word)
        or _RELATIONS.get(word.removesuffix("s"))
        or _RELATIONS.get(word.removesuffix("e"))
    )


def read_kind(text: str) -> str | None:
    """Person or organisation, from an English or French word."""
    kind = _KINDS.get(spell(text))
    return None if kind is None else kind.value
