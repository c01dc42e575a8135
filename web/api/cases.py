"""Cases: those one may know of, their moves, people and fields, what belongs to them, their timeline and types."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from contacts.timeline import read_case_timeline
from domain.cases import CaseState
from router.cases.belonging import Thing
from router.cases.changes import (
    add_contact,
    add_member,
    change_case,
    close_case,
    move_case,
    remove_contact,
    remove_member,
    reopen_case,
)
from router.cases.opening import NewCase, open_case
from web.access.permissions import Permission
from web.api.paging import PageQuery, after_id, next_id
from web.api.registry import Call, route
from web.console.event_words import describe_event
from web.queries.cases import list_cases, read_case_contacts, read_members, read_steps
from web.queries.tasks import as_viewer
from web.work.cases import apply_text, desk_of, note, put, see_case, take_out, write_house_types

_WORK: Final = Permission.CASES_WORK
_SETUP: Final = Permission.CASES_SETUP
_Short = Annotated[str, Field(max_length=200)]


class CaseModel(BaseModel):
    """A case as a list shows it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: str = Field(description="The name of its type.")
    title: str
    state: CaseState
    stage: str | None
    version: int
    owner_id: int | None
    owner_name: str | None
    team_id: int | None
    team_name: str | None
    confidential: bool = Field(description="Its owner, members and team alone know of it.")
    fields: dict[str, Any]
    contact_id: int | None = Field(description="Whom its events are told of: the first of its contacts.")
    contact_name: str | None
    open_tasks: int
    steps: int = Field(description="Steps of task templates at work in it.")
    steps_done: int
    created_at: datetime
    stage_since: datetime
    closed_at: datetime | None


class CasePage(BaseModel):
    """Some cases, latest first."""

    items: list[CaseModel]
    next: str | None


class CaseQuery(PageQuery):
    """Which cases."""

    state: CaseState = CaseState.OPEN
    kind: _Short | None = Field(None, description="The name of a type.")
    stage: _Short | None = None
    owner_id: int | None = None
    q: str = Field("", max_length=200, description="A word of the title, or of a contact's name.")


class CaseContactModel(BaseModel):
    """A contact with its role."""

    contact_id: int
    name: str
    role: str


class MemberModel(BaseModel):
    """A colleague who sees a confidential case."""

    id: int
    name: str


class StepModel(BaseModel):
    """A step of work."""

    id: int
    template: str
    name: str
    state: str = Field(description="waiting, open, checking, done or skipped.")
    after: list[str] = Field(description="The steps that have to be done before.")
    task_id: int | None
    check_id: int | None = Field(description="The task of whoever checks it.")
    done_by: str | None


class CaseDetailModel(CaseModel):
    """A case with its people and steps."""

    contacts: list[CaseContactModel]
    members: list[MemberModel]
    work: list[StepModel]


class CaseContactInput(BaseModel):
    """A contact and its role."""

    model_config = ConfigDict(extra="forbid")

    contact_id: int
    role: _Short = Field("", description="One of the type's roles; empty for none.")


class CaseInput(BaseModel):
    """A new case. What is left out comes from its type; without owner and team you look after it."""

    model_config = ConfigDict(extra="forbid")

    kind: _Short
    title: _Short
    owner_id: int | None = None
    team_id: int | None = None
    confidential: bool | None = None
    fields: dict[str, Any] = Field(default_factory=dict, max_length=100)
    contacts: list[CaseContactInput] = Field(default_factory=list, max_length=100)
    members: list[int] = Field(default_factory=list, max_length=100)


class CaseChange(BaseModel):
    """What is to be another; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    version: int | None = Field(None, description="The version you saw; 409 when it changed since.")
    title: _Short | None = None
    owner_id: int | None = None
    team_id: int | None = None
    confidential: bool | None = None
    fields: dict[str, Any] = Field(
        default_factory=dict, max_length=100, description="Only those that change; null empties one."
    )


class StageInput(BaseModel):
    """A stage."""

    model_config = ConfigDict(extra="forbid")

    stage: _Short
    version: int | None = Field(None, description="The version you saw; 409 when it changed since.")


class EndInput(BaseModel):
    """How a case is closed or opened again."""

    model_config = ConfigDict(extra="forbid")

    stage: _Short | None = Field(None, description="Left out: the one that it is in.")
    version: int | None = Field(None, description="The version you saw; 409 when it changed since.")


class MemberInput(BaseModel):
    """A colleague."""

    model_config = ConfigDict(extra="forbid")

    user_id: int


class ThingInput(BaseModel):
    """Something that belongs to a case."""

    model_config = ConfigDict(extra="forbid")

    what: Thing
    id: int


class CaseNoteInput(BaseModel):
    """A note."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=20_000)


