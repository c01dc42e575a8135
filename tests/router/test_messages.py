"""Rules send, answer, notify and hold back: once each, only what may be sent, and the log says what was not, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.events import EventType
from domain.tokens import TokenKeys
from inbox.reading_settings import AutoAnswerSettings
from outbox.letters.writing import Stationery
from outbox.settings import OutboxSettings
from router.backtest import backtest
from router.errands.notify import NotifyErrand
from router.errands.send import AutoAnswerErrand, SendErrand
from router.message_templates import MessageTemplate, drop_template, save_template
from router.performing import Performer
from router.rule_files import InvalidRules, read_rules
from router.settings import RouterSettings
from storage.blobs import BlobStore
from tests.router.world import World

Make = Callable[[], Performer]


@pytest.fixture
async def make(world: World, tmp_path: Path) -> Make:
    stationery = Stationery(
        world.clock,
        TokenKeys({1: b"k" * 32}),
        OutboxSettings(reply_domain="reply.example.org"),
        BlobStore(tmp_path),
    )
    settings = RouterSettings(messages_per_hour=3)
    return lambda: Performer(
        world.pool,
        world.clock,
        world.router.announcer,
        settings,
        inside={
            "send": SendErrand(stationery, "https://hub.example", settings),
            "auto_answer": AutoAnswerErrand(stationery, AutoAnswerSettings()),
            "notify": NotifyErrand(stationery, "https://hub.example"),
        },
    )


@pytest.fixture
async def queue(world: World) -> int:
    id: int = await world.pool.fetchval(
        "INSERT INTO queues (name, from_name, from_address, signature, team_id)"
        " VALUES ('Sales', 'Helianthe', 'sales@helianthe.example', 'Helianthe, Lyon', $1) RETURNING id",
        world.sales,
    )
    await world.pool.execute(
        "INSERT INTO queue_addresses (address, queue_id) VALUES ('sales@helianthe.example', $1), ('+33757000001', $1)",
        id,
    )
    return id


async def reach(world: World, contact: int, address: str, kind: str = "mail") -> None:
    await world.pool.execute(
        "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, $2, $3, $3)",
        contact,
        kind,
        address,
    )


async def ana(world: World, **columns: Any) -> int:
    contact = await world.contact(**columns)
    await reach(world, contact, "ana@example.net")
    await reach(world, contact, "+33611223344", "phone")
    return contact


async def letters(world: World) -> list[Any]:
    return list(
        await world.pool.fetch(
            "SELECT l.kind, d.address, d.channel, x.subject, x.body, x.new_text, convert_from(l.content, 'UTF8') AS bytes,"
            " m.contact_id, m.conversation_id, l.sender FROM letters l JOIN deliveries d USING (message_id)"
            " JOIN message_contents x USING (message_id) JOIN messages m ON m.id = l.message_id ORDER BY l.message_id"
        )
    )


async def deed(world: World) -> Any:
    return (await world.pool.fetchval("SELECT deeds FROM rule_runs ORDER BY id DESC LIMIT 1"))[0]


async def run(world: World, make: Make, rule: str, contact: int | None, **facts: Any) -> Any:
    """Apply one rule about Received, tell the event, and do what was put down; gives the log's first action."""
    await world.apply(f"- {{name: r, when: Received, then: [{{{rule}}}]}}")
    await world.tell(EventType.RECEIVED, contact, **facts)
    await world.route()
    await make().perform_inside()
    return await deed(world)


SERVICE = 'send: {to: contact, purpose: service, queue: Sales, subject: "Your order, {contact.name}", text: "It left."}'
NEWS = "send: {to: contact, purpose: newsletter, queue: Sales, subject: News, text: Something new}"


async def test_a_rule_sends_a_mail_to_the_contact_from_a_queue(world: World, make: Make, queue: int) -> None:
    contact = await ana(world)
    assert await run(world, make, SERVICE, contact) == {"action": "send", "state": "done"}
    [letter] = await letters(world)
    assert (letter["address"], letter["subject"]) == ("ana@example.net", "Your order, Ana Sousa")
    assert letter["body"] == "It left.\n\n-- \nHelianthe, Lyon"
    assert letter["contact_id"] == contact
    assert "It left" not in str(await world.pool.fetchval("SELECT payload FROM rule_deeds"))
    assert "Auto-Submitted: auto-generated" in letter["bytes"]
    assert "List-Unsubscribe" not in letter["bytes"]


