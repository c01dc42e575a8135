"""A small, believable organisation with something on every page, for screenshots and browser tests."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

from domain.events import EventType, NewEvent
from outbox.composing import MailKitchen
from outbox.settings import OutboxSettings
from storage.event_store import record
from storage.pool import Pool
from templates.preview import preview
from templates.source import MailTemplate
from tests.web.house import KEY, PASSWORD_HASH
from web.access.people import load_person
from web.work.campaign_start import first_source

_PEOPLE = (
    ("Claire", "Dubreuil", "Ateliers Dubreuil", "FR"), ("Étienne", "Garçon", "Boulangerie du Port", "FR"),
    ("Åsa", "Lindqvist", "Umeå Bygg", "SE"), ("Jürgen", "Groß", "Weingut Groß", "DE"),
    ("Begoña", "Muñoz", "Hotel Ría", "ES"), ("Niamh", "O'Connor", "O'Connor Logistics", "GB"),
    ("Loïc", "N'Diaye", "Lycée Jean-Moulin", "FR"), ("Giulia", "D'Angelo", "Cantina Conti", "IT"),
    ("Małgorzata", "Wójcik", "Piekarnia Wójcik", "PL"), ("Yasmine", "Traoré", "Clinique des Tilleuls", "FR"),
    ("Wout", "Peeters", "Peeters Transport", "BE"), ("Hélène", "Sénéchal", "Domaine Sénéchal", "FR"),
)  # fmt: skip
_LINKS = (
    ("https://helianthe.example/roofs", "What does my roof earn?"),
    ("https://helianthe.example/stories/bakery", "The bakery that bakes at noon"),
    ("https://helianthe.example/call-me", "Call me back"),
)


@dataclass
class World:
    """What was made."""

    users: dict[str, int]
    team: int
    contacts: list[int]
    campaign: int
    draft: int
    tasks: list[int]
    rule: int
    job: int
    mail: int
    case: int


async def build_world(pool: Pool) -> World:
    """Fill a database."""
    now = datetime.now(UTC)
    users, team = await _make_people(pool)
    contacts = await _make_contacts(pool, users, now)
    segment = await pool.fetchval(
        "INSERT INTO segments (name, condition) VALUES ('Prospects in France', $1) RETURNING id",
        {"all": [{"field": "contact.relation", "is": "prospect"}, {"field": "contact.country", "is": "FR"}]},
    )
    await pool.execute(
        "INSERT INTO assets (name, blob, media_type, size) VALUES ('brochure.pdf', repeat('0', 64), 'application/pdf', 9)"
    )
    marketer = await load_person(pool, users["marketer"])
    assert marketer is not None
    source = first_source(marketer, "en")
    campaign = await _make_campaign(pool, segment, source, contacts, now)
    draft = await pool.fetchval(
        "INSERT INTO campaigns (name, segment_id, source) VALUES ('Summer letter', $1, $2) RETURNING id",
        segment,
        source,
    )
    rule = await _make_rule(pool)
    tasks = await _make_story(pool, users, team, contacts, campaign, rule, now)
    job = await _make_import(pool, users["marketer"])
    mail = await _make_mail(pool, source)
    case = await _make_case(pool, users, team, contacts[0])
    return World(users, team, contacts, campaign, draft, tasks, rule, job, mail, case)


async def _make_case(pool: Pool, users: dict[str, int], team: int, contact: int) -> int:
    number: int = await pool.fetchval(
        "INSERT INTO cases (kind, title, stage, owner_id, team_id, fields)"
        " VALUES ('sale', 'Forty panels for the workshop', 'offer', $1, $2, $3) RETURNING id",
        users["rep"], team, {"amount": 48000, "product": "Panels", "expected": "2026-12-18"},
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO case_contacts (case_id, contact_id, part) VALUES ($1, $2, 'buyer')", number, contact
    )
    for no, (name, state, words, after) in enumerate(
        (
            ("measure", "done", "Measure the roof", []),
            ("plan", "checking", "Draw the plan", ["measure"]),
            ("date", "waiting", "Agree on a date with the fitters", ["plan"]),
        )
    ):
        await pool.execute(
            "INSERT INTO case_steps (case_id, template, no, name, state, definition, done_by, rounds)"
            " VALUES ($1, 'installation', $2, $3, $4, $5, $6, 1)",
            number, no, name, state, {"task": words, "after": after}, users["rep"] if state != "waiting" else None,
        )  # fmt: skip
    async with pool.acquire() as connection:
        happened: tuple[tuple[EventType, dict[str, object]], ...] = (
            (EventType.CASE_OPENED, {"stage": "lead"}),
            (EventType.CASE_MOVED, {"old": "lead", "new": "offer"}),
            (EventType.CASE_CHANGED, {"field": "fields.amount", "old": None, "new": 48000}),
        )
        await record(
            connection,
            [
                NewEvent(
                    kind,
                    datetime.now(UTC) - timedelta(hours=9 - hour),
                    contact,
                    case_id=number,
                    actor_id=users["rep"],
                    data={"kind": "sale", **data},
                )
                for hour, (kind, data) in enumerate(happened)
            ],
        )
    return number


async def _make_people(pool: Pool) -> tuple[dict[str, int], int]:
    users = {}
    for role, name in (
        ("administrator", "Maud Keller"), ("marketer", "Emil Faure"), ("rep", "Rosa Martin"),
        ("manager", "Tomas Berg"), ("agent", "Aïcha Joly"),
    ):  # fmt: skip
        users[role] = await pool.fetchval(
            "INSERT INTO users (email, name, role, password_hash) VALUES ($1, $2, $3, $4) RETURNING id",
            f"{role}@helianthe.example", name, role, PASSWORD_HASH,
        )  # fmt: skip
    team: int = await pool.fetchval("INSERT INTO teams (name) VALUES ('Sales') RETURNING id")
    for role in ("rep", "manager"):
        await pool.execute("INSERT INTO team_members VALUES ($1, $2)", team, users[role])
    return users, team


async def _make_contacts(pool: Pool, users: dict[str, int], now: datetime) -> list[int]:
    made = []
    for place, (given, family, organisation, country) in enumerate(_PEOPLE):
        number = await pool.fetchval(
            "INSERT INTO contacts (name, given_name, family_name, organisation, country, language, relation, owner_id, fields)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
            f"{given} {family}", given, family, organisation, country, "fr" if country in "FRBE" else "en",
            "customer" if place % 5 == 4 else "prospect", users["rep"] if place % 2 == 0 else None,
            {"sector": "workshop"} if place == 0 else {},
        )  # fmt: skip
        mail = (
            f"{given}.{family}@{organisation.split()[-1]}.example".lower().replace("'", "").replace(" ", "")
        )
        mail = mail.encode("ascii", "ignore").decode()
        await pool.execute(
            "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'mail', $2, $2), ($1, 'phone', $3, $4)",
            number, mail, f"+331990000{place:02d}", f"+33 1 99 00 00 {place:02d}",
        )  # fmt: skip
        for purpose in ("newsletter", "measure", "calls")[
            : 3 if place % 3 == 0 else 2 if place % 3 == 1 else 1
        ]:
            since = now - timedelta(days=40 - place)
            await pool.execute("INSERT INTO consents VALUES ($1, $2, 'granted', $3)", number, purpose, since)
            await pool.execute(
                "INSERT INTO consent_ledger (contact_id, purpose, state, wording, source, occurred_at)"
                " VALUES ($1, $2, 'granted', 'I agree to receive the newsletter and to my clicks being measured.',"
                " 'fair in Lyon', $3)",
                number, purpose, since,
            )  # fmt: skip
        made.append(number)
    return made


async def _make_campaign(pool: Pool, segment: int, source: Any, contacts: list[int], now: datetime) -> int:
    campaign: int = await pool.fetchval(
        "INSERT INTO campaigns (name, segment_id, source, state, recipients, measured, launched_at, finished_at)"
        " VALUES ('Spring letter', $1, $2, 'done', 12, 8, $3, $3) RETURNING id",
        segment, source, now - timedelta(hours=26),
    )  # fmt: skip
    for no, (url, label) in enumerate(_LINKS, 1):
        await pool.execute("INSERT INTO campaign_links VALUES ($1, $2, $3, $4)", campaign, no, url, label)
    first = last = 0
    for place, contact in enumerate(contacts):
        last = await pool.fetchval(
            "INSERT INTO messages (direction, channel, contact_id, campaign_id, tracking_level)"
            " VALUES ('out', 'mail', $1, $2, $3) RETURNING id",
            contact, campaign, "full" if place % 3 < 2 else "aggregate",
        )  # fmt: skip
        first = first or last
        state, reason, reply = {
            7: ("rejected", "mailbox_unknown", "550 5.1.1 no such user"),
            10: ("uncertain", "connection_lost", None),
        }.get(place, ("sent", None, "250 ok"))
        await pool.execute(
            "INSERT INTO deliveries (message_id, campaign_id, contact_id, channel, address, state, reason, reply)"
            " VALUES ($1, $2, $3, 'mail', 'x@y.example', $4, $5, $6)",
            last, campaign, contact, state, reason, reply,
        )  # fmt: skip
        event_type = EventType.SENT if state == "sent" else EventType.REJECTED
        event = NewEvent(
            event_type,
            now - timedelta(hours=26),
            contact,
            last,
            campaign,
            data={"reply": reply} if reason else {},
        )
        async with pool.acquire() as connection:
            await record(connection, [event])
    await pool.execute(
        "UPDATE campaigns SET first_message_id = $2, last_message_id = $3 WHERE id = $1",
        campaign,
        first,
        last,
    )
    for kind, link, number in (("Opened", 0, 3), ("Clicked", 1, 1)):
        await pool.execute(
            "INSERT INTO hit_counts (campaign_id, type, link_no, day, count) VALUES ($1, $2, $3, current_date, $4)",
            campaign, kind, link, number,
        )  # fmt: skip
    return campaign


async def hit(
    pool: Pool,
    contact: int,
    campaign: int,
    kind: EventType,
    at: datetime,
    *,
    link_no: int | None = None,
    verdict: str = "human",
) -> int:
    """Let a contact open, click or download."""
    message = await pool.fetchval(
        "SELECT id FROM messages WHERE contact_id = $1 AND campaign_id = $2", contact, campaign
    )
    data = (
        {"link_no": link_no}
        if link_no
        else {"asset": "helianthe-solar-roofs.pdf"}
        if kind == "Downloaded"
        else {}
    )
    async with pool.acquire() as connection:
        (number,) = await record(connection, [NewEvent(kind, at, contact, message, campaign, data=data)])
    assert number is not None
    await pool.execute(
        "INSERT INTO hits (event_id, recorded_at, occurred_at, message_id, campaign_id, contact_id, type, link_no, method,"
        " verdict, reasons, settle_at, judged_at) SELECT id, recorded_at, occurred_at, message_id, campaign_id,"
        " contact_id, type, $2, 'GET', $3, $4, occurred_at, occurred_at FROM events WHERE id = $1",
        number, link_no, verdict, ["after_open"] if verdict == "human" else ["burst"],
    )  # fmt: skip
    return number


async def _make_rule(pool: Pool) -> int:
    rule: int = await pool.fetchval(
        "INSERT INTO rules (name, version, definition) VALUES ('call-back-readers', 1, $1) RETURNING id",
        {
            "description": "Prospects who open or click the spring letter get a call from their owner, else from sales.",
            "when": ["Opened", "Clicked", "Downloaded"],
            "where": {"all": [{"field": "campaign.name", "is": "Spring letter"}]},
            "once": {"per": ["contact", "campaign"], "within": "30d"},
            "then": [
                {
                    "open_task": {
                        "kind": "callback",
                        "title": "Call {contact.name} about {campaign.name}",
                        "assign": {"owner": True, "else_team": "Sales"},
                        "decide_within": "4 working hours",
                    }
                }
            ],
        },
    )
    return rule


async def _make_story(
    pool: Pool, users: dict[str, int], team: int, contacts: list[int], campaign: int, rule: int, now: datetime
) -> list[int]:
    chance = random.Random(4)
    stories = (
        (0, EventType.CLICKED, 3, "offered", 18), (1, EventType.OPENED, None, "offered", 55),
        (3, EventType.DOWNLOADED, None, "offered", 340), (4, EventType.CLICKED, 1, "accepted", 200),
        (6, EventType.CLICKED, 2, "in_progress", 100), (9, EventType.OPENED, None, "offered", 700),
        (7, EventType.CLICKED, 1, "done", 1200),
    )  # fmt: skip
    tasks = []
    for place, kind, link, state, minutes in stories:
        at = now - timedelta(minutes=minutes)
        if kind is not EventType.OPENED:
            await hit(pool, contacts[place], campaign, EventType.OPENED, at - timedelta(minutes=1))
        event = await hit(pool, contacts[place], campaign, kind, at, link_no=link)
        name = " ".join(_PEOPLE[place][:2])
        mine = place % 2 == 0
        tasks.append(
            await pool.fetchval(
                "INSERT INTO tasks (kind, title, state, priority, contact_id, campaign_id, event_id, rule_id, assignee_id,"
                " team_id, decide_by, due, opened_at, closed_at, outcome) VALUES ('callback', $1, $2, $3, $4, $5, $6, $7, $8,"
                " $9, $10, $11, $12, $13, $14) RETURNING id",
                f"Call {name} about Spring letter", state, "high" if place == 0 else "normal", contacts[place], campaign,
                event, rule, users["rep"] if mine or state != "offered" else None, team, at + timedelta(hours=4),
                at + timedelta(hours=8 if place != 6 else 30), at + timedelta(seconds=35),
                now - timedelta(hours=2) if state == "done" else None,
                {"result": "interested", "note": "Wants an offer for 80 m²."} if state == "done" else {},
            )
        )  # fmt: skip
        await pool.execute(
            "INSERT INTO rule_runs (rule_id, event_id, contact_id, result, task_id) VALUES ($1, $2, $3, 'acted', $4)",
            rule, event, contacts[place], tasks[-1],
        )  # fmt: skip
        told = [
            NewEvent(
                EventType.TASK_OPENED,
                at + timedelta(seconds=35),
                contacts[place],
                campaign_id=campaign,
                task_id=tasks[-1],
            )
        ]
        if state == "done":
            told.append(
                NewEvent(EventType.TASK_DONE, now - timedelta(hours=2), contacts[place], task_id=tasks[-1],
                         actor_id=users["rep"], data={"outcome": "interested"})
            )  # fmt: skip
        async with pool.acquire() as connection:
            await record(connection, told)
    for _ in range(3):
        await hit(pool, contacts[chance.choice((2, 5))], campaign, EventType.CLICKED, now - timedelta(hours=25), link_no=1,
                  verdict="machine")  # fmt: skip
    async with pool.acquire() as connection:
        (note,) = await record(
            connection,
            [
                NewEvent(
                    EventType.NOTED,
                    now - timedelta(days=3),
                    contacts[0],
                    actor_id=users["rep"],
                    data={"kind": "meeting"},
                )
            ],
        )
        await connection.execute(
            "INSERT INTO event_texts VALUES ($1, $2)",
            note,
            "Met at the fair in Lyon. Roof of 120 m², south-west; decides with her brother in April.",
        )
    return tasks


async def _make_import(pool: Pool, user: int) -> int:
    job: int = await pool.fetchval(
        'INSERT INTO imports (name, path, state, size, "offset", line, created, joined, rejected, created_by, finished_at)'
        " VALUES ('contacts-2026.csv', '/nowhere', 'done', 48211, 48211, 365, 360, 1, 4, $1, now()) RETURNING id",
        user,
    )
    for line, field, problem, content in (
        (
            17,
            "email",
            "this is not a mail address. Write it like name@example.org.",
            "Sans,Arobase,sans.arobase.example,FR",
        ),
        (88, "country", "This country is not known.", "Nulle,Part,nulle.part@ici.example,Atlantide"),
    ):
        await pool.execute(
            "INSERT INTO import_rejects VALUES ($1, $2, $3, $4, $5)", job, line, field, problem, content
        )
    return job


async def _make_mail(pool: Pool, source: dict[str, Any]) -> int:
    mail = EmailMessage()
    mail["From"] = "Emil Faure <marketer@helianthe.example>"
    mail["To"] = "claire.dubreuil@dubreuil.example"
    mail["Subject"] = "Claire, what does your roof earn?"
    mail["Message-ID"] = "<m1.1@helianthe.example>"
    template = MailTemplate.model_validate(source)
    about = MailKitchen(KEY, "http://127.0.0.1:8025", OutboxSettings()).context(1, "Spring letter", template)
    reader = {"given_name": "Claire", "organisation": "Ateliers Dubreuil", "email": "claire@dubreuil.example"}
    rendered = (await asyncio.to_thread(preview, template, about, [reader])).rendered[0]
    assert rendered is not None
    mail.set_content(rendered.text)
    mail.add_alternative(rendered.html, subtype="html")
    number: int = await pool.fetchval(
        "INSERT INTO sandbox_mails (sender, recipient, message_id_header, subject, raw)"
        " VALUES ('bounces+1@helianthe.example', 'claire.dubreuil@dubreuil.example', '<m1.1@helianthe.example>',"
        " 'Claire, what does your roof earn?', $1) RETURNING id",
        mail.as_bytes(),
    )
    for given, family, organisation, _country in _PEOPLE[1:6]:
        await pool.execute(
            "INSERT INTO sandbox_mails (sender, recipient, subject, raw, received_at)"
            " VALUES ('bounces@helianthe.example', $1, $2, $3, now() - interval '1 hour')",
            f"{given}.{family}@{organisation.split()[-1]}.example".lower(),
            f"{given}, what does your roof earn?",
            mail.as_bytes(),
        )
    return number