class CaseNoteModel(BaseModel):
    """The event of a note."""

    id: int


class CaseEventModel(BaseModel):
    """One line of a timeline."""

    id: int
    type: str
    occurred_at: datetime
    sentence: str = Field(description="In words, in the language asked for.")
    actor_name: str | None
    contact_id: int | None = None
    conversation_id: int | None
    task_id: int | None
    message_id: int | None
    body: str | None


class CaseTimeline(BaseModel):
    """Its events, latest first."""

    items: list[CaseEventModel]
    next: str | None


class TypesModel(BaseModel):
    """The types of the house as YAML: docs/cases.md."""

    types: str


class TypesInput(BaseModel):
    """The types that the house is to have, all of them."""

    model_config = ConfigDict(extra="forbid")

    types: str = Field(description="YAML as in docs/cases.md.")
    seen: str | None = Field(None, description="The text that you began with; 409 when it changed since.")


class TypesChanged(BaseModel):
    """What applying them did, by name."""

    added: list[str]
    changed: list[str]
    removed: list[str]


@route("GET", "/cases", summary="List cases", permission=_WORK, query=CaseQuery, answer=CasePage)
async def get_cases(call: Call) -> CasePage:
    """Only those that you may know of."""
    query: CaseQuery = call.query
    rows = await list_cases(
        call.context.pool,
        call.person,
        state=query.state.value,
        kind=query.kind,
        stage=query.stage,
        owner_id=query.owner_id,
        words=query.q,
        before=after_id(query),
        limit=query.limit + 1,
    )
    return CasePage.model_validate(
        {
            "items": [dict(row) for row in rows[: query.limit]],
            "next": next_id([row["id"] for row in rows], query.limit),
        }
    )


async def _detail(call: Call, number: int) -> CaseDetailModel:
    pool = call.context.pool
    found = await see_case(call.context, call.person, number)
    return CaseDetailModel.model_validate(
        {
            **dict(found),
            "contacts": [
                {**dict(row), "role": row["part"]} for row in await read_case_contacts(pool, number)
            ],
            "members": [dict(row) for row in await read_members(pool, number)],
            "work": [
                {**dict(row), "after": row["definition"].get("after", [])}
                for row in await read_steps(pool, number)
            ],
        }
    )


@route("GET", "/cases/{id}", summary="One case", permission=_WORK, answer=CaseDetailModel)
async def get_case(call: Call) -> CaseDetailModel:
    """With its contacts, members and steps of work."""
    return await _detail(call, call.number())


@route(
    "POST",
    "/cases",
    summary="Open a case",
    permission=_WORK,
    body=CaseInput,
    answer=CaseDetailModel,
    status=201,
)
async def post_case(call: Call) -> CaseDetailModel:
    """In the first stage of its type."""
    given: CaseInput = call.body
    number = await open_case(
        desk_of(call.context, call.person),
        NewCase(
            given.kind,
            given.title,
            given.owner_id,
            given.team_id,
            given.confidential,
            given.fields,
            tuple((one.contact_id, one.role) for one in given.contacts),
            tuple(given.members),
        ),
    )
    return await _detail(call, number)


@route("PATCH", "/cases/{id}", summary="Change a case", permission=_WORK, body=CaseChange)
async def patch_case(call: Call) -> None:
    """Of two people who do that at once with the same version, one is refused."""
    given: CaseChange = call.body
    number = call.number()
    await see_case(call.context, call.person, number)
    changes = {name: getattr(given, name) for name in given.model_fields_set - {"version"}}
    if changes.get("confidential", False) is None:
        del changes["confidential"]
    await change_case(desk_of(call.context, call.person), number, changes, given.version)


@route("POST", "/cases/{id}/stage", summary="Move a case to a stage", permission=_WORK, body=StageInput)
async def post_case_stage(call: Call) -> None:
    """A stage that ends the case closes it."""
    given: StageInput = call.body
    await see_case(call.context, call.person, call.number())
    await move_case(desk_of(call.context, call.person), call.number(), given.stage, given.version)


@route("POST", "/cases/{id}/close", summary="Close a case", permission=_WORK, body=EndInput)
async def post_case_close(call: Call) -> None:
    """Its fields that are needed have to be there."""
    given: EndInput = call.body
    await see_case(call.context, call.person, call.number())
    await close_case(desk_of(call.context, call.person), call.number(), given.version, stage=given.stage)


