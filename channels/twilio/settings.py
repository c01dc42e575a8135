"""The account at Twilio: who we are there, and how its requests to us are signed."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator


class TwilioAccount(BaseModel):
    """The account at Twilio."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        return check_address(value)

    @model_validator(mode="after")
    def _check_login(self) -> Self:
        if bool(self.api_key) != bool(self.api_secret.get_secret_value()):
            raise ValueError("api_key and api_secret: set both, or none to log in with the account's token")
        if not self.base_url:
            raise ValueError("base_url: it cannot be empty; leave it out for the provider's own")
        return self


def check_address(value: str) -> str:
    """An http(s) address without query, or an empty one; the slash at its end is taken off. Raises ValueError."""
    if not value:
        return value
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("give an address such as https://hub.example/path, without query")
    return value.rstrip("/")
