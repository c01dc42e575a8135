"""Sends what rules send: a letter or an SMS in the outbox, once, if the contact allows it and nothing else speaks against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from channels.mail.parsed import Mailbox
from channels.mail.subjects import reply_subject
from contacts.addresses import read_mail_address, read_phone
from domain.errors import InvalidInput
from inbox.mails.rule_answers import answer_mail
from inbox.reading_settings import AutoAnswerSettings
from inbox.texts.answers import prepare_first_sms, prepare_sms_answer
from inbox.texts.rule_answers import answer_text
from outbox.letters.letter import Farewell, Letter, LetterKind
from outbox.letters.writing import Stationery, write_letter
from outbox.texts.letters import SmsLetter, write_sms
from router.errands.house import find_queue, house_number, is_hidden, is_paused, who_may_know
from router.performing import Outcome, Task
from router.settings import RouterSettings
from storage.pool import Connection

#: headers of what a machine writes of its own accord (RFC 3834, 5)
_AUTOMATIC: Final = (("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All"))
_FAREWELLS: Final[Mapping[str, str]] = {
    "en": "You get this because you allowed it. To unsubscribe:",
    "fr": "Vous recevez ce message parce que vous l'avez permis. Pour vous désinscrire :",
}
_CONTACT: Final = """
SELECT c.id, c.name, c.language, c.timezone,
       (SELECT i.address FROM identities i WHERE i.contact_id = c.id AND i.kind = 'mail' ORDER BY i.id LIMIT 1) AS mail,
       (SELECT s.state FROM consents s WHERE s.contact_id = c.id AND s.purpose = $2) AS consent
