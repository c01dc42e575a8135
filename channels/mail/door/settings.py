"""Settings of the doors that mail is handed in by: where they listen, how they encrypt, what one peer may ask."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_Seconds = Annotated[float, Field(gt=0)]


class DoorSettings(BaseModel):
    """What the SMTP and the LMTP door have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(default=True, description="Open this door.")
    host: str = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 for all.")
    port: int = Field(default=0, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    hostname: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9.\-\[\]:]*$",
        description="Our name in the greeting; empty for this machine's name.",
    )
    certificate: Path | None = Field(
        default=None,
        description="PEM file with the certificate and its chain; STARTTLS is offered when it is set.",
    )
    certificate_key: Path | None = Field(
        default=None, description="PEM file with the certificate's key; empty when it is in the same file."
    )
    size_limit: int = Field(
        default=52_428_800, ge=1024, le=2_000_000_000, description="The most bytes of one mail."
    )
    recipients_limit: int = Field(
        default=100, ge=1, le=10_000, description="The most recipients of one mail."
    )
    connections: int = Field(default=200, ge=1, description="Connections at a time, per process.")
    connections_per_peer: int = Field(
        default=50, ge=1, description="Connections at a time from one network address."
    )
    trusted_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")),
        description="Networks of our own servers in front of this door (CIDR); the limits of a single peer "
        "(connections, errors) are not for them.",
    )
    memory_limit: int = Field(
        default=268_435_456,
        ge=1024,
        description="Bytes of mails that may be on their way in at a time; beyond, senders are asked to come later.",
    )
    errors_limit: int = Field(
        default=20,
        ge=1,
        description="After so many errors in one connection, or of one peer within `pause_seconds`, the connection "
        "is closed, and its peer has to pause.",
    )
    pause_seconds: _Seconds = Field(
        default=60,
        description="How long a peer that made too many errors is kept out; each further time twice as long, up to "
        "ten minutes.",
    )
    command_seconds: _Seconds = Field(
        default=300, description="Seconds to wait for the next command; RFC 5321 wants 300."
    )
    data_seconds: _Seconds = Field(
        default=1800, description="Seconds that the content of one mail may take to arrive."
    )

    @model_validator(mode="after")
    def _check_certificate(self) -> Self:
        if self.certificate_key is not None and self.certificate is None:
            raise ValueError("certificate_key is set without certificate: set both, or the certificate alone")
        return self


class SmtpSettings(DoorSettings):
    """The SMTP door."""

    port: int = Field(
        default=8027,
        ge=0,
        le=65535,
        description="Port to listen on; 25 or 587 in production, 0 picks a free one.",
    )
    tls_required: bool = Field(
        default=False, description="Take no mail before STARTTLS; only for a door that strangers do not use."
    )
    users: dict[str, str] = Field(
        default_factory=dict,
        description="People and programs who may log in, by name, with the argon2 hash of their password "
        '({"anna": "$argon2id$…"}); `clytie mail password` makes one. AUTH is offered after STARTTLS when any is set.',
    )
    login_required: bool = Field(default=False, description="Take mail only from people who logged in.")

    @model_validator(mode="after")
    def _check_login(self) -> Self:
        for name, secret in self.users.items():
            if not secret.startswith("$argon2"):
                raise ValueError(
                    f"users[{name}] is not an argon2 hash: make one with `clytie mail password`, "
                    "passwords in the clear are not kept"
                )
        if (self.tls_required or self.users) and self.certificate is None:
            raise ValueError("tls_required and users need STARTTLS: set certificate (and certificate_key)")
        if self.login_required and not self.users:
            raise ValueError("login_required is set, but nobody can log in: add users")
        return self


class LmtpSettings(DoorSettings):
    """The LMTP door, for a mail server in front of us (Postfix, Exim) that hands its mail on."""

    enabled: bool = Field(default=False, description="Open this door.")
    port: int = Field(default=8028, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
