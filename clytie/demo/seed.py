"""What the demo's house holds before the story begins: people, teams with queues and lines, a segment, a brochure, rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from clytie.demo.brochure import NAME, write_brochure
from clytie.demo.clock import begin_in_working_time
from clytie.demo.post import SALES, SUPPORT
from inbox.lines.files import read_lines
from inbox.lines.store import apply_lines
from router.rule_files import load_rules
from router.rule_store import apply_rules
from storage.blobs import BlobStore
from storage.pool import Pool, transaction
from web.access.sessions import make_api_token

RULES: Final = Path(__file__).with_name("rules.yaml")
LINES: Final = Path(__file__).with_name("lines.yaml")
SEGMENT: Final = "Prospects in France who may be written to"
CONDITION: Final[Mapping[str, Any]] = {
    "all": [
        {"field": "contact.relation", "is": "prospect"},
        {"field": "contact.country", "is": "FR"},
        {"consent": "newsletter"},
    ]
}
CAMPAIGN: Final = "Spring letter"
HOURS: Final = {day: [["09:00", "12:30"], ["13:30", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody whom a visitor of the demo can become."""

    email: str
    name: str
    role: str
    phone: str
    language: str = "fr"


PERSONAS: Final = (
    Persona("nadia@helianthe.example", "Nadia Benali", "marketer", "+33639980101"),
    Persona("paul@helianthe.example", "Paul Girard", "rep", "+33639980102"),
    Persona("ines@helianthe.example", "Inès Moreau", "rep", "+33639980103"),
    Persona("leo@helianthe.example", "Léo Caron", "agent", "+33639980104"),
    Persona("sofia@helianthe.example", "Sofia Marchetti", "manager", "+33639980105"),
    Persona("alex@helianthe.example", "Alex Kerr", "administrator", "+33639980106", "en"),
)
#: numbers of ours, from the range that is kept for stories
SALES_PHONE: Final = "+33639980010"
SUPPORT_PHONE: Final = "+33639980020"
#: teams, the roles of their members, and the addresses of the queue that they answer: mail and number
TEAMS: Final = (
    ("Sales", ("rep", "manager"), SALES, SALES_PHONE),
    ("Support", ("agent", "manager"), SUPPORT, SUPPORT_PHONE),
)
REPS: Final = tuple(persona.email for persona in PERSONAS if persona.role == "rep")

_USER: Final = """
INSERT INTO users (email, name, role, language, phone) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (email) DO UPDATE SET name = EXCLUDED.name, phone = coalesce(users.phone, EXCLUDED.phone) RETURNING id
"""
_TEAM: Final = """
INSERT INTO teams (name, country, timezone, hours, caller_id) VALUES ($2, 'FR', 'Europe/Paris', $1, $3)
ON CONFLICT (name) DO UPDATE SET hours = EXCLUDED.hours, caller_id = coalesce(teams.caller_id, EXCLUDED.caller_id)
RETURNING id
"""
_MEMBER: Final = "INSERT INTO team_members (team_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_QUEUE: Final = """
INSERT INTO queues (name, team_id, from_name, from_address, signature, language)
VALUES ($1, $2, 'Hélianthe ' || $1, $3, E'{agent}\nHélianthe Énergie, Lyon', 'fr')
ON CONFLICT (name) DO UPDATE SET team_id = EXCLUDED.team_id RETURNING id
"""
_ADDRESS: Final = "INSERT INTO queue_addresses (address, queue_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_ASSET: Final = """
INSERT INTO assets (name, blob, media_type, size) VALUES ($1, $2, 'application/pdf', $3) ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Seeded:
    """What the story needs to know: the personas' API tokens by role (the first of each)."""

    tokens: Mapping[str, str]


async def seed(pool: Pool, blobs: BlobStore) -> Seeded:
    """Put everything in place; doing it again changes nothing but makes new API tokens."""
    brochure = write_brochure()
    async with transaction(pool) as connection:
        users = {
            persona.email: await connection.fetchval(
                _USER, persona.email, persona.name, persona.role, persona.language, persona.phone
            )
            for persona in PERSONAS
        }
        for name, roles, address, number in TEAMS:
            team = await connection.fetchval(_TEAM, HOURS, name, number)
            for persona in PERSONAS:
                if persona.role in roles:
                    await connection.execute(_MEMBER, team, users[persona.email])
            queue = await connection.fetchval(_QUEUE, name, team, address)
            for one in (address, number):
                await connection.execute(_ADDRESS, one, queue)
        await connection.execute(
            "INSERT INTO segments (name, condition) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            SEGMENT,
            CONDITION,
        )
        await connection.execute(_ASSET, NAME, blobs.put(brochure), len(brochure))
    await begin_in_working_time(pool, HOURS, "FR", "Europe/Paris")
    await apply_lines(pool, read_lines(LINES.read_text("utf-8"), file=LINES.name))
    await apply_rules(pool, load_rules(RULES))
    tokens: dict[str, str] = {}
    for persona in PERSONAS:
        if persona.role not in tokens:
            tokens[persona.role] = await make_api_token(pool, users[persona.email], "demo")
    return Seeded(tokens)
