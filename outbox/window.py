"""The window of a sender: which messages are marked and unsettled, and when the next step is worth its while.

A step is one statement that settles results and marks messages. Counted as open is everything that may be marked in
the database and not settled there: what a statement under way is marking, too, and what it settles until it has
answered. So never more than `size` rows are marked and unsettled, whatever becomes of a statement.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from domain.messages import Outcome
from outbox.queue import Claimed, Lot, Step

#: A step is worth its while when this part of the window can be settled or marked by it.
PART: Final = 4


@dataclass(slots=True)
class Portion:
    """What one step settles and marks. `doubtful`: a step before it got no answer, the rows may be marked."""

    outcomes: list[Outcome]
    disowned: list[Claimed]
    wanted: list[Claimed]
    doubtful: bool = False

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.outcomes or self.disowned or self.wanted)


@dataclass(slots=True)
class Window:
    """Counts and queues; knows neither the database nor the clock."""

    size: int
    marked: int = 0  #: rows that are marked, as far as we were told, and not settled
    choosing: int = 0  #: rows that a step looks at, and may mark
    marking: int = 0  #: rows that a step under way is marking, or may have marked
    settling: int = 0  #: of the marked, those whose result a step under way is settling
    outcomes: deque[Outcome] = field(default_factory=deque)  #: results that no step has taken
    doubtful: list[Claimed] = field(default_factory=list)  #: rows that an unanswered step may have marked
    disowned: list[Claimed] = field(
        default_factory=list
    )  #: of those, what will not be written; counted as marking
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
        return max(0, size - self.choosing - self.marking - (self.marked - len(self.outcomes)))

    def is_empty(self) -> bool:
        """Whether everything is settled that was ever marked."""
        return not (self.marked or self.marking or self.outcomes)

    def begin(self, wanted: list[Claimed]) -> Portion:
        """Take all outcomes, and rows to mark, for a step. Rows that may be marked already come first.

        Of two claims of one message only the later one is taken: a statement tells which message it marked."""
        doubtful, self.doubtful = self.doubtful, []
        rows = _newest(doubtful or wanted)
        self.marking += len(rows) - len(doubtful)
        portion = Portion(list(self.outcomes), self.disowned, rows, bool(doubtful))
        self.outcomes.clear()
        self.disowned = []
        self.settling += len(portion.outcomes)
        return portion

    def end(self, portion: Portion, step: Step) -> tuple[list[Lot | None], list[Claimed]]:
        """A step has answered. Gives the lots of the rows that are finished, and the rows that were neither marked
        nor refused."""
        self.marking -= len(portion.wanted) + len(portion.disowned)
        self.settling -= len(portion.outcomes)
        self.marked += len(step.marked) - len(portion.outcomes)
        finished = [self.lots.pop(outcome.key, None) for outcome in portion.outcomes]
        finished += [row.lot for row in portion.disowned]
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
        self.disowned.extend(portion.disowned)
        self.doubtful.extend(portion.wanted)

    def disown(self, rows: list[Claimed], *, counted: bool) -> None:
        """Rows that may be marked will not be written now: in case they are, under this claim, they are deferred.
        `counted`: they still count as being marked."""
        if not counted:
            self.marking += len(rows)
        self.disowned.extend(rows)


def _newest(rows: list[Claimed]) -> list[Claimed]:
    """Of several claims of one message the last."""
    newest: dict[int, Claimed] = {}
    for row in rows:
        other = newest.get(row.message_id)
        if other is None or other.claim < row.claim:
            newest[row.message_id] = row
    return list(newest.values())
