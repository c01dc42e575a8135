"""What Prometheus is told about the doors."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

CONNECTIONS: Final = Gauge(
    "clytie_door_connections", "Connections that are open now", ["door"], multiprocess_mode="livesum"
)
REFUSED: Final = Counter("clytie_door_refused", "Connections refused at the greeting", ["door"])
RECEIVED: Final = Counter(
    "clytie_door_mails", "Mails whose content was read, by our answer", ["door", "code"]
)
ERRORS: Final = Counter("clytie_door_errors", "Commands answered with an error", ["door"])
