"""The window of a sender: which messages are marked and unsettled, and when the next step is worth its while.

A step is one statement that settles results and marks messages. Counted as open is everything that may be marked in
the database and not settled there: what a statement under way is marking, too, and what it settles until it has
answered. So never more than `size` rows are marked and unsettled, whatever becomes of a statement.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from domain.messages import DeliveryState, Outcome
from outbox.backoff import INTERRUPTED
from outbox.queue import Claimed, Lot, Step

#: A step is worth its while when this part of the window can be settled or marked by it.
PART: Final = 4


@dataclass(slots=True)
class Portion:
    """What one step settles and marks. `doubtful`: a step before it got no answer, the rows may be marked."""

    outcomes: list[Outcome]
    wanted: list[Claimed]
    doubtful: bool = False


@dataclass(slots=True)
class Window:
    """Counts and queues; knows neither the database nor the clock."""

    size: int
    marked: int = 0  #: rows that are marked, as far as we were told, and not settled
    marking: int = 0  #: rows that a step under way is marking, or may have marked
    settling: int = 0  #: of the marked, those whose result a step under way is settling
    outcomes: deque[Outcome] = field(default_factory=deque)  #: results that no step has taken
    doubtful: list[Claimed] = field(default_factory=list)  #: rows that an unanswered step may have marked
    lots: dict[int, Lot | None] = field(default_factory=dict)  #: of the marked rows, by message id

    @property
    def part(self) -> int:
        """How much makes a step worth its while."""
        return max(1, self.size // PART)

    @property
    def on_wire(self) -> int:
        """Messages whose result has not come."""
        return self.marked - self.settling - len(self.outcomes)

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way that a step had better wait for."""
        return self.on_wire == 0 and self.marking == 0 and self.settling == 0

    def room(self, limit: int | None = None) -> int:
        """How many messages a step may mark that settles all outcomes; at most `limit` in the whole window."""
        size = self.size if limit is None else min(self.size, limit)
        return max(0, size - self.marking - (self.marked - len(self.outcomes)))

    def is_empty(self) -> bool:
        """Whether everything is settled that was ever marked."""
        return not (self.marked or self.marking or self.outcomes or self.doubtful)

    def begin(self, wanted: list[Claimed]) -> Portion:
        """Take all outcomes, and rows to mark, for a step. Rows that may be marked already come first."""
        portion = Portion(list(self.outcomes), wanted)
        self.outcomes.clear()
        self.settling += len(portion.outcomes)
        if self.doubtful:
            portion.doubtful, portion.wanted, self.doubtful = True, self.doubtful, []
        else:
            self.marking += len(wanted)
        return portion

    def end(self, portion: Portion, step: Step) -> tuple[list[Lot | None], list[Claimed]]:
        """A step has answered. Gives the lots of the rows that are finished, and the rows that were neither marked
        nor refused."""
        self.marking -= len(portion.wanted)
        self.settling -= len(portion.outcomes)
        self.marked += len(step.marked) - len(portion.outcomes)
        finished = [self.lots.pop(outcome.key, None) for outcome in portion.outcomes]
        lost = []
        for row in portion.wanted:
            if row.message_id in step.marked:
                self.lots[row.message_id] = row.lot
            elif row.message_id in step.refused:
                finished.append(row.lot)
            else:
                lost.append(row)
        return finished, lost

    def fail(self, portion: Portion) -> None:
        """A step got no answer: its results are settled again, its rows may be marked."""
        self.settling -= len(portion.outcomes)
        self.outcomes.extendleft(reversed(portion.outcomes))
        self.doubtful.extend(portion.wanted)

    def disown(self, rows: list[Claimed], *, counted: bool) -> None:
        """Rows that may be marked will not be written now: in case they are, they are deferred. `counted`: they
        still count as being marked."""
        if counted:
            self.marking -= len(rows)
        self.marked += len(rows)
        for row in rows:
            self.lots[row.message_id] = row.lot
            self.outcomes.append(
                Outcome(row.message_id, row.attempt + 1, DeliveryState.DEFERRED, reason=INTERRUPTED)
            )
