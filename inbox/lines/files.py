"""Read lines from YAML. Every problem is told with its place: file, line, number called, field; all of them at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

import yaml
from pydantic import ValidationError

from domain.errors import InvalidInput
from inbox.lines.menus import Line, Step, Words
from storage.yaml_text import NotReadable, line_of, locate, read_yaml, write_place

_Place = Sequence[str | int]
_SEE: Final = "See docs/phone-lines.md for what may stand here."


@dataclass(frozen=True, slots=True)
class LineProblem:
    """What is wrong at one place of a file. `line` counts from 1 and is 0 where there is none."""

    file: str
    line: int
    number: str
    field: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        place = ":".join(part for part in (self.file, str(self.line or "")) if part)
        name = " ".join(part for part in (self.number, self.field) if part)
        says = f"{self.problem} {self.remedy}".strip()
        return ": ".join(part for part in (place, name, says) if part)


class InvalidLines(InvalidInput):
    """Some lines cannot be used; `problems` lists each place, the message all of them line by line."""

    def __init__(self, problems: Sequence[LineProblem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(first.field or "lines", first.problem, first.remedy)
        self.args = ("\n".join(str(problem) for problem in self.problems),)


@dataclass(frozen=True, slots=True)
class WrittenLine:
    """A line, its YAML text, and where it was written."""

    line: Line
    text: str
    file: str = ""
    node: yaml.Node | None = None

    def problem(self, location: _Place, says: str, remedy: str = "") -> LineProblem:
        """A problem at a place given as steps: names and positions."""
        return _problem(self.file, self.node, self.line.number, location, says, remedy)


def read_lines(text: str, *, file: str = "") -> list[WrittenLine]:
    """The lines of a YAML text: one, a list of them, or a mapping with the one key `lines`. Raises InvalidLines."""
    try:
        data, node = read_yaml(text)
    except NotReadable as error:
        raise InvalidLines(
            [LineProblem(file, one.line, "", one.field, one.problem, one.remedy) for one in error.mistakes]
        ) from error
    if isinstance(data, dict) and set(data) == {"lines"} and isinstance(node, yaml.MappingNode):
        data, node = data["lines"], node.value[0][1]
    if isinstance(data, dict) and isinstance(node, yaml.MappingNode):
        entries: list[tuple[Any, yaml.Node, str]] = [(data, node, text)]
    elif isinstance(data, list) and data and isinstance(node, yaml.SequenceNode):
        entries = [(one, each, _cut(text, each)) for one, each in zip(data, node.value, strict=True)]
    else:
        problem = LineProblem(
            file, line_of(node), "", "", "there is no line.", "Begin with number: and name:."
        )
        raise InvalidLines([problem])
    lines: list[WrittenLine] = []
    problems: list[LineProblem] = []
    for place, (item, item_node, item_text) in enumerate(entries, start=1):
        number = str(item.get("number", "")) if isinstance(item, dict) else ""
        label = number or f"line {place}"
        try:
            written = WrittenLine(Line.model_validate(item), item_text, file, item_node)
        except ValidationError as error:
            errors = [dict(one) for one in error.errors(include_url=False)]
            problems += _explain_all(file, item_node, label, errors)
        except RecursionError:
            problems.append(_problem(file, item_node, label, (), "it is nested too deeply."))
        else:
            problems += (written.problem(*one) for one in check_line(written.line))
            if any(one.line.number == written.line.number for one in lines):
                problems.append(written.problem(("number",), "another line has this number.", "Remove one."))
            lines.append(written)
    if problems:
        raise InvalidLines(sorted(problems, key=lambda problem: problem.line))
    return lines


def check_line(line: Line) -> Iterator[tuple[_Place, str, str]]:
    """What is wrong with a line as a whole: place, problem, remedy."""
    for place, steps in line.menu_steps():
        for number, step in enumerate(steps):
            here = (*place, number)
            if step.is_last and number + 1 < len(steps):
                yield (
                    (*place, number + 1),
                    f"is never reached: {step.kind} stands before it.",
                    "Remove it, or move it up.",
                )
            yield from _check_step(line, step, here)
    for name, menu in line.menus.items():
        yield from _check_words(line, menu.say, ("menus", name, "say"))
        for key in menu.words:
            if key not in menu.keys:
                yield ("menus", name, "words", key), "leads nowhere.", f"Add key {key} to the keys."
        if not any(step.menu == name for step in line.every_step()):
            yield ("menus", name), "is never reached.", "Name it in a step {menu: …}, or remove it."
    for field in ("greeting", "announce"):
        words = getattr(line, field)
        if words:
            yield from _check_words(line, words, (field,))
    if len(set(line.languages)) < len(line.languages):
        yield ("languages",), "a language stands here twice.", "Remove one."


def _check_step(line: Line, step: Step, here: _Place) -> Iterator[tuple[_Place, str, str]]:
    if step.menu and step.menu not in line.menus:
        near = get_close_matches(step.menu, line.menus, n=1)
        offer = f"Did you mean {near[0]}?" if near else "Write it below menus."
        yield (*here, "menu"), f"there is no menu {step.menu}.", offer
    if step.say:
        yield from _check_words(line, step.say, (*here, "say"))
    if step.voicemail and step.voicemail.say:
        yield from _check_words(line, step.voicemail.say, (*here, "voicemail", "say"))
    if step.ring and step.ring.hold and step.ring.hold.say:
        yield from _check_words(line, step.ring.hold.say, (*here, "ring", "hold", "say"))


def _check_words(line: Line, words: Words, place: _Place) -> Iterator[tuple[_Place, str, str]]:
    if "" in words:
        if len(line.languages) > 1:
            spoken = ", ".join(line.languages)
            yield (
                place,
                f"is one text for {len(line.languages)} languages.",
                f"Write one for each of {spoken}.",
            )
        return
    for language in line.languages:
        if language not in words and language.partition("-")[0] not in words:
            yield place, f"is missing in {language}.", f"Add {language}: …"
    for language in words:
        if not any(language in (one, one.partition("-")[0]) for one in line.languages):
            yield (*place, language), "is no language of this line.", "Add it to languages, or remove it."


def _cut(text: str, node: yaml.Node) -> str:
    """The text of one entry of a list, moved to the left margin."""
    start, end = node.start_mark, node.end_mark
    lines = text[start.index - start.column : end.index].splitlines()
    lines[0] = " " * start.column + lines[0][start.column :]
    cut = [line[start.column :] if not line[: start.column].strip() else line for line in lines]
    return "\n".join(cut).rstrip() + "\n"


_REMEDIES: Final = {
    "missing": ("is missing.", _SEE),
    "extra_forbidden": ("is unknown here.", _SEE),
    "model_type": ("is no mapping.", "Write keys with values."),
    "model_attributes_type": ("is no mapping.", "Write keys with values."),
    "dict_type": ("is no mapping.", "Write keys with values."),
    "tuple_type": ("is no list.", "Write - in front of each entry."),
    "string_type": ("is no text.", "Write it in quotes."),
}


def _explain_all(file: str, node: yaml.Node, number: str, errors: list[dict[str, Any]]) -> list[LineProblem]:
    """A list that is too short because its entries are wrong is not told apart from them."""
    return [
        _explain(file, node, number, error)
        for error in errors
        if error["type"] != "too_short"
        or not any(
            other is not error and other["loc"][: len(error["loc"])] == error["loc"] for other in errors
        )
    ]


def _explain(file: str, node: yaml.Node, number: str, error: dict[str, Any]) -> LineProblem:
    location = [
        step
        for step in error["loc"]
        if not (isinstance(step, str) and (step == "[key]" or step.startswith("function-")))
    ]
    says, remedy = _REMEDIES.get(error["type"], ("", ""))
    if not says and error["type"] in ("enum", "literal_error"):
        known = re.findall(r"'([^']*)'", str(error["ctx"]["expected"]))
        says, remedy = f"{str(error['input'])[:60]!r} is unknown here.", f"Write {' or '.join(known)}."
    if not says and error["type"] == "too_short":
        says, remedy = "is empty.", "Give at least one entry."
    if not says and error["type"] == "string_pattern_mismatch":
        says, remedy = _explain_pattern(location, str(error["input"])[:60])
    if not says:
        message = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
        says = f"{message[:1].lower()}{message[1:]}."
    return _problem(file, node, number, location, says, remedy)


def _explain_pattern(location: list[Any], given: str) -> tuple[str, str]:
    names = {step for step in location if isinstance(step, str)}
    if "languages" in names:
        return f"{given!r} is no language.", "Write it like fr or fr-CA."
    if "blocked" in names:
        return f"{given!r} is no number.", "Write +33899000001, or +33899* for all that begin so."
    if names & {"play", "music"}:
        return f"{given!r} is no address.", "Write one that begins with https://."
    return f"{given!r} is no key.", "Write one of 0 to 9, * and #, in quotes."


def _problem(
    file: str, node: yaml.Node | None, number: str, location: _Place, says: str, remedy: str = ""
) -> LineProblem:
    steps, line = locate(node, list(location))
    return LineProblem(file, line, number, write_place(steps), says, remedy)
