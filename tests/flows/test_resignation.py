"""A letter of resignation reaches Human resources and nobody else, and a person confirms it before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

import pytest

from channels.base import Received
from clytie.bootstrap import open_blobs
from clytie.mail_reading import open_reader
from clytie.settings import Settings
from contacts.timeline import read_timeline
from domain.clock import SystemClock
from domain.tasks import TaskMove
from inbox.arrival.intake import Intake
from router.loop import Router, route_once
from router.rule_files import read_rules
from router.rule_store import apply_rules
from router.settings import RouterSettings
from router.tasks import move_task
from storage.announce import Announcer
from storage.pool import Pool
from tests.inbox.papers import write_pdf
from tests.inbox.post import write_mail
from web.access.people import Person, load_person
from web.queries.conversations import Box, list_conversations
from web.queries.tasks import Scope, as_viewer, find_task, list_tasks

RULES: Final = Path(__file__).with_name("rules") / "resignation.yaml"
CONFIDENTIAL: Final = "Human resources, confidential"
OTHERS: Final = """
- name: tell-everybody
  when: Received
  priority: 1000
  then: [{note: "{contact.name} wrote: {content.subject}"}]
"""
ENGLISH: Final = (
    "Dear Hélène,\n\nI hereby resign from my position as of 31 July. Thank you for everything.\n\nRenée"
)
FRENCH: Final = (
    "Madame,\n\nPar la présente, je vous présente ma démission de mon poste de technicienne. Mon préavis prendra fin le "
    "31 juillet.\n\nRenée Quitte"
)


@dataclass
class Office:
    """A house with departments, and mail that comes in as it does in life."""

    pool: Pool
    settings: Settings
    people: dict[str, int] = field(default_factory=dict)

    async def open(self) -> None:
        """Hire people and apply the rules."""
        pool = self.pool
        for name, role in (
            ("helene", "manager"),
            ("tomas", "manager"),
            ("ada", "administrator"),
            ("paul", "rep"),
        ):
            self.people[name] = await pool.fetchval(
                "INSERT INTO users (email, name, role) VALUES ($1, $2, $3) RETURNING id",
                f"{name}@hub.example", name.title(), role,
            )  # fmt: skip
        for team, members in (("Human resources", ["helene"]), ("Sales", ["tomas", "paul"])):
            number = await pool.fetchval("INSERT INTO teams (name) VALUES ($1) RETURNING id", team)
            for name in members:
                await pool.execute("INSERT INTO team_members VALUES ($1, $2)", number, self.people[name])
        await pool.execute(
            "INSERT INTO queues (name, team_id, confidential, from_address)"
            " SELECT $1, id, true, 'hr@hub.example' FROM teams WHERE name = 'Human resources'", CONFIDENTIAL,
        )  # fmt: skip
        await pool.execute(
            "WITH q AS (INSERT INTO queues (name, from_address, auto_answer)"
            " VALUES ('HR desk', 'hr@hub.example', 'We received your mail.') RETURNING id)"
            " INSERT INTO queue_addresses SELECT 'hr@hub.example', id FROM q"
        )
        await apply_rules(pool, read_rules(RULES.read_text("utf-8") + OTHERS, file=str(RULES)))

    async def receive(self, raw: bytes, sender: str = "renee@hub.example") -> int:
        """Through the door, the reading and the rules; gives the conversation."""
        announcer = Announcer(self.pool)
        intake = Intake(self.pool, open_blobs(self.settings), announcer)
        arrived = await intake.take(Received(raw, sender, ("hr@hub.example",), "smtp", "", {}))
        async with open_reader(self.settings, self.pool, announcer, SystemClock()) as reader:
            while await reader.read_due():
                pass
        router = Router(self.pool, SystemClock(), announcer, RouterSettings())
        while await route_once(router):
            pass
        await intake.close()
        await announcer.close()
        number: int = await self.pool.fetchval(
            "SELECT m.conversation_id FROM raw_mails r JOIN messages m ON m.id = r.message_id WHERE r.id = $1",
            arrived.raw_id,
        )
        return number

    async def queue_of(self, conversation: int) -> str:
        """The name of the queue that it is in."""
        name: str = await self.pool.fetchval(
            "SELECT q.name FROM conversations v JOIN queues q ON q.id = v.queue_id WHERE v.id = $1",
            conversation,
        )
        return name

    async def person(self, name: str) -> Person:
        """Somebody who works here, with their teams."""
        person = await load_person(self.pool, self.people[name])
        assert person is not None
        return person

    async def tasks(self) -> list[Any]:
        """All of them."""
        rows: list[Any] = await self.pool.fetch("SELECT * FROM tasks ORDER BY id")
        return rows

    async def letters_out(self) -> int:
        """How many messages left or are about to."""
        count: int = await self.pool.fetchval("SELECT count(*) FROM deliveries")
        return count


@pytest.fixture
async def office(pool: Pool, database_url: str, tmp_path: Path) -> Office:
    """The house, open."""
    settings = Settings(
        var=tmp_path,
        database_url=database_url,
        inbox={"domains": ["hub.example"], "authentication": {"check": False}},
    )
    office = Office(pool, settings)
    await office.open()
    return office


def _letter(text: str, **rest: Any) -> bytes:
    return write_mail(
        "Renée Quitte <renee@hub.example>", "hr@hub.example", rest.pop("subject", "A letter"), text, **rest
    )


def _forward(text: str) -> bytes:
    """What a manager's program makes of it, below a word of their own."""
    words = (
        "Hélène, please see below.\n\n---------- Forwarded message ---------\n"
        "From: Renée Quitte <renee@hub.example>\nDate: Mon, 4 May 2026 at 09:12\nSubject: A letter\n"
        f"To: Tomas Berg <tomas@hub.example>\n\n{text}\n"
    )
    return write_mail("Tomas Berg <tomas@hub.example>", "hr@hub.example", "Fwd: A letter", words)


