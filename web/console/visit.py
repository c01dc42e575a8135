"""One request of a person to the console: who asks, in which language, and how to answer."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from domain.errors import Forbidden, InvalidInput
from web.access.origin import is_this_machine
from web.access.people import Person
from web.access.permissions import OPEN_IN_DEMOS, Permission
from web.access.sessions import Session
from web.console.notices import notice_text
from web.console.rendering import render
from web.context import WebContext
from web.i18n import N_

LANGUAGE_COOKIE: Final = "clytie_language"
ANONYMOUS_COOKIE: Final = "clytie_form"


@dataclass(slots=True)
class Visit:
    """What a page's handler is given. `csrf` is the secret that every form carries."""

    request: web.Request
    context: WebContext
    session: Session | None
    csrf: str
    language: str
    now: datetime  #: business time
    fields: Mapping[str, str] = field(default_factory=dict)  #: the form's fields, of a POST
    cursor: str = ""  #: from where on what happens is news to the page: web/live/gap.py

    @property
    def person(self) -> Person:
        """Who is signed in. Raises Forbidden on a page that nobody needs to be signed in for."""
        if self.session is None:
            raise Forbidden(N_("Please sign in first."))
        return self.session.person

    @property
    def is_fragment(self) -> bool:
        """Tell whether a script asks for a part of a page."""
        return self.request.headers.get("X-Fragment") == "1"

    @property
    def is_open_demo(self) -> bool:
        """Tell whether the visitor may become anybody: only in a demo, and only on its own machine."""
        return self.context.demo and is_this_machine(self.request)

    def require(self, permission: Permission) -> None:
        """Raises Forbidden when the person's role does not have the permission."""
        if not self.person.may(permission) and not (self.context.demo and permission in OPEN_IN_DEMOS):
            raise Forbidden(N_("Your role does not include this. Ask an administrator."))

    def check_csrf(self, given: str) -> None:
        """Raises Forbidden when a form does not carry the secret of this session."""
        if not self.csrf or not hmac.compare_digest(given.encode(), self.csrf.encode()):
            raise Forbidden(
                N_("This form is too old, or came from another page. Go back, reload and send it again.")
            )

    def number(self, name: str) -> int:
        """An id from the path."""
        return read_number(self.request.match_info[name], name)

    def query_number(self, name: str) -> int | None:
        """An id from the query, None when it is absent."""
        text = self.request.query.get(name, "")
        return read_number(text, name) if text else None

    def text(self, name: str, *, longest: int = 10_000) -> str:
        """A field of the form, trimmed. Raises InvalidInput when it is too long."""
        value = self.fields.get(name, "").strip()
        if len(value) > longest:
            raise InvalidInput(name, N_("This text is too long."), N_("Shorten it."))
        return value

    def page(self, template: str, status: int = 200, **values: Any) -> web.Response:
        """Render a template of templates/console as a whole page."""
        body = render(
            template,
            person=self.session.person if self.session else None,
            now=self.now,
            path=self.request.path,
            demo=self.context.demo,
            values={
                "csrf": self.csrf,
                "cursor": self.cursor,
                "can_call": self.context.voice is not None and self.context.voice.switchboard.reachable,
                "notice": notice_text(self.request.query.get("notice", "")),
                **values,
            },
        )
        return web.Response(text=body, content_type="text/html", charset="utf-8", status=status)

    def redirect(self, path: str, notice: str = "") -> web.Response:
        """Answer a form: see `path` (RFC 9110, 303), with a notice of web/console/notices.py."""
        if notice:
            place, hash_sign, part = path.partition("#")
            place += ("&" if "?" in place else "?") + "notice=" + quote(notice)
            path = place + hash_sign + part
        return web.Response(status=303, headers={"Location": path})


def read_number(text: str, name: str) -> int:
    """An id as it stands in a URL or form. Raises InvalidInput when it is none."""
    number = find_number(text)
    if number is None:
        raise InvalidInput(name, N_("This is not a number."), N_("Choose one from the list."))
    return number


def find_number(text: str) -> int | None:
    """An id that a bigint holds, or None for anything else: thousands of digits, say, which int() refuses."""
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    number = int(text)
    return number if number < 1 << 63 else None


async def read_form(request: web.Request) -> Mapping[str, str]:
    """The text fields of a form; files are refused (uploads are streamed by the page that takes them)."""
    data = await request.post()
    return {name: value for name, value in data.items() if isinstance(value, str)}
