"""Settings of the authentication of inbound mail."""

from __future__ import annotations

from ipaddress import ip_network

from pydantic import BaseModel, ConfigDict, Field, field_validator


class AuthenticationSettings(BaseModel):
    """Whom to believe about a sender, and what to check."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    check: bool = Field(default=True, description="check SPF, DKIM and DMARC of inbound mail; needs DNS")
    trusted_servers: tuple[str, ...] = Field(
        default=(),
        description="names (authserv-id) of servers before ours whose Authentication-Results are believed instead, "
        'e.g. ["mx.google.com"]; they must remove such headers from what strangers send',
    )
    own_networks: tuple[str, ...] = Field(
        default=("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
        description="networks of our own relays: SPF is not asked about a connection from there",
    )
    timeout: float = Field(default=5.0, gt=0, le=60, description="seconds for the DNS questions of one mail")

    @field_validator("own_networks")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"{network!r} is no network; write it like 10.0.0.0/8") from error
        return value
