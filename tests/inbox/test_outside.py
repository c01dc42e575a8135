"""Mail that people send outside of the hub reaches the timelines of those who got it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from inbox.desk.authors import take_original_author
from inbox.mails.reading import copy_address
from storage.unit_of_work import unit_of_work
from tests.inbox.post import KEYS, PostRoom, write_mail


async def user(post: PostRoom, email: str = "rep@hub.example") -> int:
    id: int = await post.pool.fetchval(
        "INSERT INTO users (email, name, role) VALUES ($1, 'Rita', 'rep') RETURNING id", email
    )
    return id


def by_rita(to: str = "Ana <ana@client.example>", **parts: Any) -> bytes:
    return write_mail("Rita <rep@hub.example>", to, "Our offer", "Here it is.", **parts)


async def test_a_copy_to_the_personal_address_is_told_as_sent_to_the_recipients(post: PostRoom) -> None:
    rita = await user(post)
    address = copy_address(KEYS, post.reader.settings, rita, "hub.example")
    message = await post.receive(by_rita(message_id="o1@hub.example"), address, sender="rep@hub.example")
    [sent] = await post.events("Sent")
    conversation = await post.conversation(message["conversation_id"])
    assert (message["direction"], sent["actor_id"], sent["data"]["via"]) == ("out", rita, "outside")
    assert sent["contact_id"] == conversation["contact_id"] == message["contact_id"]
    assert (conversation["state"], conversation["assignee_id"]) == ("waiting", rita)
    assert await post.count("deliveries") == 0
    assert (await post.row("contacts", message["contact_id"]))["name"] == "Ana"
    assert await post.events("Received") == []


async def test_an_answer_that_is_read_before_what_it_answers_shares_its_conversation(post: PostRoom) -> None:
    await user(post)
    reply = await post.receive(
        write_mail(references=["o1@hub.example"], text="I take it"), "sales@hub.example"
    )
    stranger = by_rita("Bob <bob@else.example>", message_id="o1@hub.example")
    other = await post.receive(stranger, door="imap:rita", cursor="Sent/1/1", meta={"direction": "out"})
    assert other["conversation_id"] != reply["conversation_id"]
    sent = by_rita("Ana <ana@client.example>", message_id="o1@hub.example", Cc="eve@client.example")
    await post.pool.execute("UPDATE mail_facts SET header_id = 'x' WHERE message_id = $1", other["id"])
    message = await post.receive(sent, door="imap:rita", cursor="Sent/1/2", meta={"direction": "out"})
    conversation = await post.conversation(reply["conversation_id"])
    assert message["conversation_id"] == reply["conversation_id"]
    assert (conversation["state"], conversation["waiting_since"] is None) == ("open", False)


async def test_an_answer_to_mail_sent_outside_joins_its_conversation(post: PostRoom) -> None:
    rita = await user(post)
    address = copy_address(KEYS, post.reader.settings, rita, "hub.example")
    message = await post.receive(by_rita(message_id="o1@hub.example"), address, sender="rep@hub.example")
    reply = await post.receive(
        write_mail(references=["o1@hub.example"], text="I take it"), "sales@hub.example"
    )
    assert reply["conversation_id"] == message["conversation_id"]
    assert (await post.conversation(message["conversation_id"]))["state"] == "open"


async def test_a_forged_personal_address_is_ordinary_mail(post: PostRoom) -> None:
    rita = await user(post)
    address = copy_address(KEYS, post.reader.settings, rita, "hub.example")
    forged = address.replace(address[8], "A" if address[8] != "A" else "B", 1)
    message = await post.receive(by_rita(), forged, sender="rep@hub.example")
    assert message["direction"] == "in"


async def test_a_mail_in_a_folder_of_sent_mail_joins_the_thread_it_answers(post: PostRoom) -> None:
    await user(post)
    first = await post.receive(write_mail(message_id="1@client.example"))
    message = await post.receive(
        by_rita(references=["1@client.example"]),
        sender="rep@hub.example",
        door="imap:rita",
        cursor="Sent/1/1",
        meta={"direction": "out"},
    )
    conversation = await post.conversation(first["conversation_id"])
    assert message["conversation_id"] == first["conversation_id"]
    assert (conversation["state"], conversation["waiting_since"]) == ("waiting", None)


async def test_a_letter_of_ours_in_a_folder_of_sent_mail_is_no_second_message(post: PostRoom) -> None:
    first = await post.receive(write_mail())
    letter = await post.answer(first["conversation_id"], "ana@client.example")
    before = await post.count("messages")
    copied = write_mail(
        "Support <support@hub.example>",
        "ana@client.example",
        "Re: A question",
        message_id=letter["header_id"],
    )
    await post.receive(copied, door="imap:support", cursor="Sent/1/1", meta={"direction": "out"})
    assert await post.count("messages") == before


async def test_the_same_mail_by_copy_and_by_a_queue_in_cc_is_one_message(post: PostRoom) -> None:
    rita = await user(post)
    address = copy_address(KEYS, post.reader.settings, rita, "hub.example")
    raw = by_rita(message_id="o1@hub.example", Cc="support@hub.example")
    await post.receive(raw, address, sender="rep@hub.example")
    await post.receive(b"Received: x\n" + raw, "support@hub.example", sender="rep@hub.example")
    assert await post.count("messages") == 1


async def test_what_a_colleague_wrote_to_a_queue_is_received_though_a_sent_folder_had_it_first(
    post: PostRoom,
) -> None:
    await user(post)
    support = await post.queue("Support", "support@hub.example")
    raw = by_rita("support@hub.example", message_id="o1@hub.example")
    await post.receive(raw, door="imap:rita", cursor="Sent/1/1", meta={"direction": "out"})
    message = await post.receive(b"Received: x\n" + raw, "support@hub.example", sender="rep@hub.example")
    assert message["direction"] == "in"
    assert (await post.conversation(message["conversation_id"]))["queue_id"] == support


async def test_a_mail_to_a_queue_and_the_personal_address_alone_is_received(post: PostRoom) -> None:
    rita = await user(post)
    support = await post.queue("Support", "support@hub.example")
    address = copy_address(KEYS, post.reader.settings, rita, "hub.example")
    message = await post.receive(
        by_rita("support@hub.example"), address, "support@hub.example", sender="rep@hub.example"
    )
    assert message["direction"] == "in"
    assert (await post.conversation(message["conversation_id"]))["queue_id"] == support


async def test_the_personal_address_of_somebody_who_left_opens_nothing(post: PostRoom) -> None:
    rita = await user(post)
    await post.pool.execute("UPDATE users SET active = false")
    address = copy_address(KEYS, post.reader.settings, rita, "hub.example")
    message = await post.receive(by_rita(), address, sender="rep@hub.example")
    assert message["direction"] == "in"
    assert await post.events("Sent") == []


async def test_a_queue_in_copy_of_what_was_sent_outside_has_its_conversation(post: PostRoom) -> None:
    rita = await user(post)
    support = await post.queue("Support", "support@hub.example")
    address = copy_address(KEYS, post.reader.settings, rita, "hub.example")
    raw = by_rita(message_id="o1@hub.example", Cc="support@hub.example")
    message = await post.receive(raw, address, sender="rep@hub.example")
    assert (await post.conversation(message["conversation_id"]))["queue_id"] == support


async def test_the_original_author_of_a_forwarded_mail_is_taken_when_a_person_says_so(post: PostRoom) -> None:
    await user(post)
    text = (
        "See below.\n\n---------- Forwarded message ---------\nFrom: Carl Client <carl@client.example>\n"
        "Date: Mon, May 4, 2026 at 9:00 AM\nSubject: Broken\nTo: <rep@hub.example>\n\nIt is broken."
    )
    message = await post.receive(write_mail("rep@hub.example", subject="Fwd: Broken", text=text))
    facts = await post.pool.fetch("SELECT forwarded FROM mail_facts WHERE message_id = $1", message["id"])
    assert facts[0]["forwarded"]["address"] == "carl@client.example"
    async with unit_of_work(post.pool) as work:
        carl = await take_original_author(work, message["id"], actor_id=1, now=post.clock.now())
    conversation = await post.conversation(message["conversation_id"])
    parties = await post.pool.fetch("SELECT address FROM conversation_parties WHERE contact_id = $1", carl)
    assert conversation["contact_id"] == carl != message["contact_id"]
    assert (await post.row("contacts", carl))["name"] == "Carl Client"
    assert [row["address"] for row in parties] == ["carl@client.example"]
    async with unit_of_work(post.pool) as work:
        assert await take_original_author(work, message["id"], actor_id=1, now=post.clock.now()) == carl


async def test_a_colleague_who_writes_becomes_a_contact_as_an_employee(post: PostRoom) -> None:
    await user(post)
    message = await post.receive(write_mail("Rita <rep@hub.example>"))
    assert (await post.row("contacts", message["contact_id"]))["relation"] == "employee"


async def test_mail_of_long_ago_is_filed_and_nothing_follows_from_it(post: PostRoom) -> None:
    await post.queue("Support", "support@hub.example", auto_answer="We got it.")
    await post.pool.execute("INSERT INTO router_interests VALUES ('Received')")
    years_ago = datetime.now(UTC) - timedelta(days=900)
    old = await post.receive(
        write_mail(message_id="old@client.example"),
        door="file",
        cursor="a/1",
        meta={"received_at": years_ago.isoformat()},
    )
    conversation = await post.conversation(old["conversation_id"])
    [event] = await post.events("Received")
    assert (conversation["state"], conversation["waiting_since"]) == ("closed", None)
    assert (post.clock.now() - event["occurred_at"]).days == 900
    assert await post.count("pending_events") == 0
    assert await post.count("letters") == 0
    new = await post.receive(write_mail(references=["old@client.example"], text="Still broken"))
    assert new["conversation_id"] == old["conversation_id"]
    assert (await post.conversation(old["conversation_id"]))["state"] == "open"
    assert await post.count("pending_events") == 1


async def test_mail_that_waited_at_the_provider_during_an_outage_is_no_history(post: PostRoom) -> None:
    last_week = datetime.now(UTC) - timedelta(days=8)
    message = await post.receive(
        write_mail(), door="imap:support", cursor="INBOX/1/1", meta={"received_at": last_week.isoformat()}
    )
    conversation = await post.conversation(message["conversation_id"])
    assert conversation["state"] == "open"
    assert (post.clock.now() - conversation["waiting_since"]).days == 8
