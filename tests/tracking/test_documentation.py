"""The page on tracking says everything that the code can answer."""

from __future__ import annotations

import re
from pathlib import Path

from domain.messages import TrackingLevel
from tracking.verdicts import INVISIBLE_LABEL, Reason

PAGE = (Path(__file__).parents[2] / "docs" / "tracking.md").read_text("utf-8")


def test_every_reason_is_explained_and_none_that_there_is_not() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (?:certain|doubt|human)", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(reason.value for reason in Reason)
    assert INVISIBLE_LABEL in PAGE


def test_every_tracking_level_is_explained() -> None:
    assert [level for level in TrackingLevel if f"`{level.value}`" not in PAGE] == []
