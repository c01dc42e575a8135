"""Segments as people write them: YAML or JSON read into a condition, checked, kept under a name."""

from __future__ import annotations

from typing import Any, Final

import yaml

from contacts.segments import save_segment
from domain.conditions import Condition, read_condition
from domain.errors import Conflict, InvalidInput
from domain.fields import Place, check_condition
from storage.pool import Pool
from web.i18n import N_

_LONGEST: Final = 50_000


def read_condition_text(text: str) -> Condition:
    """The condition in a text of YAML (JSON is YAML too). Raises InvalidInput naming line or place."""
    if not text.strip():
        raise InvalidInput(
            "condition", N_("The condition is empty."), N_("Write which contacts belong to the segment.")
        )
    if len(text) > _LONGEST:
        raise InvalidInput("condition", N_("This text is too long."), N_("Shorten it."))
    try:
        data = _load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"condition, line {mark.line + 1}" if mark else "condition"
        raise InvalidInput(
            where, N_("This is neither YAML nor JSON."), N_("Check indentation, colons and brackets.")
        ) from error
    condition = read_condition(data)
    check_condition(condition, Place.SEGMENT)
    return condition


class _PlainLoader(yaml.SafeLoader):
    """YAML without anchors, so that a short text cannot stand for an enormous one."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node. Raises YAMLError for an alias."""
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed here")
        return super().compose_node(parent, index)


def _load(text: str) -> Any:
    return yaml.load(text, Loader=_PlainLoader)


async def save_named_segment(pool: Pool, name: str, text: str) -> int:
    """Keep a new segment; gives its id. Raises InvalidInput."""
    condition = read_condition_text(text)
    try:
        return await save_segment(pool, name, condition)
    except Conflict as error:
        raise InvalidInput(
            "segment_name", N_("There is a segment of this name already."), N_("Choose another name.")
        ) from error
