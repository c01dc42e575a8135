"""`clytie campaign`: launch a campaign that is ready, and watch it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.progress import Progress

from campaigns.drafts import Campaign, list_campaigns, load_campaign
from campaigns.launch import request_launch
from campaigns.report import load_report
from clytie.attach import reach_servers
from clytie.bootstrap import Core, open_core, open_kitchen
from clytie.commands.output import out, say
from clytie.running import read_note
from clytie.settings import Settings, load_settings
from domain.campaigns import CampaignState
from domain.errors import Conflict, InvalidInput
from domain.messages import SETTLED

app = typer.Typer(help="Campaigns.", no_args_is_help=True)

_LOOK = 0.5  # seconds between two looks at the progress


@app.callback()
def campaign() -> None:
    """Campaigns."""


@app.command()
def send(
    name: Annotated[str, typer.Argument(help="The campaign's name or number.")],
    watch: Annotated[bool, typer.Option(help="Show the progress until every mail is out.")] = True,
) -> None:
    """Check a draft and launch it. The workers of the running house send it."""
    asyncio.run(_send(load_settings(), name, watch))


async def _send(settings: Settings, name: str, watch: bool) -> None:
    house_runs = settings.database_url is not None or read_note(settings.var) is not None
    async with reach_servers(settings) as urls:
        settings = settings.model_copy(update={"database_url": urls.database_url})
        async with open_core(settings, connections=2) as core:
            chosen = await _find(core, name)
            checked = await request_launch(
                core.pool, chosen.id, open_kitchen(settings), core.clock, core.announcer
            )
            for warning in checked.warnings:
                say(f"Note: {warning}")
            say(f"“{chosen.name}” goes to {checked.recipients} recipients.")
            if not house_runs:
                say("It is sent as soon as `clytie serve` runs.")
            elif watch:
                await _watch(core, chosen.id, checked.recipients)


async def _find(core: Core, name: str) -> Campaign:
    """The campaign of this number or name. Raises InvalidInput."""
    async with core.pool.acquire() as connection:
        if name.isdecimal():
            return await load_campaign(connection, int(name))
        drafts = await list_campaigns(connection, limit=1000)
    for one in drafts:
        if one.name.casefold() == name.casefold():
            return one
    ready = ", ".join(f"“{one.name}”" for one in drafts if one.state is CampaignState.DRAFT)
    raise InvalidInput(
        "NAME", f"no campaign is called “{name}”.", f"Drafts: {ready}." if ready else "There is no draft."
    )


async def _watch(core: Core, campaign_id: int, recipients: int) -> None:
    with Progress(console=out()) as progress:
        bar = progress.add_task("Sending", total=recipients)
        while True:
            report = await load_report(core.pool, campaign_id)
            if report.campaign.launch_error:
                raise Conflict(report.campaign.launch_error)
            progress.update(bar, completed=sum(report.deliveries.get(state, 0) for state in SETTLED))
            if report.campaign.state in (CampaignState.DONE, CampaignState.CANCELLED):
                break
            await asyncio.sleep(_LOOK)
    for state, count in report.deliveries.items():
        if count:
            say(f"{state.value}: {count}")
