"""The action `webhook`: another program is told, at an address of the web."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, StringConstraints, field_validator

from router.then.base import Order, Template, Written

LONGEST_URL: Final = 2000
LONGEST_DATA: Final = 1000
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,59}$")]


class Webhook(Order):
    """Post JSON to an address: the rule, the event, the numbers of what it belongs to, and `data` of your own.

    Signed as Standard Webhooks has it (`clytie rules secret` shows the key), not redirected, tried again with growing
    waits; the receiver may get it twice, under the same `webhook-id`. What belongs to a confidential queue or case is told
    to nobody outside. Addresses inside of a network are refused, unless `router.webhooks.allowed` names them.
    """

    url: str = Field(max_length=LONGEST_URL, description="https://example.org/hook; it shows no fields")
    data: dict[Key, str] = Field(
        default_factory=dict,
        max_length=50,
        description="what the receiver gets besides, by name, with fields: {name: '{contact.name}'}",
    )

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            port_is_fine = parts.port is None or parts.port > 0
        except ValueError:
            port_is_fine, parts = False, urlsplit("")
        if parts.scheme not in ("https", "http") or not parts.hostname or not port_is_fine:
            raise ValueError(f"{value[:80]!r} is no address of the web; write https://example.org/hook")
        if "{" in value or any(sign.isspace() or ord(sign) < 32 for sign in value):
            raise ValueError("an address shows no fields and no white space; write them into data")
        if parts.username is not None or parts.password is not None:
            raise ValueError("no names or passwords in an address; check the signature at the receiver")
        return value

    @field_validator("data")
    @classmethod
    def _short(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if len(text) > LONGEST_DATA:
                raise ValueError(f"{name}: {LONGEST_DATA} characters at most")
        return value

    def templates(self) -> Mapping[str, Template]:
        """The receiver's data."""
        return {f"data.{name}": Template(text) for name, text in self.data.items()}


class WebhookAction(Written):
    """The action `webhook`; a plain address will do."""

    webhook: Annotated[
        Webhook, BeforeValidator(lambda value: {"url": value} if isinstance(value, str) else value)
    ]
