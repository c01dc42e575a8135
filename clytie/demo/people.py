"""The demo's contacts: some hundred persons and organisations of several countries, as a CSV like a real one.

Everybody is invented. Addresses end in .example (RFC 2606); telephone numbers come from the ranges that
regulators keep free for fiction (mobiles: France 06 39 98, Great Britain 07700 900, Sweden 070 1740 6; Germany 030
23125). The test carrier plays tricks on some endings of theirs, from 900 on; nobody in the file has one.
The file is the same at every start, with a few lines that an import must refuse, because real files have them.
"""

from __future__ import annotations

import csv
import io
import random
import unicodedata
from dataclasses import dataclass
from typing import Final

COLUMNS: Final = (
    "kind",
    "given_name",
    "family_name",
    "name",
    "organisation",
    "email",
    "phone",
    "country",
    "language",
    "relation",
    "owner",
    "fields.sector",
    "consent_purpose",
    "consent_wording",
    "consent_date",
    "consent_source",
)

_CALLS: Final = {"fr": " Je veux bien être appelé(e).", "en": " You may call me."}
_TEXTS: Final = {"fr": " Et recevoir des SMS.", "en": " And text me."}
WORDING: Final = {
    "fr": "J'accepte de recevoir la lettre d'Hélianthe Énergie et que mes ouvertures et clics soient mesurés.",
    "en": "I agree to receive the Hélianthe Énergie newsletter and to my opens and clicks being measured.",
}
WORDING_LETTER_ONLY: Final = {
    "fr": "J'accepte de recevoir la lettre d'Hélianthe Énergie.",
    "en": "I agree to receive the Hélianthe Énergie newsletter.",
}

_GIVEN: Final = {
    "FR": "Camille Léa Manon Chloé Inès Zoé Élodie Aurélie Hélène Noémie Julien Théo Lucas Hugo Étienne Rémi "
    "Loïc Benoît François Mathieu Aïcha Mehdi Yasmine Fatou Thuy",
    "BE": "Lotte Emma Jan Pieter Amélie Gaëlle Olivier Wout",
    "CH": "Reto Urs Nadine Sandrine Luca Beat",
    "DE": "Jürgen Björn Sabine Käthe Moritz Anke Lena Uwe",
    "ES": "Íñigo Begoña Lucía Jesús Núria Álvaro",
    "IT": "Giulia Niccolò Chiara Matteo Elisa Luca",
    "GB": "Oliver Amelia Harriet Callum Priya Niamh",
    "SE": "Åsa Björn Linnéa Göran Märta Öjvind",
    "PL": "Łukasz Małgorzata Zbigniew Agnieszka",
}
_FAMILY: Final = {
    "FR": "Martin Bernard Lefèvre Garçon Nuñez-Perrin d'Aubigné Müller-Roche Gauthier Bégin Chevalier Delaunay "
    "Faure Guérin Hébert Joly Kaya Lacroix Mercier N'Diaye Ollivier Pélissier Quéméneur Renaud Sénéchal Traoré",
    "BE": "Peeters Janssens Dubois Lambert Van-den-Berghe Maes",
    "CH": "Rochat Keller Zürcher Favre Bianchi",
    "DE": "Groß Schröder Jäger Weiß König Vögele",
    "ES": "Muñoz Ibáñez García Peña Echeverría",
    "IT": "Rossi D'Angelo Conti Greco Bellò",
    "GB": "O'Connor Hughes Patel Whitaker MacLeod",
    "SE": "Åkesson Öberg Sjöström Lindqvist",
    "PL": "Wójcik Zając Dąbrowska Kowalczyk",
}
_PLACES: Final = {
    "FR": "Lyon Nantes Lille Rennes Toulouse Annecy Brest Dijon Pau Reims",
    "BE": "Gent Namur Liège",
    "CH": "Lausanne Zürich",
    "DE": "Köln Bremen Leipzig",
    "ES": "Bilbao Sevilla",
    "IT": "Torino Bari",
    "GB": "Leeds Bristol",
    "SE": "Umeå Malmö",
    "PL": "Kraków Łódź",
}
_TRADES: Final = {
    "bakery": "Boulangerie",
    "school": "Lycée",
    "logistics": "Transports",
    "farming": "Ferme",
    "hotels": "Hôtel",
    "workshop": "Ateliers",
    "clinic": "Clinique",
    "winery": "Domaine",
}
_RELATIONS: Final = (
    ("prospect",) * 11 + ("customer",) * 5 + ("supplier", "partner", "journalist", "candidate")
)
_COUNTRIES: Final = ("FR",) * 12 + ("BE", "CH", "DE", "ES", "IT", "GB", "SE", "PL")
_PHONES: Final = {
    "FR": "+3363998{:04d}",
    "DE": "+493023125{:03d}",
    "SE": "+467017406{:02d}",
    "GB": "+447700900{:03d}",
}
#: the numbers that contacts have; those below 200 in France are ours
_PHONE_ROOM: Final = {"FR": range(200, 900), "DE": range(2, 900), "SE": range(2, 100), "GB": range(2, 900)}

