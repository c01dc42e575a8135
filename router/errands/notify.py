"""Tells people who work here what rules tell them: notices in the console, letters, short messages; each person once."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from channels.mail.parsed import Mailbox
from domain.errors import InvalidInput
from outbox.letters.letter import Letter, LetterKind
from outbox.letters.writing import Stationery, write_letter
from outbox.texts.letters import SmsLetter, write_sms
from router.errands.house import house_address, house_number, who_may_know
from router.performing import Outcome, Task
from storage.pool import Connection

_WHO: Final = """
SELECT id FROM users WHERE lower(email) = lower($1)
UNION SELECT m.user_id FROM team_members m JOIN teams t ON t.id = m.team_id WHERE t.name = $2
UNION SELECT coalesce((SELECT assignee_id FROM tasks WHERE id = $4), (SELECT assignee_id FROM conversations WHERE id = $5))
      WHERE $3
"""
_PEOPLE: Final = "SELECT id, name, email, phone FROM users WHERE id = ANY ($1::bigint[]) ORDER BY id"
_NOTICE: Final = """
INSERT INTO notices (user_id, words, rule, contact_id, conversation_id, case_id, task_id, created_at)
SELECT id, $2, $3, $4, $5, $6, $7, $8 FROM unnest($1::bigint[]) AS id
"""
_LINKS: Final = (
    ("conversation_id", "conversations"),
    ("task_id", "tasks"),
    ("case_id", "cases"),
    ("contact_id", "contacts"),
)


class NotifyErrand:
    """router.performing.Inside for `notify`. `base_url`: our public address, for the link in mails."""

    def __init__(self, stationery: Stationery, base_url: str) -> None:
        self._stationery = stationery
        self._base_url = base_url

    async def __call__(self, connection: Connection, task: Task, now: datetime) -> Outcome:
        """Tell everybody who may know, or say that nobody could be told."""
        asked = task.payload
        rows = await connection.fetch(
            _WHO, asked["person"], asked["team"], asked["assignee"], asked["task_id"], task.conversation_id
        )
        wanted = {row[0] for row in rows} | {asked["owner_id"]}
        wanted.discard(None)
        told = await who_may_know(connection, wanted, task.conversation_id, task.case_id)
        if not told:
            return Outcome.nothing("nobody whom the rule names is active and may know of it")
        people = await connection.fetch(_PEOPLE, told)
        if "console" in asked["by"]:
            await connection.execute(
                _NOTICE,
                told,
                asked["text"],
                asked["rule"],
                task.contact_id,
                task.conversation_id,
                task.case_id,
                asked["task_id"],
                now,
            )
        if "mail" in asked["by"]:
            await self._mail(connection, task, people)
        if "sms" in asked["by"]:
            reached = await self._sms(connection, task, people)
            if not reached and asked["by"] == ["sms"]:
                return Outcome.nothing("nobody whom the rule names has a phone number")
        return Outcome()

    async def _mail(self, connection: Connection, task: Task, people: Any) -> None:
        author = await house_address(connection)
        if author is None:
            raise InvalidInput(
                "notify",
                "no queue has an address to send from.",
                "Give one to a queue, or notify in the console.",
            )
        text = f"{task.payload['text']}\n\n{self._link(task)}"
        subject = " ".join(task.payload["text"].split())[:120]
        for person in people:
            letter = Letter(
                LetterKind.NOTIFICATION,
                author,
                (Mailbox(person["name"], person["email"]),),
                subject,
                text,
                headers=(("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All")),
            )
            await write_letter(connection, letter, self._stationery)

    async def _sms(self, connection: Connection, task: Task, people: Any) -> int:
        sender = await house_number(connection)
        if sender is None:
            raise InvalidInput(
                "notify", "no number of ours is known.", "Give one to a queue, or notify by mail."
            )
        reached = 0
        for person in people:
            if not (person["phone"] or "").startswith("+"):
                continue
            text = SmsLetter(
                LetterKind.NOTIFICATION, sender, person["phone"], task.payload["text"], lookalikes=True
            )
            await write_sms(connection, text, self._stationery.clock)
            reached += 1
        return reached

    def _link(self, task: Task) -> str:
        for key, path in _LINKS:
            number = task.payload[key]
            if number is not None:
                return f"{self._base_url}/{path}/{number}"
        return self._base_url
