"""The REST API's table of routes. A route is one declaration; dispatch, permission and OpenAPI derive from it.

@route("GET", "/tasks/{id}", summary="One task", permission=Permission.TASKS_WORK, answer=TaskModel)
async def get_task(call: Call) -> TaskModel: ...
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel

from web.access.people import Person
from web.access.permissions import Permission
from web.console.visit import read_number
from web.context import WebContext

PREFIX: Final = "/api/v1"


@dataclass(slots=True)
class Call:
    """One request to the API: who asks, and what was read from it."""

    request: web.Request
    context: WebContext
    person: Person
    now: datetime  #: business time
    query: Any = None  #: an instance of the route's query model
    body: Any = None  #: an instance of the route's body model
    csrf: str = ""

    def number(self, name: str = "id") -> int:
        """An id from the path. Raises InvalidInput."""
        return read_number(self.request.match_info[name], name)


ApiHandler = Callable[[Call], Awaitable[Any]]
_Handler = TypeVar("_Handler", bound=ApiHandler)


@dataclass(frozen=True, slots=True)
class Route:
    """One declared route. `upload` and `download` name the media type of a body that is not JSON; `keyed`: it wants the
    header Idempotency-Key; `limit`: the largest body in bytes, where it is not the usual one."""

    method: str
    path: str
    summary: str
    permission: Permission | None
    handler: ApiHandler
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    status: int = 200
    upload: str = ""
    download: str = ""
    keyed: bool = False
    limit: int = 0
    tags: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        """The operation's id."""
        return self.handler.__name__


ROUTES: Final[list[Route]] = []


def route(
    method: str,
    path: str,
    *,
    summary: str,
    permission: Permission | None,
    query: type[BaseModel] | None = None,
    body: type[BaseModel] | None = None,
    answer: type[BaseModel] | None = None,
    status: int = 200,
    upload: str = "",
    download: str = "",
    keyed: bool = False,
    limit: int = 0,
) -> Callable[[_Handler], _Handler]:
    """Declare a route. `permission` None: for everybody who is signed in."""

    def declare(handler: _Handler) -> _Handler:
        tag = path.split("/")[1]
        ROUTES.append(
            Route(
                method,
                path,
                summary,
                permission,
                handler,
                query,
                body,
                answer,
                status,
                upload,
                download,
                keyed,
                limit,
                (tag,),
            )
        )
        return handler

    return declare
