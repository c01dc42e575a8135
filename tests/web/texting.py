"""Short messages in a small organisation, for screenshots and tests of pages: numbers, consents, campaigns, talks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from channels.sms.costs import Prices
from channels.sms.segments import count
from domain.events import EventType, NewEvent
from storage.event_store import record
from storage.pool import Pool
from web.texting import TextAccount

OURS: Final = "+33639980099"
ACCOUNT: Final = TextAccount(
    Prices(currency="EUR", countries={"FR": Decimal("0.0679"), "GB": Decimal("0.0418")}), ("HELIANTHE",)
)
TEXT: Final = {
    "text": "Bonjour {{ contact.given_name|default(contact.name) }}, portes ouvertes “Toits” samedi 10 h – venez…",
    "sender": OURS,
    "stop_hint": True,
    "language": "fr",
}
#: name, language, number, consent to texts, why the number is on the list
_PEOPLE: Final = (
    ("Claire Dubreuil", "fr", "+33639980001", "granted", None),
    ("Étienne Garçon", "fr", "+33639980002", "granted", None),
    ("Niamh O'Connor", "en", "+447700900003", "granted", None),
    ("Jürgen Groß", "de", "+33639980004", "granted", "opted_out"),
    ("Małgorzata Wójcik-Krzyżanowska", "pl", "+33639980005", "granted", None),
    ("Loïc N'Diaye", "fr", "+33142685306", "granted", None),
    ("Begoña Muñoz", "es", "+33639980007", None, None),
    ("Yasmine Traoré", "fr", "+33639980008", "withdrawn", None),
    ("Wout Peeters", "nl", None, "granted", None),
    ("John Carter", "en", "+12125550123", "granted", None),
)


@dataclass
class Texting:
    """What was made: contacts by their first name, campaigns and conversations by a word."""

    contacts: dict[str, int]
    queue: int
    segment: int
    draft: int
    campaign: int
    conversations: dict[str, int]
    undelivered: int  #: a message that did not arrive


async def build_texting(pool: Pool, *, team: int | None = None) -> Texting:
    """Fill a database."""
    contacts = {one[0].split()[0]: await _person(pool, *one) for one in _PEOPLE}
    queue = await pool.fetchval(
        "INSERT INTO queues (name, team_id, from_name, from_address, language)"
        " VALUES ('Texts', $1, 'Hélianthe', 'texts@helianthe.example', 'fr') RETURNING id",
        team,
    )
    await pool.execute("INSERT INTO queue_addresses VALUES ($1, $2)", OURS, queue)
    segment = await pool.fetchval(
        "INSERT INTO segments (name, condition) VALUES ('People with a phone', $1) RETURNING id",
        {"all": [{"field": "contact.relation", "is": "customer"}]},
    )
    draft = await pool.fetchval(
        "INSERT INTO campaigns (name, segment_id, purpose, tracking_policy, channel, source)"
        " VALUES ('Open day', $1, 'texts', 'none', 'sms', $2) RETURNING id",
        segment,
        TEXT,
    )
    campaign = await _campaign(pool, segment, contacts)
    conversations = await _talks(pool, queue, contacts)
    undelivered = await pool.fetchval(
        "SELECT max(m.id) FROM messages m JOIN sms_facts f ON f.message_id = m.id"
        " WHERE m.conversation_id IS NOT NULL AND f.status = 'undelivered'"
    )
    return Texting(contacts, queue, segment, draft, campaign, conversations, undelivered)


async def _person(
    pool: Pool, name: str, language: str, number: str | None, consent: str | None, listed: str | None
) -> int:
    given, _space, family = name.partition(" ")
    contact: int = await pool.fetchval(
        "INSERT INTO contacts (name, given_name, family_name, relation, language, country)"
        " VALUES ($1, $2, $3, 'customer', $4, 'FR') RETURNING id",
        name, given, family, language,
    )  # fmt: skip
    if number:
        await pool.execute(
            "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'phone', $2, $2)",
            contact,
            number,
        )
    if consent:
        await pool.execute("INSERT INTO consents VALUES ($1, 'texts', $2, now())", contact, consent)
    if listed:
        await pool.execute(
            "INSERT INTO suppressions (kind, address, reason, source) VALUES ('phone', $1, $2, 'test')",
            number,
            listed,
        )
    return contact


async def add_text(
    pool: Pool, conversation: int | None, contact: int | None, words: str, at: datetime, *, out: bool = False,
    theirs: str, campaign: int | None = None, state: str = "sent", **facts: Any,
) -> int:  # fmt: skip
    """One short message, theirs unless `out`; `facts`: status, reason, price…"""
    number: int = await pool.fetchval(
        "INSERT INTO messages (direction, channel, contact_id, conversation_id, campaign_id, created_at)"
        " VALUES ($1, 'sms', $2, $3, $4, $5) RETURNING id",
        "out" if out else "in", contact, conversation, campaign, at,
    )  # fmt: skip
    if campaign is None:
        await pool.execute(
            "INSERT INTO message_contents (message_id, subject, body, new_text) VALUES ($1, '', $2, $2)",
            number,
            words,
        )
        ends = (OURS, theirs) if out else (theirs, OURS)
        await pool.execute(
            "INSERT INTO message_parties (message_id, part, no, name, address)"
            " VALUES ($1, 'from', 0, '', $2), ($1, 'to', 0, '', $3)",
            number, *ends,
        )  # fmt: skip
    if out:
        if campaign is None:
            await pool.execute(
                "INSERT INTO letters (message_id, kind, sender, content, utf8, options) VALUES ($1, 'answer', $2, $3, true, '{}')",
                number, OURS, words.encode(),
            )  # fmt: skip
        await pool.execute(
            "INSERT INTO deliveries (message_id, campaign_id, contact_id, channel, address, state, reason, settled_at)"
            " VALUES ($1, $2, $3, 'sms', $4, $5, $6, $7)",
            number, campaign or 0, contact, theirs, state, facts.pop("why", None), at,
        )  # fmt: skip
    counted = count(words)
    values = {
        "ours": OURS, "theirs": theirs, "encoding": counted.encoding.value, "segments": counted.segments,
        "status": "delivered" if out else "received", **facts,
    }  # fmt: skip
    places = ", ".join(f"${place}" for place in range(2, len(values) + 2))
    await pool.execute(
        f"INSERT INTO sms_facts (message_id, {', '.join(values)}) VALUES ($1, {places})",
        number,
        *values.values(),
    )
    return number


async def _campaign(pool: Pool, segment: int, contacts: dict[str, int]) -> int:
    launched = datetime.now(UTC) - timedelta(hours=5)
    campaign: int = await pool.fetchval(
        "INSERT INTO campaigns (name, segment_id, purpose, tracking_policy, channel, source, state, recipients, launched_at)"
        " VALUES ('Spring offer', $1, 'texts', 'none', 'sms', $2, 'done', 5, $3) RETURNING id",
        segment, TEXT, launched,
    )  # fmt: skip
    ids = []
    for name, theirs, state, facts in (
        ("Claire", "+33639980001", "sent", {"price": Decimal("-0.0679")}),
        (
            "Étienne",
            "+33639980002",
            "sent",
            {"status": "undelivered", "reason": "number_unreachable", "price": Decimal("-0.0679")},
        ),
        ("Niamh", "+447700900003", "sent", {"price": Decimal("-0.0418")}),
        ("Małgorzata", "+33639980005", "sent", {"status": "sent"}),
        ("John", "+12125550123", "rejected", {"status": "", "why": "region_closed"}),
    ):
        given = {**facts, "currency": "EUR"} if "price" in facts else facts
        ids.append(
            await add_text(
                pool, None, contacts[name], "Bonjour, notre offre du printemps.", launched, out=True, theirs=theirs,
                campaign=campaign, state=state, **given,
            )
        )  # fmt: skip
    await pool.execute(
        "UPDATE campaigns SET first_message_id = $2, last_message_id = $3 WHERE id = $1",
        campaign,
        ids[0],
        ids[-1],
    )
    async with pool.acquire() as connection:
        for name, data in (("Claire", {}), ("Niamh", {"command": "stop"})):
            event = NewEvent(
                EventType.RECEIVED,
                launched,
                contacts[name],
                ids[0],
                campaign,
                data={"channel": "sms", **data},
            )
            await record(connection, [event])
    return campaign


async def _talks(pool: Pool, queue: int, contacts: dict[str, int]) -> dict[str, int]:
    now = datetime.now(UTC)
    made = {}
    for word, name, theirs in (
        ("parcel", "Claire", "+33639980001"), ("stopped", "Jürgen", "+33639980004"), ("beside", "Étienne", "+33639980002"),
    ):  # fmt: skip
        made[word] = await pool.fetchval(
            "INSERT INTO conversations (contact_id, queue_id, channel, waiting_since, last_message_at)"
            " VALUES ($1, $2, 'sms', $3, $3) RETURNING id",
            contacts[name], queue, now - timedelta(minutes=4),
        )  # fmt: skip
        await pool.execute(
            "INSERT INTO conversation_parties (conversation_id, address, contact_id) VALUES ($1, $2, $3)",
            made[word], theirs, contacts[name],
        )  # fmt: skip
    claire, ago = contacts["Claire"], timedelta(minutes=40)
    await add_text(
        pool, made["parcel"], claire, "Bonjour, où en est ma livraison ?", now - ago, theirs="+33639980001"
    )
    await add_text(
        pool, made["parcel"], claire, "Elle est partie ce matin, demain avant 10 h.", now - ago * 0.8, out=True,
        theirs="+33639980001", price=Decimal("-0.0679"), currency="EUR",
    )  # fmt: skip
    await add_text(
        pool, made["parcel"], claire, "Le chauffeur vous appelle.", now - ago * 0.5, out=True, theirs="+33639980001",
        status="undelivered", reason="number_unreachable",
    )  # fmt: skip
    await add_text(
        pool, made["parcel"], claire, "Il a votre numéro.", now - ago * 0.4, out=True, theirs="+33639980001", status="",
        state="uncertain", why="timeout",
    )  # fmt: skip
    await add_text(
        pool, made["parcel"], claire, "Merci ! Voici le portail https://maps.example/p", now - timedelta(minutes=4),
        theirs="+33639980001",
    )  # fmt: skip
    await add_text(
        pool,
        made["stopped"],
        contacts["Jürgen"],
        "Wo bleibt mein Angebot?",
        now - timedelta(minutes=4),
        theirs="+33639980004",
    )
    asked = await add_text(
        pool, made["beside"], contacts["Étienne"], "C'est au sujet de mon devis.", now - timedelta(minutes=4),
        theirs="+33639980002",
    )  # fmt: skip
    made["mail"] = await pool.fetchval(
        "INSERT INTO conversations (contact_id, queue_id, subject, waiting_since, last_message_at)"
        " VALUES ($1, $2, 'Devis toiture', $3, $3) RETURNING id",
        contacts["Étienne"], queue, now - timedelta(hours=3),
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO placements (message_id, conversation_id, reason) VALUES ($1, $2, 'other_channel')",
        asked,
        made["mail"],
    )
    return made
