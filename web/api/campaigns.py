"""Campaigns: draft, preview, launch, pause, resume, cancel, report."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from campaigns import control
from campaigns.drafts import (
    Campaign,
    CampaignInput,
    create_campaign,
    list_campaigns,
    load_campaign,
    update_campaign,
)
from campaigns.launch import request_launch
from campaigns.report import describe, load_report
from campaigns.texts import weigh_campaign
from domain.campaigns import CampaignState
from domain.consent import Purpose, TrackingPolicy
from domain.errors import InvalidInput
from domain.messages import ChannelKind
from storage.pool import transaction
from web.access.permissions import Permission
from web.api.paging import PageQuery, after_id, next_id
from web.api.registry import Call, route
from web.api.text_models import ReachModel, SegmentsModel, WeightModel, describe_reach, describe_weight
from web.i18n import N_
from web.work.campaign_preview import preview_campaign
from web.work.campaign_start import first_source, first_text
from web.work.senders import list_senders
from web.work.text_campaigns import read_reach, send_to_oneself, show_text


class CampaignModel(BaseModel):
    """A campaign as it stands."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    channel: ChannelKind
    state: CampaignState
    segment_id: int | None
    purpose: Purpose
    tracking_policy: TrackingPolicy
    source: dict[str, Any]
    rate: int | None
    recipients: int
    measured: int
    created_at: datetime
    launch_at: datetime | None
    launch_error: str | None
    launched_at: datetime | None
    finished_at: datetime | None


class CampaignPage(BaseModel):
    """Some campaigns, newest first."""

    items: list[CampaignModel]
    next: str | None


class PreviewQuery(BaseModel):
    """For whom."""

    model_config = ConfigDict(extra="forbid")

    contact: int | None = Field(None, description="A contact; else the first of the audience.")


class PreviewModel(BaseModel):
    """One message as its reader would see it; of a short message, only `text` and `segments` say something."""

    subject: str
    html: str
    text: str
    size: int = Field(description="Octets on the wire; of a short message, of its text.")
    warnings: list[str]
    contact_id: int | None
    segments: SegmentsModel | None = Field(None, description="Of a short message.")


class LaunchModel(BaseModel):
    """What the launch amounts to; a worker carries it out."""

    campaign_id: int
    recipients: int
    warnings: list[str]


class ReportModel(BaseModel):
    """What became of a campaign."""

    model_config = ConfigDict(extra="allow")

    campaign_id: int
    state: CampaignState
    recipients: int
    measured: int
    progress: float
    deliveries: dict[str, int]
    reasons: dict[str, dict[str, int]]
    hits: dict[str, dict[str, int]]
    rates: dict[str, float]
    links: list[dict[str, Any]]
    bounced: int
    complained: int
    withdrawn: int
    tasks: dict[str, int]
    outcomes: dict[str, int]
    texts: dict[str, Any] | None = Field(
        description="Of a campaign by SMS: delivered, undelivered by reason, awaited, parts, paid by currency, answers, stops."
    )


class TrialInput(BaseModel):
    """A test of a short message."""

    model_config = ConfigDict(extra="forbid")

    to: str = Field("", max_length=40, description="A number; left out: the phone of your account.")
    contact_id: int | None = Field(
        None, description="As this contact would get it; else the first of the audience."
    )


class TrialModel(BaseModel):
    """A test on its way."""

    message_id: int


def _model(campaign: Campaign) -> CampaignModel:
    return CampaignModel.model_validate(
        {name: getattr(campaign, name) for name in CampaignModel.model_fields}
    )


async def _load(call: Call) -> Campaign:
    async with call.context.pool.acquire() as connection:
        return await load_campaign(connection, call.number())


@route(
    "GET",
    "/campaigns",
    summary="List campaigns",
    permission=Permission.CAMPAIGNS_SEE,
    query=PageQuery,
    answer=CampaignPage,
)
async def get_campaigns(call: Call) -> CampaignPage:
    """Newest first."""
    query = call.query
    async with call.context.pool.acquire() as connection:
        found = await list_campaigns(connection, before=after_id(query), limit=query.limit + 1)
    return CampaignPage(
        items=[_model(campaign) for campaign in found[: query.limit]],
        next=next_id([campaign.id for campaign in found], query.limit),
    )


@route(
    "POST",
    "/campaigns",
    summary="Begin a draft",
    permission=Permission.CAMPAIGNS_EDIT,
    body=CampaignInput,
    answer=CampaignModel,
    status=201,
)
async def post_campaign(call: Call) -> CampaignModel:
    """Without `source` it begins with the newsletter, or the short message, that comes with Clytie."""
    given: CampaignInput = call.body
    if not given.source:
        if given.channel is ChannelKind.SMS:
            senders = await list_senders(call.context)
            source = first_text(senders[0].value if senders else "", call.person.language)
        else:
            source = first_source(call.person, call.person.language)
        given = given.model_copy(update={"source": source})
    async with transaction(call.context.pool) as connection:
        number = await create_campaign(connection, given, call.person.id)
        return _model(await load_campaign(connection, number))


@route(
    "GET",
    "/campaigns/{id}",
    summary="One campaign",
    permission=Permission.CAMPAIGNS_SEE,
    answer=CampaignModel,
)
async def get_campaign(call: Call) -> CampaignModel:
    """As it stands."""
    return _model(await _load(call))


