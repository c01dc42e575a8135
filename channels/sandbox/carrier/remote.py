"""The phones and the rules, from any other process: over the control interface of the one that runs the carrier."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, cast
from urllib.parse import quote

import aiohttp

from channels.sandbox.carrier.mischief import Rule
from channels.sandbox.carrier.phone import OwnNumber, Phone, PhoneSummary
from domain.errors import Conflict, InvalidInput, NotFound, Unavailable

_PATIENCE = 10.0  #: seconds that the carrier has to answer, beyond a wait that was asked for


class CarrierLink:
    """A way to the carrier. Lives in one event loop; close it."""

    def __init__(self, url: str, account_sid: str, auth_token: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": aiohttp.encode_basic_auth(account_sid, auth_token)}
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Give the connections back."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, patience: float = 0.0
    ) -> Any:
        """Ask, and give the answer. Raises NotFound, Conflict, InvalidInput, Unavailable."""
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers)
        try:
            async with self._session.request(
                method,
                f"{self._url}/control{path}",
                json=body,
                timeout=aiohttp.ClientTimeout(total=patience + _PATIENCE),
            ) as response:
                answer = await response.json(content_type=None)
                if response.status >= 400:
                    _raise(response.status, cast(Mapping[str, str], answer))
                return answer
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unavailable(f"The test carrier at {self._url} cannot be reached: {error}") from error

    async def fetch(self, path: str) -> tuple[str, bytes]:
        """Fetch a file: content type and content. Raises NotFound, Unavailable."""
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers)
        try:
            async with self._session.get(
                self._url + path, timeout=aiohttp.ClientTimeout(total=_PATIENCE)
            ) as response:
                if response.status != 200:
                    _raise(response.status, {"error": "This file is gone."})
                return response.content_type, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"The test carrier at {self._url} cannot be reached: {error}") from error


class RemotePhones:
    """The phones, as `channels.sandbox.carrier.phone.Phones` has them."""

    def __init__(self, link: CarrierLink) -> None:
        self._link = link

    async def list_phones(self) -> list[PhoneSummary]:
        """See Phones."""
        return [PhoneSummary.model_validate(one) for one in await self._link.ask("GET", "/phones")]

    async def list_numbers(self) -> list[OwnNumber]:
        """See Phones."""
        return [OwnNumber.model_validate(one) for one in await self._link.ask("GET", "/numbers")]

    async def add_phone(self, number: str, name: str = "") -> None:
        """See Phones."""
        await self._link.ask("POST", "/phones", {"number": number, "name": name})

    async def show_phone(self, number: str) -> Phone:
        """See Phones."""
        return Phone.model_validate(await self._link.ask("GET", f"/phones/{quote(number)}"))

    async def send_text(
        self, number: str, to: str, body: str, media: Sequence[tuple[str, bytes]] = ()
    ) -> str:
        """See Phones."""
        encoded = [
            {"content_type": content_type, "content": base64.b64encode(content).decode()}
            for content_type, content in media
        ]
        given: dict[str, object] = {"to": to, "body": body, "media": encoded}
        return str((await self._link.ask("POST", f"/phones/{quote(number)}/texts", given))["sid"])

    async def fetch_attachment(self, sid: str) -> tuple[str, bytes]:
        """See Phones."""
        return await self._link.fetch(f"/content/{quote(sid)}")

    async def call(self, number: str, to: str) -> str:
        """See Phones."""
        return str((await self._link.ask("POST", f"/phones/{quote(number)}/calls", {"to": to}))["sid"])

    async def answer(self, call_sid: str) -> None:
        """See Phones."""
        await self._link.ask("POST", f"/calls/{quote(call_sid)}/answer", {})

    async def hang_up(self, call_sid: str) -> None:
        """See Phones."""
        await self._link.ask("POST", f"/calls/{quote(call_sid)}/hang-up", {})

    async def press(self, call_sid: str, digits: str) -> None:
        """See Phones."""
        await self._link.ask("POST", f"/calls/{quote(call_sid)}/press", {"digits": digits})

    async def speak(self, call_sid: str, text: str) -> None:
        """See Phones."""
        await self._link.ask("POST", f"/calls/{quote(call_sid)}/speak", {"text": text})

    async def wait(self, version: int, timeout: float) -> int:
        """See Phones."""
        path = f"/changes?version={version}&timeout={timeout}"
        return int((await self._link.ask("GET", path, patience=timeout))["version"])


class RemoteControl:
    """Mischief and services, for tests and the console."""

    def __init__(self, link: CarrierLink) -> None:
        self._link = link

    async def add_rule(self, rule: Rule) -> int:
        """Misbehave so from now on; gives the rule's number."""
        return int((await self._link.ask("POST", "/rules", rule.model_dump(mode="json")))["rule"])

    async def remove_rule(self, number: int) -> None:
        """Take a rule back."""
        await self._link.ask("DELETE", f"/rules/{number}")

    async def list_rules(self) -> dict[int, Rule]:
        """The rules in force."""
        rules = await self._link.ask("GET", "/rules")
        return {int(number): Rule.model_validate(rule) for number, rule in rules.items()}

    async def behave(self) -> None:
        """Take all rules back."""
        await self._link.ask("DELETE", "/rules")

    async def add_service(
        self, senders: Sequence[str], *, inbound_url: str = "", status_callback: str = ""
    ) -> str:
        """Make a messaging service; gives its identifier."""
        given: dict[str, object] = {
            "senders": list(senders),
            "inbound_url": inbound_url,
            "status_callback": status_callback,
        }
        return str((await self._link.ask("POST", "/services", given))["sid"])

    async def list_requests(self) -> list[dict[str, Any]]:
        """The requests that the carrier made last, the newest at the end."""
        return cast(list[dict[str, Any]], await self._link.ask("GET", "/requests"))

    async def list_problems(self) -> list[dict[str, Any]]:
        """What addresses and documents of ours did wrong, the newest at the end."""
        return cast(list[dict[str, Any]], await self._link.ask("GET", "/problems"))


def _raise(status: int, answer: Mapping[str, str]) -> NoReturn:
    sentence = answer.get("error") or answer.get("message") or ""
    if status == 404:
        raise NotFound(sentence)
    if status == 409:
        raise Conflict(sentence)
    if status == 400:
        raise InvalidInput(answer.get("field", ""), answer.get("problem", sentence), answer.get("remedy", ""))
    raise Unavailable(f"The test carrier answered {status}: {sentence}")
