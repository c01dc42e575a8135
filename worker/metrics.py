"""What the worker counts, for /metrics."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

STEPS: Final = Counter("clytie_worker_steps_total", "Turns of a loop.", ["loop"])
FAILURES: Final = Counter("clytie_worker_failures_total", "Turns or services that failed.", ["loop"])
RESTARTS: Final = Counter(
    "clytie_worker_restarts_total", "Loops and services that were started again.", ["loop"]
)
JOBS: Final = Counter("clytie_worker_jobs_total", "Jobs that came through Redis.", ["job"])
LOST: Final = Counter(
    "clytie_worker_jobs_lost_total", "Jobs that Redis did not take; loops find the work later."
)
