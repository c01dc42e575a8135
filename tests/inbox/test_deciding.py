"""What a mail becomes, whatever it says: properties of the pure decision."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from channels.mail.bounces import Kind, Recipient, Report
from channels.mail.junk import Junk
from channels.mail.parsed import Mailbox, ParsedMail
from domain.events import EventType
from domain.tokens import Token, TokenUse
from inbox.mails.arrived import Arrival, Arrived
from inbox.mails.consequences import SoftRow, count_soft
from inbox.mails.deciding import House, decide
from inbox.mails.deeds import Deed, Numbers
from inbox.mails.known import Earlier, Known, Queue, Thread
from inbox.mails.understanding import Understood

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
PEOPLE = ("ana@client.example", "bob@client.example", "mallory@evil.example", "support@hub.example", "")
IDS = ("", "1@client.example", "2@client.example", "letter-7@hub.example", "9@hub.example")

people = st.sampled_from(PEOPLE)
boxes = st.lists(people, max_size=3).map(lambda found: tuple(Mailbox("", one) for one in found if one))


@st.composite
def arrivals(draw: st.DrawFn) -> Arrived:
    sender = draw(people)
    mail = ParsedMail(
        message_id=draw(st.sampled_from(IDS)),
        sender=Mailbox("Somebody", sender) if sender else None,
        to=draw(boxes),
        cc=draw(boxes),
        subject="A question",
        text=draw(st.sampled_from(("One", "Two"))),
    )
    kind = draw(st.sampled_from(Kind))
    report = Report(
        kind,
        tuple(
            Recipient(one, "5.1.1", reason="mailbox_unknown", hard=True)
            for one in draw(st.lists(people, max_size=2))
        ),
        message_id=draw(st.sampled_from(IDS)),
    )
    understood = Understood(
        mail,
        report,
        ancestors=tuple(draw(st.lists(st.sampled_from(IDS[1:]), max_size=3, unique=True))),
        digest=f"{sender}:{mail.text}",
        automatic=draw(st.sampled_from((None, None, "list"))),
    )
    return Arrived(
        draw(st.integers(1, 10**6)),
        1,
        sender,
        NOW,
        understood,
        [
            Arrival(
                "smtp",
                draw(st.lists(people, max_size=2)),
                {"direction": draw(st.sampled_from(("in", "in", "out")))},
            )
        ],
        Junk("rspamd") if draw(st.integers(0, 4)) == 0 else Junk(),
        {"dmarc": draw(st.sampled_from(("pass", "none", "fail")))},
        [Token(TokenUse.REPLY, 3, 7)] if draw(st.booleans()) else [],
        [9] if draw(st.booleans()) else [],
        5 if draw(st.integers(0, 6)) == 0 else None,
        {"letter-7@hub.example": Token(TokenUse.HEADER, 3, 7)},
    )


def house() -> Known:
    """Ana has a conversation with a letter of ours in it, and got a newsletter."""
    known = Known(default_queue=1, queues={1: Queue(1, "Inbox", "en", "", None, "", "We got it.", False)})
    known.queue_addresses = {"support@hub.example": 1}
    known.contacts = {"ana@client.example": 11}
    known.users = {5: "rep@hub.example"}
    known.threads[21] = Thread(
        21,
        11,
        None,
        1,
        "waiting",
        "Old",
        None,
        False,
        None,
        NOW - timedelta(days=1),
        NOW,
        {"ana@client.example": 11},
    )
    known.messages[7] = Earlier(7, "out", 11, 3, None, "ana@client.example", state="sent")
    known.remember("9@hub.example", Earlier(9, "out", 11, None, 21, "ana@client.example"))
    return known


def decide_all(batch: list[Arrived]) -> tuple[Known, list[Deed]]:
    known = house()
    numbers = Numbers(itertools.count(100), itertools.count(200), itertools.count(300))
    return known, [decide(one, known, numbers, House(lambda address: False)) for one in batch]


@given(st.lists(arrivals(), max_size=6))
def test_every_mail_is_somewhere_and_told_by_what_it_is(batch: list[Arrived]) -> None:
    known, deeds = decide_all(batch)
    stored = [deed for deed in deeds if deed.stored]
    assert len({deed.message_id for deed in stored}) == len(stored)
    for deed in stored:
        told = {event.type for event in deed.events}
        arrived = deed.arrived
        if deed.direction == "out":
            assert told <= {EventType.SENT}
            continue
        if deed.conversation_id is not None:
            assert deed.conversation_id in known.threads
        else:
            assert deed.contact_id is not None or deed.effects
        if EventType.RECEIVED in told:
            assert not arrived.judgement
        if EventType.FILTERED in told:
            assert known.threads[deed.conversation_id or 0].junk
            assert told == {EventType.FILTERED}
        if arrived.judgement or deed.automatic:
            assert not deed.greets
            assert not deed.contacts


@given(st.lists(arrivals(), max_size=6))
def test_nobody_enters_a_conversation_who_does_not_take_part_in_it(batch: list[Arrived]) -> None:
    known, deeds = decide_all(batch)
    for deed in deeds:
        entered = deed.stored and deed.direction == "in" and deed.conversation_id == 21
        if entered and not deed.effects:
            assert deed.arrived.author in known.threads[21].parties
            assert deed.arrived.authentication["dmarc"] != "fail"
    others = [thread for thread in known.threads.values() if thread.id != 21]
    assert all(thread.fresh for thread in others)


@given(st.lists(arrivals(), max_size=6))
def test_only_what_is_proven_names_a_message_of_ours(batch: list[Arrived]) -> None:
    _, deeds = decide_all(batch)
    for effect in (effect for deed in deeds for effect in deed.effects):
        assert effect.proven == (effect.message_id is not None)
        if effect.proven:
            assert effect.address == "ana@client.example"


@given(st.lists(st.integers(0, 40), max_size=30))
def test_a_row_of_soft_bounces_never_reaches_over_its_window(days: list[int]) -> None:
    window, row, at = timedelta(days=30), None, NOW
    for passed in days:
        at += timedelta(days=passed)
        row = count_soft(row, at, window)
        assert isinstance(row, SoftRow)
        assert at - row.first_at <= window
        assert row.count >= 1
