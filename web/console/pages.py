"""The table of console pages, and the guard around each: session, language, CSRF, permission, errors, headers.

A page is one declaration:

    @page("GET", "/tasks", permission=Permission.TASKS_WORK)
    async def show_tasks(visit: Visit) -> web.StreamResponse: ...
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from domain.errors import Forbidden
from web.access.origin import SAFE_METHODS, comes_from_another_site, is_https
from web.access.permissions import Permission
from web.access.sessions import SESSION_COOKIE, find_session
from web.console.failures import answer_failure
from web.console.visit import ANONYMOUS_COOKIE, LANGUAGE_COOKIE, Visit, read_form
from web.context import CONTEXT
from web.headers import protect
from web.i18n import LANGUAGES, N_, choose_language, use_language
from web.live.gap import CURSOR

PageHandler = Callable[[Visit], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Page:
    """One declared page. `permission` None: open to people who are not signed in."""

    method: str
    path: str
    permission: Permission | None
    handler: PageHandler
    streamed: bool  #: the handler reads the body, and checks the form's secret, itself


PAGES: Final[list[Page]] = []


def page(
    method: str, path: str, *, permission: Permission | None, streamed: bool = False
) -> Callable[[PageHandler], PageHandler]:
    """Declare a page."""

    def declare(handler: PageHandler) -> PageHandler:
        PAGES.append(Page(method, path, permission, handler, streamed))
        return handler

    return declare


def fixed_parts_first(path: str) -> list[bool]:
    """Sorts `/campaigns/new` before `/campaigns/{id}`, whichever module was imported first."""
    return ["{" in part for part in path.split("/")]


def install_pages(app: web.Application) -> None:
    """Add every declared page to the application, and a friendly answer for addresses that nobody declared."""
    for declared in sorted(PAGES, key=lambda page: fixed_parts_first(page.path)):
        app.router.add_route(declared.method, declared.path, _guard(declared))
    app.router.add_route("GET", "/{rest:.*}", _guard(Page("GET", "/{rest}", None, _nothing_here, False)))


async def _nothing_here(visit: Visit) -> web.StreamResponse:
    raise web.HTTPNotFound()


def _guard(declared: Page) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        context = request.app[CONTEXT]
        language = request.cookies.get(LANGUAGE_COOKIE, "")
        if language not in LANGUAGES:
            language = choose_language(request.headers.get("Accept-Language", ""))
        anonymous = request.cookies.get(ANONYMOUS_COOKIE, "")
        use_language(language)
        visit = Visit(request, context, None, anonymous, language, context.clock.now())
        try:
            response = await _answer(declared, visit)
        except Exception as error:
            response = answer_failure(visit, error)
        if not response.prepared:
            protect(response)
            if visit.session is None and visit.csrf != anonymous:
                response.set_cookie(
                    ANONYMOUS_COOKIE,
                    visit.csrf,
                    httponly=True,
                    samesite="Lax",
                    secure=is_https(request, context.settings),
                    path="/",
                )
        return response

    return handle


async def _answer(declared: Page, visit: Visit) -> web.StreamResponse:
    request = visit.request
    cookie = request.cookies.get(SESSION_COOKIE, "")
    if cookie:
        visit.session = await find_session(visit.context.pool, cookie)
    if visit.session is not None:
        visit.csrf = visit.session.csrf
        if not visit.context.demo:  # whoever plays a persona keeps their own language
            visit.language = visit.session.person.language
            use_language(visit.language)
    elif not visit.csrf:
        visit.csrf = secrets.token_urlsafe(24)
    if declared.permission is not None:
        if visit.session is None:
            return _to_sign_in(visit)
        visit.require(declared.permission)
    if request.method not in SAFE_METHODS:
        if comes_from_another_site(request):
            raise Forbidden(N_("Another site sent this form. Nothing was done."))
        if not declared.streamed:
            visit.fields = await read_form(request)
            visit.check_csrf(visit.fields.get("csrf", "") or request.headers.get("X-CSRF-Token", ""))
    if request.method == "GET" and visit.session is not None and not visit.is_fragment:
        visit.cursor = await visit.context.pool.fetchval(CURSOR)
    return await declared.handler(visit)


def _to_sign_in(visit: Visit) -> web.Response:
    if visit.is_fragment:
        return web.Response(status=401)
    here = visit.request.path_qs
    if here == "/" and visit.is_open_demo:
        return visit.redirect("/personas")
    return visit.redirect(
        "/sign-in" if here == "/" else f"/sign-in?next={visit.request.rel_url.with_query(None)}"
    )
