"""What a template may speak of, and the check that it speaks of nothing else.

contact.*: the person written to. sender.*: the organisation that writes. campaign.name. links.unsubscribe: the
recipient's own unsubscribe page. asset('name'): where a file of the asset store is downloaded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from jinja2 import TemplateSyntaxError, nodes

from templates.environment import MailEnvironment, TemplateProblem

CONTACT: Final = ("given_name", "family_name", "name", "organisation", "country", "language", "email")
LINKS: Final = ("unsubscribe",)
#: Names whose value differs from recipient to recipient.
PERSONAL: Final = frozenset({"contact", "links", "asset"})
ROOTS: Final = frozenset({"asset", "campaign", "contact", "links", "sender"})

_REFUSED: Final = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport, nodes.Block)


def member(node: nodes.Node) -> tuple[str, ...] | None:
    """Give the path of a plain member access: `contact.fields.size` → (contact, fields, size), else None."""
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        inner, last = member(node.node), node.attr
    elif (
        isinstance(node, nodes.Getitem)
        and isinstance(node.arg, nodes.Const)
        and isinstance(node.arg.value, str)
    ):
        inner, last = member(node.node), node.arg.value
    else:
        return None
    return None if inner is None else (*inner, last)


def asset_name(node: nodes.Node) -> str | None:
    """Recognise `asset('name')`."""
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name == "asset":
        match node.args:
            case [nodes.Const(value=str(name))]:
                return str(name)
    return None


def walk(node: nodes.Node) -> Iterator[nodes.Node]:
    """Go through a node and everything below it, in the order of the source."""
    yield node
    for child in node.iter_child_nodes():
        yield from walk(child)


def parse(env: MailEnvironment, part: str, source: str) -> nodes.Template:
    """Parse one part of a template. Raises TemplateProblem that names the part and the line."""
    try:
        return env.parse(source)
    except TemplateSyntaxError as error:
        problem = (error.message or "this is not valid jinja2").rstrip(".") + "."
        raise TemplateProblem(part, error.lineno, problem, "Correct the tag on this line.") from error


def check_names(
    env: MailEnvironment,
    tree: nodes.Template,
    part: str,
    sender: Mapping[str, object],
    fields: Collection[str] | None,
) -> None:
    """Refuse variables that do not exist, before anything is rendered.

    `fields` are the custom fields that exist (None: not known, any will do). Raises TemplateProblem naming the
    variable, its line and what exists.
    """
    assigned = {
        node.name for node in walk(tree) if isinstance(node, nodes.Name) and node.ctx in ("store", "param")
    } | {node.name for node in walk(tree) if isinstance(node, nodes.Macro)}
    known = ROOTS | assigned | set(env.globals) | {"loop", "caller"}
    members: Mapping[str, Collection[str] | None] = {
        "contact": (*CONTACT, "fields"),
        "links": LINKS,
        "campaign": ("name",),
        "sender": tuple(sender),
    }
    for node in walk(tree):
        if isinstance(node, _REFUSED):
            raise TemplateProblem(
                part,
                node.lineno,
                "a mail template is one piece: no extends, include, import or block.",
                "Write the content here.",
            )
        if isinstance(node, nodes.Name) and node.ctx != "load" and node.name in ROOTS:
            raise TemplateProblem(
                part, node.lineno, f"{node.name} is given and cannot be changed.", "Choose another name."
            )
        if isinstance(node, nodes.Call) and member(node.node) == ("asset",) and asset_name(node) is None:
            raise TemplateProblem(
                part, node.lineno, "asset takes the name of one file.", "Write it as asset('brochure.pdf')."
            )
        if isinstance(node, nodes.Filter) and node.name not in env.filters:
            raise _unknown(part, node.lineno, node.name, sorted(env.filters), "filter")
        if isinstance(node, nodes.Test) and node.name not in env.tests:
            raise _unknown(part, node.lineno, node.name, sorted(env.tests), "test")
        if isinstance(node, nodes.Name) and node.ctx == "load" and node.name not in known:
            raise _unknown(part, node.lineno, node.name, sorted(ROOTS))
        path = member(node)
        if path is None or len(path) < 2 or path[0] in assigned:
            continue
        exist = members.get(path[0])
        if len(path) == 2 and exist is not None and path[1] not in exist:
            raise _unknown(part, node.lineno, ".".join(path), [f"{path[0]}.{name}" for name in exist])
        if (
            len(path) == 3
            and path[:2] == ("contact", "fields")
            and fields is not None
            and path[2] not in fields
        ):
            raise _unknown(
                part, node.lineno, ".".join(path), [f"contact.fields.{name}" for name in sorted(fields)]
            )


def _unknown(part: str, line: int, name: str, exist: list[str], kind: str = "variable") -> TemplateProblem:
    close = get_close_matches(name, exist, 1)
    hint = f"Did you mean {close[0]}? " if close else ""
    listed = ", ".join(exist) if exist else "none"
    return TemplateProblem(part, line, f"there is no {kind} {name}.", f"{hint}There are: {listed}.")
