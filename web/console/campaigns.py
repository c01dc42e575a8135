"""Campaigns: the list, a draft, its preview, launch and the other moves, progress and report."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web

from campaigns import control
from campaigns.drafts import (
    Campaign,
    list_campaigns,
    load_campaign,
)
from campaigns.launch import check_launch, request_launch
from campaigns.report import load_report
from campaigns.texts import weigh_campaign
from domain.campaigns import CampaignMove, CampaignState
from domain.errors import ClytieError, InvalidInput
from domain.events import EventType
from domain.messages import ChannelKind, DeliveryState
from outbox.journal import list_waiting
from outbox.unconfirmed import list_unconfirmed
from web.access.permissions import Permission
from web.console.pages import page
from web.console.visit import Visit, find_number, read_number
from web.headers import framed_mail_policy
from web.queries.campaigns import list_segments, read_progress
from web.sentences import translate_error
from web.work.campaign_preview import preview_campaign
from web.work.deliveries import read_fate, settle_delivery
from web.work.text_campaigns import own_phone, read_reach, send_to_oneself, show_text

_PAGE: Final = 30
UNCONFIRMED: Final = 50  #: unconfirmed deliveries that are shown at a time


@page("GET", "/campaigns", permission=Permission.CAMPAIGNS_SEE)
async def show_campaigns(visit: Visit) -> web.StreamResponse:
    """The list, newest first."""
    before = visit.query_number("before")
    async with visit.context.pool.acquire() as connection:
        campaigns = await list_campaigns(connection, before=before, limit=_PAGE + 1)
    return visit.page(
        "campaigns.html",
        campaigns=campaigns[:_PAGE],
        following=campaigns[_PAGE - 1].id if len(campaigns) > _PAGE else None,
        before=before,
    )


async def _load(visit: Visit) -> Campaign:
    async with visit.context.pool.acquire() as connection:
        return await load_campaign(connection, visit.number("id"))


# Preview ----------------------------------------------------------------------------------------------------------


@page("GET", "/campaigns/{id}/preview", permission=Permission.CAMPAIGNS_SEE)
async def show_preview(visit: Visit) -> web.StreamResponse:
    """The HTML of the mail for one sample contact, for a sandboxed frame; `?contact=` chooses whom."""
    campaign = await _load(visit)
    try:
        preview = await preview_campaign(visit.context, campaign, visit.query_number("contact"))
    except ClytieError as error:
        raise web.HTTPUnprocessableEntity(text=translate_error(error)) from error
    origin = f"{visit.request.scheme}://{visit.request.host}"
    return web.Response(
        text=preview.html,
        content_type="text/html",
        charset="utf-8",
        headers={"Content-Security-Policy": framed_mail_policy(f"data: {origin}")},
    )


# A campaign and its moves -----------------------------------------------------------------------------------------


@page("GET", "/campaigns/{id}", permission=Permission.CAMPAIGNS_SEE)
async def show_campaign(visit: Visit) -> web.StreamResponse:
    """A draft with its preview, or what became of a campaign; `?part=progress|report` gives only that."""
    campaign = await _load(visit)
    part = visit.request.query.get("part") if visit.is_fragment else None
    if part == "progress":
        return visit.page("campaign_progress.html", **await _progress(visit, campaign))
    if part == "report":
        return visit.page("campaign_report.html", **await _report(visit, campaign))
    if campaign.state is CampaignState.DRAFT:
        return await _draft_page(visit, campaign)
    return visit.page("campaign.html", **await _progress(visit, campaign), **await _report(visit, campaign))


async def _text_draft_page(
    visit: Visit, campaign: Campaign, *, status: int = 200, errors: dict[str, str] | None = None
) -> web.Response:
    """The draft of a campaign by SMS: whom it reaches, what it takes, and how a phone shows it."""
    context = visit.context
    problem, text, check, weight, reach = "", None, None, None, None
    contact = visit.query_number("contact") or find_number(visit.fields.get("contact", ""))
    try:
        if campaign.segment_id is not None:
            reach = await read_reach(context, campaign.segment_id, campaign.purpose)
        text = await show_text(context, campaign, contact)
        weight = await weigh_campaign(
            context.pool, campaign.id, context.kitchen, context.clock, context.texts.prices
        )
        check = await check_launch(context.pool, campaign.id, context.kitchen, context.clock)
    except ClytieError as error:
        field = f"{error.field}: " if isinstance(error, InvalidInput) and error.field else ""
        problem = field + translate_error(error)
    return visit.page(
        "campaign_text_draft.html",
        status=status,
        campaign=campaign,
        problem=problem,
        text=text,
        weight=weight,
        reach=reach,
        check=check,
        errors=errors or {},
        own_phone=visit.fields.get("to") or await own_phone(context, visit.person),
        moves=_moves(visit, campaign),
        segment=await _segment_name(visit, campaign),
    )


@page("POST", "/campaigns/{id}/trial", permission=Permission.CAMPAIGNS_EDIT)
async def send_trial(visit: Visit) -> web.StreamResponse:
    """Send the short message of a draft to one's own phone."""
    campaign = await _load(visit)
    contact = find_number(visit.fields.get("contact", ""))
    try:
        await send_to_oneself(visit.context, visit.person, campaign, contact, visit.fields.get("to", ""))
    except InvalidInput as error:
        return await _text_draft_page(
            visit, campaign, status=422, errors={error.field: translate_error(error)}
        )
    back = f"/campaigns/{campaign.id}" + (f"?contact={contact}" if contact else "")
    return visit.redirect(back, "trial_sent")


