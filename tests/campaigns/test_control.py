"""The table of moves holds in the database, and drafts are checked where they are written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from campaigns import control
from campaigns.drafts import (
    CampaignInput,
    create_campaign,
    list_campaigns,
    load_campaign,
    read_input,
    update_campaign,
)
from domain.campaigns import CAMPAIGN_MOVES, CampaignMove, CampaignState
from domain.errors import Conflict, InvalidInput, NotFound
from storage.pool import Pool
from tests.campaigns.village import add_draft

_MOVES: dict[CampaignMove, Callable[[Pool, int], Awaitable[None]]] = {
    CampaignMove.PAUSE: control.pause,
    CampaignMove.RESUME: control.resume,
    CampaignMove.CANCEL: control.cancel,
}


@pytest.mark.parametrize("move", _MOVES)
@pytest.mark.parametrize("state", CampaignState)
async def test_a_campaign_is_moved_as_the_table_says(
    pool: Pool, move: CampaignMove, state: CampaignState
) -> None:
    campaign_id = await add_draft(pool)
    await pool.execute("UPDATE campaigns SET state = $1", state)
    sources, target = CAMPAIGN_MOVES[move]
    if state in sources:
        await _MOVES[move](pool, campaign_id)
        assert await pool.fetchval("SELECT state FROM campaigns") == target
        assert move in control.moves_from(state)
    else:
        with pytest.raises(Conflict):
            await _MOVES[move](pool, campaign_id)
        assert await pool.fetchval("SELECT state FROM campaigns") == state
        assert move not in control.moves_from(state)


async def test_moving_what_is_not_there_says_so(pool: Pool) -> None:
    with pytest.raises(NotFound):
        await control.pause(pool, 4711)


async def test_a_draft_is_created_changed_and_listed(pool: Pool) -> None:
    async with pool.acquire() as connection:
        first = await create_campaign(connection, CampaignInput(name=" Spring ", source={"subject": "x"}))
        second = await create_campaign(connection, CampaignInput(name="Summer"))
        changed = await update_campaign(connection, first, CampaignInput(name="Autumn", rate=5))
        assert (changed.name, changed.rate, changed.source) == ("Autumn", 5, {"subject": "x"})
        assert [campaign.id for campaign in await list_campaigns(connection)] == [second, first]
        assert [campaign.id for campaign in await list_campaigns(connection, before=second)] == [first]
        assert (await load_campaign(connection, second)).name == "Summer"
        with pytest.raises(NotFound):
            await load_campaign(connection, 4711)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "Taken"}, "name"),
        ({"name": "x", "segment_id": 4711}, "segment_id"),
    ],
)
async def test_a_wrong_draft_is_refused_with_the_field_s_name(
    pool: Pool, given: dict[str, Any], field: str
) -> None:
    async with pool.acquire() as connection:
        await create_campaign(connection, CampaignInput(name="Taken"))
        with pytest.raises(InvalidInput) as refused:
            await create_campaign(connection, read_input(given))
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"purpose": "fun"}, "purpose"),
        ({"rate": 0}, "rate"),
        ({"shape": 1}, "shape"),
        ({"name": "x" * 300}, "name"),
    ],
)
def test_what_a_form_says_wrongly_is_named(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_input(given)
    assert refused.value.field == field
