"""Writing what rules change: rows are locked in the order of their ids, changed in the order of the events, written once.

Each change is an event with the old and the new value; what is so already changes nothing and tells nothing, and that
ends a circle by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from domain.conversations import ConversationMove, ConversationMover, next_conversation_state
from domain.conversations import ConversationState as State
from domain.errors import Conflict
from domain.events import EventType, NewEvent
from inbox.desk.conversations import unanswered_since
from router.actions.work import Planned, Work
from router.sightings import Sighting
from router.then.changes import MOST_TAGS

Room = Literal["contact", "conversation", "case", "task"]

_CONTACTS: Final = """
SELECT id, name, kind, given_name, family_name, organisation, relation, country, language, timezone, owner_id, tags, fields
FROM contacts WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE
"""
_CONVERSATIONS: Final = """
SELECT id, state, priority, tags, assignee_id, waiting_since, closed_at
FROM conversations WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE
"""
_CASES: Final = "SELECT id, owner_id, fields FROM cases WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE"
_TASKS: Final = "SELECT id, priority FROM tasks WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE"

_LOCKS: Final[Mapping[Room, str]] = {
    "contact": _CONTACTS,
    "conversation": _CONVERSATIONS,
    "case": _CASES,
    "task": _TASKS,
}
#: columns with their types, as they are written back
_COLUMNS: Final[Mapping[Room, Mapping[str, str]]] = {
    "contact": {
        **dict.fromkeys(
            (
                "name",
                "given_name",
                "family_name",
                "organisation",
                "relation",
                "country",
                "language",
                "timezone",
            ),
            "text",
        ),
        "owner_id": "bigint",
        "tags": "json",
        "fields": "json",
    },
    "conversation": {
        "state": "text",
        "priority": "text",
        "tags": "json",
        "assignee_id": "bigint",
        "waiting_since": "timestamptz",
        "closed_at": "timestamptz",
    },
    "case": {"owner_id": "bigint", "fields": "json"},
    "task": {"priority": "text"},
}
_ALSO: Final[Mapping[Room, str]] = {
    "contact": "updated_at = now()",
    "conversation": "version = row.version + 1, updated_at = now()",
    "case": "",
    "task": "version = row.version + 1",
}
_TABLES: Final[Mapping[Room, str]] = {
    "contact": "contacts",
    "conversation": "conversations",
    "case": "cases",
    "task": "tasks",
}


@dataclass(frozen=True, slots=True)
class Edit:
    """One change: a column of the contact, conversation, case or task of the event, or `fields.NAME`.

    `verb`: put a value, or add texts to a list, or remove them from it.
    """

    room: Room
    field: str
    value: Any
    verb: Literal["put", "add", "remove"] = "put"


def id_of(room: Room, sighting: Sighting) -> int | None:
    """The number of what the event belongs to."""
    ids: Mapping[Room, int | None] = {
        "contact": sighting.contact_id,
        "conversation": sighting.conversation_id,
        "case": sighting.case_id,
        "task": sighting.task_id,
    }
    return ids[room]


async def write_edits(work: Work, edits: Sequence[tuple[Planned, Sequence[Edit]]]) -> None:
    """Make these changes, in order, and tell of each. An action that finds nothing to change says so in the run log."""
    touched: set[int] = set()
    for room in _LOCKS:
        wanted = [
            (item, edit, number)
            for item, all_of_it in edits
            for edit in all_of_it
            if edit.room == room and (number := id_of(room, item.decision.sighting)) is not None
        ]
        if wanted:
            touched |= await _write_room(work, room, wanted)
    for item, all_of_it in edits:
        if all_of_it and id(item) not in touched:
            rooms = " or ".join(dict.fromkeys(edit.room for edit in all_of_it))
            item.decision.deeds[item.number] = {"state": "nothing", "reason": f"the event has no {rooms}"}


async def _write_room(work: Work, room: Room, wanted: Sequence[tuple[Planned, Edit, int]]) -> set[int]:
    ids = list({number for _, _, number in wanted})
    found = await work.connection.fetch(_LOCKS[room], ids)
    rows = {row["id"]: dict(row) for row in found}
    changed: dict[int, dict[str, Any]] = {}
    touched: set[int] = set()
    for item, edit, number in wanted:
        row = rows.get(number)
        if row is None:
            continue  # it is gone by now
        touched.add(id(item))
        if room == "conversation" and edit.field == "state":
            if not may_move(row["state"], edit.value):
                continue  # it is so already
            await _move(work, row, edit.value)
        old, new = _change(row, edit)
        if old == new:
            continue
        if room == "contact" and edit.field in ("given_name", "family_name"):
            _rename(row)
        changed[number] = row
        work.acted = True
        work.tell(_tell(work, item, edit, number, old, new))
    if changed:
        await work.connection.execute(_update(room), *_columns(room, changed))
    return touched


def _change(row: dict[str, Any], edit: Edit) -> tuple[Any, Any]:
    """Change a row; gives what was there, and what is there now."""
    column, dot, name = edit.field.partition(".")
    if dot:
        own = dict(row[column] or {})
        old = own.get(name)
        if edit.value is None:
            own.pop(name, None)
        else:
            own[name] = edit.value
        row[column] = own
        return old, edit.value
    old = row[column]
    new = edit.value
    if edit.verb == "add":
        new = [*old, *(tag for tag in edit.value if tag not in old)][: 10 * MOST_TAGS]
    elif edit.verb == "remove":
        new = [tag for tag in old if tag not in edit.value]
    row[column] = new
    return old, new


def _rename(row: dict[str, Any]) -> None:
    """The name of a person follows from its parts."""
    parts = " ".join(part for part in (row["given_name"], row["family_name"]) if part)
    if parts and row["kind"] == "person":
        row["name"] = parts


async def _move(work: Work, row: dict[str, Any], state: str) -> None:
    """What a new state brings along; the table of moves says `close` and `reopen` for a rule."""
    row["closed_at"] = work.now if state == State.CLOSED else None
    row["waiting_since"] = (
        None if state == State.CLOSED else await unanswered_since(work.connection, row["id"]) or work.now
    )


#: what tells of a conversation's new state
_STATES: Final[Mapping[str, EventType]] = {
    State.CLOSED.value: EventType.CONVERSATION_CLOSED,
    State.OPEN.value: EventType.CONVERSATION_REOPENED,
}


def may_move(state: str, target: str) -> bool:
    """Whether a rule may bring a conversation from one state to another: see domain/conversations.py. Pure."""
    move = ConversationMove.CLOSE if target == State.CLOSED else ConversationMove.REOPEN
    try:
        return next_conversation_state(State(state), move, ConversationMover.RULE).value == target
    except Conflict:
        return False


def _tell(work: Work, item: Planned, edit: Edit, number: int, old: Any, new: Any) -> NewEvent:
    sighting = item.decision.sighting
    data: dict[str, Any] = {
        "rule": item.decision.rule.name,
        "depth": sighting.depth + 1,
        "about": sighting.id,
    }
    kind = EventType.CHANGED
    if edit.room == "conversation" and edit.field == "assignee_id":
        kind, data = EventType.CONVERSATION_ASSIGNED, {"old": old, "new": new, **data}
    elif edit.room == "conversation" and edit.field == "state":
        kind = _STATES[new]
    else:
        name = edit.field if edit.room == "contact" else f"{edit.room}.{edit.field}"
        data = {"field": name, "old": old, "new": new, **data}
    return NewEvent(
        kind,
        work.now,
        contact_id=sighting.contact_id,
        message_id=sighting.message_id,
        conversation_id=sighting.conversation_id,
        case_id=sighting.case_id,
        task_id=sighting.task_id if edit.room == "task" else None,
        data=data,
    )


def _update(room: Room) -> str:
    """One statement for any number of rows; lists and objects travel as JSON."""
    columns = _COLUMNS[room]
    sets = ", ".join(f"{name} = {_read(name, kind)}" for name, kind in columns.items())
    arrays = ", ".join(
        f"${place}::{'text' if kind == 'json' else kind}[]" for place, kind in enumerate(columns.values(), 2)
    )
    also = f", {_ALSO[room]}" if _ALSO[room] else ""
    return (
        f"UPDATE {_TABLES[room]} AS row SET {sets}{also} "
        f"FROM unnest($1::bigint[], {arrays}) AS given (id, {', '.join(columns)}) WHERE row.id = given.id"
    )


def _read(name: str, kind: str) -> str:
    if kind != "json":
        return f"given.{name}"
    if name == "fields":
        return "given.fields::jsonb"
    return f"ARRAY(SELECT jsonb_array_elements_text(given.{name}::jsonb))"


def _columns(room: Room, rows: Mapping[int, Mapping[str, Any]]) -> Iterable[list[Any]]:
    yield list(rows)
    for name, kind in _COLUMNS[room].items():
        write: Callable[[Any], Any] = _json if kind == "json" else lambda value: value
        yield [write(row[name]) for row in rows.values()]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
