"""Turns the expressions of a template into plain Python functions of a recipient.

What is common over contact data (fields, filters, comparisons) runs without jinja2's machinery, with the very
filters and tests that jinja2 would call; anything else is left to jinja2 itself. Both give the same values.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final, cast

from jinja2 import nodes
from jinja2.utils import _PassArg

from templates.environment import MailEnvironment, Missing, lacks
from templates.filling import Filling
from templates.pieces import Expression, Field, result_of
from templates.variables import asset_name, member

_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
    "in": lambda left, right: left in right,
    "notin": lambda left, right: left not in right,
}

#: Tells whether an expression is the same for every recipient, and computes it.
Static = Callable[[nodes.Node], bool]
Evaluate = Callable[[nodes.Expr], Any]


def as_field(node: nodes.Node) -> Field | None:
    """Recognise `contact.x` and `contact.x|default('…')`."""
    default: str | None = None
    if isinstance(node, nodes.Filter) and node.name in ("default", "d") and node.node is not None:
        if len(node.args) != 1 or node.kwargs or node.dyn_args or node.dyn_kwargs:
            return None
        argument = node.args[0]
        if not isinstance(argument, nodes.Const) or not isinstance(argument.value, str):
            return None
        node, default = node.node, argument.value
    path = member(node)
    if path is None or path[0] != "contact" or len(path) != (3 if path[1:2] == ("fields",) else 2):
        return None
    return Field(path[1:], default)


def needs(node: nodes.Node) -> frozenset[str]:
    """Name the field that an expression cannot do without: `contact.x|upper` needs contact.x."""
    while isinstance(node, nodes.Filter) and node.node is not None:
        if node.name in ("default", "d"):
            return frozenset()
        node = node.node
    field = as_field(node)
    return frozenset() if field is None else frozenset({field.name})


def field_value(field: Field) -> Expression:
    """Give the function that reads a field: its value, or a `Missing`."""
    name, label = field.path[-1], field.name
    if field.path[0] == "fields":

        def custom(filling: Filling) -> object:
            value = (filling.contact.get("fields") or {}).get(name)
            return Missing(name=label) if lacks(value) else value

        return custom

    def plain(filling: Filling) -> object:
        value = filling.contact.get(name)
        return Missing(name=label) if lacks(value) else value

    return plain


class Compiler:
    """Compiles the expressions of one part."""

    def __init__(
        self, env: MailEnvironment, definitions: list[nodes.Node], static: Static, evaluate: Evaluate
    ) -> None:
        self.env = env
        self.definitions = definitions
        self.static = static
        self.evaluate = evaluate

    def compile(self, node: nodes.Expr) -> Expression:
        """Give a function that computes the expression for a recipient."""
        if self.static(node):
            constant = self.evaluate(node)
            return lambda _: constant
        field = as_field(node) if not isinstance(node, nodes.Filter) else None
        if field is not None:
            return field_value(field)
        if member(node) == ("links", "unsubscribe"):
            return Filling.unsubscribe_url
        if (asset := asset_name(node)) is not None:
            return lambda filling: filling.asset(asset)
        return self._logic(node) or self._call(node) or self._jinja(node)

    def _logic(self, node: nodes.Expr) -> Expression | None:
        if isinstance(node, nodes.Not):
            inner = self.compile(node.node)
            return lambda filling: not inner(filling)
        if isinstance(node, (nodes.And, nodes.Or)):
            left, right = self.compile(node.left), self.compile(node.right)
            if isinstance(node, nodes.And):
                return lambda filling: left(filling) and right(filling)
            return lambda filling: left(filling) or right(filling)
        if isinstance(node, nodes.CondExpr) and node.expr2 is not None:
            test, one, other = self.compile(node.test), self.compile(node.expr1), self.compile(node.expr2)
            return lambda filling: one(filling) if test(filling) else other(filling)
        if isinstance(node, nodes.Compare) and len(node.ops) == 1:
            compare = _COMPARE[node.ops[0].op]
            left, right = self.compile(node.expr), self.compile(node.ops[0].expr)
            return lambda filling: compare(left(filling), right(filling))
        return None

    def _call(self, node: nodes.Expr) -> Expression | None:
        if not isinstance(node, (nodes.Filter, nodes.Test)) or node.node is None:
            return None
        if node.dyn_args or node.dyn_kwargs:
            return None
        arguments = [*node.args, *(pair.value for pair in node.kwargs)]
        if not all(self.static(argument) for argument in arguments):
            return None
        table = self.env.filters if isinstance(node, nodes.Filter) else self.env.tests
        call = cast("Callable[..., object]", table[node.name])
        before: tuple[object, ...] = ()
        match _PassArg.from_obj(call):
            case _PassArg.context:
                return None
            case _PassArg.eval_context:
                before = (nodes.EvalContext(self.env),)
            case _PassArg.environment:
                before = (self.env,)
        inner = self.compile(node.node)
        after = tuple(self.evaluate(argument) for argument in node.args)
        named = {str(pair.key): self.evaluate(pair.value) for pair in node.kwargs}
        return lambda filling: call(*before, inner(filling), *after, **named)

    def _jinja(self, node: nodes.Expr) -> Expression:
        fragment = result_of(self.env, list(self.definitions), node)
        return lambda filling: fragment.evaluate(filling.context())
