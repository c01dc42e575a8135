"""Settings of the router: how much at once, how often it looks, how far chains may go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from pydantic import BaseModel, Field, SecretStr, field_validator

from channels.http.hooks import read_secret
from channels.http.public import read_networks
from router.working_time import read_calendar

_DAY = [["09:00", "12:30"], ["14:00", "18:00"]]


class WebhookSettings(BaseModel):
    """Webhooks of rules."""

    timeout: float = Field(10.0, gt=0, le=60, description="Seconds that a receiver has to answer.")
    at_once: int = Field(8, ge=1, le=100, description="Webhooks that one process posts side by side.")
    allowed: tuple[str, ...] = Field(
        (),
        description="Networks inside that webhooks may go to, though they are not public: 10.1.0.0/16, 127.0.0.1.",
    )
    secret: SecretStr | None = Field(
        None,
        description="What signs them: `whsec_` and 24 to 64 bytes in base64. Made from the token keys when unset; "
        "`clytie rules secret` shows it.",
    )

    @field_validator("allowed")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        read_networks(value)
        return value

    @field_validator("secret")
    @classmethod
    def _bytes(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            read_secret(value.get_secret_value())
        return value


class RouterSettings(BaseModel):
    """Rules, tasks and timers."""

    batch: int = Field(500, ge=1, le=10_000, description="Events routed in one transaction, at most.")
    lanes_at_once: int = Field(
        16,
        ge=1,
        le=32,
        description="Lanes of contacts that one transaction locks; the others are left to others.",
    )
    workers: int = Field(
        2, ge=1, le=16, description="Transactions that one process keeps going side by side."
    )
    poll_seconds: float = Field(
        1.0, gt=0, le=60, description="How often to look for work when nothing was announced."
    )
    hold_margin: timedelta = Field(
        timedelta(seconds=1),
        description="Added to the settle time of a hit before a rule asks for its verdict.",
    )
    hold_patience: timedelta = Field(
        timedelta(seconds=5), description="How often a rule asks again for a verdict that is late."
    )
    moments_every: timedelta = Field(
        timedelta(minutes=15),
        description="How often to look for contacts and cases whose dates come near, for rules about moments.",
    )
    timezone: str = Field(
        "Europe/Paris", description="Time zone of dates of contacts who have none of their own."
    )
    longest_chain: int = Field(
        5,
        ge=1,
        le=50,
        description="Rules that may set each other off in a row; the next one is refused, visibly.",
    )
    attempts: int = Field(5, ge=1, le=20, description="How often a failing rule is tried for one event.")
    retry_after: timedelta = Field(
        timedelta(minutes=1),
        description="Wait before the second attempt; four times as long before each next one.",
    )
    messages_per_hour: int = Field(
        5,
        ge=1,
        le=1000,
        description="Messages of rules that one contact gets in an hour; further ones are not sent.",
    )
    deeds_kept: int = Field(
        90,
        ge=1,
        description="Days after which an action that was tried again, or done apart, is forgotten once done.",
    )
    episodes_kept: int = Field(
        730,
        ge=0,
        description="Days after which it is forgotten for what a rule acted, unless the rule acts once for ever or its "
        "`within` lasts longer. 0: never.",
    )
    call_consumers_in: Sequence[str] = Field(
        (),
        description="Countries (ISO 3166-1, such as GB) whose consumers may be called for prospecting until they object. "
        "Elsewhere a callback task needs consent, a contract or the contact's own request; in France by law since "
        "11 August 2026.",
    )
    hours: Mapping[str, Sequence[Sequence[str]]] = Field(
        default_factory=lambda: dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), _DAY),
        description="Working hours of teams that have none of their own.",
    )

    webhooks: WebhookSettings = Field(
        default_factory=WebhookSettings, description="What rules post to other programs."
    )

    def model_post_init(self, context: object) -> None:
        """Refuse working hours that cannot be used, with the field and the remedy."""
        read_calendar(self.hours, self.timezone)
