"""From a request to a declared route and back: who asks, reading of query and body, permission, answer, problems."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel

from domain.errors import Forbidden, InvalidInput
from web.access.origin import SAFE_METHODS, comes_from_another_site
from web.access.people import Person
from web.access.sessions import SESSION_COOKIE, find_person_by_token, find_session
from web.api.problems import NotSignedIn, answer_problem
from web.api.registry import PREFIX, ROUTES, Call, Route
from web.context import CONTEXT, WebContext
from web.forms import read_model
from web.i18n import N_, choose_language, use_language

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def install_routes(app: web.Application) -> None:
    """Add every declared route, and a problem for addresses that nobody declared."""
    for declared in ROUTES:
        app.router.add_route(declared.method, PREFIX + declared.path, answer_with(declared))
    app.router.add_route("*", PREFIX + "/{rest:.*}", answer_with(None))


def answer_with(declared: Route | None) -> Handler:
    """The aiohttp handler of a route."""

    async def handle(request: web.Request) -> web.StreamResponse:
        context = request.app[CONTEXT]
        use_language(choose_language(request.headers.get("Accept-Language", "")))
        try:
            person, csrf = await _identify(request, context)
            if declared is None:
                raise web.HTTPNotFound()
            response = await _answer(declared, request, context, person, csrf)
        except Exception as error:
            response = answer_problem(error, request.path)
        if not response.prepared:
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
        return response

    return handle


async def _identify(request: web.Request, context: WebContext) -> tuple[Person, str]:
    """Whose token or session it is. A session must show its secret before it may change anything."""
    scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme:
        person = (
            await find_person_by_token(context.pool, secret.strip()) if scheme.lower() == "bearer" else None
        )
        if person is None:
            raise NotSignedIn(N_("This token is not known. Make one on your account's page in the console."))
        return person, ""
    cookie = request.cookies.get(SESSION_COOKIE, "")
    session = await find_session(context.pool, cookie) if cookie else None
    if session is None:
        raise NotSignedIn(N_("Sign in, or send an API token as “Authorization: Bearer …”."))
    if request.method not in SAFE_METHODS:
        given = request.headers.get("X-CSRF-Token", "")
        if comes_from_another_site(request) or not hmac.compare_digest(given.encode(), session.csrf.encode()):
            raise Forbidden(
                N_(
                    "With a session, send the header X-CSRF-Token; GET /api/v1/me tells it. Or use an API token."
                )
            )
    return session.person, session.csrf


async def _answer(
    declared: Route, request: web.Request, context: WebContext, person: Person, csrf: str
) -> web.StreamResponse:
    if declared.permission is not None and not person.may(declared.permission):
        raise Forbidden(N_("Your role does not include this. Ask an administrator."))
    call = Call(request, context, person, context.clock.now(), csrf=csrf)
    if declared.query is not None:
        call.query = read_model(declared.query, dict(request.query))
    if declared.body is not None:
        limited = request.clone(client_max_size=declared.limit) if declared.limit else request
        call.body = read_model(declared.body, await _read_json(limited))
    answer = await declared.handler(call)
    if isinstance(answer, web.StreamResponse):
        return answer
    if declared.answer is None:
        return web.Response(status=204)
    return web.Response(
        text=write_json(declared.answer, answer), status=declared.status, content_type="application/json"
    )


async def _read_json(request: web.Request) -> Any:
    if request.content_type != "application/json":
        raise InvalidInput(
            "Content-Type", N_("This is not JSON."), N_("Send JSON, with Content-Type: application/json.")
        )
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            "body", N_("This is not JSON."), N_("Check commas, quotation marks and braces.")
        ) from error


def write_json(model: type[BaseModel], answer: Any) -> str:
    """The answer's JSON, checked against the model that the route declares."""
    checked = answer if isinstance(answer, model) else model.model_validate(answer)
    return checked.model_dump_json(by_alias=True)
