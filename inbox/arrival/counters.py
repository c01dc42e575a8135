"""What Prometheus is told about what arrives."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Histogram

TAKEN: Final = Counter(
    "clytie_inbox_taken", "Mails that were committed: new ones, and those we had", ["state"]
)
BYTES: Final = Counter("clytie_inbox_bytes", "Bytes of the mails that were committed")
REFUSED: Final = Counter("clytie_inbox_refused", "Mails that could not be committed; their senders try again")
GROUP_SIZE: Final = Histogram(
    "clytie_inbox_group_size", "Mails per commit", buckets=(1, 2, 5, 10, 20, 50, 100, 200)
)
