"""Junk, viruses, automatic mail and forged senders are stored, and set nothing in motion that they should not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from channels.mail.junk import Junk
from channels.mail.parsed import ParsedMail
from inbox.desk.conversations import Desk, judge_junk
from storage.pool import Pool
from tests.inbox.post import PostRoom, open_post_room, write_mail


async def judge(
    raw: bytes, mail: ParsedMail, sender: str, recipients: Sequence[str], meta: Mapping[str, str]
) -> Junk:
    if "casino" in mail.text:
        return Junk("rspamd", score=22.0)
    return Junk("virus", "Eicar") if mail.header("X-Test-Virus") else Junk()


async def authenticate(
    raw: bytes, mail: ParsedMail, sender: str, meta: Mapping[str, str]
) -> Mapping[str, str]:
    return {"spf": "pass", "dkim": "none", "dmarc": meta.get("dmarc", "pass"), "source": "checked"}


@pytest.fixture
async def post(pool: Pool, tmp_path: Path) -> AsyncIterator[PostRoom]:
    async with open_post_room(pool, tmp_path, judge=judge, authenticate=authenticate) as room:
        yield room


async def test_junk_makes_no_contact_and_is_filtered_instead_of_received(post: PostRoom) -> None:
    message = await post.receive(write_mail(text="Visit our casino"))
    conversation = await post.conversation(message["conversation_id"])
    assert (conversation["junk"], conversation["state"], message["junk"]) == (True, "closed", "rspamd")
    assert await post.count("contacts") == 0
    assert await post.events("Received") == []
    [filtered] = await post.events("Filtered")
    assert filtered["data"]["junk"] == "rspamd"


async def test_the_name_of_a_virus_is_kept(post: PostRoom) -> None:
    message = await post.receive(write_mail(X_Test_Virus="yes"))
    facts = await post.pool.fetch("SELECT virus FROM mail_facts WHERE message_id = $1", message["id"])
    assert facts[0]["virus"] == "Eicar"
    assert await post.events("Received") == []


async def test_junk_joins_no_conversation_whatever_it_refers_to(post: PostRoom) -> None:
    first = await post.receive(write_mail(message_id="1@client.example"))
    junk = await post.receive(write_mail(text="A casino", references=["1@client.example"]))
    assert junk["conversation_id"] != first["conversation_id"]


async def test_a_person_who_clears_junk_makes_it_an_ordinary_mail(post: PostRoom) -> None:
    message = await post.receive(write_mail(text="Our casino is your customer"))
    desk = Desk(post.pool, post.clock, None, 7)
    await judge_junk(desk, message["conversation_id"], False)
    conversation = await post.conversation(message["conversation_id"])
    [received] = await post.events("Received")
    assert (conversation["junk"], conversation["state"]) == (False, "open")
    assert received["contact_id"] == conversation["contact_id"] is not None
    assert (received["message_id"], received["actor_id"]) == (message["id"], 7)
    assert received["data"] == {
        "mailbox": "support@hub.example",
        "queue": "Inbox",
        "spf": "pass",
        "dkim": "none",
        "dmarc": "pass",
        "attachments": 0,
        "cleared": True,
    }


async def test_results_of_authentication_are_kept_and_told(post: PostRoom) -> None:
    message = await post.receive(write_mail(), meta={"peer": "192.0.2.1", "dmarc": "fail"})
    [event] = await post.events("Received")
    assert (event["data"]["spf"], event["data"]["dkim"], event["data"]["dmarc"]) == ("pass", "none", "fail")
    rows = await post.pool.fetch("SELECT authentication FROM mail_facts WHERE message_id = $1", message["id"])
    assert rows[0]["authentication"]["source"] == "checked"


async def test_a_forged_participant_waits_for_a_person(post: PostRoom) -> None:
    await post.receive(write_mail(message_id="1@client.example"))
    await post.receive(
        write_mail(text="Pay here", references=["1@client.example"]),
        meta={"peer": "192.0.2.1", "dmarc": "fail"},
    )
    rows = await post.pool.fetch("SELECT reason FROM placements")
    assert [row["reason"] for row in rows] == ["forged_sender"]


@pytest.mark.parametrize(
    "headers", [{"List_Id": "<news.client.example>"}, {"Auto_Submitted": "auto-generated"}]
)
async def test_automatic_mail_makes_no_contact(post: PostRoom, headers: dict[str, Any]) -> None:
    message = await post.receive(write_mail(**headers))
    [event] = await post.events("Received")
    assert message["contact_id"] is None
    assert event["data"]["automatic"]
    assert await post.count("contacts") == 0
    assert (await post.conversation(message["conversation_id"]))["state"] == "open"


async def test_an_out_of_office_answer_is_an_event_and_no_reply(post: PostRoom) -> None:
    first = await post.receive(write_mail())
    letter = await post.answer(first["conversation_id"], "ana@client.example")
    await post.pool.execute("UPDATE conversations SET state = 'waiting', waiting_since = NULL")
    reply = await post.receive(
        write_mail(
            subject="Out of office: Re: A question",
            text="I am back on 12 May 2026.",
            references=[letter["header_id"]],
            Auto_Submitted="auto-replied",
        )
    )
    [event] = await post.events("AutoReplied")
    assert (event["contact_id"], event["conversation_id"]) == (first["contact_id"], first["conversation_id"])
    assert event["data"]["back_on"] == "2026-05-12"
    assert reply["conversation_id"] == first["conversation_id"]
    assert (await post.conversation(first["conversation_id"]))["state"] == "waiting"
    assert len(await post.events("Received")) == 1


async def test_an_assessment_that_breaks_keeps_no_mail_out(pool: Pool, tmp_path: Path) -> None:
    async def broken(*_: Any) -> Junk:
        raise RuntimeError("no such filter")

    async with open_post_room(pool, tmp_path, judge=broken) as room:
        assert await room.receive(write_mail()) is not None


async def test_an_out_of_office_answer_to_a_newsletters_own_address_names_the_campaign(
    post: PostRoom,
) -> None:
    ana = await post.contact("Ana", "ana@client.example")
    campaign, sent = await post.campaign_mail(ana, "ana@client.example")
    away = write_mail(
        subject="Out of office", text="I am back on 12 May 2026.", Auto_Submitted="auto-replied"
    )
    message = await post.receive(away, post.return_path(sent, campaign), sender="")
    [event] = await post.events("AutoReplied")
    assert (event["contact_id"], event["campaign_id"]) == (ana, campaign)
    assert message["conversation_id"] is None
    assert await post.count("suppressions") == 0


async def test_a_person_who_answers_to_the_envelope_of_a_newsletter_is_heard(post: PostRoom) -> None:
    ana = await post.contact("Ana", "ana@client.example")
    campaign, sent = await post.campaign_mail(ana, "ana@client.example")
    message = await post.receive(write_mail(text="Tell me more"), post.return_path(sent, campaign))
    [answered] = await post.events("Answered")
    assert (answered["contact_id"], answered["campaign_id"]) == (ana, campaign)
    assert (await post.conversation(message["conversation_id"]))["state"] == "open"


async def test_mail_from_one_of_our_own_addresses_makes_no_contact(post: PostRoom) -> None:
    await post.queue("Support", "support@hub.example")
    await post.queue("Sales", "sales@hub.example")
    message = await post.receive(
        write_mail("support@hub.example", to="sales@hub.example"),
        "sales@hub.example",
        sender="support@hub.example",
    )
    assert message["contact_id"] is None
    assert await post.count("contacts") == 0
