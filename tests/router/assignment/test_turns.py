"""Turns are fair within one, whoever comes and goes meanwhile."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.assignment.turns import HEAVIEST, next_turn, pass_turn

people = st.integers(1, 6)


@given(st.lists(st.sets(people, min_size=1), min_size=1, max_size=80))
def test_any_two_who_were_always_there_differ_by_one_turn_at_most(shifts: list[set[int]]) -> None:
    clocks: dict[int, int] = {}
    turns = Counter(pass_turn(clocks, dict.fromkeys(there, 1)) for there in shifts)
    steady = set.intersection(*shifts)
    counts = [turns[person] for person in steady]
    assert not counts or max(counts) - min(counts) <= 1


@given(
    st.lists(st.sets(people, min_size=1), min_size=1, max_size=80),
    st.fixed_dictionaries({person: st.integers(1, HEAVIEST) for person in range(1, 7)}),
)
def test_weighted_turns_differ_by_one_turn_of_the_lighter_one(
    shifts: list[set[int]], weights: dict[int, int]
) -> None:
    clocks: dict[int, int] = {}
    turns = Counter(pass_turn(clocks, {person: weights[person] for person in there}) for there in shifts)
    steady = sorted(set.intersection(*shifts))
    for one in steady:
        for other in steady:
            apart = abs(Fraction(turns[one], weights[one]) - Fraction(turns[other], weights[other]))
            assert apart <= max(Fraction(1, weights[one]), Fraction(1, weights[other]))


@given(st.integers(1, 60), st.sets(people, min_size=2))
def test_in_any_window_of_turns_everybody_there_is_within_one(length: int, there: set[int]) -> None:
    clocks: dict[int, int] = {}
    order = [pass_turn(clocks, dict.fromkeys(there, 1)) for _ in range(length)]
    for start in range(length):
        counts = Counter(order[start:])
        assert max(counts.values()) - min(counts[person] for person in there) <= 1


def test_who_comes_back_from_leave_does_not_get_all_at_once() -> None:
    clocks: dict[int, int] = {}
    for _ in range(30):
        pass_turn(clocks, {1: 1, 2: 1})
    back = Counter(pass_turn(clocks, {1: 1, 2: 1, 3: 1}) for _ in range(9))
    assert back == {1: 3, 2: 3, 3: 3}


def test_a_member_of_double_weight_is_asked_twice_as_often() -> None:
    clocks: dict[int, int] = {}
    assert Counter(pass_turn(clocks, {1: 2, 2: 1}) for _ in range(30)) == {1: 20, 2: 10}


def test_nobody_and_odd_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="nobody"):
        next_turn({}, {})
    for weight in (0, HEAVIEST + 1):
        with pytest.raises(ValueError, match="between 1 and 10"):
            next_turn({1: weight}, {})
