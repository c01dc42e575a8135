"""What can be imported is documented, under the names by which it is recognised."""

from __future__ import annotations

import re
from pathlib import Path

from contacts.csv_columns import COLUMNS, spell
from domain.consent import Purpose
from domain.contacts import Relation

PAGE = (Path(__file__).parents[2] / "docs" / "importing.md").read_text(encoding="utf-8")
ROWS = {match[1]: match[0].split("|") for match in re.finditer(r"^\| `([\w.]+)` \|.*$", PAGE, re.MULTILINE)}


def test_every_column_is_documented() -> None:
    assert list(ROWS) == [*COLUMNS, "fields.x"]


def test_the_other_names_in_the_documentation_are_recognised() -> None:
    for column, names in COLUMNS.items():
        for other in filter(None, (spell(name) for name in ROWS[column][2].split(","))):
            assert other in names, f"{column}: {other}"


def test_every_purpose_and_relation_is_documented() -> None:
    assert [word for word in Purpose if word not in ROWS["consent_purpose"][3]] == []
    assert [word for word in Relation if word not in ROWS["relation"][3]] == []
