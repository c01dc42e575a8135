"""Settings of the worker processes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class WorkerSettings(BaseModel):
    """How the loops of a worker turn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    poll: float = Field(
        default=1, gt=0, le=60, description="seconds between looks for work when nothing announces any"
    )
    stop_grace: float = Field(
        default=20,
        gt=0,
        description="seconds that a worker has to finish when it is told to stop; more than the outbox's stop_grace "
        "and 6, less than the 30 after which it is killed",
    )
    queue: str = Field(default="clytie", description="name of the job queue in Redis")
    metrics_port: int | None = Field(
        default=None, ge=0, le=65535, description="port on which a worker answers /metrics; unset for none"
    )
