"""YAML that people write, read with the place of everything in it: file, line, and the steps that lead there.

YAML 1.2's idea of true and false: NO is Norway, and `on` a word. A key that stands twice in one mapping is a mistake.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

Step = str | int


@dataclass(frozen=True, slots=True)
class Misspelt:
    """What keeps a text from being read. `line` counts from 1 and is 0 where there is none."""

    line: int
    field: str
    problem: str
    remedy: str = ""


class NotReadable(ValueError):
    """The text is no YAML, or has a key twice; `mistakes` lists each."""

    def __init__(self, mistakes: Sequence[Misspelt]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(f"{mistakes[0].field} {mistakes[0].problem}".strip())


class _Loader(yaml.SafeLoader):
    """The resolvers below."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_BOOLEAN: Final = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOLEAN, list("tTfF"))


def read_yaml(text: str) -> tuple[Any, yaml.Node | None]:
    """What a text says, and its nodes for `locate`. Raises NotReadable."""
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        doubled = _doubled_keys(root) if root is not None else []
        if doubled:
            raise NotReadable(doubled)
        return (loader.construct_document(root) if root is not None else None), root
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        says = f"this is not YAML: {error.problem or error.context}."
        line = mark.line + 1 if mark else 0
        raise NotReadable([Misspelt(line, "", says, "Look at the indentation and quotes.")]) from error
    except NotReadable:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NotReadable([Misspelt(0, "", f"this is not YAML: {error}.")]) from error


def locate(node: yaml.Node | None, location: Sequence[Step]) -> tuple[list[Step], int]:
    """The steps that lead somewhere in a file, and the line they lead to.

    Steps that are not written there (the tags of a union of models) are left out.
    """
    if node is None:
        return list(location), 0
    _, steps, line = _follow(node, location)
    return steps, line


def _follow(node: yaml.Node, location: Sequence[Step]) -> tuple[tuple[bool, int], list[Step], int]:
    if not location:
        return (True, 0), [], line_of(node)
    step, rest = location[0], location[1:]
    last: tuple[tuple[bool, int], list[Step], int]
    # without this step; the last one is kept by name, for it may be what is missing
    if rest:
        last = _follow(node, rest)
    else:
        last = ((False, 0), [step] if isinstance(node, yaml.MappingNode) else [], line_of(node))
    child = _child(node, step)
    if child is None:
        return last
    (whole, count), steps, line = _follow(child, rest)
    found = (whole, count + 1), [step, *steps], line
    return found if found[0] >= last[0] else last


def _child(node: yaml.Node, step: Step) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
        found: yaml.Node = node.value[step]
        return found
    return None


def write_place(steps: Sequence[Step]) -> str:
    """`then[0].open_task.title` from its steps."""
    place = ""
    for step in steps:
        place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else step
    return place


def read_place(place: str) -> list[Step]:
    """The steps of a place that `write_place` wrote."""
    steps: list[Step] = []
    for part in place.replace("[", ".[").split("."):
        if part.startswith("["):
            steps.append(int(part[1:-1]))
        elif part:
            steps.append(part)
    return steps


def line_of(node: yaml.Node | None) -> int:
    """The line on which a node begins, from 1; 0 for none."""
    return 0 if node is None else int(node.start_mark.line) + 1


def _doubled_keys(root: yaml.Node) -> list[Misspelt]:
    mistakes: list[Misspelt] = []
    stack, seen_nodes = [root], set()
    while stack:
        node = stack.pop()
        if id(node) in seen_nodes:
            continue
        seen_nodes.add(id(node))
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in seen:
                        mistakes.append(
                            Misspelt(line_of(key), key.value, "stands here twice.", "Remove one.")
                        )
                    seen.add(key.value)
                stack.append(value)
        elif isinstance(node, yaml.SequenceNode):
            stack.extend(node.value)
    return mistakes
