"""A worker does what rules put down: the letter lies in the outbox, the webhook is signed with the deployment's secret."""

from __future__ import annotations

from pathlib import Path

from channels.http.hooks import sign
from clytie.bootstrap import open_worker
from clytie.errands import webhook_secret
from clytie.settings import Settings
from domain.events import EventType, NewEvent
from router.loop import Router, route_once
from router.rule_files import read_rules
from router.rule_store import apply_rules
from router.settings import RouterSettings, WebhookSettings
from storage.event_store import record
from storage.pool import transaction
from tests.router.receiver import open_receiver
from worker.loops import Loop
from worker.work import plan_work


async def test_a_worker_writes_the_letters_and_posts_the_webhooks_of_rules(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = Settings(
        var=tmp_path,
        database_url=database_url,
        redis_url=redis_url,
        router=RouterSettings(webhooks=WebhookSettings(allowed=("127.0.0.1",))),
    )
    async with open_receiver() as receiver, open_worker(settings) as context:
        await context.pool.execute(
            "INSERT INTO queues (name, from_address) VALUES ('Sales', 's@helianthe.example')"
        )
        contact = await context.pool.fetchval("INSERT INTO contacts (name) VALUES ('Ana') RETURNING id")
        await context.pool.execute(
            "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'mail', 'ana@example.net', '')",
            contact,
        )
        rule = (
            "- {name: r, when: Noted, then: [{send: {purpose: service, queue: Sales, subject: Hi, text: There}},"
            f" {{webhook: '{receiver.url}/hook'}}]}}"
        )
        await apply_rules(context.pool, read_rules(rule, file="r.yaml"))
        async with transaction(context.pool) as connection:
            await record(connection, [NewEvent(EventType.NOTED, context.clock.now(), contact)])
        assert await route_once(Router(context.pool, context.clock, context.announcer, context.router))
        for work in plan_work(context):
            if work.name in ("errands", "webhooks"):
                assert isinstance(work, Loop)
                await work.step()
        assert await context.pool.fetchval("SELECT address FROM deliveries") == "ana@example.net"
        [(headers, body)] = receiver.requests
        stamp = int(headers["webhook-timestamp"])
        expected = sign(webhook_secret(settings), headers["webhook-id"], stamp, body)
        assert headers["webhook-signature"] == expected
