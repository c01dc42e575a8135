"""The reference of rules says what the models say."""

from __future__ import annotations

from pathlib import Path

from router.reference import EXAMPLE, write_reference
from router.rule_checks import check_rule
from router.rule_files import read_rules
from router.settings import RouterSettings

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def test_the_page_is_in_step_with_the_models() -> None:
    assert PAGE.read_text(encoding="utf-8") == write_reference(), (
        "run: python -m router.reference > docs/rules.md"
    )


def test_the_example_is_sound() -> None:
    rules = read_rules(EXAMPLE)
    assert [str(problem) for written in rules for problem in check_rule(written)] == []


def test_every_setting_is_described() -> None:
    assert all(field.description for field in RouterSettings.model_fields.values())
