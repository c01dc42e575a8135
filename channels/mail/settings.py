"""Settings of outgoing mail: the server that takes our messages, how we reach it, how long we wait."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from channels.mail.oauth.settings import OAuthSettings

_Token = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f]*$", max_length=255)]
_Seconds = Annotated[float, Field(gt=0)]
_Limit = Annotated[int, Field(ge=1)] | None


class Encryption(StrEnum):
    """How a connection is encrypted."""

    NEVER = "never"  #: plain text; only for a server on the same machine or a private network
    OPPORTUNISTIC = "opportunistic"  #: STARTTLS when the server offers it
    REQUIRED = "required"  #: STARTTLS, or nothing is sent
    IMPLICIT = "implicit"  #: TLS from the first byte, usually on port 465


class Timeouts(BaseModel):
    """Seconds to wait in each phase; the defaults are those of RFC 5321, 4.5.3.2."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connect: _Seconds = Field(default=30, description="for the TCP connection and for each TLS handshake")
    greeting: _Seconds = Field(default=300, description="for the server's greeting")
    command: _Seconds = Field(default=300, description="for the replies to EHLO, STARTTLS, AUTH and RSET")
    mail: _Seconds = Field(default=300, description="for the reply to MAIL")
    rcpt: _Seconds = Field(default=300, description="for the reply to RCPT")
    data: _Seconds = Field(default=120, description="for the reply to DATA")
    block: _Seconds = Field(default=180, description="for the server to read a block of a long message")
    dot: _Seconds = Field(default=600, description="for the reply to a message's end")
    quit: _Seconds = Field(default=5, description="for the reply to QUIT")
    idle: _Seconds = Field(default=30, description="an unused connection is kept open for so long")
    grace: _Seconds = Field(
        default=5,
        description="when sending is interrupted, for the replies to messages that are fully written",
    )


class WarmUp(BaseModel):
    """How a server that nobody knows yet is brought to its volume: so many messages on its first day, and so on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: date = Field(description="the first day (UTC)")
    days: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        min_length=1,
        description="messages within 24 hours on each day; after the last one there is no such limit",
    )

    def limit(self, today: date) -> int | None:
        """Messages that may go out today; None when the plan is over. Before it begins, nothing does."""
        day = (today - self.start).days
        if day >= len(self.days):
            return None
        return self.days[day] if day >= 0 else 0


class RelaySettings(BaseModel):
    """A server that takes outgoing mail (a relay, or the organisation's own mail server)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: _Token = Field(default="127.0.0.1", description="name or address of the mail server", min_length=1)
    port: int = Field(
        default=25, ge=1, le=65535, description="25 or 587 with STARTTLS, 465 with implicit TLS"
    )
    encryption: Encryption = Field(
        default=Encryption.OPPORTUNISTIC,
        description="never, opportunistic (STARTTLS when offered), required (STARTTLS) or implicit (TLS at once)",
    )
    verify: bool = Field(
        default=True,
        description="check the server's certificate; an opportunistic connection without a login never checks",
    )
    ca_file: Path | None = Field(
        default=None, description="certificates to trust instead of the system's, a PEM file"
    )
    username: str = Field(default="", description="login at the server; empty for none")
    password: SecretStr = Field(default=SecretStr(""), description="password at the server")
    oauth: OAuthSettings | None = Field(default=None, description="OAuth 2.0 instead of a password")
    plain_login: bool = Field(default=False, description="allow to log in over a connection without TLS")
    client_name: _Token = Field(
        default="", description="our name in EHLO; empty for the address of our side of the connection"
    )
    connections: int = Field(default=8, ge=1, le=200, description="connections kept open per process")
    messages_per_connection: int = Field(
        default=1000, ge=1, description="a connection is replaced after so many messages"
    )
    pipelining: bool = Field(default=True, description="use PIPELINING where the server offers it")
    timeouts: Timeouts = Field(default_factory=Timeouts, description="seconds to wait in each phase")

    name: str = Field(default="", description="what it is called here; empty for its host", max_length=80)
    priority: int = Field(
        default=10,
        description="where several could take a message: the lowest number first, the others when it fails",
    )
    serves: tuple[str, ...] = Field(
        default=(), description="authors whose mail it takes: addresses or domains; empty for everybody"
    )
    per_minute: _Limit = Field(default=None, description="messages in any 60 seconds, over all processes")
    per_hour: _Limit = Field(default=None, description="messages in any 60 minutes, over all processes")
    per_day: _Limit = Field(default=None, description="messages in any 24 hours, over all processes")
    warm_up: WarmUp | None = Field(
        default=None, description='slow beginning, e.g. {"start": "2026-11-02", "days": [50, 100, 200, 400]}'
    )

    @property
    def called(self) -> str:
        """The name in journals and limits."""
        return self.name or self.host

    @property
    def is_limited(self) -> bool:
        """Whether only so many messages may go this way."""
        return bool(self.per_minute or self.per_hour or self.per_day or self.warm_up)

    def takes(self, author: str) -> bool:
        """Whether it takes mail of this author (an address; empty: not known)."""
        author = author.lower()
        domain = author.rpartition("@")[2]
        return not self.serves or any(one.lower() in (author, domain) for one in self.serves)

    @model_validator(mode="after")
    def _check_login(self) -> Self:
        if "\0" in self.username or "\0" in self.password.get_secret_value():
            raise ValueError("username and password: a NUL cannot be sent; remove it")
        if self.oauth is not None and (not self.username or self.password.get_secret_value()):
            raise ValueError("oauth takes the place of the password: set a username, and no password")
        if self.username and self.encryption is Encryption.NEVER and not self.plain_login:
            raise ValueError(
                "encryption is `never`, so the password would travel in the clear: choose `required` or "
                "`implicit`, or set plain_login if the way to the server is private"
            )
        return self


class MailSettings(RelaySettings):
    """The server that takes outgoing mail, or several of them."""

    relays: tuple[RelaySettings, ...] = Field(
        default=(),
        description="several servers, each with the settings above; when set, the single server above is not used",
    )

    @property
    def servers(self) -> tuple[RelaySettings, ...]:
        """The servers, in the order in which they are tried."""
        return tuple(sorted(self.relays, key=lambda one: one.priority)) or (self,)

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        names = [one.called for one in self.relays]
        if len(set(names)) < len(names):
            raise ValueError("relays: two have the same name; give each a `name` of its own")
        return self
