"""The window never counts less than what may be marked in the database."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.messages import DeliveryState, Outcome
from outbox.queue import Claimed, Step
from outbox.window import Portion, Window

SIZE = 20


class Rows(RuleBasedStateMachine):
    """A window against a model of the table: which rows are `sending`, whatever the sender was told."""

    def __init__(self) -> None:
        super().__init__()
        self.window = Window(SIZE)
        self.sending: set[int] = set()
        self.wire: list[int] = []
        self.steps: list[Portion] = []
        self.next = 0

    def apply(self, portion: Portion, refuse: int) -> Step:
        """What the statement does when it is carried out."""
        self.sending -= {outcome.key for outcome in portion.outcomes}
        step = Step(settled=len(portion.outcomes))
        for row in portion.wanted:
            if refuse and row.message_id % refuse == 0 and row.message_id not in self.sending:
                step.refused[row.message_id] = "suppressed"
            else:
                self.sending.add(row.message_id)
                step.marked.add(row.message_id)
        return step

    @precondition(lambda self: len(self.steps) < 2)
    @rule(wish=st.integers(0, 2 * SIZE))
    def begin(self, wish: int) -> None:
        count = 0 if self.window.doubtful else min(wish, self.window.room())
        rows = [Claimed(self.next + n, 0, 1, 1, 1, "a@b.example", "mail") for n in range(count)]
        self.next += count
        self.steps.append(self.window.begin(rows))

    @precondition(lambda self: self.steps)
    @rule(place=st.integers(0, 1), refuse=st.sampled_from([0, 2, 5]))
    def answer(self, place: int, refuse: int) -> None:
        portion = self.steps.pop(place % len(self.steps))
        step = self.apply(portion, refuse)
        _, lost = self.window.end(portion, step)
        assert not lost
        self.wire += step.marked

    @precondition(lambda self: self.steps)
    @rule(place=st.integers(0, 1), carried_out=st.booleans())
    def lose(self, place: int, carried_out: bool) -> None:
        portion = self.steps.pop(place % len(self.steps))
        if carried_out:
            self.apply(portion, 0)
        self.window.fail(portion)

    @precondition(lambda self: self.wire)
    @rule(count=st.integers(1, SIZE))
    def arrive(self, count: int) -> None:
        for _ in range(min(count, len(self.wire))):
            self.window.outcomes.append(Outcome(self.wire.pop(), 1, DeliveryState.SENT))

    @invariant()
    def never_more_than_the_window_are_open(self) -> None:
        assert len(self.sending) <= SIZE
        assert len(self.sending) <= self.window.marked + self.window.marking
        assert self.window.on_wire == len(self.wire)

    def teardown(self) -> None:
        """Whatever happened, everything is settled in the end."""
        for portion in self.steps:
            self.window.fail(portion)
        while not self.window.is_empty():
            portion = self.window.begin([])
            _, lost = self.window.end(portion, self.apply(portion, 0))
            self.window.outcomes.extend(
                Outcome(row.message_id, 1, DeliveryState.SENT) for row in portion.wanted
            )
            self.window.outcomes.extend(Outcome(key, 1, DeliveryState.SENT) for key in self.wire)
            self.wire = []
            assert not lost
        assert not self.sending


TestRows = Rows.TestCase


@given(limit=st.integers(0, 30), marked=st.integers(0, 20))
def test_a_probe_leaves_room_for_itself_alone(limit: int, marked: int) -> None:
    window = Window(SIZE, marked=marked)
    assert window.room(limit) == max(0, min(SIZE, limit) - marked)


def test_rows_that_were_perhaps_marked_are_deferred_when_they_will_not_be_written() -> None:
    window = Window(SIZE)
    portion = window.begin([Claimed(7, 2, 3, 1, 1, "a@b.example", "mail")])
    window.fail(portion)
    doubtful, window.doubtful = window.doubtful, []
    window.disown(doubtful, counted=True)
    assert (window.marked, window.marking) == (0, 1)
    assert window.room() == SIZE - 1
    portion = window.begin([])
    assert [(row.message_id, row.claim) for row in portion.disowned] == [(7, 3)]
    window.fail(portion)
    assert not window.is_empty()
    window.end(window.begin([]), Step(settled=1))
    assert window.is_empty()
