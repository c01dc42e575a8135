"""A call's state, result and length from reports about its legs, in any order and any number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calls import LEG_RANKS, CallPart, CallResult, CallState
from inbox.calls.legs import Leg, Standing, advance, stand

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
US, THEM = CallPart.US, CallPart.THEM


def report(part: CallPart, status: str, after: int = 0, seconds: int | None = None) -> Leg:
    moment = NOW + timedelta(seconds=after)
    return Leg(
        f"CA-{part}",
        part,
        status,
        answered_at=moment if status == "in-progress" else None,
        ended_at=moment if LEG_RANKS.get(status) == 4 else None,
        seconds=seconds,
    )


def legs_after(reports: list[Leg]) -> list[Leg]:
    legs = {part: Leg(f"CA-{part}", part) for part in (US, THEM) if any(r.part is part for r in reports)}
    for one in reports:
        legs[one.part] = advance(legs[one.part], one)
    return list(legs.values())


TALK = [
    report(US, "ringing"),
    report(US, "in-progress", 4),
    report(THEM, "ringing", 6),
    report(THEM, "in-progress", 9),
    report(THEM, "completed", 69, 60),
    report(US, "completed", 70, 66),
]


def test_a_talk_ends_alike_in_every_order() -> None:
    ended, answered = NOW + timedelta(seconds=69), NOW + timedelta(seconds=9)
    expected = Standing(CallState.ENDED, CallResult.ANSWERED, answered, ended, 60)
    assert {stand(legs_after(list(order)), asked=True) for order in permutations(TALK)} == {expected}


_reports = st.lists(
    st.builds(
        report,
        st.sampled_from([US, THEM]),
        st.sampled_from([*LEG_RANKS, "", "answered", "unheard-of"]),
        st.integers(0, 500),
        st.none() | st.integers(0, 500),
    ),
    max_size=8,
)


@given(_reports, st.randoms(), st.booleans())
def test_the_same_reports_end_alike_whatever_their_order_and_number(
    reports: list[Leg], chance: object, asked: bool
) -> None:
    again = [*reports, *reports[: len(reports) // 2]]
    chance.shuffle(again)  # type: ignore[attr-defined]
    one, other = legs_after(reports), legs_after(again)
    assert set(one) == set(other)
    assert stand(one, asked=asked) == stand(other, asked=asked)


@given(_reports, st.booleans())
def test_a_call_only_moves_forward(reports: list[Leg], asked: bool) -> None:
    order = [CallState.RINGING_US, CallState.RINGING, CallState.TALKING, CallState.ENDED]
    places = [
        order.index(stand(legs_after(reports[:count]), asked=asked).state)
        for count in range(1, len(reports) + 1)
    ]
    if any(one.part is US and one.has_ended for one in reports) and not asked:
        return  # our end without the other side's: nobody asked for them, so their reports cannot be
    assert places == sorted(places)


@given(_reports)
def test_a_report_that_was_joined_changes_nothing_any_more(reports: list[Leg]) -> None:
    ours = [one for one in reports if one.part is US]
    leg = reduce(advance, ours, Leg("CA-us", US))
    assert all(advance(leg, one) == leg for one in ours)


@pytest.mark.parametrize(
    ("status", "result"),
    [
        ("busy", CallResult.BUSY),
        ("no-answer", CallResult.NO_ANSWER),
        ("canceled", CallResult.NO_ANSWER),
        ("failed", CallResult.UNREACHABLE),
    ],
)
def test_what_became_of_the_contacts_phone_is_the_result(status: str, result: CallResult) -> None:
    legs = [report(US, "in-progress", 3), report(THEM, "ringing", 5), report(THEM, status, 25)]
    found = stand(legs_after(legs), asked=True)
    assert (found.state, found.result, found.seconds) == (CallState.ENDED, result, None)


def test_whoever_does_not_take_their_own_phone_has_called_nobody() -> None:
    for status in ("no-answer", "busy", "canceled", "completed"):
        found = stand([report(US, status)], asked=False)
        assert (found.state, found.result) == (CallState.ENDED, CallResult.CANCELLED)


def test_a_phone_of_ours_that_cannot_be_reached_is_a_failure() -> None:
    assert stand([report(US, "failed")], asked=False).result is CallResult.FAILED


def test_the_other_sides_end_is_waited_for() -> None:
    found = stand([report(US, "completed", 30)], asked=True)
    assert (found.state, found.result, found.undecided) == (CallState.RINGING, None, True)
    talking = stand([report(US, "completed", 30), report(THEM, "in-progress", 9)], asked=True)
    assert (talking.state, talking.undecided) == (CallState.TALKING, True)
