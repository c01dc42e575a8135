"""What the short messages of a campaign took and cost: parts as they were sent, and the prices that the provider told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from storage.pool import Connection, Pool

#: The messages of a campaign lie between two numbers (campaigns.first_message_id, .last_message_id).
_COSTS: Final = """
SELECT coalesce(f.encoding, '') AS encoding, coalesce(f.segments, 0) AS parts, coalesce(f.currency, '') AS currency,
       f.price IS NOT NULL AS is_priced, count(*) AS messages, coalesce(-sum(f.price), 0) AS amount
FROM campaigns AS c
  JOIN deliveries AS d ON d.message_id BETWEEN c.first_message_id AND c.last_message_id AND d.campaign_id = c.id
  LEFT JOIN sms_facts AS f ON f.message_id = d.message_id
WHERE c.id = $1 AND d.state = 'sent'
GROUP BY 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True)
class TextCosts:
    """Of all short messages that the provider took. `amounts` by currency, as far as prices are known: `priced` says of
    how many messages; `encodings` counts messages by alphabet."""

    messages: int
    parts: int
    priced: int
    amounts: Mapping[str, Decimal]
    encodings: Mapping[str, int]


async def load_costs(connection: Connection | Pool, campaign_id: int) -> TextCosts:
    """What a campaign cost so far."""
    rows = await connection.fetch(_COSTS, campaign_id)
    encodings: Counter[str] = Counter()
    amounts: dict[str, Decimal] = {}
    for row in rows:
        if row["encoding"]:
            encodings[row["encoding"]] += row["messages"]
        if row["is_priced"]:
            amounts[row["currency"]] = amounts.get(row["currency"], Decimal(0)) + row["amount"]
    return TextCosts(
        messages=sum(row["messages"] for row in rows),
        parts=sum(row["messages"] * row["parts"] for row in rows),
        priced=sum(row["messages"] for row in rows if row["is_priced"]),
        amounts=amounts,
        encodings=dict(encodings),
    )
