"""What became of a campaign: deliveries, people and machines behind hits, anonymous counts, links, tasks.

All by SQL over indexes: of a million recipients, only those are counted one by one who did not simply get the
mail; the messages of a campaign lie in one range of ids, by which its hits are found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from campaigns.drafts import Campaign, load_campaign
from campaigns.text_report import TextReport, load_text_report
from domain.events import ENGAGEMENT, EventType, Verdict
from domain.messages import ChannelKind, DeliveryState
from storage.pool import Connection, Pool

#: What waits or is under way lies in the campaign's ranges; whatever else was not simply sent has a reason.
_DELIVERIES: Final = """
SELECT d.state, count(*) FROM delivery_ranges AS r
  JOIN deliveries AS d ON d.message_id BETWEEN r.low AND r.high AND d.campaign_id = r.campaign_id
WHERE r.campaign_id = $1 AND d.state IN ('queued', 'claimed', 'sending') GROUP BY d.state
UNION ALL
SELECT state, count(*) FROM deliveries
WHERE campaign_id = $1 AND reason IS NOT NULL AND state IN ('deferred', 'rejected', 'uncertain', 'cancelled')
GROUP BY state
"""

_REASONS: Final = """
SELECT state, reason, count(*) FROM deliveries
WHERE campaign_id = $1 AND reason IS NOT NULL AND state IN ('queued', 'deferred', 'rejected', 'uncertain')
GROUP BY state, reason ORDER BY count(*) DESC
"""

#: Each person counts once per type (and once per link), for the best verdict: human, then unsure, then machine.
_PEOPLE: Final = """
SELECT type, link_no, best, count(*) FROM (
    SELECT type, CASE WHEN grouping(link_no) = 0 THEN coalesce(link_no, 0) END AS link_no, contact_id,
           min(CASE verdict WHEN 'human' THEN 0 WHEN 'unsure' THEN 1 ELSE 2 END) AS best
    FROM hits
    WHERE message_id BETWEEN $2 AND $3 AND campaign_id = $1
    GROUP BY GROUPING SETS ((type, contact_id), (type, contact_id, link_no))
) AS each_person
GROUP BY type, link_no, best
"""

_ANONYMOUS: Final = """
SELECT type, link_no, sum(count)::bigint AS count FROM hit_counts WHERE campaign_id = $1 GROUP BY type, link_no
"""

_REACTIONS: Final = """
SELECT type, count(*) FROM events WHERE campaign_id = $1 AND type <> 'Sent' AND type = ANY($2::text[]) GROUP BY type
"""

_TASKS: Final = """
SELECT state, outcome->>'result' AS result, count(*) FROM tasks WHERE campaign_id = $1 GROUP BY 1, 2
"""

_REACTION_TYPES: Final = [EventType.BOUNCED.value, EventType.COMPLAINED.value, EventType.WITHDRAWN.value]
_VERDICTS: Final = (Verdict.HUMAN, Verdict.UNSURE, Verdict.MACHINE)


@dataclass(slots=True)
class Hits:
    """Hits of one type or on one link: persons by verdict, and the anonymous ones, which are not persons."""

    human: int = 0
    machine: int = 0
    unsure: int = 0
    anonymous: int = 0


@dataclass(slots=True)
class LinkReport:
    """One link of the campaign."""

    no: int
    url: str
    label: str
    hits: Hits = field(default_factory=Hits)


@dataclass(slots=True)
class Report:
    """The whole report. `deliveries` has every state; they add up to the campaign's recipients."""

    campaign: Campaign
    deliveries: dict[DeliveryState, int]
    reasons: dict[DeliveryState, dict[str, int]]  #: why deferred, rejected, uncertain
    hits: dict[EventType, Hits]
    links: list[LinkReport]
    bounced: int
    complained: int
    withdrawn: int
    tasks: dict[str, int]  #: by state
    outcomes: dict[str, int]  #: of tasks that are done
    texts: TextReport | None = None  #: of a campaign by SMS

    @property
    def sent(self) -> int:
        """Messages that the receiving servers took."""
        return self.deliveries[DeliveryState.SENT]

    @property
    def progress(self) -> float:
        """Per cent of the recipients that nothing more is done about."""
        waiting = sum(
            self.deliveries[state]
            for state in (
                DeliveryState.QUEUED,
                DeliveryState.CLAIMED,
                DeliveryState.SENDING,
                DeliveryState.DEFERRED,
            )
        )
        return share(self.campaign.recipients - waiting, self.campaign.recipients)

    def rate(self, type: EventType) -> float:
        """Per cent of the people who may be measured that a human hit of this type is known of."""
        return share(self.hits[type].human, self.campaign.measured)


