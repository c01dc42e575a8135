"""Rules: which are active, how they read, what they did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml
from aiohttp import web

from domain.errors import NotFound
from web.access.permissions import Permission
from web.console.pages import page
from web.console.visit import Visit
from web.i18n import N_
from web.queries.rules import find_rule, list_rules, list_runs


@page("GET", "/rules", permission=Permission.RULES_SEE)
async def show_rules(visit: Visit) -> web.StreamResponse:
    """The active rules."""
    return visit.page("rules.html", rules=await list_rules(visit.context.pool))


#: as people write a rule; the database does not keep the order
_ORDER: Final = ("name", "description", "when", "judged", "where", "unless", "once", "then")


def in_order(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition with its keys in the order that people write them in."""
    known = [key for key in _ORDER if key in definition]
    return {key: definition[key] for key in (*known, *(key for key in definition if key not in _ORDER))}


@page("GET", "/rules/{id}", permission=Permission.RULES_SEE)
async def show_rule(visit: Visit) -> web.StreamResponse:
    """One rule as it was written, with its log."""
    rule = await find_rule(visit.context.pool, visit.number("id"))
    if rule is None:
        raise NotFound(N_("There is no such rule."))
    return visit.page(
        "rule.html",
        rule=rule,
        definition=yaml.safe_dump(
            in_order(rule["definition"]), allow_unicode=True, sort_keys=False, width=70
        ),
        runs=await list_runs(visit.context.pool, visit.person, rule["id"]),
    )
