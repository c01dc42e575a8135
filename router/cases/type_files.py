"""Read types of cases from YAML. Every problem is told with its place: file, line, type, field; all of them at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from domain.errors import InvalidInput
from router.cases.types import CaseType
from storage.yaml_text import NotReadable, Step, line_of, locate, read_yaml, write_place


@dataclass(frozen=True, slots=True)
class TypeProblem:
    """What is wrong at one place of a file. `line` counts from 1 and is 0 where there is none."""

    file: str
    line: int
    type: str
    field: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        place = ":".join(part for part in (self.file, str(self.line or "")) if part)
        name = " ".join(part for part in (f"type {self.type}" if self.type else "", self.field) if part)
        says = f"{self.problem} {self.remedy}".strip()
        return ": ".join(part for part in (place, name, says) if part)


class InvalidTypes(InvalidInput):
    """Some types cannot be used; `problems` lists each place, the message all of them line by line."""

    def __init__(self, problems: Sequence[TypeProblem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(first.field or "types", first.problem, first.remedy)
        self.args = ("\n".join(str(problem) for problem in self.problems),)


@dataclass(frozen=True, slots=True)
class WrittenType:
    """A type and where it was written, so that later checks can name the line."""

    type: CaseType
    file: str = ""
    node: yaml.Node | None = None

    def problem(self, location: Sequence[Step], says: str, remedy: str = "") -> TypeProblem:
        """A problem at a place given as steps: names and positions."""
        return _problem(self.file, self.node, self.type.name, location, says, remedy)


def _problem(
    file: str, node: yaml.Node | None, name: str, location: Sequence[Step], says: str, remedy: str = ""
) -> TypeProblem:
    steps, line = locate(node, location)
    return TypeProblem(file, line, name, write_place(steps), says, remedy)


def load_types_file(path: Path) -> list[WrittenType]:
    """The types of a YAML file. Raises InvalidTypes; InvalidInput when there is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            str(path), f"the file cannot be read: {error}.", "Name a YAML file in UTF-8."
        ) from error
    return read_types(text, file=str(path))


def read_types(text: str, *, file: str = "") -> list[WrittenType]:
    """The types of a YAML text: a list, or a mapping with the one key `types`. Raises InvalidTypes."""
    try:
        data, root = read_yaml(text)
    except NotReadable as error:
        raise InvalidTypes(
            [TypeProblem(file, one.line, "", one.field, one.problem, one.remedy) for one in error.mistakes]
        ) from error
    node = root
    if isinstance(data, dict) and isinstance(root, yaml.MappingNode) and set(data) == {"types"}:
        data, node = data["types"], root.value[0][1]
    if not isinstance(data, list) or not isinstance(node, yaml.SequenceNode) or not data:
        raise InvalidTypes(
            [TypeProblem(file, line_of(node), "", "types", "there is no list.", "Start with - name: ...")]
        )
    types: list[WrittenType] = []
    problems: list[TypeProblem] = []
    for position, (item, item_node) in enumerate(zip(data, node.value, strict=True), start=1):
        name = item.get("name") if isinstance(item, dict) else None
        label = name if isinstance(name, str) else f"number {position}"
        try:
            types.append(WrittenType(CaseType.model_validate(item), file, item_node))
        except ValidationError as error:
            problems += [
                _explain(file, item_node, label, dict(one)) for one in error.errors(include_url=False)
            ]
        except RecursionError:
            problems.append(_problem(file, item_node, label, (), "it is nested too deeply."))
    seen: set[str] = set()
    for written in types:
        if written.type.name in seen:
            problems.append(
                written.problem(("name",), "another type has this name.", "Names are unique; choose another.")
            )
        seen.add(written.type.name)
    if problems:
        raise InvalidTypes(sorted(problems, key=lambda problem: problem.line))
    return types


_SAYS: Final = {
    "missing": ("is missing.", "Every type has a name and stages; see docs/cases.md for the rest."),
    "extra_forbidden": ("is unknown here.", "See docs/cases.md for what may stand here."),
    "model_type": ("is no mapping.", "Write keys with values."),
    "model_attributes_type": ("is no mapping.", "Write keys with values."),
    "dict_type": ("is no text.", "Write a text, or one for each language: {en: Sale, fr: Vente}."),
    "tuple_type": ("is no list.", "Write - in front of each entry."),
    "too_short": ("is empty.", "Give at least one entry."),
    "string_pattern_mismatch": (
        "is no name.",
        "Write small letters, digits and _, and begin with a letter, such as first_talk.",
    ),
}


def _explain(file: str, node: yaml.Node, name: str, error: dict[str, Any]) -> TypeProblem:
    location = [step for step in error["loc"] if not (isinstance(step, str) and step.startswith("function-"))]
    kind = error["type"]
    if kind in _SAYS:
        return _problem(file, node, name, location, *_SAYS[kind])
    if kind in ("enum", "literal_error"):
        known = re.findall(r"'([^']*)'", str(error["ctx"]["expected"]))
        near = get_close_matches(str(error["input"]), known, n=1, cutoff=0.5)
        remedy = f"Did you mean {near[0]}?" if near else f"Write {', '.join(known)}."
        return _problem(file, node, name, location, f"{str(error['input'])[:60]!r} is unknown here.", remedy)
    message = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    first, colon, rest = message.partition(": ")
    if colon and first.isidentifier():  # what a model says as a whole names its place itself
        location, message = [*location, first], rest
    return _problem(file, node, name, location, f"{message[:1].lower()}{message[1:]}.")
