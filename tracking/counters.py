"""What Prometheus is told about hits."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

HITS: Final = Counter("clytie_hits", "Hits by what became of them", ["outcome"])
UNRECORDED: Final = Counter(
    "clytie_hits_unrecorded", "Hits that were answered without a commit, and marked so", ["cause"]
)
LATE: Final = Counter("clytie_hits_late", "Hits recorded after they had been answered as unrecorded")
LOST: Final = Counter(
    "clytie_hits_lost", "Hits that were given up: never recorded, or nobody knows", ["cause"]
)
GROUP_SIZE: Final = Histogram(
    "clytie_hit_group_size", "Hits per commit", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
)
WAITING: Final = Gauge("clytie_hits_waiting", "Hits that wait for their commit", multiprocess_mode="livesum")
JUDGED: Final = Counter("clytie_hits_judged", "Verdicts on hits", ["verdict"])