@route("POST", "/cases/{id}/reopen", summary="Open a case again", permission=_WORK, body=EndInput)
async def post_case_reopen(call: Call) -> None:
    """In the stage where it was, or the last one that does not end a case."""
    given: EndInput = call.body
    await see_case(call.context, call.person, call.number())
    await reopen_case(desk_of(call.context, call.person), call.number(), given.version, stage=given.stage)


@route(
    "POST",
    "/cases/{id}/contacts",
    summary="Give a contact a part in a case",
    permission=_WORK,
    body=CaseContactInput,
)
async def post_case_contact(call: Call) -> None:
    """Or another role."""
    given: CaseContactInput = call.body
    await see_case(call.context, call.person, call.number())
    await add_contact(desk_of(call.context, call.person), call.number(), given.contact_id, given.role)


@route("DELETE", "/cases/{id}/contacts/{contact}", summary="Take a contact out of a case", permission=_WORK)
async def delete_case_contact(call: Call) -> None:
    """Their timeline stays as it is."""
    await see_case(call.context, call.person, call.number())
    await remove_contact(desk_of(call.context, call.person), call.number(), call.number("contact"))


@route(
    "POST",
    "/cases/{id}/members",
    summary="Let a colleague see a confidential case",
    permission=_WORK,
    body=MemberInput,
)
async def post_case_member(call: Call) -> None:
    """From now on, and all of it."""
    await see_case(call.context, call.person, call.number())
    await add_member(desk_of(call.context, call.person), call.number(), call.body.user_id)


@route("DELETE", "/cases/{id}/members/{user}", summary="Let a colleague see it no more", permission=_WORK)
async def delete_case_member(call: Call) -> None:
    """At once."""
    await see_case(call.context, call.person, call.number())
    await remove_member(desk_of(call.context, call.person), call.number(), call.number("user"))


@route(
    "POST",
    "/cases/{id}/things",
    summary="Put a conversation, task or message into a case",
    permission=_WORK,
    body=ThingInput,
)
async def post_case_thing(call: Call) -> None:
    """Each belongs to one case at most: 409 when it is in another one."""
    given: ThingInput = call.body
    await put(call.context, call.person, call.number(), given.what, given.id)


@route(
    "POST",
    "/cases/{id}/things/remove",
    summary="Take a conversation, task or message out of a case",
    permission=_WORK,
    body=ThingInput,
)
async def post_case_thing_removal(call: Call) -> None:
    """Out of a confidential case it becomes visible to whoever may see it otherwise."""
    given: ThingInput = call.body
    await take_out(call.context, call.person, call.number(), given.what, given.id)


@route(
    "POST",
    "/cases/{id}/notes",
    summary="Put a note on a case's timeline",
    permission=_WORK,
    body=CaseNoteInput,
    answer=CaseNoteModel,
    status=201,
)
async def post_case_note(call: Call) -> CaseNoteModel:
    """Colleagues see it, as far as they may know of the case."""
    return CaseNoteModel(id=await note(call.context, call.person, call.number(), call.body.text))


@route(
    "GET",
    "/cases/{id}/timeline",
    summary="A case's timeline",
    permission=_WORK,
    query=PageQuery,
    answer=CaseTimeline,
)
async def get_case_timeline(call: Call) -> CaseTimeline:
    """Its own events and those of all that belongs to it, as far as you may see them."""
    query: PageQuery = call.query
    await see_case(call.context, call.person, call.number())
    rows = await read_case_timeline(
        call.context.pool,
        call.number(),
        viewer=as_viewer(call.person),
        before=after_id(query),
        limit=query.limit + 1,
    )
    return CaseTimeline.model_validate(
        {
            "items": [{**row, "sentence": describe_event(row).sentence} for row in rows[: query.limit]],
            "next": next_id([row["id"] for row in rows], query.limit),
        }
    )


@route("GET", "/case-types", summary="The types of cases", permission=_WORK, answer=TypesModel)
async def get_case_types(call: Call) -> TypesModel:
    """As YAML."""
    return TypesModel(types=await write_house_types(call.context))


@route(
    "PUT",
    "/case-types",
    summary="Change the types of cases",
    permission=_SETUP,
    body=TypesInput,
    answer=TypesChanged,
)
async def put_case_types(call: Call) -> TypesChanged:
    """All of them at once; 422 names the place of what is wrong."""
    diff = await apply_text(call.context, call.person, call.body.types, call.body.seen)
    return TypesChanged(added=list(diff.added), changed=list(diff.changed), removed=list(diff.removed))
