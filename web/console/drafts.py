"""A campaign while it is written: the form of a draft, and the count beside the choice of a segment."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from campaigns.audience import AudienceCount, count_audience, load_condition
from campaigns.drafts import Campaign, CampaignInput, create_campaign, load_campaign, update_campaign
from domain.campaigns import CampaignState
from domain.consent import Purpose, TrackingPolicy
from domain.errors import ClytieError, Conflict, InvalidInput
from domain.messages import ChannelKind
from storage.pool import transaction
from web.access.permissions import Permission
from web.console.pages import page
from web.console.text_drafts import EXAMPLE, begin_text, text_form, typed_text
from web.console.visit import Visit, find_number
from web.forms import read_model
from web.queries.campaigns import list_segments
from web.sentences import translate_error
from web.work.campaign_start import first_source
from web.work.segments import read_condition_text, save_named_segment


@page("GET", "/campaigns/new", permission=Permission.CAMPAIGNS_EDIT)
async def show_new_campaign(visit: Visit) -> web.StreamResponse:
    """The form, filled with a newsletter (or, for `?channel=sms`, a short message) of ours in the person's language."""
    if visit.request.query.get("channel") == ChannelKind.SMS:
        return await text_form(visit, None, await begin_text(visit))
    return await _form(
        visit,
        None,
        {"source": first_source(visit.person, visit.request.query.get("language", visit.language))},
    )


@page("POST", "/campaigns/new", permission=Permission.CAMPAIGNS_EDIT)
async def make_campaign(visit: Visit) -> web.StreamResponse:
    """Begin a draft."""
    by_text = visit.fields.get("channel") == ChannelKind.SMS
    typed = typed_text(visit) if by_text else _typed(visit)
    try:
        given = await _given(visit, typed)
        async with transaction(visit.context.pool) as connection:
            number = await create_campaign(connection, given, visit.person.id)
    except ClytieError as error:
        return await (text_form if by_text else _form)(visit, None, typed, error)
    return visit.redirect(f"/campaigns/{number}", "campaign_saved")


@page("GET", "/campaigns/{id}/edit", permission=Permission.CAMPAIGNS_EDIT)
async def show_draft(visit: Visit) -> web.StreamResponse:
    """The form of a draft."""
    campaign = await _load(visit)
    if campaign.state is not CampaignState.DRAFT:
        raise Conflict(f"The campaign “{campaign.name}” was launched; only its rate can be changed now.")
    form = text_form if campaign.channel is ChannelKind.SMS else _form
    return await form(visit, campaign, {name: getattr(campaign, name) for name in CampaignInput.model_fields})


@page("POST", "/campaigns/{id}/edit", permission=Permission.CAMPAIGNS_EDIT)
async def save_draft(visit: Visit) -> web.StreamResponse:
    """Keep a draft."""
    campaign = await _load(visit)
    by_text = campaign.channel is ChannelKind.SMS
    typed = typed_text(visit, campaign.source) if by_text else _typed(visit, campaign.source)
    try:
        given = await _given(visit, typed)
        async with transaction(visit.context.pool) as connection:
            await update_campaign(connection, campaign.id, given)
    except ClytieError as error:
        return await (text_form if by_text else _form)(visit, campaign, typed, error)
    return visit.redirect(f"/campaigns/{campaign.id}", "campaign_saved")


async def _load(visit: Visit) -> Campaign:
    async with visit.context.pool.acquire() as connection:
        return await load_campaign(connection, visit.number("id"))


def _typed(visit: Visit, known: Any = None) -> dict[str, Any]:
    """What the form says, unchecked, to show it again."""
    source = {
        **(known or first_source(visit.person, visit.request.query.get("language", visit.language))),
        **{name[7:]: text for name, text in visit.fields.items() if name.startswith("source.")},
    }
    source["text"] = source.get("text") or None
    source["reply_to"] = source.get("reply_to") or None
    source["language"] = visit.fields.get("source.language") or source.get("language") or "en"
    return {
        "channel": ChannelKind.MAIL,
        "name": visit.fields.get("name", ""),
        "segment_id": visit.fields.get("segment_id", ""),
        "purpose": visit.fields.get("purpose", Purpose.NEWSLETTER.value),
        "tracking_policy": visit.fields.get("tracking_policy", TrackingPolicy.AGGREGATE.value),
        "rate": visit.fields.get("rate", ""),
        "source": source,
        "segment_name": visit.fields.get("segment_name", ""),
        "condition": visit.fields.get("condition", ""),
    }


async def _given(visit: Visit, typed: dict[str, Any]) -> CampaignInput:
    segment_id: Any = typed["segment_id"] or None
    if segment_id == "new":
        segment_id = await save_named_segment(
            visit.context.pool, typed["segment_name"] or typed["name"], typed["condition"]
        )
    return read_model(
        CampaignInput,
        {
            "name": typed["name"],
            "channel": typed["channel"],
            "segment_id": segment_id,
            "purpose": typed["purpose"],
            "tracking_policy": typed["tracking_policy"],
            "rate": typed["rate"] or None,
            "source": typed["source"],
        },
    )


async def _form(
    visit: Visit, campaign: Campaign | None, values: dict[str, Any], error: ClytieError | None = None
) -> web.Response:
    errors = {}
    if error is not None:
        errors[error.field if isinstance(error, InvalidInput) else "name"] = translate_error(error)
    return visit.page(
        "campaign_form.html",
        status=422 if error else 200,
        campaign=campaign,
        values={**_BLANK, **values},
        errors=errors,
        segments=await list_segments(visit.context.pool),
        purposes=[purpose.value for purpose in Purpose],
        policies=[policy.value for policy in TrackingPolicy],
        example=EXAMPLE,
    )


_BLANK: Final = {
    "name": "",
    "segment_id": "",
    "purpose": Purpose.NEWSLETTER.value,
    "tracking_policy": TrackingPolicy.AGGREGATE.value,
    "rate": "",
    "segment_name": "",
    "condition": "",
}


@page("POST", "/segments/count", permission=Permission.CAMPAIGNS_EDIT)
async def count_recipients(visit: Visit) -> web.StreamResponse:
    """How many a segment, saved or being written, comes to; a fragment beside the form."""
    purpose = visit.fields.get("purpose", "")
    try:
        if visit.fields.get("segment_id") == "new":
            condition = read_condition_text(visit.fields.get("condition", ""))
        else:
            chosen = visit.fields.get("segment_id", "")
            async with visit.context.pool.acquire() as connection:
                condition = await load_condition(connection, find_number(chosen))
        async with visit.context.pool.acquire() as connection:
            count: AudienceCount = await count_audience(
                connection,
                condition,
                Purpose(purpose) if purpose in set(Purpose) else Purpose.NEWSLETTER,
                visit.now,
            )
    except InvalidInput as error:
        return visit.page("segment_count.html", 422, audience=None, problem=translate_error(error))
    return visit.page("segment_count.html", audience=count, problem="")
