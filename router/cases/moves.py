"""What a move makes of a case: its new state and what the timeline is told. Pure functions on values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from domain.cases import CaseMove, next_case_state
from domain.errors import InvalidInput
from domain.events import EventType
from router.cases.fields import check_fields, missing_fields
from router.cases.store import Case, require_somebody
from router.cases.types import CaseType, Stage

LONGEST_TITLE: Final = 200


@dataclass(frozen=True, slots=True)
class Moved:
    """A case after a move, and the events that tell of it: type and data. None: nothing changes."""

    case: Case
    told: tuple[tuple[EventType, dict[str, Any]], ...] = ()


def move_to(case: Case, kind: CaseType, name: str, now: datetime) -> Moved:
    """Another stage; one that ends the case closes it. Raises Conflict, InvalidInput."""
    next_case_state(case.state, CaseMove.MOVE)
    stage = _stage(kind, name)
    if stage.name == case.stage:
        return Moved(case)
    moved = replace(case, stage=stage.name, stage_since=now)
    told = (EventType.CASE_MOVED, {"old": case.stage, "new": stage.name})
    if not stage.ends:
        return Moved(moved, (told,))
    closed = close(moved, kind, now)
    return Moved(closed.case, (told, *closed.told))


def close(case: Case, kind: CaseType, now: datetime, name: str | None = None) -> Moved:
    """Closed, in the stage where it is or in the one of this name.

    Raises Conflict when it is closed, InvalidInput for a field that is needed and empty.
    """
    state = next_case_state(case.state, CaseMove.CLOSE)
    told: tuple[tuple[EventType, dict[str, Any]], ...] = ()
    if name is not None and name != case.stage:
        stage = _stage(kind, name)
        told = ((EventType.CASE_MOVED, {"old": case.stage, "new": stage.name}),)
        case = replace(case, stage=stage.name, stage_since=now)
    missing = missing_fields(kind, case.fields)
    if missing:
        raise InvalidInput(
            f"fields.{missing[0].name}", "is needed before the case is closed.", "Write it down first."
        )
    closed = replace(case, state=state, closed_at=now)
    return Moved(closed, (*told, (EventType.CASE_CLOSED, {"stage": case.stage})))


def reopen(case: Case, kind: CaseType, now: datetime, name: str | None = None) -> Moved:
    """Open again, in the stage of this name; else where it was, or in the last one that does not end it.

    Raises Conflict when it is open, InvalidInput for a stage that ends a case.
    """
    state = next_case_state(case.state, CaseMove.REOPEN)
    if name is not None:
        stage = _stage(kind, name)
        if stage.ends:
            raise InvalidInput("stage", "this stage ends a case.", "Choose one that does not.")
    else:
        there = kind.stage(case.stage)
        going_on = [one for one in kind.stages if not one.ends]
        stage = there if there is not None and not there.ends else going_on[-1]
    told: tuple[tuple[EventType, dict[str, Any]], ...] = ((EventType.CASE_REOPENED, {"stage": stage.name}),)
    if stage.name != case.stage:
        told += ((EventType.CASE_MOVED, {"old": case.stage, "new": stage.name}),)
        case = replace(case, stage=stage.name, stage_since=now)
    return Moved(replace(case, state=state, closed_at=None), told)


def change(case: Case, kind: CaseType, given: Mapping[str, Any]) -> Moved:
    """Other values for some of title, owner_id, team_id, confidential and fields. Raises Conflict, InvalidInput.

    `fields` holds only those that change; None empties one.
    """
    next_case_state(case.state, CaseMove.CHANGE)
    changed, told = case, []
    for name in ("title", "owner_id", "team_id", "confidential"):
        if name not in given:
            continue
        value: Any = read_title(given[name]) if name == "title" else given[name]
        old = getattr(case, name)
        if value != old:
            changed = _with(changed, name, value)
            told.append((EventType.CASE_CHANGED, {"field": name, "old": old, "new": value}))
    fields = dict(case.fields)
    for name, value in check_fields(kind, given.get("fields") or {}).items():
        old = fields.get(name)
        if value != old:
            fields[name] = value
            told.append((EventType.CASE_CHANGED, {"field": f"fields.{name}", "old": old, "new": value}))
    require_somebody(changed.confidential, changed.owner_id, changed.team_id)
    kept = {name: value for name, value in fields.items() if value is not None}
    return Moved(replace(changed, fields=kept), tuple(told))


def _with(case: Case, name: str, value: Any) -> Case:
    return replace(case, **{name: value})


def read_title(given: Any) -> str:
    """A title as it is stored: one line. Raises InvalidInput."""
    title = " ".join(str(given or "").replace("\0", "").split())
    if not title or len(title) > LONGEST_TITLE:
        raise InvalidInput("title", "is empty or too long.", f"Write 1 to {LONGEST_TITLE} characters.")
    return title


def _stage(kind: CaseType, name: str) -> Stage:
    stage = kind.stage(name)
    if stage is None:
        known = ", ".join(one.name for one in kind.stages)
        raise InvalidInput(
            "stage", f"there is no stage {name[:40]!r} in cases of this type.", f"Choose {known}."
        )
    return stage
