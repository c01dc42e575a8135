"""A mail's way in, as the processes of a house do it: intake, reading, rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from channels.base import Received
from clytie.bootstrap import open_blobs
from clytie.mail_reading import open_reader
from clytie.settings import Settings
from domain.clock import SystemClock
from inbox.arrival.intake import Intake
from router.loop import Router, route_once
from router.rule_files import read_rules
from router.rule_store import apply_rules
from router.settings import RouterSettings
from storage.announce import Announcer
from storage.pool import Pool
from tests.inbox.post import write_mail

RULES = """
- name: set-forged-mail-apart
  when: Received
  where:
    all:
      - {field: event.mailbox, is: sales@hub.example}
      - {field: event.dmarc, is: fail}
  then:
    - route: Suspicious
"""


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(
        var=tmp_path,
        database_url=database_url,
        inbox={
            "domains": ["hub.example"],
            "authentication": {"check": False, "trusted_servers": ["mx.hub.example"]},
        },
    )


async def receive(pool: Pool, settings: Settings, *mails: bytes) -> None:
    """Through intake and reading to the rules."""
    announcer = Announcer(pool)
    intake = Intake(pool, open_blobs(settings), announcer)
    for raw in mails:
        meta = {"peer": "192.0.2.7", "helo": "mx.client.example"}
        await intake.take(Received(raw, "ana@client.example", ("sales@hub.example",), "smtp", "", meta))
    async with open_reader(settings, pool, announcer, SystemClock()) as reader:
        while await reader.read_due():
            pass
    router = Router(pool, SystemClock(), announcer, RouterSettings())
    while await route_once(router):
        pass
    await intake.close()
    await announcer.close()


async def test_a_rule_moves_forged_mail_to_another_queue_by_what_a_trusted_server_found(
    pool: Pool, settings: Settings
) -> None:
    await pool.execute("INSERT INTO queues (name) VALUES ('Sales'), ('Suspicious')")
    await pool.execute(
        "INSERT INTO queue_addresses SELECT 'sales@hub.example', id FROM queues WHERE name = 'Sales'"
    )
    await apply_rules(pool, read_rules(RULES, file="rules.yaml"))
    verdicts = ("pass", "fail")
    mails = [
        f"Authentication-Results: mx.hub.example; dmarc={verdict} header.from=client.example\r\n".encode()
        + write_mail(to="sales@hub.example", text=f"This one is a {verdict}")
        for verdict in verdicts
    ]
    await receive(pool, settings, *mails)
    rows = await pool.fetch(
        "SELECT q.name, e.data ->> 'dmarc' AS dmarc FROM events e JOIN conversations v ON v.id = e.conversation_id"
        " JOIN queues q ON q.id = v.queue_id WHERE e.type = 'Received' ORDER BY e.id"
    )
    assert [tuple(row) for row in rows] == [("Sales", "pass"), ("Suspicious", "fail")]


async def test_no_rule_acts_on_mail_that_a_server_before_ours_calls_junk(
    pool: Pool, settings: Settings
) -> None:
    await pool.execute("INSERT INTO queues (name) VALUES ('Suspicious')")
    await apply_rules(
        pool, read_rules("- {name: note, when: Received, then: [{note: Wrote}]}", file="r.yaml")
    )
    await receive(pool, settings, b"X-Spam-Flag: YES\r\n" + write_mail(text="Buy"), write_mail(text="Hello"))
    types = await pool.fetch("SELECT type FROM events ORDER BY id")
    assert [row["type"] for row in types] == ["Filtered", "Received", "Noted"]
