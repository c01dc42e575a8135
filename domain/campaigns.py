"""Campaigns: one message to many contacts, and the table of what a person may do to it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from domain.errors import Conflict


class CampaignState(StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"


class CampaignMove(StrEnum):
    """What can be done to a campaign."""

    LAUNCH = "launch"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    COMPLETE = "complete"
    REOPEN = "reopen"  #: one of its messages is queued again


_S = CampaignState

#: move → (states it may start from, state it leads to)
CAMPAIGN_MOVES: Final[Mapping[CampaignMove, tuple[frozenset[CampaignState], CampaignState]]] = {
    CampaignMove.LAUNCH: (frozenset({_S.DRAFT}), _S.RUNNING),
    CampaignMove.PAUSE: (frozenset({_S.RUNNING}), _S.PAUSED),
    CampaignMove.RESUME: (frozenset({_S.PAUSED}), _S.RUNNING),
    CampaignMove.CANCEL: (frozenset({_S.DRAFT, _S.RUNNING, _S.PAUSED}), _S.CANCELLED),
    CampaignMove.COMPLETE: (frozenset({_S.RUNNING}), _S.DONE),
    CampaignMove.REOPEN: (frozenset({_S.DONE}), _S.RUNNING),
}


def next_state(state: CampaignState, move: CampaignMove) -> CampaignState:
    """The state after `move`. Raises Conflict when the table does not allow it."""
    sources, target = CAMPAIGN_MOVES[move]
    if state not in sources:
        raise Conflict(f"A campaign that is {state.value} cannot be moved by “{move.value}”.")
    return target
