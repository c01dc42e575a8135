"""People: how they work, when they are away; teams' days off."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from domain.errors import Forbidden, NotFound
from router.working_time import DAYS
from web.access.permissions import Permission
from web.api.registry import Call, route
from web.i18n import N_
from web.queries.people import list_teams, list_users
from web.work.availability import (
    Working,
    add_absence,
    end_absence,
    list_absences,
    list_days_off,
    load_working,
    read_capacity,
    read_hours,
    read_languages,
    read_skills,
    save_days_off,
    save_presence,
    save_working,
)
from web.zones import read_country

_SEE = Permission.TASKS_SUPERVISE


class WorkingModel(BaseModel):
    """How somebody works."""

    model_config = ConfigDict(extra="forbid")

    country: str | None = Field(None, description="Whose public holidays; null: the team's.")
    hours: dict[str, list[tuple[str, str]]] = Field(
        default_factory=dict,
        description='Shifts by day, such as {"mon": [["09:00", "12:30"], ["14:00", "18:00"]]}; empty: the team\'s.',
    )
    skills: list[str] = Field(default_factory=list, max_length=50)
    languages: list[str] = Field(default_factory=list, max_length=50, description="ISO 639-1 codes.")
    capacity: dict[str, int] = Field(
        default_factory=dict, description="Open tasks at most, by voice, mail, sms, other, all."
    )


class PersonModel(BaseModel):
    """Somebody who works here."""

    id: int
    name: str
    email: str
    role: str
    teams: list[int]
    present: bool = Field(description="At the desk: who is not gets no new task by turn.")
    working: WorkingModel


class PersonList(BaseModel):
    """Active people by name."""

    items: list[PersonModel]


class AbsenceModel(BaseModel):
    """A time in which somebody is not there."""

    id: int
    starts_at: datetime
    ends_at: datetime
    deputy_id: int | None


class AbsenceList(BaseModel):
    """Absences that are not over."""

    items: list[AbsenceModel]


class AbsenceInput(BaseModel):
    """A time in which somebody will not be there."""

    model_config = ConfigDict(extra="forbid")

    starts_at: AwareDatetime
    ends_at: AwareDatetime
    deputy_id: int | None = Field(None, description="Who answers meanwhile.")


class Presence(BaseModel):
    """Whether you are at the desk."""

    model_config = ConfigDict(extra="forbid")

    present: bool


class DayOff(BaseModel):
    """A day on which a team does not work."""

    model_config = ConfigDict(extra="forbid")

    day: date
    name: str = Field("", max_length=100)


class DaysOff(BaseModel):
    """All of them, besides public holidays."""

    model_config = ConfigDict(extra="forbid")

    items: list[DayOff] = Field(max_length=400)


async def _model(call: Call, user: Any) -> PersonModel:
    working = await load_working(call.context.pool, user["id"])
    return PersonModel(
        id=user["id"],
        name=user["name"],
        email=user["email"],
        role=user["role"],
        teams=user["team_ids"],
        present=working.present,
        working=WorkingModel.model_validate(
            {
                "country": working.country,
                "hours": working.hours,
                "skills": working.skills,
                "languages": working.languages,
                "capacity": working.capacity,
            }
        ),
    )


async def _one(call: Call) -> PersonModel:
    for user in await list_users(call.context.pool):
        if user["id"] == call.number():
            return await _model(call, user)
    raise NotFound(f"There is no user {call.number()}.")


@route("GET", "/people", summary="List people", permission=_SEE, answer=PersonList)
async def get_people(call: Call) -> PersonList:
    """With how they work."""
    return PersonList(items=[await _model(call, user) for user in await list_users(call.context.pool)])


@route("GET", "/people/{id}", summary="One person", permission=_SEE, answer=PersonModel)
async def get_person(call: Call) -> PersonModel:
    """With how they work."""
    return await _one(call)


@route(
    "PUT",
    "/people/{id}/working",
    summary="Say how somebody works",
    permission=_SEE,
    body=WorkingModel,
    answer=PersonModel,
)
async def put_working(call: Call) -> PersonModel:
    """Hours, skills, languages, capacity: all are replaced."""
    await _one(call)
    given: WorkingModel = call.body
    hours = {day: ", ".join("-".join(shift) for shift in given.hours.get(day, ())) for day in given.hours}
    working = Working(
        read_country(given.country) if given.country else None,
        read_hours({day: hours.get(day, "") for day in {**dict.fromkeys(DAYS), **hours}}),
        read_skills(given.skills),
        read_languages(given.languages),
        read_capacity(given.capacity),
    )
    await save_working(call.context.pool, call.number(), working)
    return await _one(call)


def _require_own(call: Call) -> None:
    """One's own absences, or anybody's for a supervisor. Raises Forbidden."""
    if call.number() != call.person.id and not call.person.may(_SEE):
        raise Forbidden(N_("Your role does not include this. Ask an administrator."))


@route(
    "GET",
    "/people/{id}/absences",
    summary="List absences",
    permission=Permission.TASKS_WORK,
    answer=AbsenceList,
)
async def get_absences(call: Call) -> AbsenceList:
    """Your own, or anybody's for supervisors."""
    _require_own(call)
    rows = await list_absences(call.context.pool, call.number(), call.now)
    return AbsenceList(items=[AbsenceModel.model_validate(dict(row)) for row in rows])


