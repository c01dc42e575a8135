"""The actions `set`, `tag` and `untag`: fields written anew, each with an event that tells old and new."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from domain.predicates import Facts, compile_getter
from router.actions.editing import Edit, Room, write_edits
from router.actions.work import Planned, Shown, Work
from router.decide import Decision
from router.templates import only_field
from router.then.changes import LONGEST_VALUE, SetAction, TagAction, Tags, UntagAction, settable

_BY_MAIL: Final = (
    "SELECT id, lower(email) AS email FROM users WHERE active AND lower(email) = ANY ($1::text[])"
)


@dataclass(frozen=True, slots=True)
class Owner:
    """A person by mail address, looked up when it is written."""

    email: str


def plan(decision: Decision, number: int, work: Work) -> list[Edit]:
    """What would be written."""
    compiled = decision.rule.actions[number]
    match compiled.action:
        case SetAction(set=order):
            facts = decision.sighting.facts(work.now)
            return [
                _edit(name, _value(name, value, compiled.texts, facts))
                for name, value in order.values.items()
            ]
        case TagAction(tag=order):
            return [_tags(order, "add")]
        case UntagAction(untag=order):
            return [_tags(order, "remove")]
    raise TypeError(compiled.action)  # EXECUTORS gives this file nothing else


def show(plan: list[Edit], work: Work) -> Shown:
    """The fields with their new values."""
    if plan[0].verb != "put":
        key = "tag" if plan[0].verb == "add" else "untag"
        return Shown(key, f"{plan[0].room}: {', '.join(plan[0].value)}")
    words = (f"{edit.room}.{edit.field}: {_words(edit.value)}" for edit in plan)
    return Shown("set", ", ".join(words))


async def execute(work: Work, planned: Sequence[Planned]) -> None:
    """Write them, the last rule winning, and tell a Changed for each that became another."""
    emails = {edit.value.email for item in planned for edit in item.plan if isinstance(edit.value, Owner)}
    people = await load_people_by_mail(work, emails)
    ready = []
    for item in planned:
        missing = next(
            (
                edit.value.email
                for edit in item.plan
                if isinstance(edit.value, Owner) and edit.value.email not in people
            ),
            None,
        )
        if missing is not None:
            work.fail(item, f"Nobody active has the mail address {missing}; name another person in the rule.")
            continue
        ready.append((item, [_resolved(edit, people) for edit in item.plan]))
    await write_edits(work, ready)


async def load_people_by_mail(work: Work, emails: set[str]) -> Mapping[str, int]:
    """The numbers of active users by mail address, in small letters."""
    if not emails:
        return {}
    rows = await work.connection.fetch(_BY_MAIL, [email.lower() for email in emails])
    return {row["email"]: row["id"] for row in rows}


def _resolved(edit: Edit, people: Mapping[str, int]) -> Edit:
    return Edit(edit.room, edit.field, people[edit.value.email]) if isinstance(edit.value, Owner) else edit


def _edit(name: str, value: Any) -> Edit:
    room, _, field = name.partition(".")
    return Edit(_ROOMS[room], "owner_id" if field == "owner" else field, value)


_ROOMS: Final[Mapping[str, Room]] = {
    "contact": "contact",
    "conversation": "conversation",
    "case": "case",
    "task": "task",
}


def _tags(order: Tags, verb: Any) -> Edit:
    return Edit(order.of, "tags", list(dict.fromkeys(order.tags)), verb)


def _value(name: str, value: Any, texts: Mapping[str, Callable[[Facts], str]], facts: Facts) -> Any:
    known = settable(name)
    if value is not None and known is not None and known.person:
        return Owner(str(value).lower())
    if name not in texts:
        return value
    field = only_field(str(value))
    if field is None:
        return texts[name](facts)
    found = _getter(field)(facts)
    if isinstance(found, datetime):
        return found.isoformat()
    if isinstance(found, str):
        return found[:LONGEST_VALUE]
    return found if isinstance(found, int | float | bool | None) else None


@lru_cache(maxsize=1024)
def _getter(field: str) -> Callable[[Facts], Any]:
    return compile_getter(field)


def _words(value: Any) -> str:
    return value.email if isinstance(value, Owner) else "—" if value is None else str(value)
