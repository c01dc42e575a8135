"""Whose turn it is: fair within one, whatever comes and goes. Pure.

Each person has a clock that goes on by one stride at every turn; the lowest clock is next. More weight means shorter
strides. Who was away does not catch up: a clock that fell behind begins where the others stand. So any two people who
were there all the time differ by one turn at most (by one turn for their weight, when weighted), and nobody who comes
back from three weeks of leave finds three weeks of tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: of weight 1; every weight up to 10 divides it, so that clocks stay whole numbers and never drift
STRIDE: Final = 2520
HEAVIEST: Final = 10


def next_turn(weights: Mapping[int, int], clocks: Mapping[int, int]) -> tuple[int, int]:
    """Who is next, and what that person's clock shows afterwards.

    `weights` gives those who can be asked, 1 to 10 each; `clocks` all clocks of this scope, missing ones stand with the
    others. Raises ValueError when there is nobody or a weight is out of bounds.
    """
    if not weights:
        raise ValueError("there is nobody to choose from")
    for weight in weights.values():
        if not 1 <= weight <= HEAVIEST:
            raise ValueError(f"a weight lies between 1 and {HEAVIEST}")
    started = clocks.get(0, 0)  # nobody has the id 0: it keeps the clock that was lowest at the last turn
    stands = {person: max(clocks.get(person, started), started) for person in weights}
    chosen = min(stands, key=lambda person: (stands[person], person))
    return chosen, stands[chosen] + STRIDE // weights[chosen]


def pass_turn(clocks: dict[int, int], weights: Mapping[int, int]) -> int:
    """Take the turn of `next_turn` and note it in `clocks`; gives the person."""
    chosen, shows = next_turn(weights, clocks)
    clocks[0] = max(clocks.get(0, 0), shows - STRIDE // weights[chosen])
    clocks[chosen] = shows
    return chosen
