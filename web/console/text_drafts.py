"""A campaign by SMS while it is written: its form, what the text takes for real readers, and whom it reaches."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from campaigns.drafts import Campaign, CampaignInput
from campaigns.texts import weigh_draft
from domain.conditions import Condition
from domain.consent import Purpose, TrackingPolicy
from domain.errors import ClytieError, InvalidInput
from domain.messages import ChannelKind
from web.access.permissions import Permission
from web.console.pages import page
from web.console.visit import Visit, find_number
from web.queries.campaigns import list_segments
from web.sentences import translate_error
from web.work.campaign_start import first_text
from web.work.segments import read_condition_text
from web.work.senders import list_senders
from web.work.text_campaigns import read_reach

#: texts that are written while somebody types
_LIVE: Final = 500
EXAMPLE: Final = """all:
  - {field: contact.relation, is: prospect}
  - {field: contact.country, is: FR}
"""
_SWITCHES: Final = ("lookalikes", "stop_hint")


async def begin_text(visit: Visit) -> dict[str, Any]:
    """What the form of a new campaign by SMS says."""
    senders = await list_senders(visit.context)
    language = visit.request.query.get("language", visit.language)
    return {
        "channel": ChannelKind.SMS,
        "purpose": Purpose.TEXTS.value,
        "source": first_text(senders[0].value if senders else "", language),
    }


def typed_text(visit: Visit, known: Any = None) -> dict[str, Any]:
    """What the form says, unchecked, to show it again and to read it."""
    fields = visit.fields
    written = {name[7:]: text for name, text in fields.items() if name.startswith("source.")}
    source: dict[str, Any] = {**(known or {}), **written}
    source["text"] = source.get("text", "").replace("\r\n", "\n")
    source["sender"] = source.get("sender", "").strip()
    for name in _SWITCHES:
        source[name] = written.get(name) == "yes"
    source["stop_number"] = source.get("stop_number", "").replace(" ", "")
    source["validity"] = find_number(str(source.get("validity") or "")) or None
    return {
        "channel": ChannelKind.SMS,
        "name": fields.get("name", ""),
        "segment_id": fields.get("segment_id", ""),
        "purpose": fields.get("purpose", Purpose.TEXTS.value),
        "tracking_policy": TrackingPolicy.NONE.value,
        "rate": fields.get("rate", ""),
        "source": source,
        "segment_name": fields.get("segment_name", ""),
        "condition": fields.get("condition", ""),
    }


async def text_form(
    visit: Visit, campaign: Campaign | None, values: dict[str, Any], error: ClytieError | None = None
) -> web.Response:
    """The page with the form."""
    errors = {}
    if error is not None:
        errors[error.field if isinstance(error, InvalidInput) else "name"] = translate_error(error)
    return visit.page(
        "campaign_text_form.html",
        status=422 if error else 200,
        campaign=campaign,
        values={"name": "", "segment_id": "", "rate": "", "segment_name": "", "condition": "", **values},
        errors=errors,
        segments=await list_segments(visit.context.pool),
        purposes=[Purpose.TEXTS.value],
        senders=await list_senders(visit.context),
        example=EXAMPLE,
    )


def _chosen_condition(visit: Visit) -> tuple[int | None, Condition | None]:
    """The segment of the form: one that is kept, or one that is being written. Raises InvalidInput."""
    chosen = visit.fields.get("segment_id", "")
    if chosen == "new":
        return None, read_condition_text(visit.fields.get("condition", ""))
    return find_number(chosen), None


@page("POST", "/campaigns/weigh", permission=Permission.CAMPAIGNS_EDIT)
async def weigh_text(visit: Visit) -> web.StreamResponse:
    """What the text that is being written takes, for real readers; a fragment beside the form."""
    typed = typed_text(visit)
    try:
        segment_id, condition = _chosen_condition(visit)
        given = CampaignInput.model_construct(
            name=typed["name"] or "SMS",
            channel=ChannelKind.SMS,
            segment_id=segment_id,
            purpose=_purpose(visit),
            tracking_policy=TrackingPolicy.NONE,
            source=typed["source"],
        )
        context = visit.context
        weight = await weigh_draft(
            context.pool,
            given,
            context.kitchen,
            context.clock,
            context.texts.prices,
            condition=condition,
            at_most=_LIVE,
        )
    except InvalidInput as error:
        return visit.page("text_weight.html", 422, weight=None, problem=translate_error(error), writing=True)
    return visit.page("text_weight.html", weight=weight, problem="", writing=True)


@page("POST", "/segments/reach", permission=Permission.CAMPAIGNS_EDIT)
async def count_reached(visit: Visit) -> web.StreamResponse:
    """How many of a segment a short message reaches, and why not the others; a fragment beside the form."""
    try:
        segment_id, condition = _chosen_condition(visit)
        reach = await read_reach(visit.context, segment_id, _purpose(visit), condition)
    except InvalidInput as error:
        return visit.page("text_reach.html", 422, reach=None, problem=translate_error(error))
    return visit.page("text_reach.html", reach=reach, problem="")


def _purpose(visit: Visit) -> Purpose:
    given = visit.fields.get("purpose", "")
    return Purpose(given) if given in set(Purpose) else Purpose.TEXTS
