"""Works out a template as far as it can be known before there is a recipient (partial evaluation).

What speaks only of the campaign and the sender is rendered once, here, by jinja2. What speaks of the recipient
becomes a mark: a field, a computed value, a branch; and where that cannot be done (loops over contact data,
definitions inside conditions, ...) a region that jinja2 renders for each recipient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from jinja2 import nodes

from templates.environment import BROKEN, MailEnvironment, MissingField, TemplateProblem, broken
from templates.expressions import Compiler, as_field, needs
from templates.pieces import Asset, Computed, Fragment, Unsubscribe, result_of
from templates.skeleton import Close, Done, Else, Hole, Literal, Mark, Open, Skeleton
from templates.variables import PERSONAL, asset_name, member, walk

_Result = TypeVar("_Result")
_DEFINES: Final = (nodes.Assign, nodes.AssignBlock, nodes.Macro)
_SCOPED: Final = (nodes.For, nodes.Macro, nodes.CallBlock, nodes.FilterBlock, nodes.With, nodes.Scope)


def _leaks(node: nodes.Node) -> bool:
    """Tell whether a node changes what later nodes see, in a way that only jinja2 itself can follow."""
    if isinstance(node, nodes.NSRef):
        return True
    scoped = isinstance(node, _SCOPED)
    for child in node.iter_child_nodes():
        if isinstance(child, _DEFINES) and not scoped:
            return True
        if scoped and not any(isinstance(one, nodes.NSRef) for one in walk(child)):
            continue
        if _leaks(child):
            return True
    return False


def _expr(node: nodes.Node) -> nodes.Expr:
    assert isinstance(node, nodes.Expr)  # what jinja2's parser puts there
    return node


class Reducer:
    """Reduces one part. `context` holds what is known now: sender and campaign."""

    def __init__(self, env: MailEnvironment, part: str, context: Mapping[str, object]) -> None:
        self.env = env
        self.part = part
        self.context = context
        self.skeleton = Skeleton()
        self._personal = set(PERSONAL)
        self._definitions: list[nodes.Node] = []
        self._known: list[nodes.Node] = []
        self._text: list[str] = []
        self._compiler = Compiler(env, self._definitions, self._static, self._evaluate)
        self.assets: list[tuple[str, int]] = []  #: downloads, and the lines that offer them
        self.uses: list[tuple[str, int]] = []  #: fields, and the lines that speak of them

    def reduce(self, tree: nodes.Template) -> Skeleton:
        """Give the part's skeleton. Raises TemplateProblem when what is known now cannot be rendered."""
        for node in walk(tree):
            if (asset := asset_name(node)) is not None:
                self.assets.append((asset, node.lineno))
            field = as_field(node) if isinstance(node, (nodes.Getattr, nodes.Getitem)) else None
            if field is not None:
                self.uses.append((field.name, node.lineno))
        self._body(tree.body, top=True)
        self.skeleton.text = "".join(self._text)
        return self.skeleton

    def _static(self, node: nodes.Node) -> bool:
        return not any(isinstance(one, nodes.Name) and one.name in self._personal for one in walk(node))

    def _guard(self, line: int, run: Callable[[], _Result]) -> _Result:
        try:
            return run()
        except MissingField as error:
            raise TemplateProblem(self.part, line, f"{error.name} has no value.", error.remedy) from error
        except BROKEN as error:
            raise broken(self.part, line, error) from error

    def _evaluate(self, node: nodes.Expr) -> Any:
        fragment = result_of(self.env, list(self._known), node)
        return self._guard(node.lineno, lambda: fragment.evaluate(self.context))

    def _render(self, node: nodes.Node) -> None:
        fragment = Fragment(self.env, list(self._known), [node])
        self._text.append(self._guard(node.lineno, lambda: fragment.render(self.context)))

    def _mark(self, mark: Mark) -> None:
        self._text.append(self.skeleton.mark(mark))

    def _body(self, body: Sequence[nodes.Node], *, top: bool = False) -> None:
        waiting = list(body)
        while waiting:
            node = waiting.pop(0)
            if isinstance(node, nodes.If) and self._static(node.test):
                waiting[:0] = node.body if self._evaluate(_expr(node.test)) else self._otherwise(node)
            elif isinstance(node, _DEFINES):
                self._define(node)
            elif top and _leaks(node):
                self._region([node, *waiting])
                return
            elif isinstance(node, nodes.Output):
                for child in node.nodes:
                    self._print(child)
            elif self._static(node):
                self._render(node)
            elif isinstance(node, nodes.If):
                self._branch(node)
            else:
                self._region([node])

    def _otherwise(self, node: nodes.If) -> list[nodes.Node]:
        if not node.elif_:
            return node.else_
        first, *rest = node.elif_
        return [nodes.If(first.test, first.body, rest, node.else_, lineno=first.lineno)]

    def _branch(self, node: nodes.If) -> None:
        self._mark(Open(self._compiler.compile(_expr(node.test)), node.lineno))
        self._body(node.body)
        self._mark(Else())
        self._body(self._otherwise(node))
        self._mark(Close())

    def _define(self, node: nodes.Node) -> None:
        if self._static(node):
            self._known.append(node)
        else:
            target = node.name if isinstance(node, nodes.Macro) else None
            names = {target} if target else set()
            if isinstance(node, (nodes.Assign, nodes.AssignBlock)):
                names = {one.name for one in walk(node.target) if isinstance(one, (nodes.Name, nodes.NSRef))}
            self._personal |= names
            self._literals([node])
            self._mark(Done(None))
        self._definitions.append(node)

    def _region(self, body: list[nodes.Node]) -> None:
        self._literals(body)
        self._mark(Done(Fragment(self.env, list(self._definitions), body)))

    def _literals(self, body: list[nodes.Node]) -> None:
        for node in body:
            for output in walk(node):
                if not isinstance(output, nodes.Output):
                    continue
                for index, child in enumerate(output.nodes):
                    if isinstance(child, nodes.TemplateData):
                        self._mark(Literal(output, index))
                        self._text.append(child.data)
                    else:
                        self._mark(Hole())

    def _print(self, node: nodes.Expr) -> None:
        if isinstance(node, nodes.TemplateData):
            self._text.append(node.data)
        elif self._static(node):
            self._render(nodes.Output([node], lineno=node.lineno))
        elif (field := as_field(node)) is not None:
            self._mark(field)
        elif member(node) == ("links", "unsubscribe"):
            self._mark(Unsubscribe())
        elif (asset := asset_name(node)) is not None:
            self._mark(Asset(asset))
        else:
            self._mark(Computed(self._compiler.compile(node), needs(node), node.lineno))
