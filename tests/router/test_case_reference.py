"""The reference of types of cases says what the models say."""

from __future__ import annotations

from pathlib import Path

from router.cases.reference import EXAMPLE, write_reference
from router.cases.type_files import read_types
from router.cases.type_store import check_texts

PAGE = Path(__file__).parents[2] / "docs" / "cases.md"


def test_the_page_on_cases_is_in_step_with_the_models() -> None:
    assert PAGE.read_text(encoding="utf-8") == write_reference(), (
        "run: python -m router.cases.reference > docs/cases.md"
    )


def test_the_example_of_a_type_is_sound() -> None:
    assert [problem for written in read_types(EXAMPLE) for problem in check_texts(written)] == []
