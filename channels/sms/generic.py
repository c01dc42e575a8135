"""Short messages through any provider that takes them by a plain HTTP request: its form is told in the settings."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import Any, ClassVar, Final, Self
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from channels.base import CallbackRequest, Capability, Received
from channels.http.dispatch import Flight
from channels.http.forms import first, read_form
from channels.http.outcomes import Judgement, judge_answer
from channels.http.sending import Posted, Sending
from channels.sms.content import Text, read_text
from channels.sms.reasons import VOCABULARY
from channels.sms.settings import SmsSettings
from domain.errors import UnsupportedFeature
from domain.events import NewEvent
from domain.messages import ChannelKind, DeliveryState, Outbound

_PLACE: Final = re.compile(r"\{(recipient|digits|sender|body|token|validity|secret)\}")


class Form(StrEnum):
    """How the fields travel."""

    JSON = "json"  #: as a JSON object
    FORM = "form"  #: as a web form
    QUERY = "query"  #: in the URL


class HttpSmsSettings(SmsSettings):
    """How the provider wants to be asked. Places such as {recipient} are filled in: see `fields`."""

    url: str = Field(default="", description="address of the request; may hold {sender} and {recipient}")
    method: str = Field(default="POST", pattern=r"^(GET|POST|PUT)$", description="GET, POST or PUT")
    headers: dict[str, str] = Field(
        default_factory=dict, description='headers of the request, e.g. {"Authorization": "Bearer {secret}"}'
    )
    username: str = Field(default="", description="name for HTTP Basic; empty: no login of that kind")
    secret: SecretStr = Field(
        default=SecretStr(""), description="password for HTTP Basic, or key for the place {secret}"
    )
    form: Form = Field(default=Form.JSON, description="how the fields travel: json, form or query")
    fields: dict[str, Any] = Field(
        default_factory=lambda: {"to": "{recipient}", "from": "{sender}", "text": "{body}"},
        description="the fields; places: {recipient}, {digits} (the number without +), {sender}, {body}, {token} "
        "(ours, for reports), {validity} (seconds) and {secret}",
    )
    id_path: str = Field(
        default="id", description="where the message's number stands in the JSON answer, e.g. messages.0.id"
    )
    error_path: str = Field(
        default="",
        description="where an error's code stands; one that is there refuses the message, even with 200",
    )
    reasons: dict[str, str] = Field(
        default_factory=dict, description='our words for its codes, e.g. {"17": "opted_out"} (docs/sms.md)'
    )
    inbound: dict[str, str] = Field(
        default_factory=lambda: {"sender": "from", "recipient": "to", "id": "id"},
        description="names of the fields of a message that arrives: sender, recipient, id",
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise ValueError("give an address such as https://api.provider.example/messages")
        return value

    @model_validator(mode="after")
    def _check_fields_and_reasons(self) -> Self:
        if self.form is not Form.JSON and any(not isinstance(value, str) for value in self.fields.values()):
            raise ValueError(
                "fields: a form and a query hold texts only; write numbers in quotes, or use json"
            )
        if unknown := sorted(set(self.reasons.values()) - set(VOCABULARY)):
            raise ValueError(f"reasons: there is no word {unknown[0]}; known are {', '.join(VOCABULARY)}")
        return self


class HttpSms(Sending[Text]):
    """SMS through a provider with a plain HTTP interface. No reports: a message in doubt is settled by a person."""

    name: ClassVar[str] = "sms_http"
    kind: ClassVar[ChannelKind] = ChannelKind.SMS
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.SEND, Capability.RECEIVE, Capability.BULK}
    )
    settings_model: ClassVar[type[BaseModel]] = HttpSmsSettings
    vocabulary = VOCABULARY

    def __init__(self, settings: HttpSmsSettings) -> None:
        super().__init__(settings)
        self.settings = settings

    def _unready(self) -> str:
        return "" if self.settings.url else "no provider is set: fill in the url of this channel"

    def _read(self, message: Outbound) -> Text:
        return read_text(message, frozenset({"token", "validity"}))

    async def _post(self, text: Text, flight: Flight) -> Posted:
        settings, values = self.settings, self._values(text)
        fields = _fill(settings.fields, values)
        headers = {name: _fill(value, values) for name, value in settings.headers.items()}
        data: Any = fields if settings.form is Form.FORM else None
        if settings.form is Form.JSON:
            data = json.dumps(fields, ensure_ascii=False).encode()
            headers.setdefault("Content-Type", "application/json")
        answer = await self.web.request(
            settings.method,
            _fill(settings.url, {name: quote(value, safe="") for name, value in values.items()}),
            params=fields if settings.form is Form.QUERY else None,
            data=data,
            headers=headers,
            login=(settings.username, settings.secret.get_secret_value()) if settings.username else None,
        )
        return self._judge(answer.status, answer.text, has_retry_after=bool(flight.retry_after))

    def _judge(self, status: int, text: str, *, has_retry_after: bool) -> Posted:
        """What an answer means; a success without the message's number is no proof."""
        code = _find(text, self.settings.error_path)
        reason = self.settings.reasons.get(code, "refused")
        if not 200 <= status < 300:
            judgement = judge_answer(status, reason, has_retry_after=has_retry_after)
            return Posted(f"{status}: {text.strip()}", judgement=judgement)
        if code:  # refused in a polite way: judged as a 400 is
            return Posted(f"{code}: {text.strip()}", judgement=judge_answer(400, reason))
        provider_id = _find(text, self.settings.id_path)
        if not provider_id:
            return Posted(text.strip(), judgement=Judgement(DeliveryState.UNCERTAIN, "protocol_error"))
        return Posted("", provider_id=provider_id)

    def _values(self, text: Text) -> dict[str, str]:
        return {
            "recipient": text.recipient,
            "digits": text.recipient.lstrip("+"),
            "sender": text.sender,
            "body": text.body,
            "token": text.token,
            "validity": str(text.validity or ""),
            "secret": self.settings.secret.get_secret_value(),
        }

    def parse_callback(self, request: CallbackRequest) -> list[NewEvent]:
        """Forms and signatures of reports differ too much to be told in settings."""
        raise UnsupportedFeature("a provider with a plain HTTP interface has no callbacks here")

    def parse_inbound(self, raw: bytes) -> Received:
        """The envelope of a message that arrived, as JSON or as a form; never raises."""
        names = self.settings.inbound
        fields = read_form(raw)
        found = {
            role: _find(raw.decode("utf-8", "replace"), name) or first(fields, name)
            for role, name in names.items()
        }
        recipient = found.get("recipient", "")
        return Received(
            raw=raw,
            sender=found.get("sender", ""),
            recipients=(recipient,) if recipient else (),
            cursor=found.get("id", ""),
        )


def _fill(template: Any, values: dict[str, str]) -> Any:
    """The template with its places filled in, whatever its shape; what is put in is not looked at again."""
    if isinstance(template, dict):
        return {name: _fill(value, values) for name, value in template.items()}
    if isinstance(template, list):
        return [_fill(value, values) for value in template]
    return _PLACE.sub(lambda place: values[place[1]], template) if isinstance(template, str) else template


def _find(text: str, path: str) -> str:
    """The value at a path of names and numbers in a JSON text; empty when there is none, or no JSON."""
    if not path:
        return ""
    try:
        value = json.loads(text)
        for step in path.split("."):
            value = value[int(step)] if isinstance(value, list) else value[step]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
