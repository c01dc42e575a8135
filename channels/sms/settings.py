"""Settings of short messages: what every provider has in common, and the account at Twilio."""

from __future__ import annotations

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from channels.sms.costs import Prices

_Seconds = Annotated[float, Field(gt=0)]
_Rate = Annotated[float, Field(gt=0, le=10_000)]


class SmsTimeouts(BaseModel):
    """Seconds to wait in each phase of a request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connect: _Seconds = Field(default=10, description="for a connection, its TLS handshake included")
    answer: _Seconds = Field(default=60, description="for the answer to a request")
    turn: _Seconds = Field(
        default=30, description="for a message's turn under the limits; one that waits longer is deferred"
    )
    rest: _Seconds = Field(
        default=120, description="the longest rest when the provider takes no more requests"
    )
    grace: _Seconds = Field(
        default=5,
        description="when sending is interrupted, for the answers to messages that are on their way",
    )


class SmsSettings(BaseModel):
    """What every provider of short messages has in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connections: int = Field(
        default=20, ge=1, le=200, description="requests under way at a time, per process"
    )
    rate: _Rate = Field(
        default=1,
        description="parts of messages per second by a sender that has no rate of its own, per process",
    )
    rates: dict[str, _Rate] = Field(
        default_factory=dict,
        description='parts per second by number, name or messaging service, e.g. {"+33700000001": 10}',
    )
    timeouts: SmsTimeouts = Field(default_factory=SmsTimeouts, description="seconds to wait in each phase")
    prices: Prices = Field(default_factory=Prices, description="what a part costs by country")


class TwilioSettings(SmsSettings):
    """The account at Twilio and how its servers reach us."""

    account_sid: str = Field(
        default="",
        pattern=r"^(AC[0-9a-fA-F]{32})?$",
        description="the account (AC…), or the subaccount that sends",
    )
    auth_token: SecretStr = Field(
        default=SecretStr(""),
        description="the account's token: signs what the provider sends us, and logs in",
    )
    api_key: str = Field(
        default="",
        pattern=r"^(SK[0-9a-fA-F]{32})?$",
        description="an API key (SK…) to log in with in place of the account's token",
    )
    api_secret: SecretStr = Field(default=SecretStr(""), description="the secret of the API key")
    signing_tokens: tuple[SecretStr, ...] = Field(
        default=(),
        description="further tokens that may sign: of subaccounts, the old one while it is rotated, shared keys",
    )
    base_url: str = Field(
        default="https://api.twilio.com",
        description="where the provider's API is: another region of it, or the test phone",
    )
    callback_url: str = Field(
        default="",
        description="our public address for the provider's reports, such as https://hub.example/callbacks/sms; "
        "empty: no reports are asked for",
    )
    validity: int = Field(
        default=14_400, ge=1, le=36_000, description="seconds that a message may wait at the provider"
    )

    @property
    def tokens(self) -> tuple[str, ...]:
        """All tokens that may sign a request to us."""
        every = (self.auth_token, *self.signing_tokens)
        return tuple(value for token in every if (value := token.get_secret_value()))

    @property
    def login(self) -> tuple[str, str]:
        """Name and password for the API."""
        if self.api_key:
            return self.api_key, self.api_secret.get_secret_value()
        return self.account_sid, self.auth_token.get_secret_value()

    @property
    def is_complete(self) -> bool:
        """Whether it can send: without an account nothing is tried."""
        return bool(self.account_sid and all(self.login))

    @field_validator("base_url", "callback_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("give an address such as https://hub.example/path, without query")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _check_login(self) -> Self:
        if bool(self.api_key) != bool(self.api_secret.get_secret_value()):
            raise ValueError("api_key and api_secret: set both, or none to log in with the account's token")
        if not self.base_url:
            raise ValueError("base_url: it cannot be empty; leave it out for the provider's own")
        return self