async def test_a_mail_for_a_consent_goes_only_while_that_stands_and_can_be_unsubscribed(
    world: World, make: Make, queue: int
) -> None:
    contact = await ana(world)
    said = await run(world, make, NEWS, contact)
    assert said["state"] == "nothing"
    assert "no consent for newsletter" in said["reason"]
    assert await letters(world) == []
    await world.consent(contact, "newsletter")
    await world.tell(EventType.RECEIVED, contact)
    await world.route()
    await make().perform_inside()
    [letter] = await letters(world)
    assert "List-Unsubscribe: <https://hub.example/u/" in letter["bytes"]
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in letter["bytes"]
    assert "To unsubscribe: https://hub.example/u/" in letter["bytes"].replace("=\r\n", "")


async def test_an_address_on_the_do_not_contact_list_gets_nothing(
    world: World, make: Make, queue: int
) -> None:
    contact = await ana(world)
    await world.pool.execute(
        "INSERT INTO suppressions (kind, address, reason, source) VALUES ('mail', 'ana@example.net', 'complaint', 'x')"
    )
    said = await run(world, make, SERVICE, contact)
    assert (said["state"], await letters(world)) == ("nothing", [])
    assert "do-not-contact list (complaint)" in said["reason"]


async def test_a_contact_gets_no_more_messages_of_rules_than_the_settings_allow_in_an_hour(
    world: World, make: Make, queue: int
) -> None:
    contact = await ana(world)
    for _ in range(5):
        said = await run(world, make, SERVICE, contact)
    assert len(await letters(world)) == 3
    assert "enough messages" in said["reason"]


async def test_a_rule_sends_an_sms(world: World, make: Make, queue: int) -> None:
    contact = await ana(world)
    rule = 'send: {channel: sms, purpose: service, text: "Dear {contact.name}, it left."}'
    assert (await run(world, make, rule, contact))["state"] == "done"
    [letter] = await letters(world)
    assert (letter["address"], letter["body"]) == ("+33611223344", "Dear Ana Sousa, it left.")
    assert letter["sender"] == "+33757000001"


async def test_a_rule_writes_to_the_owner_and_to_an_address(world: World, make: Make, queue: int) -> None:
    contact = await ana(world)
    await run(world, make, "send: {to: owner, queue: Sales, subject: Look, text: at this}", contact)
    await run(world, make, "send: {to: crm@example.com, queue: Sales, subject: Look, text: at this}", contact)
    assert [letter["address"] for letter in await letters(world)] == ["claire@example.org", "crm@example.com"]


async def test_a_message_template_goes_in_the_language_of_its_reader(
    world: World, make: Make, queue: int
) -> None:
    await save_template(
        world.pool, MessageTemplate("Thanks", "en", "mail", "Thank you", "Dear {contact.name}")
    )
    await save_template(
        world.pool, MessageTemplate("Thanks", "fr", "mail", "Merci", "Bonjour {contact.name}")
    )
    contact = await ana(world, language="fr")
    await run(world, make, "send: {purpose: service, queue: Sales, template: Thanks}", contact)
    [letter] = await letters(world)
    assert (letter["subject"], letter["new_text"]) == ("Merci", "Bonjour Ana Sousa")


async def test_a_template_that_an_active_rule_sends_stays(world: World, make: Make, queue: int) -> None:
    number = await save_template(world.pool, MessageTemplate("Thanks", "en", "mail", "Hi", "Dear"))
    await world.apply("- {name: r, when: Received, then: [{send: {purpose: service, template: Thanks}}]}")
    with pytest.raises(Exception, match="rules send it: r"):
        await drop_template(world.pool, number)
    await world.apply("- {name: r, when: Received, then: [{note: x}]}")
    await drop_template(world.pool, number)
    assert await world.pool.fetchval("SELECT count(*) FROM message_templates") == 0


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("send: {subject: a, text: b}", "purpose: write service"),
        ("send: {purpose: service, text: b}", "subject: a mail needs one"),
        ("send: {purpose: texts, subject: a, text: b}", "newsletter is about mail"),
        ("send: {to: x@example.org, channel: sms, text: b}", "to: write contact"),
        ("send: {purpose: service, template: Thanks}", "no message template 'Thanks'"),
        ("send: {purpose: service, subject: a, text: b, queue: Nowhere}", "no queue 'Nowhere'"),
        ("notify: {text: a}", "write who is told"),
        ("pause_marketing: {}", "write until when"),
    ],
)
async def test_what_cannot_work_is_refused(world: World, rule: str, problem: str) -> None:
    with pytest.raises(InvalidRules, match=problem):
        await world.apply(f"- {{name: r, when: Received, then: [{{{rule}}}]}}")


async def test_rules_about_what_was_sent_that_send_again_are_a_circle(world: World) -> None:
    with pytest.raises(InvalidRules, match="sets itself off again"):
        await world.apply("- {name: r, when: Sent, then: [{send: {purpose: service, subject: a, text: b}}]}")


