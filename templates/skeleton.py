"""A part as one text with marks in it: HTML tools edit the text, then it is read back into pieces.

All branches of a condition stand in the text one after the other, and so do the literal stretches of regions that
jinja2 renders; links are therefore found and measured wherever they stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from jinja2 import nodes

from templates.masking import MARK
from templates.measured import Link, Pixel
from templates.pieces import (
    Asset,
    Branch,
    Computed,
    Expression,
    Field,
    Fragment,
    Piece,
    Region,
    Unsubscribe,
)


@dataclass(frozen=True, slots=True)
class Open:
    """A condition starts."""

    test: Expression
    line: int


@dataclass(frozen=True, slots=True)
class Else:
    """The other branch starts."""


@dataclass(frozen=True, slots=True)
class Close:
    """A condition ends."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal stretch inside a region starts: the `index`th node of `output`."""

    output: nodes.Output
    index: int


@dataclass(frozen=True, slots=True)
class Hole:
    """Inside a region, something is printed here."""


@dataclass(frozen=True, slots=True)
class Done:
    """A region ends. Without a fragment it only defined something."""

    fragment: Fragment | None


Leaf = Field | Computed | Unsubscribe | Asset | Link | Pixel
Mark = Leaf | Open | Else | Close | Literal | Hole | Done


@dataclass(slots=True)
class Skeleton:
    """The text of a part, \\x00 number \\x01 standing for `marks[number]`."""

    text: str = ""
    marks: list[Mark] = field(default_factory=list)

    def mark(self, mark: Mark) -> str:
        """Add a mark and give the text that stands for it."""
        self.marks.append(mark)
        return f"\x00{len(self.marks) - 1}\x01"

    def marks_in(self, text: str) -> list[Mark]:
        """Give the marks that stand in a stretch of the text."""
        return [self.marks[int(number)] for number in MARK.findall(text)]

    def pieces(self, slots: dict[str, Link | Pixel]) -> list[Piece]:
        """Read the text back. Measured places inside regions are named in `slots` and put into their trees."""
        tokens = iter(
            [
                self.marks[int(piece)] if index % 2 else piece
                for index, piece in enumerate(MARK.split(self.text))
                if index % 2 or piece
            ]
        )
        return _read(tokens, slots)[0]


def _read(tokens: Iterator[Mark | str], slots: dict[str, Link | Pixel]) -> tuple[list[Piece], Mark | None]:
    found: list[Piece] = []
    for token in tokens:
        match token:
            case Open(test, line):
                then, end = _read(tokens, slots)
                otherwise = _read(tokens, slots)[0] if isinstance(end, Else) else []
                found.append(Branch(test, line, then, otherwise))
            case Else() | Close():
                return found, token
            case Literal() | Hole() | Done():
                fragment = _read_region(token, tokens, slots)
                if fragment is not None:
                    found.append(Region(fragment))
            case _:
                found.append(token)
    return found, None


def _read_region(
    first: Mark, tokens: Iterator[Mark | str], slots: dict[str, Link | Pixel]
) -> Fragment | None:
    """Put what stands between the marks of a region back into its tree."""
    literals: dict[int, tuple[nodes.Output, dict[int, list[nodes.Expr]]]] = {}
    into: list[nodes.Expr] = []
    token: Mark | str | None = first
    while not isinstance(token, Done):
        if isinstance(token, Literal):
            into = []
            literals.setdefault(id(token.output), (token.output, {}))[1][token.index] = into
        elif isinstance(token, str):
            into.append(nodes.TemplateData(token))
        elif isinstance(token, (Link, Pixel)):
            name = f"_slot_{len(slots)}"
            slots[name] = token
            into.append(nodes.Name(name, "load"))
        token = next(tokens)
    for output, replaced in literals.values():
        output.nodes = [new for index, node in enumerate(output.nodes) for new in replaced.get(index, [node])]
    return token.fragment
