"""What a template may use is documented."""

from __future__ import annotations

import re
from pathlib import Path

from templates.environment import FILTERS
from templates.variables import CONTACT, LINKS, ROOTS

PAGE = (Path(__file__).parents[2] / "docs" / "templates.md").read_text("utf-8")


def test_every_variable_is_documented() -> None:
    names = {f"contact.{name}" for name in CONTACT} | {f"links.{name}" for name in LINKS} | ROOTS
    assert not [name for name in names if f"`{name}" not in PAGE]


def test_every_filter_is_documented_and_no_other() -> None:
    listed = re.search(r"Filters: `([^`]+)`", PAGE)
    assert listed is not None
    assert set(listed[1].split()) == FILTERS
