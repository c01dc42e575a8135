"""What became of a campaign's short messages after the provider took them: reported states, reasons, parts, price, answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from domain.events import EventType
from storage.pool import Connection

#: The messages of a campaign lie in one range of ids.
_FACTS: Final = """
SELECT f.status, f.reason, f.encoding, f.currency, count(*) AS messages, count(f.segments) AS counted,
       coalesce(sum(f.segments), 0)::bigint AS parts, count(f.price) AS priced, coalesce(sum(-f.price), 0) AS paid
FROM campaigns AS c
  JOIN sms_facts AS f ON f.message_id BETWEEN c.first_message_id AND c.last_message_id
  JOIN deliveries AS d ON d.message_id = f.message_id AND d.campaign_id = c.id AND d.state = 'sent'
WHERE c.id = $1 GROUP BY 1, 2, 3, 4
"""
_ANSWERS: Final = """
SELECT count(DISTINCT message_id) FILTER (WHERE data->>'command' IS NULL) AS answers,
       count(DISTINCT contact_id) FILTER (WHERE data->>'command' = 'stop') AS stops
FROM events WHERE campaign_id = $1 AND type = $2
"""
_ARRIVED: Final = frozenset({"delivered", "read"})
_MISSED: Final = frozenset({"undelivered", "failed", "canceled"})


@dataclass(slots=True)
class TextReport:
    """Of the messages that the provider took: `delivered` to phones, `undelivered` by our words for why, `awaited` without
    a last word yet. `parts` of the `counted` messages whose parts are known; `paid` by currency, for `priced` messages."""

    delivered: int = 0
    undelivered: dict[str, int] = field(default_factory=dict)
    awaited: int = 0
    parts: int = 0
    counted: int = 0
    paid: dict[str, Decimal] = field(default_factory=dict)
    priced: int = 0
    answers: int = 0
    stops: int = 0

    @property
    def missed(self) -> int:
        """Messages that the carrier could not deliver."""
        return sum(self.undelivered.values())

    def describe(self) -> Mapping[str, Any]:
        """As plain values, for the API."""
        return {
            "delivered": self.delivered,
            "undelivered": dict(self.undelivered),
            "awaited": self.awaited,
            "parts": self.parts,
            "counted": self.counted,
            "paid": {currency: str(amount) for currency, amount in self.paid.items()},
            "priced": self.priced,
            "answers": self.answers,
            "stops": self.stops,
        }


async def load_text_report(connection: Connection, campaign_id: int, sent: int) -> TextReport:
    """The report; `sent`: messages that the provider took."""
    report, known = TextReport(), 0
    for row in await connection.fetch(_FACTS, campaign_id):
        _add(report, row)
        known += row["messages"]
    report.awaited += max(0, sent - known)
    answers = await connection.fetchrow(_ANSWERS, campaign_id, EventType.RECEIVED.value)
    assert answers is not None
    report.answers, report.stops = answers["answers"], answers["stops"]
    return report


def _add(report: TextReport, row: Any) -> None:
    if row["status"] in _ARRIVED:
        report.delivered += row["messages"]
    elif row["status"] in _MISSED:
        reason = row["reason"] or "refused"
        report.undelivered[reason] = report.undelivered.get(reason, 0) + row["messages"]
    else:
        report.awaited += row["messages"]
    report.parts += row["parts"]
    report.counted += row["counted"]
    report.priced += row["priced"]
    if row["priced"]:
        currency = row["currency"] or ""
        report.paid[currency] = report.paid.get(currency, Decimal(0)) + row["paid"]
