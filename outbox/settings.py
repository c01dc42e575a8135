"""Settings of the outbox: how many messages are under way, how long a lease lasts, when to try again."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from outbox.limits import DomainLimits
from outbox.texts.hours import TextHours

_Seconds = Annotated[float, Field(gt=0)]
_Local = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,19}$")]


class OutboxSettings(BaseModel):
    """What leaves the house, per worker process unless said otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    window: int = Field(
        default=200,
        ge=2,
        le=5000,
        description="messages that may be marked and unsettled at once; a crash leaves at most so many unconfirmed",
    )
    claim_size: int = Field(
        default=500,
        ge=1,
        le=10_000,
        description="messages taken from the queue at once; as many are held ready",
    )
    claim_lease: _Seconds = Field(default=120, description="seconds that a taken message is ours")
    sending_lease: _Seconds = Field(
        default=1500,
        description="seconds after which a message that is being sent counts as unconfirmed; keep it above the sum of "
        "what RFC 5321 allows a server: 300 for MAIL, 300 for RCPT, 120 for DATA, 600 for the answer to the dot",
    )
    lease_margin: _Seconds = Field(
        default=60,
        description="seconds before the end of a lease from which on nothing is handed to the channel",
    )
    retry_after: _Seconds = Field(
        default=300, description="seconds until the second attempt; doubles with each further one"
    )
    retry_limit: _Seconds = Field(default=14_400, description="longest time in seconds between two attempts")
    max_attempts: int = Field(
        default=24, ge=1, le=1000, description="attempts before giving up; 24 last about three days"
    )
    rest_limit: _Seconds = Field(
        default=60, description="longest rest in seconds after a server could not be reached, between probes"
    )
    flush_after: float = Field(
        default=0.05, ge=0, description="seconds that a result waits at most for others before it is settled"
    )
    poll: _Seconds = Field(default=1, description="seconds between looks at the queue when nothing rings")
    stop_grace: _Seconds = Field(
        default=8,
        description="seconds that messages under way have to finish when the worker stops; "
        "settling and releasing what is left takes up to 6 more",
    )
    organisation: str = Field(
        default="",
        description="who writes, as templates see it in sender.name; empty for the campaign's sender",
    )
    postal_address: str = Field(
        default="", description="the organisation's address, as templates see it in sender.postal_address"
    )
    website: str = Field(
        default="",
        description="the organisation's site, sender.website in templates; empty for our own address",
    )
    bounce_local: _Local = Field(
        default="bounces", description="local part of envelope senders; a token is added behind a plus sign"
    )
    bounce_domain: str = Field(
        default="", description="domain of envelope senders; empty for the domain of the campaign's sender"
    )
    reply_local: _Local = Field(
        default="reply", description="local part of reply addresses; a token is added behind a plus sign"
    )
    reply_domain: str = Field(
        default="",
        description="domain of reply addresses (reply+TOKEN@domain), by which an answer finds its conversation even "
        "from a program that names no earlier mail; set it when mail to every such address reaches us, empty: "
        "answers go to the sender's own address",
    )
    message_id_domain: str = Field(
        default="", description="domain in Message-IDs; empty for the domain of the message's sender"
    )
    domains: dict[str, DomainLimits] = Field(
        default_factory=dict,
        description='limits by domain of the recipients, e.g. {"gmail.com": {"per_minute": 200, "at_once": 5}}; "*" is '
        "for each domain that is not named",
    )
    providers: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description='domains that share limits and rests, because one provider takes their mail, e.g. {"outlook.com": '
        '["hotmail.com", "live.com"]}',
    )
    domain_rest_limit: _Seconds = Field(
        default=1800,
        description="longest rest in seconds for a domain whose servers put us off again and again",
    )
    hold_limit: _Seconds = Field(
        default=900, description="seconds after which a message that waits for a limit is looked at again"
    )
    senders: tuple[str, ...] = Field(
        default=(),
        description="addresses and domains that other programs may write from through the API; empty: any",
    )
    letters_kept: int = Field(
        default=90,
        ge=1,
        description="days after which the bytes of a letter that went out are forgotten; what it said stays with its "
        "conversation",
    )
    attempts_kept: int = Field(
        default=365,
        ge=1,
        description="days after which attempts that did not end a delivery are forgotten; how it ended stays",
    )
    text_hours: TextHours = Field(
        default_factory=TextHours,
        description="when short messages of campaigns may arrive, in the recipient's time zone",
    )
    letter_limit: int = Field(
        default=25 * 2**20,
        ge=2**10,
        description="largest letter in bytes, as it goes out: attachments take a third more than their files",
    )

    @model_validator(mode="after")
    def _check_margin(self) -> OutboxSettings:
        if self.lease_margin >= self.sending_lease:
            raise ValueError("lease_margin must be shorter than sending_lease")
        if self.sending_lease < self.claim_lease:
            raise ValueError("sending_lease must not be shorter than claim_lease")
        return self
