"""The table of moves of a task, who may make them, its clocks, and the forms for its outcome."""

from __future__ import annotations

import itertools

import pytest

from domain.errors import Conflict, InvalidInput
from domain.tasks import (
    CLOSED_STATES,
    MOVERS,
    OPEN_STATES,
    OUTCOME_FORMS,
    TASK_MOVES,
    UNDECIDED_STATES,
    TaskKind,
    TaskMove,
    TaskMover,
    TaskState,
    check_outcome,
    escalates,
    moves_from,
    next_state,
)


@pytest.mark.parametrize(("state", "move"), list(itertools.product(TaskState, TaskMove)))
def test_a_task_moves_by_its_table_or_not_at_all(state: TaskState, move: TaskMove) -> None:
    sources, target = TASK_MOVES[move]
    if state in sources:
        assert next_state(state, move) is target
        assert move in moves_from(state)
    else:
        with pytest.raises(Conflict, match=move.value):
            next_state(state, move)


def test_every_open_state_can_be_ended() -> None:
    for state in OPEN_STATES:
        reached = {state}
        for _ in TaskState:
            reached |= {TASK_MOVES[move][1] for one in reached for move in moves_from(one)}
        assert TaskState.DONE in reached


def test_what_is_done_or_cancelled_stays_so() -> None:
    assert moves_from(TaskState.DONE) == []
    assert moves_from(TaskState.CANCELLED) == []


def test_deciding_comes_before_doing() -> None:
    for state in UNDECIDED_STATES:
        assert TaskMove.FINISH not in moves_from(state)
        assert {TaskMove.ACCEPT, TaskMove.DECLINE, TaskMove.RESCHEDULE, TaskMove.ASK} <= set(
            moves_from(state)
        )


def test_every_move_has_somebody_who_may_make_it_and_a_supervisor_may_make_all() -> None:
    assert set(MOVERS) == set(TaskMove)
    assert all(TaskMover.SUPERVISOR in movers for movers in MOVERS.values())
    assert TaskMover.ASSIGNEE not in MOVERS[TaskMove.CANCEL]  # who does not want it declines, with a reason


@pytest.mark.parametrize(
    ("state", "decide_by", "due"),
    [
        (TaskState.OFFERED, True, True),
        (TaskState.RESCHEDULED, True, True),
        (TaskState.ESCALATED, True, True),
        (TaskState.ACCEPTED, None, False),
        (TaskState.IN_PROGRESS, None, False),
        (TaskState.NEEDS_INFORMATION, None, None),
        *((state, None, None) for state in sorted(CLOSED_STATES)),
    ],
)
def test_a_clock_passes_on_what_is_undecided_and_tells_of_what_is_late(
    state: TaskState, decide_by: bool | None, due: bool | None
) -> None:
    assert (escalates(state, "decide_by"), escalates(state, "due")) == (decide_by, due)


def test_every_kind_has_a_form_and_its_results_are_taken() -> None:
    for kind in TaskKind:
        for result in OUTCOME_FORMS[kind].results:
            assert check_outcome(kind, {"result": result, "note": " said so\x00 "}) == {
                "result": result,
                "note": "said so",
            }


@pytest.mark.parametrize(
    ("kind", "outcome", "field"),
    [
        (TaskKind.CALLBACK, None, "outcome.result"),
        (TaskKind.CALLBACK, {"result": "dunno"}, "outcome.result"),
        (TaskKind.CALLBACK, {"result": "reached", "mood": "good"}, "outcome.mood"),
        (TaskKind.CALLBACK, {"result": "reached", "note": "x" * 4001}, "outcome.note"),
        (TaskKind.TODO, {"result": "not_possible", "note": "  "}, "outcome.note"),
    ],
)
def test_an_outcome_that_does_not_fit_the_form_is_refused(
    kind: TaskKind, outcome: dict[str, str] | None, field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_outcome(kind, outcome)
    assert caught.value.field == field
    assert caught.value.remedy
