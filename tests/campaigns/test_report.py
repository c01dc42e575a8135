"""The report counts what is in the database: deliveries, people by verdict, anonymous hits, links, tasks."""

from __future__ import annotations

import json

from campaigns.launch import launch
from campaigns.report import describe, load_report, share
from domain.events import EventType
from domain.messages import DeliveryState
from storage.pool import Pool
from tests.campaigns.village import CLOCK, KITCHEN, add_contact, add_draft


async def hit(pool: Pool, message: int, kind: str, verdict: str, link_no: int | None = None) -> None:
    await pool.execute(
        "INSERT INTO hits (event_id, occurred_at, message_id, campaign_id, contact_id, type, link_no, method, verdict,"
        " settle_at) SELECT nextval('events_id_seq'), now(), id, campaign_id, contact_id, $2, $3, 'GET', $4, now()"
        " FROM messages WHERE id = $1",
        message, kind, link_no, verdict,
    )  # fmt: skip


async def test_the_report_adds_up(pool: Pool) -> None:
    for number in range(8):
        await add_contact(
            pool, f"P{number}", consents=("newsletter", "measure") if number < 5 else ("newsletter",)
        )
    campaign_id = await add_draft(pool)
    await launch(pool, campaign_id, KITCHEN, CLOCK)
    ids = [
        row["message_id"] for row in await pool.fetch("SELECT message_id FROM deliveries ORDER BY message_id")
    ]
    await pool.execute("UPDATE deliveries SET state = 'sent' WHERE message_id = ANY($1)", ids[:5])
    for place, state, reason in ((5, "rejected", "mailbox_unknown"), (6, "uncertain", "connection_lost")):
        await pool.execute(
            "UPDATE deliveries SET state = $2, reason = $3 WHERE message_id = $1", ids[place], state, reason
        )
    await hit(pool, ids[0], "Opened", "human")
    await hit(pool, ids[0], "Opened", "machine")
    await hit(pool, ids[0], "Clicked", "human", 1)
    await hit(pool, ids[0], "Clicked", "machine", 2)
    await hit(pool, ids[1], "Opened", "machine")
    await hit(pool, ids[2], "Opened", "unsure")
    await hit(pool, ids[2], "Opened", "machine")
    await hit(pool, ids[1], "Clicked", "machine", 2)
    await pool.execute(
        "INSERT INTO hit_counts (campaign_id, type, link_no, day, shard, count) VALUES"
        " ($1, 'Opened', 0, '2026-11-02', 0, 3), ($1, 'Opened', 0, '2026-11-02', 1, 2), ($1, 'Opened', 0, '2026-11-03', 0, 1),"
        " ($1, 'Clicked', 2, '2026-11-02', 0, 4)",
        campaign_id,
    )
    await pool.execute(
        "INSERT INTO events (occurred_at, type, campaign_id) VALUES (now(), 'Bounced', $1), (now(), 'Withdrawn', $1),"
        " (now(), 'Sent', $1)",
        campaign_id,
    )
    await pool.execute(
        "INSERT INTO tasks (kind, title, state, campaign_id, decide_by, due, opened_at, outcome) VALUES"
        " ('callback', 'a', 'done', $1, now(), now(), now(), $2), ('callback', 'b', 'offered', $1, now(), now(), now(), $3)",
        campaign_id,
        {"result": "reached"},
        {},
    )
    report = await load_report(pool, campaign_id)
    assert {state: count for state, count in report.deliveries.items() if count} == {
        DeliveryState.SENT: 5,
        DeliveryState.REJECTED: 1,
        DeliveryState.UNCERTAIN: 1,
        DeliveryState.QUEUED: 1,
    }
    assert report.reasons == {
        DeliveryState.REJECTED: {"mailbox_unknown": 1},
        DeliveryState.UNCERTAIN: {"connection_lost": 1},
    }
    assert report.progress == 87.5
    opened, clicked = report.hits[EventType.OPENED], report.hits[EventType.CLICKED]
    assert (opened.human, opened.machine, opened.unsure, opened.anonymous) == (1, 1, 1, 6)
    assert (clicked.human, clicked.machine, clicked.unsure, clicked.anonymous) == (1, 1, 0, 4)
    one, two = (link.hits for link in report.links)
    assert (one.human, one.machine, one.anonymous) == (1, 0, 0)
    assert (two.human, two.machine, two.anonymous) == (0, 2, 4)
    assert report.rate(EventType.OPENED) == 20.0
    assert (report.bounced, report.complained, report.withdrawn) == (1, 0, 1)
    assert report.tasks == {"done": 1, "offered": 1}
    assert report.outcomes == {"reached": 1}
    assert json.loads(json.dumps(describe(report)))["deliveries"]["sent"] == 5


async def test_a_draft_s_report_is_empty(pool: Pool) -> None:
    report = await load_report(pool, await add_draft(pool))
    assert sum(report.deliveries.values()) == 0
    assert report.progress == share(1, 0) == 0.0
