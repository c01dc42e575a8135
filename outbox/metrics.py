"""What the outbox counts, for /metrics."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

SETTLED: Final = Counter("clytie_outbox_settled_total", "Messages settled, by their new state.", ["state"])
REFUSED: Final = Counter(
    "clytie_outbox_refused_total", "Messages rejected before they were sent.", ["reason"]
)
LATE: Final = Counter("clytie_outbox_late_results_total", "Results that came after their lease was over.")
HELD: Final = Counter(
    "clytie_outbox_held_total", "Messages that went back to the queue to wait for a limit or a rest."
)
CLAIMED: Final = Counter("clytie_outbox_claimed_total", "Messages taken from the queue.")
SWEPT: Final = Counter(
    "clytie_outbox_swept_total", "Messages whose lease ran out, by their new state.", ["state"]
)
OPEN: Final = Gauge("clytie_outbox_open", "Messages marked and unsettled in this process.")
READY: Final = Gauge("clytie_outbox_ready", "Messages claimed and composed in this process.")
STEP_SECONDS: Final = Histogram(
    "clytie_outbox_step_seconds",
    "Time of one statement that settles and marks.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10),
)