def share(part: int, whole: int) -> float:
    """Per cent, to one decimal; 0 of nothing."""
    return round(100 * part / whole, 1) if whole else 0.0


async def load_report(pool: Pool, campaign_id: int) -> Report:
    """The report of a campaign, from one snapshot. Raises NotFound."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        campaign = await load_campaign(connection, campaign_id)
        bounds = await connection.fetchrow(
            "SELECT coalesce(first_message_id, 0), coalesce(last_message_id, 0) FROM campaigns WHERE id = $1",
            campaign_id,
        )
        assert bounds is not None
        hits, links = await _load_hits(connection, campaign_id, tuple(bounds))
        reactions = {
            row["type"]: row["count"]
            for row in await connection.fetch(_REACTIONS, campaign_id, _REACTION_TYPES)
        }
        tasks: dict[str, int] = {}
        outcomes: dict[str, int] = {}
        for state, result, count in await connection.fetch(_TASKS, campaign_id):
            tasks[state] = tasks.get(state, 0) + count
            if result is not None:
                outcomes[result] = outcomes.get(result, 0) + count
        deliveries = await count_deliveries(connection, campaign)
        texts = None
        if campaign.channel is ChannelKind.SMS:
            texts = await load_text_report(connection, campaign_id, deliveries[DeliveryState.SENT])
        return Report(
            campaign,
            deliveries,
            await _load_reasons(connection, campaign_id),
            hits,
            links,
            reactions.get(EventType.BOUNCED, 0),
            reactions.get(EventType.COMPLAINED, 0),
            reactions.get(EventType.WITHDRAWN, 0),
            tasks,
            outcomes,
            texts,
        )


async def count_deliveries(connection: Connection | Pool, campaign: Campaign) -> dict[DeliveryState, int]:
    """Count a campaign's deliveries by state; those that were sent are what the others leave."""
    counts = dict.fromkeys(DeliveryState, 0)
    for state, count in await connection.fetch(_DELIVERIES, campaign.id):
        counts[DeliveryState(state)] = count
    counts[DeliveryState.SENT] = campaign.recipients - sum(counts.values())
    return counts


async def _load_reasons(connection: Connection, campaign_id: int) -> dict[DeliveryState, dict[str, int]]:
    reasons: dict[DeliveryState, dict[str, int]] = {}
    for state, reason, count in await connection.fetch(_REASONS, campaign_id):
        reasons.setdefault(DeliveryState(state), {})[reason or ""] = count
    return reasons


async def _load_hits(
    connection: Connection, campaign_id: int, bounds: tuple[Any, ...]
) -> tuple[dict[EventType, Hits], list[LinkReport]]:
    totals = {kind: Hits() for kind in ENGAGEMENT}
    links = {
        row["no"]: LinkReport(row["no"], row["url"], row["label"])
        for row in await connection.fetch(
            "SELECT no, url, label FROM campaign_links WHERE campaign_id = $1 ORDER BY no", campaign_id
        )
    }
    for kind, link_no, best, count in await connection.fetch(_PEOPLE, campaign_id, *bounds):
        if link_no is None:
            setattr(totals[EventType(kind)], _VERDICTS[best], count)
        elif kind == EventType.CLICKED and link_no in links:
            setattr(links[link_no].hits, _VERDICTS[best], count)
    for kind, link_no, count in await connection.fetch(_ANONYMOUS, campaign_id):
        totals[EventType(kind)].anonymous += count
        if kind == EventType.CLICKED and link_no in links:
            links[link_no].hits.anonymous += count
    return totals, list(links.values())


def describe(report: Report) -> Mapping[str, Any]:
    """The report as plain values, for the API."""
    return {
        "campaign_id": report.campaign.id,
        "state": report.campaign.state.value,
        "recipients": report.campaign.recipients,
        "measured": report.campaign.measured,
        "progress": report.progress,
        "deliveries": {state.value: count for state, count in report.deliveries.items()},
        "reasons": {state.value: counts for state, counts in report.reasons.items()},
        "hits": {kind.value: _describe(hits) for kind, hits in sorted(report.hits.items())},
        "rates": {kind.value: report.rate(kind) for kind in sorted(report.hits)},
        "links": [
            {"no": link.no, "url": link.url, "label": link.label, **_describe(link.hits)}
            for link in report.links
        ],
        "bounced": report.bounced,
        "complained": report.complained,
        "withdrawn": report.withdrawn,
        "tasks": report.tasks,
        "outcomes": report.outcomes,
        "texts": report.texts and report.texts.describe(),
    }


def _describe(hits: Hits) -> dict[str, int]:
    return {
        "human": hits.human,
        "machine": hits.machine,
        "unsure": hits.unsure,
        "anonymous": hits.anonymous,
    }