FROM contacts c WHERE c.id = coalesce((SELECT contact_id FROM contact_aliases WHERE old_id = $1), $1)
"""
_SUPPRESSED: Final = "SELECT reason FROM suppressions WHERE kind = $1 AND address = $2"
_LATELY: Final = """
SELECT count(*) FROM rule_deeds
WHERE action = 'send' AND contact_id = $1 AND settled_at > now() - interval '1 hour' AND state = 'done' AND trouble = ''
"""
_OWNER: Final = "SELECT email, name, phone FROM users WHERE id = $1"
_THREAD: Final = """
SELECT x.subject, f.header_id, f.reference_ids
FROM messages m JOIN message_contents x ON x.message_id = m.id JOIN mail_facts f ON f.message_id = m.id
WHERE m.id = $1 AND m.direction = 'in' AND m.channel = 'mail'
"""
_TALK: Final = "SELECT channel FROM conversations WHERE id = $1 AND contact_id = $2"


class SendErrand:
    """router.performing.Inside for `send`. `base_url`: our public address, for links to unsubscribe."""

    def __init__(self, stationery: Stationery, base_url: str, settings: RouterSettings) -> None:
        self._stationery = stationery
        self._base_url = base_url
        self._settings = settings

    async def __call__(self, connection: Connection, task: Task, now: datetime) -> Outcome:
        """Write the message into the outbox, or say why not."""
        if task.payload["to"] == "contact":
            return await self._to_contact(connection, task, now)
        return await self._to_others(connection, task)

    async def _to_contact(self, connection: Connection, task: Task, now: datetime) -> Outcome:
        asked = task.payload
        purpose = asked["purpose"]
        contact = await connection.fetchrow(_CONTACT, task.contact_id, purpose)
        if contact is None:
            return Outcome.nothing("the event has no contact, or they are gone")
        if purpose != "service":
            if contact["consent"] != "granted":
                return Outcome.nothing(f"the contact did not allow it: there is no consent for {purpose}")
            if await is_paused(connection, contact["id"], now):
                return Outcome.nothing("marketing is paused for this contact")
        if await connection.fetchval(_LATELY, contact["id"]) >= self._settings.messages_per_hour:
            return Outcome.nothing("the contact got enough messages of rules within the hour")
        talk = await connection.fetchval(_TALK, task.conversation_id, contact["id"])
        there = task.conversation_id if talk == asked["channel"] else None
        if asked["channel"] == "mail":
            return await self._mail(connection, task, contact, there)
        return await self._sms(connection, task, contact, there)

    async def _mail(self, connection: Connection, task: Task, contact: Any, there: int | None) -> Outcome:
        asked = task.payload
        if contact["mail"] is None:
            return Outcome.nothing("the contact has no mail address")
        reason = await connection.fetchval(_SUPPRESSED, "mail", contact["mail"])
        if reason is not None:
            return Outcome.nothing(f"the address is on the do-not-contact list ({reason})")
        queue = await self._queue(connection, task)
        thread = await connection.fetchrow(_THREAD, asked["message_id"]) if there is not None else None
        signature = f"\n\n-- \n{queue['signature']}" if queue["signature"] else ""
        farewell = None
        if asked["purpose"] != "service":
            words = _FAREWELLS.get((contact["language"] or "en")[:2], _FAREWELLS["en"])
            farewell = Farewell(self._base_url, words)
        letter = Letter(
            LetterKind.TRANSACTIONAL,
            Mailbox(queue["from_name"] or queue["name"], queue["from_address"]),
            (Mailbox(contact["name"], contact["mail"]),),
            asked["subject"] or (reply_subject(thread["subject"]) if thread else ""),
            asked["text"] + signature,
            headers=_AUTOMATIC,
            in_reply_to=thread["header_id"] if thread else "",
            references=_references(thread),
            contact_id=contact["id"],
            conversation_id=there,
            case_id=task.case_id,
            new_text=asked["text"],
            farewell=farewell,
        )
        await write_letter(connection, letter, self._stationery)
        return Outcome()

    async def _sms(self, connection: Connection, task: Task, contact: Any, there: int | None) -> Outcome:
        asked = task.payload
        prepared = await (
            prepare_sms_answer(connection, there)
            if there is not None
            else prepare_first_sms(connection, contact["id"])
        )
        if not prepared.to:
            return Outcome.nothing("the contact has no number that takes short messages")
        reason = await connection.fetchval(_SUPPRESSED, "phone", prepared.to)
        if reason is not None:
            return Outcome.nothing(f"the number is on the do-not-contact list ({reason})")
        sender = asked["sender"] or prepared.sender or await house_number(connection)
        if not sender:
            raise InvalidInput("sender", "no number of ours is known.", "Write sender into the rule.")
        not_before = None
        if asked["purpose"] != "service":  # by day, as campaigns
            moment = datetime.now(UTC)
            wait = self._stationery.settings.text_hours.wait(prepared.to, moment, contact["timezone"] or "")
            not_before = moment + timedelta(seconds=wait) if wait > 0 else None
        letter = SmsLetter(
            LetterKind.TRANSACTIONAL,
            sender,
            prepared.to,
            asked["text"],
            lookalikes=True,
            contact_id=contact["id"],
            conversation_id=there,
            case_id=task.case_id,
            not_before=not_before,
        )
        await write_sms(connection, letter, self._stationery.clock)
        return Outcome()

    async def _to_others(self, connection: Connection, task: Task) -> Outcome:
        """To the contact's owner, or an address that the rule names."""
        asked = task.payload
        to, name = asked["to"], ""
        if to == "owner":
            known = await who_may_know(
                connection, [asked["owner_id"] or 0], task.conversation_id, task.case_id
            )
            if not known:
                return Outcome.nothing("the contact has no owner who is active and may know of it")
            owner = await connection.fetchrow(_OWNER, known[0])
            assert owner is not None
            to, name = (owner["phone"] if asked["channel"] == "sms" else owner["email"]), owner["name"]
            if not to or to.startswith("client:"):
                return Outcome.nothing("the contact's owner has no phone number")
        elif await is_hidden(connection, task.conversation_id, task.case_id):
            return Outcome.nothing("what is confidential is told to nobody outside")
        if asked["channel"] == "sms":
            number = read_phone(to, None)
            if reason := await connection.fetchval(_SUPPRESSED, "phone", number):
                return Outcome.nothing(f"the number is on the do-not-contact list ({reason})")
            sender = asked["sender"] or await house_number(connection)
            if not sender:
                raise InvalidInput("sender", "no number of ours is known.", "Write sender into the rule.")
            text = SmsLetter(LetterKind.NOTIFICATION, sender, number, asked["text"], lookalikes=True)
            await write_sms(connection, text, self._stationery.clock)
            return Outcome()
        address = read_mail_address(to)
        if reason := await connection.fetchval(_SUPPRESSED, "mail", address):
            return Outcome.nothing(f"the address is on the do-not-contact list ({reason})")
        queue = await self._queue(connection, task)
        letter = Letter(
            LetterKind.NOTIFICATION,
            Mailbox(queue["from_name"] or queue["name"], queue["from_address"]),
            (Mailbox(name, address),),
            asked["subject"],
            asked["text"],
            headers=_AUTOMATIC,
        )
        await write_letter(connection, letter, self._stationery)
        return Outcome()

    async def _queue(self, connection: Connection, task: Task) -> Any:
        queue = await find_queue(connection, task.payload["queue"], task.conversation_id)
        if queue is None or not queue["from_address"]:
            raise InvalidInput(
                "queue", "there is no address to send from.", "Name a queue that has one in the rule."
            )
        return queue


def _references(thread: Any) -> tuple[str, ...]:
    if thread is None:
        return ()
    return (*reversed(thread["reference_ids"] or ()), *([thread["header_id"]] if thread["header_id"] else ()))


@dataclass(frozen=True, slots=True)
class AutoAnswerErrand:
    """router.performing.Inside for `auto_answer`."""

    stationery: Stationery
    settings: AutoAnswerSettings

    async def __call__(self, connection: Connection, task: Task, now: datetime) -> Outcome:
        """Answer by machine, or say what speaks against it."""
        message_id = task.payload["message_id"]
        if message_id is None:
            return Outcome.nothing("the event has no message")
        channel = await connection.fetchval("SELECT channel FROM messages WHERE id = $1", message_id)
        answer = answer_text if channel == "sms" else answer_mail
        refusal = await answer(connection, message_id, task.payload["text"], self.stationery, self.settings)
        return Outcome() if refusal is None else Outcome.nothing(refusal)
