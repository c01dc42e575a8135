"""A task goes from somebody who declined it, or did not answer, to whoever the steps ask next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from domain.events import EventType, NewEvent
from domain.tasks import OfferState, TaskMove, TaskState
from router.assignment.offering import Offer, Rota
from router.assignment.offers import (
    Search,
    answer_offer,
    load_searches,
    make_offers,
    note_decline,
    settle_offers,
)
from router.calendars import CALENDAR_COLUMNS, calendar_of
from router.settings import RouterSettings
from router.spans import parse_span
from router.task_events import tell_of
from router.task_moves import Change, Handed, TaskFacts, hand_on
from router.working_time import WorkingCalendar
from storage.pool import Connection

_TEAMS: Final = f"SELECT t.id, {CALENDAR_COLUMNS} FROM teams t WHERE t.id = ANY ($1::bigint[])"
_WIDEN: Final = """
UPDATE tasks SET state = 'offered', assignee_id = given.assignee_id, team_id = coalesce(given.team_id, tasks.team_id),
       decide_by = given.decide_by, version = version + 1,
       details = tasks.details - 'deputy_of' || given.details::jsonb
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::text[])
  AS given (id, assignee_id, team_id, decide_by, details)
WHERE tasks.id = given.id
"""


async def find_calendars(
    connection: Connection, teams: Sequence[int | None], settings: RouterSettings
) -> dict[int | None, WorkingCalendar]:
    """The working time of teams by id, that of the settings for none."""
    known = list({team for team in teams if team is not None})
    rows = await connection.fetch(_TEAMS, known) if known else []
    usual = calendar_of({"hours": {}, "timezone": settings.timezone, "country": ""}, settings)
    found: dict[int | None, WorkingCalendar] = dict.fromkeys((None, *known), usual)
    return found | {row["id"]: calendar_of(dict(row), settings) for row in rows}


def decide_until(
    offer: Offer,
    search: Search,
    details: Mapping[str, Any],
    now: datetime,
    calendar: WorkingCalendar,
    rota: Rota,
) -> datetime:
    """Until when whoever is asked now has to decide, in that person's working time or the team's."""
    person = None if offer.person_id is None else rota.people.get(offer.person_id)
    if person is not None and person.calendar is not None:
        calendar = person.calendar
    otherwise = parse_span(details.get("decide_within", "4 working hours"))
    return search.steps[offer.step].span(otherwise).after(now, calendar)


class Decline:
    """A decline that may be handed on. Load it before the task is locked: people come before tasks, as for routers."""

    def __init__(self, search: Search | None, rota: Rota, settings: RouterSettings) -> None:
        self._search, self._rota, self._settings = search, rota, settings
        self._offer: Offer | None = None
        self._handed: Handed | None = None

    @classmethod
    async def prepare(
        cls, connection: Connection, task_id: int, actor_id: int, now: datetime, settings: RouterSettings
    ) -> Decline:
        """Look at the steps of the task and lock whom they choose among."""
        searches, rota = await load_searches(connection, {task_id: actor_id}, now, settings)
        return cls(searches.get(task_id), rota, settings)

    async def hand_on(self, connection: Connection, task: TaskFacts, change: Change, now: datetime) -> Change:
        """The change, with the task offered to the next one if there is one."""
        search = self._search
        if search is None:
            return change
        if task.state is TaskState.ESCALATED:
            search.at = len(search.steps) - 1
        whole_team = task.assignee_id is None
        offer = self._offer = search.after_decline(self._rota, now, whole_team=whole_team)
        if offer is None:
            return change
        calendars = await find_calendars(connection, [offer.team_id or task.team_id], self._settings)
        calendar = calendars[offer.team_id or task.team_id]
        self._handed = Handed(
            offer.step,
            offer.person_id,
            offer.team_id,
            decide_until(offer, search, task.details, now, calendar, self._rota),
            offer.deputy_of,
            escalates=search.escalates(offer),
            stays=whole_team and offer.person_id is None and offer.step == search.at,
        )
        return hand_on(task, change, self._handed, now)

    async def keep(
        self, connection: Connection, task: Mapping[str, Any], actor_id: int, now: datetime
    ) -> list[NewEvent]:
        """Store the answer and the next offer; gives what else is to be told."""
        handed = self._handed
        if handed is not None and handed.stays:
            await note_decline(connection, task["id"], actor_id, now)
            return []
        await answer_offer(connection, task["id"], actor_id, OfferState.DECLINED, now)
        if handed is None or self._offer is None:
            return []
        await make_offers(connection, [(task["id"], self._offer)], now, self._rota)
        if handed.escalates:
            return [_tell_escalated(task, "declined", handed.assignee_id, now)]
        return [_tell_offered(task, "declined", handed.assignee_id, now)]


def _tell_offered(task: Mapping[str, Any], why: str, to: int | None, now: datetime) -> NewEvent:
    depth = task["details"].get("depth", 0)
    told = {"offered": "again", "clock": why, "from": task["assignee_id"], "to": to, "depth": depth}
    return tell_of(task, EventType.TASK_OPENED, now, told)


def _tell_escalated(task: Mapping[str, Any], why: str, to: int | None, now: datetime) -> NewEvent:
    told = {"clock": why, "from": task["assignee_id"], "to": to, "depth": task["details"].get("depth", 0)}
    return tell_of(task, EventType.TASK_ESCALATED, now, told)


async def keep_move(
    connection: Connection, task_id: int, move: TaskMove, change: Change, actor_id: int, now: datetime
) -> None:
    """What a move makes of the offers: an accepted one is settled, one that a person makes by hand replaces the others."""
    if move is TaskMove.ACCEPT:
        await answer_offer(connection, task_id, actor_id, OfferState.ACCEPTED, now)
    elif move in (TaskMove.ESCALATE, TaskMove.OFFER, TaskMove.CANCEL):
        await settle_offers(connection, [task_id], OfferState.WITHDRAWN, now)
        if move is not TaskMove.CANCEL:
            step = change.details.get("step", 0)
            await make_offers(connection, [(task_id, Offer(step, change.assignee_id, change.team_id))], now)


async def widen(
    connection: Connection, late: Sequence[Mapping[str, Any]], now: datetime, settings: RouterSettings
) -> tuple[dict[int, datetime], dict[int, int], list[NewEvent]]:
    """Ask the next step about tasks that nobody decided in time.

    Gives the new times to decide of the tasks that are offered on, the supervisors (by task) that the others pass to,
    and the events that tell of those offered on. Tasks without steps, or at their last one, are in neither.
    """
    searches, rota = await load_searches(
        connection, {task["id"]: task["assignee_id"] for task in late}, now, settings
    )
    found: list[tuple[Mapping[str, Any], Offer]] = []
    supervisors: dict[int, int] = {}
    for task in late:
        search = searches.get(task["id"])
        if search is None or task["state"] == TaskState.ESCALATED:
            continue
        offer = search.after_silence(rota, now)
        if offer is None:
            continue
        if search.escalates(offer) and offer.person_id is not None:
            supervisors[task["id"]] = offer.person_id
        else:
            found.append((task, offer))
    await settle_offers(connection, [task["id"] for task in late], OfferState.TIMED_OUT, now)
    calendars = await find_calendars(
        connection, [offer.team_id or task["team_id"] for task, offer in found], settings
    )
    until = {
        task["id"]: decide_until(
            offer,
            searches[task["id"]],
            task["details"],
            now,
            calendars[offer.team_id or task["team_id"]],
            rota,
        )
        for task, offer in found
    }
    await make_offers(connection, [(task["id"], offer) for task, offer in found], now, rota)
    if found:
        await connection.execute(
            _WIDEN,
            [task["id"] for task, _ in found],
            [offer.person_id for _, offer in found],
            [offer.team_id for _, offer in found],
            [until[task["id"]] for task, _ in found],
            [_details(offer) for _, offer in found],
        )
    return (
        until,
        supervisors,
        [_tell_offered(task, "decide_by", offer.person_id, now) for task, offer in found],
    )


def _details(offer: Offer) -> str:
    deputy = "" if offer.deputy_of is None else f', "deputy_of": {offer.deputy_of}'
    return f'{{"step": {offer.step}{deputy}}}'


async def keep_escalation(
    connection: Connection,
    passed: Sequence[tuple[Mapping[str, Any], int | None]],
    now: datetime,
    why: OfferState = OfferState.TIMED_OUT,
) -> None:
    """Tasks that a clock, or a rule, passed on to a supervisor (each with its person): their offers follow."""
    await settle_offers(connection, [task["id"] for task, _ in passed], why, now)
    offers = [
        (task["id"], Offer(max(len(task["details"].get("steps", ())) - 1, 0), person, task["team_id"]))
        for task, person in passed
    ]
    await make_offers(connection, offers, now)
