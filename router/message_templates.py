"""Message templates: texts by name and language that rules send, with fields such as `{contact.name}`. Data of the house."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from domain.errors import InvalidInput, NotFound
from domain.predicates import Facts
from router.templates import check_template, compile_template
from router.then.base import LONGEST_TITLE
from router.then.messages import LONGEST_MAIL, LONGEST_SMS
from storage.pool import Connection, Pool

_LIST: Final = """
SELECT id, name, language, channel, subject, body, updated_at FROM message_templates ORDER BY lower(name), language
"""
_NAMED: Final = """
SELECT name, language, channel, subject, body FROM message_templates WHERE name = ANY ($1::text[]) ORDER BY name, language
"""
_SAVE: Final = """
INSERT INTO message_templates (name, language, channel, subject, body) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name, language) DO UPDATE
SET channel = excluded.channel, subject = excluded.subject, body = excluded.body, updated_at = now()
RETURNING id
"""
_DROP: Final = "DELETE FROM message_templates WHERE id = $1 RETURNING name"
_USERS: Final = """
SELECT name FROM rules WHERE active AND jsonb_path_exists(
    definition, '$.then[*].*.template ? (@ == $name)', jsonb_build_object('name', $1::text)) ORDER BY name
"""


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """One template in one language. `channel`: mail or sms; an SMS has no subject."""

    name: str
    language: str
    channel: str
    subject: str
    body: str

    def fill(self, facts: Facts) -> tuple[str, str]:
        """Subject and text for one event."""
        longest = LONGEST_MAIL if self.channel == "mail" else LONGEST_SMS
        subject = compile_template(self.subject, longest=LONGEST_TITLE)
        return subject(facts), compile_template(self.body, longest=longest, one_line=False)(facts)


async def list_templates(pool: Pool) -> Sequence[Any]:
    """All templates, by name and language."""
    return list(await pool.fetch(_LIST))


async def load_templates(
    connection: Connection, names: Sequence[str]
) -> Mapping[str, Sequence[MessageTemplate]]:
    """The templates of these names, in each language."""
    found: dict[str, list[MessageTemplate]] = {}
    for row in await connection.fetch(_NAMED, names) if names else ():
        found.setdefault(row["name"], []).append(MessageTemplate(**row))
    return found


def choose(templates: Sequence[MessageTemplate], language: str | None) -> MessageTemplate:
    """The one in the reader's language, else the English one, else the first. Pure."""
    for wanted in ((language or "").lower()[:2], "en"):
        for template in templates:
            if template.language == wanted:
                return template
    return templates[0]


async def save_template(pool: Pool, template: MessageTemplate) -> int:
    """Keep a template, in place of the one of its name and language; gives its number. Raises InvalidInput."""
    name = " ".join(template.name.split())
    if not name or len(name) > 200:
        raise InvalidInput("name", "it needs a name of 200 characters at most.", "Write a few words.")
    if len(template.language) != 2 or not template.language.isalpha():
        raise InvalidInput("language", f"{template.language!r} is no language.", "Write two letters: en, fr.")
    if template.channel not in ("mail", "sms"):
        raise InvalidInput("channel", f"{template.channel!r} is no channel.", "Write mail or sms.")
    if template.channel == "mail" and not template.subject.strip():
        raise InvalidInput("subject", "a mail needs one.", "Write what it is about.")
    if not template.body.strip():
        raise InvalidInput("body", "it is empty.", "Write the text.")
    if len(template.body) > (LONGEST_MAIL if template.channel == "mail" else LONGEST_SMS):
        raise InvalidInput(
            "body", "it is too long.", f"{LONGEST_MAIL} characters for mail, {LONGEST_SMS} for SMS."
        )
    for field in ("subject", "body"):
        check_template(getattr(template, field), name=field)
    subject = template.subject.strip() if template.channel == "mail" else ""
    number: int = await pool.fetchval(
        _SAVE,
        name,
        template.language.lower(),
        template.channel,
        subject[:LONGEST_TITLE],
        template.body.strip(),
    )
    return number


async def drop_template(pool: Pool, number: int) -> None:
    """Delete a template. Raises NotFound; InvalidInput while an active rule names it and there is no other language."""
    async with pool.acquire() as connection, connection.transaction():
        name = await connection.fetchval(_DROP, number)
        if name is None:
            raise NotFound(f"There is no message template {number}.")
        if await connection.fetchval("SELECT true FROM message_templates WHERE name = $1", name):
            return
        rules = [row["name"] for row in await connection.fetch(_USERS, name)]
        if rules:
            raise InvalidInput("id", f"rules send it: {', '.join(rules)}.", "Change those rules first.")
