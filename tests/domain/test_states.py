"""The tables of states allow what they list and nothing else."""

from __future__ import annotations

import itertools

import pytest

from domain import campaigns
from domain.errors import Conflict
from domain.messages import DELIVERY_MOVES, SETTLED, DeliveryState, Mover, may_move


def test_nothing_returns_to_the_queue_by_itself_once_it_may_have_been_written() -> None:
    for state in (DeliveryState.SENDING, DeliveryState.UNCERTAIN, DeliveryState.SENT, DeliveryState.REJECTED):
        for mover in (Mover.SENDER, Mover.SWEEPER, Mover.CALLBACK):
            assert not may_move(state, DeliveryState.QUEUED, mover)


def test_only_a_person_may_send_an_unconfirmed_delivery_again() -> None:
    assert may_move(DeliveryState.UNCERTAIN, DeliveryState.QUEUED, Mover.PERSON)


def test_settled_deliveries_move_only_by_what_the_other_side_or_a_person_says() -> None:
    for (old, new), movers in DELIVERY_MOVES.items():
        if old in SETTLED:
            late_answer = old is DeliveryState.UNCERTAIN and new in (
                DeliveryState.SENT,
                DeliveryState.REJECTED,
            )
            assert movers <= {Mover.CALLBACK, Mover.PERSON} | ({Mover.SENDER} if late_answer else set())


def test_every_state_can_be_reached_from_the_queue() -> None:
    reached = {DeliveryState.QUEUED}
    for _ in DeliveryState:
        reached |= {new for (old, new) in DELIVERY_MOVES if old in reached}
    assert reached == set(DeliveryState)


@pytest.mark.parametrize(
    ("state", "move"), list(itertools.product(campaigns.CampaignState, campaigns.CampaignMove))
)
def test_a_campaign_moves_by_its_table_or_not_at_all(
    state: campaigns.CampaignState, move: campaigns.CampaignMove
) -> None:
    sources, target = campaigns.CAMPAIGN_MOVES[move]
    if state in sources:
        assert campaigns.next_state(state, move) is target
    else:
        with pytest.raises(Conflict):
            campaigns.next_state(state, move)