#: lines that no import should take, and why
_REFUSED: Final = (
    ({"given_name": "Sans", "family_name": "Arobase", "email": "sans.arobase.example", "country": "FR"}),
    ({"given_name": "Nulle", "family_name": "Part", "email": "nulle.part@ici.example", "country": "Atlantide"}),
    ({"given_name": "Rose", "family_name": "Sansdate", "email": "rose@sansdate.example", "country": "FR",
      "consent_purpose": "newsletter", "consent_wording": "Oui."}),
    ({"given_name": "Luc", "family_name": "Indistinct", "country": "FR"}),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DemoFile:
    """The CSV and what is known about it: its lines without the header, and those that must be refused."""

    content: bytes
    lines: int
    refused: int


def write_contacts(count: int = 360, *, owners: tuple[str, ...] = (), seed: int = 2026) -> DemoFile:
    """Invent `count` contacts; some of the prospects belong to `owners` (addresses of users)."""
    chance = random.Random(seed)
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    taken: set[str] = set()
    rows = [_claire(owners)] + [_contact(chance, taken, owners) for _ in range(count - 1)]
    rows.append({**_claire(owners), "email": CLAIRE.upper()})  # the same person, written twice
    places = sorted(chance.sample(range(5, count), len(_REFUSED)))
    for place, refused in zip(places, _REFUSED, strict=True):
        rows.insert(place, dict(refused))
    writer.writerows(rows)
    return DemoFile(out.getvalue().encode(), len(rows), len(_REFUSED))


CLAIRE: Final = "claire.dubreuil@ateliers-dubreuil.example"
CLAIRES_PHONE: Final = "+33639980001"


def _claire(owners: tuple[str, ...]) -> dict[str, str]:
    return {
        "kind": "person",
        "given_name": "Claire",
        "family_name": "Dubreuil",
        "organisation": "Ateliers Dubreuil",
        "email": CLAIRE,
        "phone": CLAIRES_PHONE,
        "country": "FR",
        "language": "fr",
        "relation": "prospect",
        "owner": owners[0] if owners else "",
        "fields.sector": "workshop",
        "consent_purpose": "newsletter;measure;calls;texts",
        "consent_wording": WORDING["fr"] + _CALLS["fr"] + _TEXTS["fr"],
        "consent_date": "2026-05-12",
        "consent_source": "trade fair, Lyon",
    }


def _contact(chance: random.Random, taken: set[str], owners: tuple[str, ...]) -> dict[str, str]:
    country = chance.choice(_COUNTRIES)
    language = "fr" if country in ("FR", "BE", "CH") else "en"
    given, family = chance.choice(_GIVEN[country].split()), chance.choice(_FAMILY[country].split())
    sector, trade = chance.choice(list(_TRADES.items()))
    organisation = f"{trade} {chance.choice(_PLACES[country].split())} {family}"
    is_organisation = chance.random() < 0.08
    local = "contact" if is_organisation else f"{_ascii(given)}.{_ascii(family)}"
    domain = f"{_ascii(organisation)}.example"
    email, suffix = f"{local}@{domain}", 2
    while email in taken:
        email, suffix = f"{local}{suffix}@{domain}", suffix + 1
    taken.add(email)
    relation = chance.choice(_RELATIONS)
    row = {
        "kind": "organisation" if is_organisation else "person",
        "given_name": "" if is_organisation else given,
        "family_name": "" if is_organisation else family,
        "name": organisation if is_organisation else "",
        "organisation": "" if is_organisation else organisation,
        "email": email,
        "country": country,
        "language": language,
        "relation": relation,
        "owner": chance.choice(owners) if owners and relation == "prospect" and chance.random() < 0.6 else "",
        "fields.sector": sector,
    }
    if country in _PHONES and chance.random() < 0.8:
        phone = _PHONES[country].format(chance.choice(_PHONE_ROOM[country]) + _thousands(country, chance))
        if phone not in taken:
            taken.add(phone)
            row["phone"] = phone
    return row | _consent(chance, language)


def _thousands(country: str, chance: random.Random) -> int:
    return 1000 * chance.randrange(1, 10) if country == "FR" else 0


def _consent(chance: random.Random, language: str) -> dict[str, str]:
    """Seven in ten allow the letter and its measuring, two the letter alone, one was never asked.

    More than half of those who were asked allow calls, and more than half short messages.
    """
    draw = chance.random()
    if draw >= 0.9:
        return {}
    measured = draw < 0.7
    calls = chance.random() < 0.6
    texts = chance.random() < 0.6
    return {
        "consent_purpose": "newsletter" + ";measure" * measured + ";calls" * calls + ";texts" * texts,
        "consent_wording": (WORDING if measured else WORDING_LETTER_ONLY)[language]
        + _CALLS[language] * calls
        + _TEXTS[language] * texts,
        "consent_date": f"2026-{chance.randrange(4, 11):02d}-{chance.randrange(1, 29):02d}",
        "consent_source": chance.choice(("web form", "trade fair, Lyon", "phone call, confirmed by mail")),
    }


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.replace("Ł", "L").replace("ł", "l").replace("ß", "ss"))
    return "".join(c if c.isalnum() else "-" for c in plain if c.isascii()).strip("-").lower()
