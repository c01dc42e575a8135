"""Settings of tracking: CLYTIE_TRACKING__* or the table [tracking] of the settings file."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from pydantic import BaseModel, Field

Network = IPv4Network | IPv6Network


class TrackingSettings(BaseModel):
    """How hits are recorded and judged. All seconds may be fractions."""

    trusted_proxies: list[Network] = Field(
        default_factory=list,
        description="Networks of our own proxies (CIDR). Only what they say in X-Forwarded-For is believed.",
    )

    # Recording
    group_limit: int = Field(1000, ge=1, le=10_000, description="The most hits that one commit takes.")
    flushes: int = Field(1, ge=1, le=4, description="Commits of hits in flight at a time, per process.")
    queue_limit: int = Field(
        20_000, ge=1, description="Hits that may wait per process; beyond, hits are answered as unrecorded."
    )
    patience: float = Field(
        2.0,
        gt=0,
        description="Seconds a request waits for its hit's commit before it is answered as unrecorded.",
    )
    late_seconds: float = Field(
        300.0,
        ge=0,
        description="How long hits that were answered as unrecorded are kept, to be recorded once the database is back.",
    )
    cache_seconds: float = Field(
        30.0, gt=0, description="How long links and assets are served from memory before they are read again."
    )

    # Judging
    settle_seconds: float = Field(
        30.0,
        gt=0,
        description="How long a hit stays unclear, so that its neighbours can arrive, before it is judged.",
    )
    scanner_seconds: float = Field(
        10.0, ge=0, description="A click this soon after delivery is automatic; an open this soon is unclear."
    )
    suspicion_seconds: float = Field(
        120.0, ge=0, description="Until then after delivery, a click without an open before it is unclear."
    )
    burst_seconds: float = Field(
        5.0, ge=0, description="Several links of one message followed within this time are a burst."
    )
    burst_links: int = Field(
        3, ge=2, description="So many different links within burst_seconds are automatic."
    )
    beside_seconds: float = Field(
        2.0, ge=0, description="A hit this near to an automatic one from the same place is automatic too."
    )
    judge_batch: int = Field(2000, ge=1, description="Hits judged per transaction.")