async def test_a_letter_is_written_once_however_many_do_errands(world: World, make: Make, queue: int) -> None:
    await world.apply(f"- {{name: r, when: Received, then: [{{{SERVICE}}}]}}")
    for number in range(25):
        contact = await world.contact()
        await reach(world, contact, f"c{number}@example.net")
        await world.tell(EventType.RECEIVED, contact)
    await world.route()
    await asyncio.gather(*(make().perform_inside() for _ in range(4)))
    while await make().perform_inside():
        pass
    assert await world.pool.fetchval("SELECT count(*) FROM letters") == 25


async def test_a_queue_without_an_address_makes_the_action_wait_and_go_once_it_has_one(
    world: World, make: Make, queue: int
) -> None:
    contact = await ana(world)
    await world.pool.execute("UPDATE queues SET from_address = NULL")
    said = await run(world, make, SERVICE, contact)
    assert said["state"] == "under way"
    assert "no address to send from" in said["reason"]
    await world.pool.execute("UPDATE queues SET from_address = 'sales@helianthe.example'")
    await world.pool.execute("UPDATE rule_deeds SET due_at = now()")
    await make().perform_inside()
    assert len(await letters(world)) == 1
    assert (await deed(world))["state"] == "done"


async def mail(world: World, queue: int, contact: int, **facts: Any) -> dict[str, int]:
    """A mail of theirs as it is kept, in a conversation; gives the numbers for its event."""
    talk = await world.pool.fetchval(
        "INSERT INTO conversations (contact_id, queue_id) VALUES ($1, $2) RETURNING id", contact, queue
    )
    raw = await world.pool.fetchval(
        "INSERT INTO raw_mails (content_hash, size, sender) VALUES (decode(md5(random()::text), 'hex'), 1, $1) RETURNING id",
        facts.pop("envelope", "ana@example.net"),
    )
    message = await world.pool.fetchval(
        "INSERT INTO messages (direction, channel, contact_id, conversation_id, created_at)"
        " VALUES ('in', 'mail', $1, $2, $3) RETURNING id",
        contact,
        talk,
        world.clock.now(),
    )
    await world.pool.execute(
        "INSERT INTO message_contents (message_id, subject) VALUES ($1, 'A question')", message
    )
    values = {"header_id": "q1@example.net", "mailbox": "sales@helianthe.example", "headers": {}} | facts
    names = ", ".join(values)
    places = ", ".join(f"${place}" for place in range(3, len(values) + 3))
    await world.pool.execute(
        f"INSERT INTO mail_facts (message_id, raw_id, {names}) VALUES ($1, $2, {places})",
        message,
        raw,
        *values.values(),
    )
    await world.pool.execute(
        "INSERT INTO message_parties (message_id, part, no, address) VALUES ($1, 'from', 0, 'ana@example.net'),"
        " ($1, 'to', 0, 'sales@helianthe.example')",
        message,
    )
    return {"conversation_id": talk, "message_id": message}


ANSWER = 'auto_answer: "We got it, {contact.name}."'


async def test_a_rule_answers_a_mail_so_that_no_machine_answers_it(
    world: World, make: Make, queue: int
) -> None:
    contact = await ana(world)
    told = await mail(world, queue, contact)
    assert (await run(world, make, ANSWER, contact, **told))["state"] == "done"
    [letter] = await letters(world)
    assert (letter["kind"], letter["sender"], letter["address"]) == ("auto_answer", "", "ana@example.net")
    assert letter["conversation_id"] == told["conversation_id"]
    for header in (
        "Auto-Submitted: auto-replied",
        "In-Reply-To: <q1@example.net>",
        "Subject: Auto: A question",
    ):
        assert header in letter["bytes"]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"automatic": "out_of_office"}, "out-of-office"),
        ({"headers": {"list-id": "<news.example.net>"}}, "mailing list"),
        ({"headers": {"precedence": "bulk"}}, "bulk mail"),
        ({"envelope": ""}, "names no sender"),
        ({"junk": "spam"}, "junk"),
        ({"authentication": {"dmarc": "fail"}}, "forged"),
        ({"mailbox": "", "headers": {"auto-submitted": "auto-generated"}}, "a machine wrote it"),
    ],
)
async def test_machines_lists_and_forged_senders_are_not_answered(
    world: World, make: Make, queue: int, facts: dict[str, Any], reason: str
) -> None:
    contact = await ana(world)
    said = await run(world, make, ANSWER, contact, **await mail(world, queue, contact, **facts))
    assert (said["state"], await letters(world)) == ("nothing", [])
    assert reason in said["reason"]


async def test_a_person_is_answered_by_machine_once_in_a_while(world: World, make: Make, queue: int) -> None:
    contact = await ana(world)
    await run(world, make, ANSWER, contact, **await mail(world, queue, contact))
    said = await run(world, make, ANSWER, contact, **await mail(world, queue, contact))
    assert "enough automatic answers" in said["reason"]
    assert len(await letters(world)) == 1


