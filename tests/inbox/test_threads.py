"""Answers find their conversation; strangers wait for a person; a subject joins nothing."""

from __future__ import annotations

from outbox.addresses import reply_address
from tests.inbox.post import KEYS, OUTBOX, PostRoom, write_mail


async def test_a_reply_joins_the_conversation_and_opens_it_again(post: PostRoom) -> None:
    first = await post.receive(write_mail(message_id="1@client.example"))
    letter = await post.answer(first["conversation_id"], "ana@client.example")
    await post.pool.execute(
        "UPDATE conversations SET state = 'closed', closed_at = now(), waiting_since = NULL"
    )
    reply = await post.receive(write_mail(subject="Re: A question", references=[letter["header_id"]]))
    conversation = await post.conversation(first["conversation_id"])
    assert reply["conversation_id"] == first["conversation_id"]
    assert (conversation["state"], conversation["closed_at"]) == ("open", None)
    assert conversation["waiting_since"] is not None


async def test_a_reply_in_the_same_batch_as_the_first_mail_joins_it(post: PostRoom) -> None:
    await post.drop(write_mail(message_id="1@client.example"), "support@hub.example")
    await post.drop(write_mail(text="Hello?", references=["1@client.example"]), "support@hub.example")
    await post.read()
    assert await post.count("conversations") == 1


async def test_the_reply_address_alone_is_enough_for_somebody_who_takes_part(post: PostRoom) -> None:
    first = await post.receive(write_mail())
    letter = await post.answer(first["conversation_id"], "ana@client.example")
    address = reply_address(KEYS, OUTBOX, letter["id"])
    reply = await post.receive(write_mail(to=address, text="Thanks"), address)
    assert reply["conversation_id"] == first["conversation_id"]


async def test_a_stranger_with_a_right_token_waits_for_a_person(post: PostRoom) -> None:
    first = await post.receive(write_mail())
    letter = await post.answer(first["conversation_id"], "ana@client.example")
    address = reply_address(KEYS, OUTBOX, letter["id"])
    reply = await post.receive(write_mail("mallory@evil.example", to=address), address)
    [asked] = await post.pool.fetch("SELECT * FROM placements")
    assert reply["conversation_id"] != first["conversation_id"]
    assert (asked["message_id"], asked["conversation_id"]) == (reply["id"], first["conversation_id"])
    assert (asked["reason"], asked["decided_at"]) == ("token_of_stranger", None)
    [_, event] = await post.events("Received")
    assert event["data"]["asked"] is True


async def test_a_forged_token_leads_nowhere(post: PostRoom) -> None:
    first = await post.receive(write_mail())
    letter = await post.answer(first["conversation_id"], "ana@client.example")
    address = reply_address(KEYS, OUTBOX, letter["id"])
    forged = address.replace(address[10], "A" if address[10] != "A" else "B", 1)
    reply = await post.receive(write_mail(to=forged), forged)
    assert reply["conversation_id"] != first["conversation_id"]
    assert await post.count("placements") == 0


async def test_a_subject_alone_joins_nothing(post: PostRoom) -> None:
    first = await post.receive(write_mail(subject="Case #1"))
    second = await post.receive(write_mail(subject="Re: Case #1", text="More"))
    assert first["conversation_id"] != second["conversation_id"]


async def test_whoever_was_in_copy_may_write_into_the_conversation(post: PostRoom) -> None:
    first = await post.receive(write_mail(message_id="1@client.example", Cc="Bob <bob@client.example>"))
    reply = await post.receive(
        write_mail("bob@client.example", references=["1@client.example"], text="I too")
    )
    assert reply["conversation_id"] == first["conversation_id"]
    addresses = await post.pool.fetch("SELECT address FROM conversation_parties ORDER BY 1")
    assert [row["address"] for row in addresses] == ["ana@client.example", "bob@client.example"]


async def test_another_address_of_the_same_contact_may_write_into_the_conversation(post: PostRoom) -> None:
    first = await post.receive(write_mail(message_id="1@client.example"))
    await post.pool.execute(
        "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'mail', 'ana@home.example', '')",
        first["contact_id"],
    )
    reply = await post.receive(
        write_mail("ana@home.example", references=["1@client.example"], text="It is me")
    )
    assert reply["conversation_id"] == first["conversation_id"]


async def test_an_answer_to_a_campaign_is_told_with_it_and_begins_a_conversation(post: PostRoom) -> None:
    ana = await post.contact("Ana", "ana@client.example")
    campaign, sent = await post.campaign_mail(ana, "ana@client.example")
    reply = await post.receive(write_mail(references=[post.header_id(sent, campaign)]))
    [answered] = await post.events("Answered")
    assert (answered["contact_id"], answered["campaign_id"], answered["message_id"]) == (ana, campaign, sent)
    assert answered["conversation_id"] == reply["conversation_id"]


async def test_a_stranger_who_answers_a_forwarded_campaign_has_not_answered_it(post: PostRoom) -> None:
    ana = await post.contact("Ana", "ana@client.example")
    campaign, sent = await post.campaign_mail(ana, "ana@client.example")
    reply = await post.receive(write_mail("bob@else.example", references=[post.header_id(sent, campaign)]))
    assert await post.events("Answered") == []
    assert reply["contact_id"] != ana


async def test_a_merged_participant_may_write_from_the_other_address(post: PostRoom) -> None:
    from contacts.merging import merge_contacts

    bob = await post.contact("Bob", "bob@client.example")
    robert = await post.contact("Robert", "robert@home.example")
    first = await post.receive(write_mail(message_id="1@client.example", Cc="bob@client.example"))
    async with post.pool.acquire() as connection, connection.transaction():
        await merge_contacts(connection, bob, robert, now=post.clock.now(), actor_id=None)
    reply = await post.receive(
        write_mail("robert@home.example", references=["1@client.example"], text="It is me")
    )
    assert reply["conversation_id"] == first["conversation_id"]


async def test_mail_of_a_merged_contact_belongs_to_the_one_it_lives_on_in(post: PostRoom) -> None:
    from contacts.merging import merge_contacts

    first = await post.receive(write_mail(message_id="1@client.example"))
    other = await post.contact("Ana S.", "ana@home.example")
    async with post.pool.acquire() as connection, connection.transaction():
        await merge_contacts(connection, first["contact_id"], other, now=post.clock.now(), actor_id=None)
    reply = await post.receive(write_mail(references=["1@client.example"], text="More"))
    assert (reply["contact_id"], reply["conversation_id"]) == (other, first["conversation_id"])
