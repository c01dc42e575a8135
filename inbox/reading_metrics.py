"""What the reading counts, for /metrics."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

READ: Final = Counter("clytie_inbox_mails_read_total", "Mails that became messages.", ["kind"])
QUARANTINED: Final = Counter(
    "clytie_inbox_mails_quarantined_total", "Mails that could not be read and wait for a person."
)
RETRIED: Final = Counter(
    "clytie_inbox_mails_retried_total", "Mails whose reading came to nothing and is tried again."
)
ANSWERED: Final = Counter("clytie_inbox_auto_answers_total", "First mails that were acknowledged.")
