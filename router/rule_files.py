"""Read rules from YAML. Every problem is told with its place: file, line, rule, field; all of them at once."""

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
from router.rules import Rule
from storage.yaml_text import NotReadable, Step, line_of, locate, read_yaml, write_place


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """What is wrong at one place of a file. `line` counts from 1 and is 0 where there is none."""

    file: str
    line: int
    rule: str
    field: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        place = ":".join(part for part in (self.file, str(self.line or "")) if part)
        name = " ".join(part for part in (f"rule {self.rule}" if self.rule else "", self.field) if part)
        says = f"{self.problem} {self.remedy}".strip()
        return ": ".join(part for part in (place, name, says) if part)


class InvalidRules(InvalidInput):
    """Some rules cannot be used; `problems` lists each place, the message all of them line by line."""

    def __init__(self, problems: Sequence[RuleProblem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(first.field or "rules", first.problem, first.remedy)
        self.args = ("\n".join(str(problem) for problem in self.problems),)


@dataclass(frozen=True, slots=True)
class Source:
    """Where in which file a rule was written, so that later checks can name the line."""

    file: str = ""
    node: yaml.Node | None = None

    def problem(self, rule: str, location: Sequence[Step], says: str, remedy: str = "") -> RuleProblem:
        """A problem at a place given as steps: names and positions."""
        steps, line = locate(self.node, location)
        return RuleProblem(self.file, line, rule, write_place(steps), says, remedy)


@dataclass(frozen=True, slots=True)
class WrittenRule:
    """A rule and where it was written."""

    rule: Rule
    source: Source = Source()


def load_rules(path: Path | str) -> list[WrittenRule]:
    """The rules of one YAML file, or of all files `*.yaml` and `*.yml` of a folder, in order.

    Raises InvalidRules with every problem found; InvalidInput when there is no such file.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml"))
        if not files:
            raise InvalidInput(str(path), "there is no file with rules in this folder.", "Name one *.yaml.")
    else:
        files = [path]
    rules: list[WrittenRule] = []
    problems: list[RuleProblem] = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(
                str(file), f"the file cannot be read: {error}.", "Name a YAML file in UTF-8."
            ) from error
        try:
            rules += read_rules(text, file=str(file))
        except InvalidRules as error:
            problems += error.problems
    problems += _doubles(rules)
    if problems:
        raise InvalidRules(problems)
    return rules


def read_rules(text: str, *, file: str = "") -> list[WrittenRule]:
    """The rules of a YAML text: a list, or a mapping with the one key `rules`. Raises InvalidRules."""
    try:
        data, root = read_yaml(text)
    except NotReadable as error:
        raise InvalidRules(
            [RuleProblem(file, one.line, "", one.field, one.problem, one.remedy) for one in error.mistakes]
        ) from error
    node = root
    if isinstance(data, dict) and isinstance(root, yaml.MappingNode):
        if set(data) != {"rules"}:
            keys = ", ".join(str(key) for key in data if key != "rules") or "no key"
            raise InvalidRules(
                [
                    RuleProblem(
                        file, line_of(root), "", "", f"found {keys}.", "Write one key: rules, with a list."
                    )
                ]
            )
        data, node = data["rules"], root.value[0][1]
    if not isinstance(data, list) or not isinstance(node, yaml.SequenceNode):
        raise InvalidRules(
            [
                RuleProblem(
                    file, line_of(node), "", "rules", "there is no list of rules.", "Start with - name: ..."
                )
            ]
        )
    rules: list[WrittenRule] = []
    problems: list[RuleProblem] = []
    for position, (item, item_node) in enumerate(zip(data, node.value, strict=True)):
        source = Source(file, item_node)
        name = item.get("name") if isinstance(item, dict) else None
        label = name if isinstance(name, str) else f"number {position + 1}"
        try:
            rules.append(WrittenRule(Rule.model_validate(item), source))
        except ValidationError as error:
            problems += _explain_all(source, label, [dict(one) for one in error.errors(include_url=False)])
        except RecursionError:
            problems.append(source.problem(label, (), "it is nested too deeply."))
    problems += _doubles(rules)
    if problems:
        raise InvalidRules(sorted(problems, key=lambda problem: problem.line))
    return rules


_REMEDIES: Final = {
    "missing": ("is missing.", "Every rule has name, when and then; see docs/rules.md for the rest."),
    "extra_forbidden": ("is unknown here.", "See docs/rules.md for what may stand here."),
    "model_type": ("is no mapping.", "Write keys with values."),
    "model_attributes_type": ("is no mapping.", "Write keys with values."),
    "tuple_type": ("is no list.", "Write - in front of each entry."),
}


def _explain_all(source: Source, rule: str, errors: list[dict[str, Any]]) -> list[RuleProblem]:
    """A list that is too short because its entries are wrong is not told apart from them."""
    return [
        _explain(source, rule, error)
        for error in errors
        if error["type"] != "too_short"
        or not any(
            other is not error and other["loc"][: len(error["loc"])] == error["loc"] for other in errors
        )
    ]


def _explain(source: Source, rule: str, error: dict[str, Any]) -> RuleProblem:
    location = [step for step in error["loc"] if not (isinstance(step, str) and step.startswith("function-"))]
    if error["type"] in _REMEDIES:
        says, remedy = _REMEDIES[error["type"]]
        return source.problem(rule, location, says, remedy)
    message = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    if error["type"] in ("enum", "literal_error"):
        known = re.findall(r"'([^']*)'", str(error["ctx"]["expected"]))
        near = get_close_matches(str(error["input"]), known, n=1, cutoff=0.5)
        remedy = f"Did you mean {near[0]}?" if near else f"Write {', '.join(known)}."
        return source.problem(rule, location, f"{str(error['input'])[:60]!r} is unknown here.", remedy)
    if error["type"] == "too_short":
        return source.problem(rule, location, "is empty.", "Give at least one entry.")
    if error["type"] == "string_pattern_mismatch" and location == ["name"]:
        return source.problem(
            rule,
            location,
            "is no name for a rule.",
            "Write small letters, digits, - and _, such as call-openers.",
        )
    return source.problem(rule, location, f"{message[:1].lower()}{message[1:]}.")


def _doubles(rules: Sequence[WrittenRule]) -> list[RuleProblem]:
    seen: set[str] = set()
    problems = []
    for written in rules:
        if written.rule.name in seen:
            problems.append(
                written.source.problem(
                    written.rule.name,
                    ("name",),
                    "another rule has this name.",
                    "Names are unique; choose another.",
                )
            )
        seen.add(written.rule.name)
    return problems
