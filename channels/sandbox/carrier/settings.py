"""Settings of the test carrier: where it listens, whose account it holds, which numbers it owns."""

from __future__ import annotations

import secrets
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

AccountSid = Annotated[str, Field(pattern=r"^AC[0-9a-f]{32}$")]
PhoneNumber = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]


class NumberSettings(BaseModel):
    """A number of ours, and where the carrier asks what to do with what arrives there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phone_number: PhoneNumber = Field(description="the number in E.164 form")
    friendly_name: str = Field(default="", description="what people call it")
    sms_url: str = Field(default="", description="asked when a message arrives")
    voice_url: str = Field(default="", description="asked when somebody calls")
    status_callback: str = Field(default="", description="told when a call to this number has ended")


class ServiceSettings(BaseModel):
    """A messaging service: senders that share what is sent through it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sid: str = Field(
        pattern=r"^MG[0-9a-f]{32}$", description="the service's identifier, MG and 32 hexadecimals"
    )
    friendly_name: str = Field(default="", description="what people call it")
    senders: tuple[str, ...] = Field(description="its numbers and alphanumeric senders")
    inbound_url: str = Field(
        default="", description="asked when a message arrives; else the number's own address is"
    )
    status_callback: str = Field(default="", description="told of every change of a message's state")


class CarrierSettings(BaseModel):
    """The test carrier: a provider of SMS and calls on this machine, to try both without an account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(default=True, description="run the test carrier")
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8029, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    url: str = Field(
        default="",
        pattern=r"^(https?://[^/]+)?$",
        description="where other processes reach it, such as http://mail:8029; host and port when unset",
    )
    account_sid: AccountSid = Field(
        default="AC" + "5a" * 16, description="identifier of the account that it holds"
    )
    auth_token: SecretStr = Field(
        default_factory=lambda: SecretStr(secrets.token_hex(16)),
        description="secret of that account: opens the interface and signs callbacks; made when unset",
    )
    api_keys: dict[str, SecretStr] = Field(
        default_factory=dict,
        description='API keys that open the interface as well: {"SK…32 hexadecimals": "secret"}',
    )
    numbers: tuple[NumberSettings, ...] = Field(default=(), description="numbers of the account")
    services: tuple[ServiceSettings, ...] = Field(default=(), description="messaging services of the account")
    routes: dict[str, str] = Field(
        default_factory=dict,
        description="where addresses really lie: requests to an address that begins with the left side go to the "
        'right side on this machine, signed for the left, as through a proxy: {"https://crm.example": '
        '"http://127.0.0.1:8025"}; what is neither there nor on this machine is never asked',
    )
    second: float = Field(
        default=1.0, gt=0, le=60, description="how many real seconds a second of the carrier lasts"
    )
    pace: float = Field(
        default=0.5,
        ge=0,
        le=3600,
        description="seconds between two states of a message or an unanswered call",
    )
    messages_per_second: float = Field(
        default=1000.0,
        gt=0,
        description="messages a second that leave from one sender; the rest waits in its queue",
    )
    queue_limit: int = Field(default=100_000, ge=1, description="messages that may wait for one sender")
    requests_per_second: float | None = Field(
        default=None,
        gt=0,
        description="requests a second before the interface answers 429; no limit when unset",
    )
    words_per_second: float = Field(default=3.0, gt=0, description="how fast a text is spoken")
    typing_seconds: float = Field(
        default=60.0,
        ge=0,
        le=3600,
        description="patience with speech, which people type here, beyond the document's",
    )
    callback_timeout: float = Field(
        default=15.0, gt=0, le=60, description="seconds that an address of ours has to answer a request"
    )
    opt_out: bool = Field(
        default=True,
        description="answer STOP, START and HELP as the provider does, and refuse messages after STOP",
    )
    media_needs_login: bool = Field(
        default=True, description="media and recordings are given only with the account's credentials"
    )
    price_per_segment: float = Field(
        default=0.0079, ge=0, description="price of one segment of a message, in USD"
    )
    price_per_minute: float = Field(
        default=0.014, ge=0, description="price of a started minute of a call, in USD"
    )
    price_after: float = Field(
        default=0.0,
        ge=0,
        description="seconds after a call's end until its price is told; the provider takes minutes",
    )

    @property
    def reached_at(self) -> str:
        """Where it is reached, without a slash at the end. With port 0 nobody knows before it listens."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return self.url or f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
