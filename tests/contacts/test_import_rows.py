"""A line of a contact list: every value comes to its one form, or the line is refused with the column and the remedy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from contacts.csv_columns import COLUMNS
from contacts.import_rows import FILLED, NewContact, RowReader
from contacts.names import read_country, read_kind, read_language, read_relation
from domain.errors import InvalidInput

NOW = datetime(2026, 5, 4, tzinfo=UTC)
NAMES: list[str | None] = [*COLUMNS, "fields.size"]


def read(*, home: str | None = None, **cells: str) -> NewContact:
    reader = RowReader(NAMES, users={"rep@acme.example": 5}, now=NOW, country=home)
    given = {name.replace("own_", "fields."): cell for name, cell in cells.items()}
    return reader.read(2, [given.get(name or "", "") for name in NAMES])


def values(contact: NewContact) -> dict[str, Any]:
    return {name: value for name, value in zip(FILLED, contact.values, strict=True) if value is not None}


def test_a_full_line_becomes_a_contact() -> None:
    contact = read(
        email=" Lea.Martin@Example.org ",
        phone="06 12 34 56 78",
        given_name="Léa",
        family_name=" Martin",
        organisation="Acme  SA",
        country="France",
        language="français",
        relation="Clients",
        owner="Rep@acme.example",
        own_size="250",
        consent_purpose="newsletter; Mesure|newsletter",
        consent_wording="Yes.",
        consent_date="01/03/2026",
        consent_source="fair",
    )
    assert (contact.mail, contact.phone) == ("lea.martin@example.org", "+33612345678")
    assert contact.mail_given == "Lea.Martin@Example.org"
    assert values(contact) == {
        "name": "Léa Martin",
        "given_name": "Léa",
        "family_name": "Martin",
        "organisation": "Acme SA",
        "relation": "customer",
        "country": "FR",
        "language": "fr",
        "owner_id": 5,
    }
    assert contact.own == {"size": "250"}
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    assert [(one.purpose, one.wording, one.source, one.occurred_at) for one in contact.consents] == [
        ("newsletter", "Yes.", "fair", moment),
        ("measure", "Yes.", "fair", moment),
    ]


@pytest.mark.parametrize(
    ("cells", "field", "words"),
    [
        ({"email": "lea@"}, "email", "this is not a mail address. Write it like"),
        ({"name": "Léa"}, "email", "neither a mail address nor a phone number"),
        ({"phone": "06 12 34 56 78"}, "phone", "country of this phone number is not known"),
        ({"phone": "06 12", "country": "FR"}, "phone", "there is no such phone number"),
        ({"country": "Frankreich"}, "country", "no country is called Frankreich. Write a code such as FR"),
        ({"language": "klingon"}, "language", "no language is called klingon"),
        ({"relation": "enemy"}, "relation", "no relation is called enemy"),
        ({"kind": "robot"}, "kind", "no kind is called robot"),
        ({"owner": "nobody@acme.example"}, "owner", "no user has the address nobody@acme.example"),
        ({"name": "x" * 301}, "name", "longer than 300 characters"),
        ({"own_size": "x" * 10_001}, "fields.size", "longer than 10000"),
        ({"consent_purpose": "newsletter", "consent_date": "2026-03-01"}, "consent_wording", "without the words"),
        ({"consent_purpose": "newsletter", "consent_wording": "Yes."}, "consent_date", "without its date"),
        ({"consent_purpose": "spam", "consent_wording": "Yes.", "consent_date": "2026-03-01"}, "consent_purpose", "there is no purpose spam"),
        ({"consent_purpose": "calls", "consent_wording": "Yes.", "consent_date": "31/02/2026"}, "consent_date", "31/02/2026 is no date"),
        ({"consent_purpose": "calls", "consent_wording": "Yes.", "consent_date": "2026-05-05"}, "consent_date", "lies in the future"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_the_column(cells: dict[str, str], field: str, words: str) -> None:
    line = {"email": "lea@example.org", **cells} if not {"email", "phone", "name"} & cells.keys() else cells
    line = {"email": "lea@example.org", **cells} if field == "name" else line
    with pytest.raises(InvalidInput) as refusal:
        read(**line)
    assert refusal.value.field == field
    assert words in str(refusal.value)


def test_consent_proof_without_a_purpose_claims_nothing() -> None:
    assert read(email="a@b.example", consent_wording="Yes.", consent_date="2026-03-01").consents == []


@pytest.mark.parametrize("date", ["2026-03-01T09:30:00+02:00", "2026-03-01 07:30", "01/03/2026 07:30:00"])
def test_a_date_may_carry_a_time(date: str) -> None:
    contact = read(email="a@b.example", consent_purpose="calls", consent_wording="Yes.", consent_date=date)
    assert contact.consents[0].occurred_at == datetime(2026, 3, 1, 7, 30, tzinfo=UTC)


def test_a_name_is_made_from_what_there_is() -> None:
    assert values(read(email="a@b.example", organisation="Acme")) == {
        "name": "Acme",
        "kind": "organisation",
        "organisation": "Acme",
    }
    assert values(read(email="a@b.example", family_name="Martin"))["name"] == "Martin"
    assert values(read(email="a@b.example")) == {}


def test_line_ends_and_invisible_characters_do_not_stay_in_a_name() -> None:
    assert (
        values(read(email="a@b.example", name="Léa\r\nBcc: x\u200b \x07Martin"))["name"]
        == "Léa Bcc: x Martin"
    )
    assert values(read(email="a@b.example", name="Le\u0301a"))["name"] == "Léa"


def test_a_phone_number_belongs_to_the_country_beside_it_or_to_the_one_at_home() -> None:
    assert read(phone="030 123456", country="DE", home="FR").phone == "+4930123456"
    assert read(phone="06 12 34 56 78", home="FR").phone == "+33612345678"


def test_short_lines_are_filled_and_long_ones_refused() -> None:
    reader = RowReader(["email", "name"], users={}, now=NOW)
    assert reader.read(2, ["a@b.example"]).mail == "a@b.example"
    assert reader.read(2, ["a@b.example", "", "", " "]).mail == "a@b.example"
    with pytest.raises(InvalidInput, match="3 values for 2 columns"):
        reader.read(2, ["a@b.example", "Martin", "Léa"])


@pytest.mark.parametrize(
    ("written", "code"),
    [("fr", "FR"), ("FRA", "FR"), ("Allemagne", "DE"), ("ÉTATS-UNIS", "US"), ("USA", "US"), ("U.K.", "GB"), ("Côte d’Ivoire", "CI"),
     ("United Kingdom", "GB"), ("Czechia", "CZ"), ("Pays-Bas", "NL"), ("Europe", None), ("ZZ", None), ("", None)],
)  # fmt: skip
def test_countries_are_known_by_code_and_by_name(written: str, code: str | None) -> None:
    assert read_country(written) == code


def test_words_of_both_languages_are_known() -> None:
    assert [read_language(text) for text in ("FR", "fr-CA", "German", "allemand", "xx")] == [
        "fr",
        "fr",
        "de",
        "de",
        None,
    ]
    assert [read_relation(text) for text in ("Prospect", "Fournisseurs", "employée", "Journalists", "x")] == [
        "prospect",
        "supplier",
        "employee",
        "journalist",
        None,
    ]
    assert [read_kind(text) for text in ("Société", "person", "x")] == ["organisation", "person", None]