def _forward_as_file(inner: bytes) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = (
        "Tomas Berg <tomas@hub.example>",
        "hr@hub.example",
        "TR : A letter",
    )
    mail.set_content("Pour vous.")
    mail.add_attachment(message_from_bytes(inner, policy=policy.default))
    return (
        mail.as_bytes()
        .replace(b"application/octet-stream", b"message/rfc822")
        .replace(b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: base64")
    )


WAYS: Final = {
    "English, in the body": _letter(ENGLISH),
    "French, in the body": _letter(FRENCH),
    "French, in the subject": _letter("Voir ci-joint.", subject="Je vous informe de ma démission"),
    "English, as PDF": _letter("Please see the enclosed letter.", files=[("letter.pdf", write_pdf(ENGLISH))]),
    "French, as PDF": _letter("Bonjour, ci-joint un courrier.", files=[("courrier.pdf", write_pdf(FRENCH))]),
    "French, as a text file": _letter("Bonjour.", files=[("courrier.txt", FRENCH.encode())]),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_letter_to_hr_opens_an_interview_in_the_confidential_queue(office: Office, way: str) -> None:
    conversation = await office.receive(WAYS[way])
    assert await office.queue_of(conversation) == CONFIDENTIAL
    [task] = await office.tasks()
    assert (task["kind"], task["title"]) == ("interview", "Resignation: interview with Renée Quitte")
    assert task["conversation_id"] == conversation


@pytest.mark.parametrize("text", [ENGLISH, FRENCH], ids=["English", "French"])
async def test_a_letter_that_a_manager_forwards_asks_for_an_interview_with_its_author(
    office: Office, text: str
) -> None:
    conversation = await office.receive(_forward(text), "tomas@hub.example")
    assert await office.queue_of(conversation) == CONFIDENTIAL
    [task] = await office.tasks()
    assert task["title"] == "Resignation: interview with renee@hub.example"


async def test_a_letter_that_is_forwarded_as_a_file_with_a_pdf_in_it_is_found(office: Office) -> None:
    conversation = await office.receive(_forward_as_file(WAYS["French, as PDF"]), "tomas@hub.example")
    assert await office.queue_of(conversation) == CONFIDENTIAL
    [task] = await office.tasks()
    assert task["title"] == "Resignation: interview with renee@hub.example"


ORDINARY: Final = {
    "a question": _letter("When is the office closed in August?"),
    "somebody's past": _letter("Our founder resigned from the board in 1990; may we write that on the website?"),
    "a past of one's own": _letter("I resigned from my last job in March, and am looking for a new one. My CV is enclosed."),
    "somebody else, in French": _letter("Le directeur a donné sa démission en 1990, à la suite du rachat."),
    "a past of one's own, in French": _letter("J'ai démissionné de mon ancien poste, et je cherche un emploi."),
    "a newsletter": _letter(
        "Ten signs that it is time to say: I resign. Our best templates for your letter.",
        subject="How to write my letter of resignation",
        List_Unsubscribe="<https://news.example/u>", List_Id="<hr.news.example>",
    ),
    "a newsletter, in French": _letter(
        "« Je démissionne » : les dix phrases à éviter.", subject="La newsletter des RH", Precedence="bulk"
    ),
    "resignation as a mood": _letter("With some resignation I accept that the printer will stay broken."),
    "a PDF about something else": _letter("The invoice.", files=[("i.pdf", write_pdf("Invoice 2026-101, 1,200 EUR"))]),
}  # fmt: skip


@pytest.mark.parametrize("mail", ORDINARY)
async def test_ordinary_mail_is_left_alone(office: Office, mail: str) -> None:
    conversation = await office.receive(ORDINARY[mail])
    assert await office.queue_of(conversation) == "HR desk"
    assert await office.tasks() == []


async def test_nothing_is_sent_before_a_person_has_confirmed(office: Office) -> None:
    await office.receive(_letter("When is the office closed in August?"))
    before = await office.letters_out()
    assert before == 1  # the desk acknowledges what is ordinary
    await office.receive(_letter(ENGLISH, message_id="2@hub.example"), "renee@hub.example")
    [task] = await office.tasks()
    assert task["state"] == "offered"
    assert "Nothing was answered, and nothing is sent" in task["details"]["description"]
    assert await office.letters_out() == before


async def test_the_hr_manager_confirms_by_accepting(office: Office) -> None:
    await office.receive(_letter(ENGLISH))
    [task] = await office.tasks()
    helene = await office.person("helene")
    seen = await find_task(office.pool, helene, task["id"], datetime.now(UTC))
    assert seen is not None
    await move_task(office.pool, task["id"], seen.version, TaskMove.ACCEPT, helene.id, now=datetime.now(UTC))
    [accepted] = await office.tasks()
    assert (accepted["state"], accepted["assignee_id"]) == ("accepted", helene.id)
    assert await office.letters_out() == 0


@pytest.mark.parametrize("name", ["tomas", "ada", "paul"])
async def test_nobody_else_sees_the_letter_its_task_or_that_there_is_one(office: Office, name: str) -> None:
    conversation = await office.receive(_forward(ENGLISH), "tomas@hub.example")
    [task] = await office.tasks()
    other, now, pool = await office.person(name), datetime.now(UTC), office.pool
    assert await find_task(pool, other, task["id"], now) is None
    assert await list_tasks(pool, other, Scope.ALL, now) == []
    page = await list_conversations(pool, other, Box.OPEN)
    assert conversation not in [row["id"] for row in page]
    for contact in await pool.fetch("SELECT id FROM contacts"):
        assert await read_timeline(pool, contact["id"], viewer=as_viewer(other)) == []


async def test_other_rules_write_nothing_about_it(office: Office) -> None:
    await office.receive(_letter(FRENCH))
    await office.receive(_letter("When is the office closed in August?"))
    notes = await office.pool.fetch("SELECT body FROM event_texts")
    assert [note["body"] for note in notes] == ["Renée Quitte wrote: A letter"]
