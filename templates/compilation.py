"""Compiles a template: parse, check names, reduce, measure links. The result is a plan."""

from __future__ import annotations

import re
from typing import Final

from domain.errors import InvalidInput
from templates.addresses import Addresses
from templates.context import CampaignContext, FieldUse
from templates.environment import TemplateProblem, View, environment
from templates.filling import Surroundings
from templates.frame import Frame
from templates.links import Numbering, measure_html, measure_text
from templates.pieces import Piece
from templates.plan import Plan
from templates.reduction import Reducer
from templates.skeleton import Skeleton
from templates.source import MailTemplate
from templates.variables import check_names, parse

_BASE: Final = re.compile(r"https?://[A-Za-z0-9.\[\]:/_~%-]*[A-Za-z0-9\]]")
_ASSET: Final = re.compile(r"[^\x00-\x1f/\\.][^\x00-\x1f/\\]*")
_LIST_ID: Final = re.compile(r"<?[A-Za-z0-9._-]+>?")


def compile_plan(source: MailTemplate, campaign: CampaignContext) -> Plan:
    """Compile a template for one campaign.

    Raises TemplateProblem (part, line, remedy) for what is wrong with the template and InvalidInput for a wrong
    `campaign`. A template that loops without end would loop here: run templates.preview.check first.
    """
    _check(campaign)
    base = {"sender": View("sender", campaign.sender), "campaign": View("campaign", {"name": campaign.name})}
    surroundings = Surroundings(Addresses(campaign.base_url), base, campaign.asset_token, {})
    numbering = Numbering()
    uses: dict[str, FieldUse] = {}
    assets: dict[str, FieldUse] = {}
    skeletons: dict[str, Skeleton] = {}
    written = {
        "subject": source.subject,
        "preheader": source.preheader,
        "html": source.full_html(),
        "text": source.full_text(),
    }
    for part, text in written.items():
        env = environment(html=part == "html")
        reducer = Reducer(env, part, base)
        try:
            tree = parse(env, part, text)
            check_names(env, tree, part, campaign.sender, campaign.fields)
            skeletons[part] = reducer.reduce(tree)
        except RecursionError as error:
            raise TemplateProblem(part, 1, "this is nested too deeply.", "Make its tags shorter.") from error
        for name, line in reducer.assets:
            assets.setdefault(name, FieldUse(name, part, line))
        for name, line in reducer.uses:
            uses.setdefault(name, FieldUse(name, part, line))
    measure_html(skeletons["html"], numbering)
    measure_text(skeletons["text"], numbering)
    parts: dict[str, list[Piece]] = {
        part: skeletons[part].pieces(surroundings.slots) for part in ("subject", "html", "text")
    }
    for name, part, line in assets.values():
        if _ASSET.fullmatch(name) is None or (campaign.assets is not None and name not in campaign.assets):
            exist = ", ".join(sorted(campaign.assets or ())) or "none"
            raise TemplateProblem(part, line, f"there is no file {name} to download.", f"There are: {exist}.")
    return Plan(Frame(source, campaign), surroundings, parts, numbering, tuple(assets), tuple(uses.values()))


def _check(campaign: CampaignContext) -> None:
    if _BASE.fullmatch(campaign.base_url) is None:
        raise InvalidInput(
            "base_url",
            f"{campaign.base_url!r} is no web address.",
            "Write https://news.example.org, no slash at the end.",
        )
    if campaign.list_id and _LIST_ID.fullmatch(campaign.list_id) is None:
        raise InvalidInput(
            "list_id", f"{campaign.list_id!r} is no list id.", "Write it like news.example.org."
        )
