"""What a part of a template is made of once everything known about the campaign has been filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jinja2 import Template, nodes

from templates.environment import MailEnvironment
from templates.filling import Filling
from templates.measured import Link, Pixel

#: Computes a value for one recipient.
Expression = Callable[[Filling], object]


@dataclass(frozen=True, slots=True)
class Field:
    """`{{ contact.x }}` or `{{ contact.x|default('…') }}`, by far the most frequent piece: filled on the fast path."""

    path: tuple[str, ...]  #: (given_name,) or (fields, size)
    default: str | None = None

    @property
    def name(self) -> str:
        """The name as it stands in the template."""
        return "contact." + ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Computed:
    """Any other expression over a recipient's data. `needs`: fields without which it fails."""

    value: Expression
    needs: frozenset[str] = frozenset()
    line: int = 1


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """The recipient's unsubscribe page."""


@dataclass(frozen=True, slots=True)
class Asset:
    """The download of a file."""

    name: str


@dataclass(frozen=True, slots=True)
class Branch:
    """`{% if %}` over a recipient's data."""

    test: Expression
    line: int
    then: list[Piece]
    otherwise: list[Piece]


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch that jinja2 itself renders for each recipient: loops, macros and the like."""

    fragment: Fragment


Piece = str | Field | Computed | Unsubscribe | Asset | Link | Pixel | Branch | Region


class Fragment:
    """A bit of a template's tree, run by jinja2 together with the definitions that stand before it."""

    def __init__(self, env: MailEnvironment, definitions: list[nodes.Node], body: list[nodes.Node]) -> None:
        self.env = env
        self.definitions = definitions
        self.body = body
        self._template: Template | None = None

    @property
    def line(self) -> int:
        """The line of the source where it starts."""
        return self.body[0].lineno if self.body else 1

    def _compiled(self) -> Template:
        if self._template is None:
            tree = nodes.Template([*self.definitions, *self.body], lineno=1)
            tree.set_environment(self.env)
            self._template = self.env.from_string(tree)
        return self._template

    def render(self, context: Mapping[str, object]) -> str:
        """Give what the fragment prints."""
        return self._compiled().render(context)

    def evaluate(self, context: Mapping[str, object]) -> object:
        """Give the value that the fragment assigns to `result`."""
        template = self._compiled()
        variables = template.new_context(dict(context))
        for _ in template.root_render_func(variables):
            pass
        return variables.vars["result"]


def result_of(env: MailEnvironment, definitions: list[nodes.Node], expression: nodes.Expr) -> Fragment:
    """Make a fragment that computes one expression."""
    assign = nodes.Assign(nodes.Name("result", "store"), expression, lineno=expression.lineno)
    return Fragment(env, definitions, [assign])
