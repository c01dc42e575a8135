"""What a word for a failed delivery says; each kind of channel has a vocabulary of such words."""

from __future__ import annotations

from typing import NamedTuple


class Reason(NamedTuple):
    """What a word means. `hard` speaks of the address, not of the attempt: a refused message can be final and soft."""

    gloss: str
    hard: bool = False
