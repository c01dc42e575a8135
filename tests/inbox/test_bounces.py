"""Bounces, complaints and reports of delivery reach the right message, and only proven ones have consequences."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain.contacts import IdentityKind
from outbox.suppression import explain
from tests.inbox.post import PostRoom, delivery_report, write_mail


def complaint(recipient: str, header: str) -> bytes:
    """A complaint as providers send it (RFC 5965), with one telling header of the mail that it returns."""
    named = f"Original-Rcpt-To: {recipient}\n" if recipient else ""
    return (
        (
            "From: <fbl@isp.example>\nTo: abuse@hub.example\nSubject: FW: May letter\nMIME-Version: 1.0\n"
            'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n--b\n'
            "Content-Type: text/plain\n\nThis is an abuse report.\n\n--b\n"
            "Content-Type: message/feedback-report\n\n"
            f"Feedback-Type: abuse\nUser-Agent: FBL/1.0\nVersion: 1\n{named}\n--b\n"
            f"Content-Type: message/rfc822\n\n{header}\n"
            "From: us@hub.example\nTo: ana@client.example\nSubject: May letter\n\nHello\n\n--b--\n"
        )
        .replace("\n", "\r\n")
        .encode()
    )


async def suppression(post: PostRoom, address: str = "ana@client.example") -> Any:
    return await explain(post.pool, IdentityKind.MAIL, address)


async def test_a_hard_bounce_to_the_messages_own_address_suppresses_who_it_went_to(post: PostRoom) -> None:
    ana = await post.contact("Ana", "ana@client.example")
    campaign, sent = await post.campaign_mail(ana, "ana@client.example")
    await post.receive(delivery_report("ana@client.example"), post.return_path(sent, campaign), sender="")
    [event] = await post.events("Bounced")
    assert (event["contact_id"], event["message_id"], event["campaign_id"]) == (ana, sent, campaign)
    assert (event["data"]["hard"], event["data"]["reason"]) == (True, "mailbox_unknown")
    kept = await suppression(post)
    assert (kept.reason, kept.source, kept.message_id) == ("mailbox_unknown", "bounce", sent)
    assert "User unknown" in kept.words
    assert await post.count("conversations") == 0
    assert await post.count("contacts") == 1


async def test_a_returned_message_id_of_ours_proves_a_bounce_only_with_its_address(post: PostRoom) -> None:
    ana = await post.contact("Ana", "ana@client.example")
    bob = await post.contact("Bob", "bob@client.example")
    campaign, sent = await post.campaign_mail(ana, "ana@client.example")
    original = post.header_id(sent, campaign)
    await post.receive(
        delivery_report("bob@client.example", original=original), "bounces@hub.example", sender=""
    )
    assert await suppression(post, "bob@client.example") is None
    await post.receive(
        delivery_report("ana@client.example", original=original), "bounces@hub.example", sender=""
    )
    assert (await suppression(post)).message_id == sent
    events = await post.events("Bounced")
    assert [(one["contact_id"], one["data"]["proven"]) for one in events] == [(bob, False), (ana, True)]


async def test_counting_through_our_message_ids_proves_nothing(post: PostRoom) -> None:
    ana = await post.contact("Ana", "ana@client.example")
    campaign, sent = await post.campaign_mail(ana, "ana@client.example")
    signed = post.header_id(sent, campaign)
    for guess in (f"m{sent}.{campaign}@hub.example", signed.replace(signed[22:30], "AAAAAAAA")):
        for forged in (
            delivery_report("ana@client.example", original=guess),
            complaint("ana@client.example", f"Message-ID: <{guess}>"),
            complaint("", f"Message-ID: <{guess}>"),
        ):
            await post.receive(forged, "bounces@hub.example", sender="")
    assert await suppression(post) is None
    assert await post.events("Withdrawn") == []
    assert not any(one["data"]["proven"] for one in await post.events("Bounced", "Complained"))


async def test_a_complaint_that_hides_the_recipient_is_proven_by_the_message_id(post: PostRoom) -> None:
    ana = await post.contact("Ana", "ana@client.example")
    campaign, sent = await post.campaign_mail(ana, "ana@client.example")
    report = complaint("", f"Message-ID: <{post.header_id(sent, campaign)}>")
    await post.receive(report, "abuse@hub.example", sender="fbl@isp.example")
    assert (await suppression(post)).message_id == sent


async def test_a_forged_bounce_is_told_and_suppresses_nobody(post: PostRoom) -> None:
    ana = await post.contact("Ana", "ana@client.example")
    campaign, sent = await post.campaign_mail(ana, "ana@client.example")
    forged = post.return_path(sent, campaign).replace("+12", "+13")
    message = await post.receive(delivery_report("ana@client.example"), forged, sender="")
    assert await suppression(post) is None
    [event] = await post.events("Bounced")
    assert (event["contact_id"], event["data"]["proven"]) == (ana, False)
    assert (await post.conversation(message["conversation_id"]))["state"] == "closed"


async def test_soft_bounces_suppress_after_so_many_in_a_row(post: PostRoom) -> None:
    ana = await post.contact("Ana", "ana@client.example")
    for number in range(5):
        assert await suppression(post) is None
        campaign, sent = await post.campaign_mail(ana, "ana@client.example")
        full = delivery_report("ana@client.example", status="4.2.2", words=f"452 4.2.2 Mailbox full {number}")
        await post.receive(full, post.return_path(sent, campaign), sender="")
    assert (await suppression(post)).reason == "mailbox_full"


async def test_a_warning_that_a_mail_is_late_is_no_bounce(post: PostRoom) -> None:
    ana = await post.contact("Ana", "ana@client.example")
    for number in range(6):
        campaign, sent = await post.campaign_mail(ana, "ana@client.example")
        late = delivery_report(
            "ana@client.example", status="4.4.1", action="delayed", words=f"451 4.4.1 Timeout {number}"
        )
        await post.receive(late, post.return_path(sent, campaign), sender="")
    assert await suppression(post) is None
    assert await post.count("soft_bounces") == 0
    assert await post.events("Bounced") == []
    assert {(one["contact_id"], one["data"]["hard"]) for one in await post.events("Deferred")} == {
        (ana, False)
    }


async def test_a_late_answer_of_ours_waits_for_nobody_here(post: PostRoom) -> None:
    first = await post.receive(write_mail())
    letter = await post.answer(first["conversation_id"], "ana@client.example")
    await post.pool.execute("UPDATE conversations SET state = 'waiting', waiting_since = NULL")
    await post.receive(
        delivery_report("ana@client.example", status="4.4.1", action="delayed"),
        post.return_path(letter["id"]),
        sender="",
    )
    assert (await post.conversation(first["conversation_id"]))["state"] == "waiting"


async def test_a_warning_confirms_that_an_unconfirmed_mail_had_left(post: PostRoom) -> None:
    ana = await post.contact("Ana", "ana@client.example")
    campaign, sent = await post.campaign_mail(ana, "ana@client.example", state="uncertain")
    late = delivery_report("ana@client.example", status="4.4.1", action="delayed")
    await post.receive(late, post.return_path(sent, campaign), sender="")
    assert await post.pool.fetchval("SELECT state FROM deliveries") == "sent"


async def test_a_mail_of_the_person_ends_a_row_of_soft_bounces(post: PostRoom) -> None:
    ana = await post.contact("Ana", "ana@client.example")
    for number in range(4):
        campaign, sent = await post.campaign_mail(ana, "ana@client.example")
        full = delivery_report("ana@client.example", status="4.2.2", words=f"452 4.2.2 Mailbox full {number}")
        await post.receive(full, post.return_path(sent, campaign), sender="")
    assert await post.pool.fetchval("SELECT count FROM soft_bounces") == 4
    await post.receive(write_mail())
    assert await post.count("soft_bounces") == 0


async def test_soft_bounces_long_apart_are_no_row(post: PostRoom) -> None:
    ana = await post.contact("Ana", "ana@client.example")
    for number in range(6):
        campaign, sent = await post.campaign_mail(ana, "ana@client.example")
        full = delivery_report("ana@client.example", status="4.2.2", words=f"452 4.2.2 Mailbox full {number}")
        await post.receive(full, post.return_path(sent, campaign), sender="")
        post.clock.advance(timedelta(days=20))
    assert await suppression(post) is None


@pytest.mark.parametrize(
    ("status", "action", "state"), [("5.1.1", "failed", "rejected"), ("2.0.0", "delivered", "sent")]
)
async def test_a_report_settles_a_delivery_that_nobody_knew_the_end_of(
    post: PostRoom, status: str, action: str, state: str
) -> None:
    ana = await post.contact("Ana", "ana@client.example")
    campaign, sent = await post.campaign_mail(ana, "ana@client.example", state="uncertain")
    words = "250 2.0.0 delivered" if action == "delivered" else "550 5.1.1 User unknown"
    report = delivery_report("ana@client.example", status=status, action=action, words=words)
    await post.receive(report, post.return_path(sent, campaign), sender="")
    assert await post.pool.fetchval("SELECT state FROM deliveries") == state


async def test_a_complaint_withdraws_the_newsletter_and_suppresses(post: PostRoom) -> None:
    ana = await post.contact("Ana", "ana@client.example")
    campaign, sent = await post.campaign_mail(ana, "ana@client.example")
    report = complaint("ana@client.example", f"Return-Path: <{post.return_path(sent, campaign)}>")
    await post.receive(report, "abuse@hub.example", sender="fbl@isp.example")
    [event] = await post.events("Complained")
    assert (event["contact_id"], event["message_id"]) == (ana, sent)
    assert (await suppression(post)).reason == "complaint"
    [consent] = await post.pool.fetch("SELECT * FROM consents")
    assert (consent["contact_id"], consent["purpose"], consent["state"]) == (ana, "newsletter", "withdrawn")
    [withdrawn] = await post.events("Withdrawn")
    assert (withdrawn["campaign_id"], withdrawn["data"]["source"]) == (campaign, "complaint")


async def test_an_answer_of_ours_that_comes_back_opens_its_conversation(post: PostRoom) -> None:
    first = await post.receive(write_mail())
    letter = await post.answer(first["conversation_id"], "ana@client.example")
    await post.pool.execute("UPDATE conversations SET state = 'waiting', waiting_since = NULL")
    bounce = await post.receive(
        delivery_report("ana@client.example"), post.return_path(letter["id"]), sender=""
    )
    conversation = await post.conversation(first["conversation_id"])
    assert bounce["conversation_id"] == first["conversation_id"]
    assert conversation["state"] == "open"


async def test_an_open_by_a_person_ends_a_row_of_soft_bounces(post: PostRoom) -> None:
    ana = await post.contact("Ana", "ana@client.example")
    for number in range(6):
        campaign, sent = await post.campaign_mail(ana, "ana@client.example")
        full = delivery_report("ana@client.example", status="4.2.2", words=f"452 4.2.2 Mailbox full {number}")
        await post.receive(full, post.return_path(sent, campaign), sender="")
        if number == 3:
            post.clock.advance(timedelta(hours=1))
            await post.pool.execute(
                "INSERT INTO hits (event_id, occurred_at, message_id, contact_id, type, method, verdict, settle_at)"
                " VALUES (1, $1, $2, $3, 'Opened', 'GET', 'human', now())",
                post.clock.now(),
                sent,
                ana,
            )
            post.clock.advance(timedelta(hours=1))
    assert await post.pool.fetchval("SELECT count FROM soft_bounces") == 2
    assert await suppression(post) is None


async def test_a_report_that_comes_twice_counts_once(post: PostRoom) -> None:
    ana = await post.contact("Ana", "ana@client.example")
    campaign, sent = await post.campaign_mail(ana, "ana@client.example")
    full = b"Message-ID: <b1@client.example>\r\n" + delivery_report(
        "ana@client.example", status="4.2.2", words="452 4.2.2 Mailbox full"
    )
    await post.receive(full, post.return_path(sent, campaign), sender="")
    await post.receive(b"Received: x\r\n" + full, post.return_path(sent, campaign), sender="")
    assert await post.pool.fetchval("SELECT count FROM soft_bounces") == 1
    assert len(await post.events("Bounced")) == 1