async def notices(world: World) -> list[tuple[int, str]]:
    rows = await world.pool.fetch("SELECT user_id, words FROM notices ORDER BY user_id")
    return [(row["user_id"], row["words"]) for row in rows]


async def test_a_rule_tells_the_owner_and_a_team_in_the_console_each_once(
    world: World, make: Make, queue: int
) -> None:
    rule = 'notify: {text: "{contact.name} wrote", owner: true, team: sales, by: [console, mail]}'
    assert (await run(world, make, rule, await ana(world)))["state"] == "done"
    people = [world.claire, world.paul, world.mona]
    assert await notices(world) == [(person, "Ana Sousa wrote") for person in sorted(people)]
    sent = await letters(world)
    assert {letter["kind"] for letter in sent} == {"notification"}
    assert sorted(letter["address"] for letter in sent) == [
        "claire@example.org",
        "mona@example.org",
        "paul@example.org",
    ]


async def test_about_what_is_confidential_only_its_people_are_told(
    world: World, make: Make, queue: int
) -> None:
    contact = await ana(world)
    await world.pool.execute("UPDATE queues SET confidential = true")
    talk = await world.pool.fetchval(
        "INSERT INTO conversations (contact_id, queue_id) VALUES ($1, $2) RETURNING id", contact, queue
    )
    await world.apply(
        "- {name: r, when: Received, where: {field: conversation.queue, is: Sales},"
        " then: [{notify: {text: psst, person: zoe@example.org, team: sales}}]}"
    )
    await world.tell(EventType.RECEIVED, contact, conversation_id=talk)
    await world.route()
    await make().perform_inside()
    assert sorted(person for person, _ in await notices(world)) == sorted(
        [world.claire, world.paul, world.mona]
    )


async def test_a_pause_holds_back_what_needs_consent_while_the_conversation_is_open(
    world: World, make: Make, queue: int
) -> None:
    contact = await ana(world)
    await world.consent(contact, "newsletter")
    told = await mail(world, queue, contact)
    await world.apply(
        "- {name: hold, when: Received, then: [{pause_marketing: {while: conversation}}]}\n"
        f"- {{name: news, when: Noted, once: {{key: '{{event.id}}'}}, then: [{{{NEWS}}}]}}"
    )
    await world.tell(EventType.RECEIVED, contact, **told)
    await world.route()
    [event] = await world.events(EventType.CHANGED)
    assert (event["data"]["field"], event["data"]["new"]) == ("marketing_pause", "conversation")
    await world.tell(EventType.NOTED, contact)
    await world.route()
    await make().perform_inside()
    assert (await deed(world))["reason"] == "marketing is paused for this contact"
    await world.pool.execute("UPDATE conversations SET state = 'closed'")
    await world.tell(EventType.NOTED, contact)
    await world.route()
    await make().perform_inside()
    assert len(await letters(world)) == 1


async def test_a_pause_for_a_time_ends_by_itself(world: World, make: Make, queue: int) -> None:
    contact = await ana(world)
    await world.consent(contact, "newsletter")
    await run(world, make, "pause_marketing: 14d", contact)
    assert await world.pool.fetchval("SELECT until FROM marketing_pauses") == world.clock.now() + timedelta(
        days=14
    )
    assert "paused" in (await run(world, make, NEWS, contact))["reason"]
    world.clock.advance(timedelta(days=14))
    assert (await run(world, make, NEWS, contact))["state"] == "done"


async def test_the_test_on_the_past_sends_nothing_and_shows_what_would_be_said(
    world: World, queue: int
) -> None:
    begun = world.clock.now()
    await world.tell(EventType.RECEIVED, await ana(world))
    world.clock.advance(timedelta(hours=1))
    text = (
        f"- {{name: r, when: Received, then: [{{{SERVICE}}}, {{{ANSWER}}},"
        " {notify: {text: '{contact.name} wrote', owner: true}}, {pause_marketing: {while: case, for: 2d}}]}"
    )
    rules = [one.rule for one in read_rules(text, file="r.yaml")]
    trial = await backtest(world.pool, rules, begun, world.clock.now(), RouterSettings())
    assert [(one.action, one.words) for one in trial.draft.shown] == [
        ("send", "mail → contact: Your order, Ana Sousa"),
        ("auto_answer", "We got it, Ana Sousa."),
        ("notify", "owner (console): Ana Sousa wrote"),
        ("pause_marketing", "while the case is open, until 2026-03-04 09:00"),
    ]
    assert await world.pool.fetchval("SELECT count(*) FROM rule_deeds") == 0