async def _segment_name(visit: Visit, campaign: Campaign) -> str | None:
    names = {row["id"]: row["name"] for row in await list_segments(visit.context.pool)}
    return names.get(campaign.segment_id)


async def _draft_page(visit: Visit, campaign: Campaign) -> web.Response:
    if campaign.channel is ChannelKind.SMS:
        return await _text_draft_page(visit, campaign)
    problem, preview, check = "", None, None
    try:
        preview = await preview_campaign(visit.context, campaign, visit.query_number("contact"))
        check = await check_launch(
            visit.context.pool, campaign.id, visit.context.kitchen, visit.context.clock
        )
    except ClytieError as error:
        field = f"{error.field}: " if isinstance(error, InvalidInput) and error.field else ""
        problem = field + translate_error(error)
    return visit.page(
        "campaign_draft.html",
        campaign=campaign,
        problem=problem,
        preview=preview,
        check=check,
        moves=_moves(visit, campaign),
        segment=await _segment_name(visit, campaign),
    )


def _moves(visit: Visit, campaign: Campaign) -> list[str]:
    if not visit.person.may(Permission.CAMPAIGNS_LAUNCH):
        return []
    return [move.value for move in control.moves_from(campaign.state)]


async def _progress(visit: Visit, campaign: Campaign) -> dict[str, Any]:
    deliveries = await read_progress(visit.context.pool, campaign, visit.context.progress)
    settled = sum(deliveries[state] for state in ("sent", "rejected", "uncertain", "cancelled"))
    return {
        "campaign": campaign,
        "deliveries": deliveries,
        "settled": settled,
        "waiting": await list_waiting(visit.context.pool, campaign.id) if deliveries["queued"] else [],
        "moves": _moves(visit, campaign),
    }


async def _report(visit: Visit, campaign: Campaign) -> dict[str, Any]:
    report = await load_report(visit.context.pool, campaign.id)
    return {
        "report": report,
        "kinds": [
            (kind.value, report.hits[kind])
            for kind in (EventType.OPENED, EventType.CLICKED, EventType.DOWNLOADED)
        ],
        "reasons": {state.value: reasons for state, reasons in report.reasons.items()},
        "uncertain": report.deliveries[DeliveryState.UNCERTAIN],
        "unconfirmed": await list_unconfirmed(visit.context.pool, campaign.id, limit=UNCONFIRMED)
        if report.deliveries[DeliveryState.UNCERTAIN]
        else [],
        "settles": visit.person.may(Permission.CAMPAIGNS_LAUNCH),
        "task_count": sum(report.tasks.values()),
    }


@page("POST", "/campaigns/{id}/unconfirmed", permission=Permission.CAMPAIGNS_LAUNCH)
async def settle(visit: Visit) -> web.StreamResponse:
    """Say that a delivery arrived, that it did not, or have it sent again."""
    campaign, fate = await _load(visit), read_fate(visit.fields.get("fate", ""))
    message_id = read_number(visit.fields.get("message", ""), "message")
    await settle_delivery(visit.context, visit.person, campaign.id, message_id, fate)
    return visit.redirect(f"/campaigns/{campaign.id}#unconfirmed", f"unconfirmed_{fate}")


@page("POST", "/campaigns/{id}/{move}", permission=Permission.CAMPAIGNS_LAUNCH)
async def move_campaign(visit: Visit) -> web.StreamResponse:
    """Launch, pause, resume or cancel."""
    campaign, context = await _load(visit), visit.context
    name = visit.request.match_info["move"]
    match name:
        case CampaignMove.LAUNCH.value:
            await request_launch(context.pool, campaign.id, context.kitchen, context.clock, context.announcer)
            await context.enqueue("launch_due")
            await _wait_for_launch(visit, campaign.id)
        case CampaignMove.PAUSE.value:
            await control.pause(context.pool, campaign.id, context.announcer)
        case CampaignMove.RESUME.value:
            await control.resume(context.pool, campaign.id, context.announcer)
        case CampaignMove.CANCEL.value:
            await control.cancel(context.pool, campaign.id, context.announcer)
        case _:
            raise web.HTTPNotFound()
    return visit.redirect(f"/campaigns/{campaign.id}", f"campaign_{name}")


async def _wait_for_launch(visit: Visit, campaign_id: int) -> None:
    """Give the worker a moment, so that the next page already shows the campaign on its way."""
    for _turn in range(10):
        async with visit.context.pool.acquire() as connection:
            if (await load_campaign(connection, campaign_id)).state is not CampaignState.DRAFT:
                return
        await asyncio.sleep(0.1)