@route(
    "POST",
    "/people/{id}/absences",
    summary="Note an absence",
    permission=Permission.TASKS_WORK,
    body=AbsenceInput,
    answer=AbsenceModel,
    status=201,
)
async def post_absence(call: Call) -> AbsenceModel:
    """Your own, or anybody's for supervisors. Offers go to the deputy meanwhile, or to the next step."""
    _require_own(call)
    if call.number() != call.person.id:
        await _one(call)
    given: AbsenceInput = call.body
    id = await add_absence(
        call.context.pool, call.number(), given.starts_at, given.ends_at, given.deputy_id, call.now
    )
    return AbsenceModel(id=id, starts_at=given.starts_at, ends_at=given.ends_at, deputy_id=given.deputy_id)


@route(
    "DELETE",
    "/people/{id}/absences/{absence}",
    summary="Take an absence back",
    permission=Permission.TASKS_WORK,
    answer=AbsenceList,
)
async def delete_absence(call: Call) -> AbsenceList:
    """Gives those that are left."""
    _require_own(call)
    await end_absence(call.context.pool, call.number(), call.number("absence"))
    return await get_absences(call)


@route(
    "PUT",
    "/me/presence",
    summary="Say whether you are at the desk",
    permission=Permission.TASKS_WORK,
    body=Presence,
    answer=Presence,
)
async def put_presence(call: Call) -> Presence:
    """Away from it you get no new task by turn."""
    await save_presence(call.context.pool, call.person.id, call.body.present)
    given: Presence = call.body
    return given


async def _require_team(call: Call) -> None:
    if not any(team["id"] == call.number() for team in await list_teams(call.context.pool)):
        raise NotFound(f"There is no team {call.number()}.")


@route("GET", "/teams/{id}/days-off", summary="List a team's days off", permission=_SEE, answer=DaysOff)
async def get_days_off(call: Call) -> DaysOff:
    """Besides public holidays."""
    await _require_team(call)
    rows = await list_days_off(call.context.pool, call.number())
    return DaysOff(items=[DayOff(day=row["day"], name=row["name"]) for row in rows])


@route(
    "PUT",
    "/teams/{id}/days-off",
    summary="Set a team's days off",
    permission=_SEE,
    body=DaysOff,
    answer=DaysOff,
)
async def put_days_off(call: Call) -> DaysOff:
    """Instead of those before."""
    await _require_team(call)
    given: DaysOff = call.body
    await save_days_off(call.context.pool, call.number(), {one.day: one.name for one in given.items})
    return await get_days_off(call)
