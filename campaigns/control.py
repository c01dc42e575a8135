"""Pause, resume, cancel, complete: by the table of domain/campaigns.py, and binding once answered.

Marking a message takes the campaign's row FOR SHARE (outbox/statements.py). The update here waits for marks under
way, and marks that come later see the new state: after `pause` has returned, nothing is newly marked. The same
holds for `cancel`, whose state is committed alone; then the rows are withdrawn in portions.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from domain.campaigns import CAMPAIGN_MOVES, CampaignMove, CampaignState, next_state
from domain.errors import NotFound
from outbox.ranges import withdraw
from storage.announce import Announcer
from storage.pool import DATABASE_AWAY, Connection, Pool, transaction

log = logging.getLogger(__name__)

_NOT_BY_HAND: Final = frozenset({CampaignMove.COMPLETE, CampaignMove.REOPEN})
_FINISHED: Final = frozenset({CampaignState.CANCELLED, CampaignState.DONE})

#: Seconds that whoever cancels waits for the rows to be withdrawn; a worker does the rest.
_PATIENCE: Final = 3.0

_LOCK_FINISHED: Final = """
SELECT id FROM campaigns AS c
WHERE c.state = 'running' AND NOT EXISTS (SELECT FROM delivery_ranges WHERE campaign_id = c.id)
ORDER BY id FOR NO KEY UPDATE
"""
#: A statement of its own, so that it sees what happened before the campaigns were locked: a message may have been queued
#: again (outbox/unconfirmed.py).
_COMPLETE: Final = """
UPDATE campaigns AS c SET state = 'done', finished_at = now()
WHERE c.id = ANY($1::int[]) AND c.state = 'running'
  AND NOT EXISTS (SELECT FROM delivery_ranges WHERE campaign_id = c.id)
RETURNING id
"""


async def pause(pool: Pool, campaign_id: int, announcer: Announcer | None = None) -> None:
    """Stop marking messages; those under way are finished. Raises NotFound, Conflict."""
    await _move(pool, campaign_id, CampaignMove.PAUSE, announcer)


async def resume(pool: Pool, campaign_id: int, announcer: Announcer | None = None) -> None:
    """Go on after a pause. Raises NotFound, Conflict."""
    await _move(pool, campaign_id, CampaignMove.RESUME, announcer)


async def cancel(pool: Pool, campaign_id: int, announcer: Announcer | None = None) -> None:
    """Stop for good: what is not under way is never sent. Raises NotFound, Conflict."""
    await _move(pool, campaign_id, CampaignMove.CANCEL, announcer)
    try:
        await withdraw(pool, campaign_id, _PATIENCE)
    except DATABASE_AWAY as error:
        log.warning("campaign %s is cancelled, a worker withdraws the rest: %s", campaign_id, error)
    if announcer is not None:
        announcer.touch()


async def complete_finished(pool: Pool, announcer: Announcer | None = None) -> list[int]:
    """Make every running campaign done that has nothing left to send; gives the ids of those that are done now."""
    async with transaction(pool) as connection:
        ids = [row["id"] for row in await connection.fetch(_LOCK_FINISHED)]
        done = [row["id"] for row in await connection.fetch(_COMPLETE, ids)]
    if done and announcer is not None:
        announcer.touch()
    return done


def moves_from(state: CampaignState) -> Sequence[CampaignMove]:
    """What a person can do to a campaign in `state`, in the order of the table."""
    return [
        move for move, (sources, _) in CAMPAIGN_MOVES.items() if state in sources and move not in _NOT_BY_HAND
    ]


async def _move(pool: Pool, campaign_id: int, move: CampaignMove, announcer: Announcer | None) -> None:
    async with transaction(pool) as connection:
        await _change_state(connection, campaign_id, move)
    if announcer is not None:
        announcer.touch()


async def _change_state(connection: Connection, campaign_id: int, move: CampaignMove) -> None:
    state = await connection.fetchval(
        "SELECT state FROM campaigns WHERE id = $1 FOR NO KEY UPDATE", campaign_id
    )
    if state is None:
        raise NotFound(f"There is no campaign {campaign_id}.")
    target = next_state(CampaignState(state), move)
    await connection.execute(
        "UPDATE campaigns SET state = $2, launch_at = NULL,"
        " finished_at = CASE WHEN $3 THEN now() ELSE finished_at END WHERE id = $1",
        campaign_id,
        target,
        target in _FINISHED,
    )