@route(
    "PATCH",
    "/campaigns/{id}",
    summary="Change a draft",
    permission=Permission.CAMPAIGNS_EDIT,
    body=CampaignInput,
    answer=CampaignModel,
)
async def patch_campaign(call: Call) -> CampaignModel:
    """After the launch only `rate` can be changed."""
    async with transaction(call.context.pool) as connection:
        return _model(await update_campaign(connection, call.number(), call.body))


@route(
    "GET",
    "/campaigns/{id}/preview",
    summary="The mail for one contact",
    permission=Permission.CAMPAIGNS_SEE,
    query=PreviewQuery,
    answer=PreviewModel,
)
async def get_preview(call: Call) -> PreviewModel:
    """422 when the template cannot be used, naming part and line."""
    campaign = await _load(call)
    if campaign.channel is ChannelKind.SMS:
        text = await show_text(call.context, campaign, call.query.contact)
        return PreviewModel(
            subject="",
            html="",
            text=text.shown.text,
            size=len(text.shown.text.encode()),
            warnings=[],
            contact_id=text.contact["id"] if text.contact else None,
            segments=SegmentsModel.of(text.shown.segments),
        )
    preview = await preview_campaign(call.context, campaign, call.query.contact)
    return PreviewModel(
        subject=preview.subject,
        html=preview.html,
        text=preview.text,
        size=preview.size,
        warnings=list(preview.warnings),
        contact_id=preview.contact["id"] if preview.contact else None,
    )


@route(
    "GET",
    "/campaigns/{id}/weight",
    summary="Parts and cost of a campaign by SMS",
    permission=Permission.CAMPAIGNS_SEE,
    answer=WeightModel,
)
async def get_weight(call: Call) -> WeightModel:
    """For the audience as it is now; 422 for mail, and when the template cannot be used."""
    context = call.context
    weight = await weigh_campaign(
        context.pool, call.number(), context.kitchen, context.clock, context.texts.prices
    )
    return describe_weight(weight)


@route(
    "GET",
    "/campaigns/{id}/reach",
    summary="Whom a campaign by SMS reaches",
    permission=Permission.CAMPAIGNS_SEE,
    answer=ReachModel,
)
async def get_reach(call: Call) -> ReachModel:
    """How many of the segment, why not the others, and for how many it is no hour for it now; 422 for mail."""
    campaign = await _load(call)
    if campaign.channel is not ChannelKind.SMS:
        raise InvalidInput("channel", N_("This campaign does not go by short messages."))
    return describe_reach(await read_reach(call.context, campaign.segment_id, campaign.purpose))


@route(
    "POST",
    "/campaigns/{id}/trial",
    summary="Send a short message to your own phone",
    permission=Permission.CAMPAIGNS_EDIT,
    body=TrialInput,
    answer=TrialModel,
    status=202,
)
async def post_trial(call: Call) -> TrialModel:
    """It is no part of the campaign."""
    given: TrialInput = call.body
    campaign = await _load(call)
    return TrialModel(
        message_id=await send_to_oneself(call.context, call.person, campaign, given.contact_id, given.to)
    )


@route(
    "POST",
    "/campaigns/{id}/launch",
    summary="Launch a campaign",
    permission=Permission.CAMPAIGNS_LAUNCH,
    answer=LaunchModel,
    status=202,
)
async def launch_campaign(call: Call) -> LaunchModel:
    """Everything is checked first; then a worker writes a row per recipient and begins to send."""
    context, number = call.context, call.number()
    checked = await request_launch(context.pool, number, context.kitchen, context.clock, context.announcer)
    await context.enqueue("launch_due")
    return LaunchModel(campaign_id=number, recipients=checked.recipients, warnings=list(checked.warnings))


@route(
    "POST",
    "/campaigns/{id}/pause",
    summary="Pause a campaign",
    permission=Permission.CAMPAIGNS_LAUNCH,
    answer=CampaignModel,
)
async def pause_campaign(call: Call) -> CampaignModel:
    """Once answered, nothing more is begun."""
    await control.pause(call.context.pool, call.number(), call.context.announcer)
    return _model(await _load(call))


@route(
    "POST",
    "/campaigns/{id}/resume",
    summary="Resume a campaign",
    permission=Permission.CAMPAIGNS_LAUNCH,
    answer=CampaignModel,
)
async def resume_campaign(call: Call) -> CampaignModel:
    """Go on after a pause."""
    await control.resume(call.context.pool, call.number(), call.context.announcer)
    return _model(await _load(call))


@route(
    "POST",
    "/campaigns/{id}/cancel",
    summary="Cancel a campaign",
    permission=Permission.CAMPAIGNS_LAUNCH,
    answer=CampaignModel,
)
async def cancel_campaign(call: Call) -> CampaignModel:
    """For good: whoever has not got the mail never will."""
    await control.cancel(call.context.pool, call.number(), call.context.announcer)
    return _model(await _load(call))


@route(
    "GET",
    "/campaigns/{id}/report",
    summary="What became of a campaign",
    permission=Permission.CAMPAIGNS_SEE,
    answer=ReportModel,
)
async def get_report(call: Call) -> ReportModel:
    """People by verdict, anonymous hits, links, rejections with reasons, tasks and outcomes."""
    return ReportModel.model_validate(describe(await load_report(call.context.pool, call.number())))
