"""Settings of every channel that speaks HTTP to a provider."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Seconds = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(gt=0, le=10_000)]


class Timeouts(BaseModel):
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


class HttpSettings(BaseModel):
    """What every channel that sends by requests has in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connections: int = Field(
        default=20, ge=1, le=200, description="requests under way at a time, per process"
    )
    rate: Rate = Field(
        default=1,
        description="parts of messages per second by a sender that has no rate of its own, over all processes",
    )
    rates: dict[str, Rate] = Field(
        default_factory=dict,
        description="parts per second by number, name or messaging service, over all processes, e.g. "
        '{"+33700000001": 10}',
    )
    timeouts: Timeouts = Field(default_factory=Timeouts, description="seconds to wait in each phase")
