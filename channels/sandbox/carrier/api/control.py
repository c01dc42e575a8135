"""The stand-in's own interface, beside the provider's: phones, rules of mischief, and what went wrong.

JSON in and out, the account's credentials as everywhere. Tests and the console use it through `RemotePhones` and
`RemoteControl`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from channels.sandbox.carrier.handsets import Handsets
from channels.sandbox.carrier.mischief import Rule
from channels.sandbox.carrier.parts import Parts
from channels.sandbox.carrier.records import Account, Service, make_sid
from domain.errors import Conflict, InvalidInput, NotFound

_LONGEST_WAIT: Final = 30.0  #: real seconds


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewPhone(_Given):
    """A phone to put on the table."""

    number: str
    name: str = ""


class NewMedia(_Given):
    """A picture or file; its content in base 64."""

    content_type: str
    content: str


class NewText(_Given):
    """A message to send from a phone."""

    to: str
    body: str = ""
    media: list[NewMedia] = Field(default_factory=list, max_length=10)


class NewCall(_Given):
    """A number to call."""

    to: str


class NewDeed(_Given):
    """What to do on a call."""

    digits: str = ""
    text: str = ""


class NewService(_Given):
    """A messaging service to make."""

    friendly_name: str = ""
    senders: tuple[str, ...] = Field(min_length=1)
    inbound_url: str = ""
    status_callback: str = ""


def add_controls(
    app: web.Application, parts: Parts, phones: Handsets, login: Callable[[web.Request], Account]
) -> None:
    """Add the routes to the application."""
    controls = _Controls(parts, phones)
    routes: tuple[tuple[str, str, Callable[[web.Request], Awaitable[object]]], ...] = (
        ("GET", "/phones", controls.list_phones),
        ("GET", "/numbers", controls.list_numbers),
        ("POST", "/phones", controls.add_phone),
        ("GET", "/phones/{number}", controls.show_phone),
        ("POST", "/phones/{number}/texts", controls.send_text),
        ("POST", "/phones/{number}/calls", controls.call),
        ("POST", "/calls/{sid}/{deed}", controls.act),
        ("GET", "/changes", controls.wait),
        ("GET", "/rules", controls.list_rules),
        ("POST", "/rules", controls.add_rule),
        ("DELETE", "/rules", controls.clear_rules),
        ("DELETE", "/rules/{rule}", controls.remove_rule),
        ("GET", "/requests", controls.list_requests),
        ("GET", "/problems", controls.list_problems),
        ("POST", "/services", controls.add_service),
    )
    for method, path, handler in routes:
        app.router.add_route(method, "/control" + path, _guard(handler, login))


def _guard(
    handler: Callable[[web.Request], Awaitable[object]], login: Callable[[web.Request], Account]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def guarded(request: web.Request) -> web.StreamResponse:
        login(request)
        try:
            return web.json_response(await handler(request))
        except InvalidInput as error:
            return _explain(400, str(error), field=error.field, problem=error.problem, remedy=error.remedy)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            return _explain(400, str(first["msg"]), field=name, problem=str(first["msg"]), remedy="")
        except NotFound as error:
            return _explain(404, str(error))
        except Conflict as error:
            return _explain(409, str(error))

    return guarded


def _explain(status: int, sentence: str, **more: str) -> web.Response:
    return web.json_response({"error": sentence, **more}, status=status)


class _Controls:
    def __init__(self, parts: Parts, phones: Handsets) -> None:
        self._parts = parts
        self._phones = phones

    async def list_phones(self, request: web.Request) -> object:
        return [phone.model_dump(mode="json") for phone in await self._phones.list_phones()]

    async def list_numbers(self, request: web.Request) -> object:
        return [number.model_dump(mode="json") for number in await self._phones.list_numbers()]

    async def add_phone(self, request: web.Request) -> object:
        given = NewPhone.model_validate_json(await request.read())
        await self._phones.add_phone(given.number, given.name)
        return {}

    async def show_phone(self, request: web.Request) -> object:
        return (await self._phones.show_phone(request.match_info["number"])).model_dump(mode="json")

    async def send_text(self, request: web.Request) -> object:
        given = NewText.model_validate_json(await request.read())
        try:
            media = [(one.content_type, base64.b64decode(one.content, validate=True)) for one in given.media]
        except binascii.Error as error:
            raise InvalidInput("media.content", "This is not base 64.", "Encode the file.") from error
        number = request.match_info["number"]
        return {"sid": await self._phones.send_text(number, given.to, given.body, media)}

    async def call(self, request: web.Request) -> object:
        given = NewCall.model_validate_json(await request.read())
        return {"sid": await self._phones.call(request.match_info["number"], given.to)}

    async def act(self, request: web.Request) -> object:
        sid, deed = request.match_info["sid"], request.match_info["deed"]
        given = NewDeed.model_validate_json(await request.read() or b"{}")
        if deed == "answer":
            await self._phones.answer(sid)
        elif deed == "hang-up":
            await self._phones.hang_up(sid)
        elif deed == "press":
            await self._phones.press(sid, given.digits)
        elif deed == "speak":
            await self._phones.speak(sid, given.text)
        else:
            raise NotFound(f"Nobody can {deed} on a call.")
        return {}

    async def wait(self, request: web.Request) -> object:
        try:
            version = int(request.query.get("version", "-1"))
            timeout = min(_LONGEST_WAIT, max(0.0, float(request.query.get("timeout", "0"))))
        except ValueError as error:
            raise InvalidInput(
                "version", "This is no number.", "Give the version of the last answer."
            ) from error
        return {"version": await self._phones.wait(version, timeout)}

    async def list_rules(self, request: web.Request) -> object:
        rules = self._parts.exchange.mischief.rules
        return {str(number): rule.model_dump(mode="json") for number, rule in rules.items()}

    async def add_rule(self, request: web.Request) -> object:
        return {"rule": self._parts.exchange.mischief.add(Rule.model_validate_json(await request.read()))}

    async def remove_rule(self, request: web.Request) -> object:
        try:
            self._parts.exchange.mischief.remove(int(request.match_info["rule"]))
        except ValueError as error:
            raise NotFound("Rules have numbers.") from error
        return {}

    async def clear_rules(self, request: web.Request) -> object:
        self._parts.exchange.mischief.clear()
        return {}

    async def list_requests(self, request: web.Request) -> object:
        return [
            {
                "at": one.at.isoformat(),
                "url": one.url,
                "params": dict(one.params),
                "status": one.status,
                "error": one.error,
            }
            for one in self._parts.courier.log
        ]

    async def list_problems(self, request: web.Request) -> object:
        return [
            {"at": one.at.isoformat(), "code": one.code, "about": one.about, "text": one.text}
            for one in self._parts.exchange.problems
        ]

    async def add_service(self, request: web.Request) -> object:
        given = NewService.model_validate_json(await request.read())
        memory = self._parts.exchange.memory
        account_sid = self._parts.exchange.settings.account_sid
        service = Service(make_sid("MG"), account_sid, **given.model_dump())
        memory.services[service.sid] = service
        return {"sid": service.sid}
