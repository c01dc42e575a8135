"""A queue acknowledges first mails, seldom, and never a machine: loops end at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.pool import Pool
from tests.inbox.post import PostRoom, open_post_room, write_mail

WORDS = "We got your mail and answer within a day."


@pytest.fixture
async def queue(post: PostRoom) -> int:
    """The support queue, which acknowledges."""
    return await post.queue("Support", "support@hub.example", auto_answer=WORDS)


async def letters(post: PostRoom) -> list[Any]:
    rows: list[Any] = await post.pool.fetch(
        "SELECT l.*, d.address FROM letters l JOIN deliveries d USING (message_id) ORDER BY 1"
    )
    return rows


async def test_the_first_mail_of_a_conversation_is_acknowledged(post: PostRoom, queue: int) -> None:
    message = await post.receive(write_mail(message_id="1@client.example"))
    [letter] = await letters(post)
    head = letter["content"].decode()
    assert (letter["kind"], letter["sender"], letter["address"]) == ("auto_answer", "", "ana@client.example")
    assert "Auto-Submitted: auto-replied" in head
    assert "In-Reply-To: <1@client.example>" in head
    assert "From:" in head
    assert "support@hub.example" in head
    assert WORDS in head
    sent = await post.row("messages", letter["message_id"])
    assert sent["conversation_id"] == message["conversation_id"]
    assert (await post.conversation(message["conversation_id"]))["state"] == "open"


async def test_a_reply_is_not_acknowledged(post: PostRoom, queue: int) -> None:
    await post.receive(write_mail(message_id="1@client.example"))
    post.clock.advance(timedelta(days=3))
    await post.receive(write_mail(text="Well?", references=["1@client.example"]))
    assert len(await letters(post)) == 1


@pytest.mark.parametrize(("hours", "answers"), [(40, 1), (60, 0)])
async def test_mail_that_waited_for_days_is_not_acknowledged_any_more(
    post: PostRoom, queue: int, hours: int, answers: int
) -> None:
    came = datetime.now(UTC) - timedelta(hours=hours)
    await post.receive(
        write_mail(), door="imap:support", cursor="INBOX/1/1", meta={"received_at": came.isoformat()}
    )
    assert len(await letters(post)) == answers


async def test_the_same_person_is_answered_once_within_a_day(post: PostRoom, queue: int) -> None:
    for number in range(3):
        await post.drop(write_mail(text=f"Question {number}"), "support@hub.example")
    await post.read()
    assert len(await letters(post)) == 1
    post.clock.advance(timedelta(hours=25))
    await post.receive(write_mail(text="Another day"))
    assert len(await letters(post)) == 2


async def test_everybody_together_gets_so_many_answers_within_an_hour(pool: Pool, tmp_path: Path) -> None:
    from inbox.reading_settings import AutoAnswerSettings

    async with open_post_room(pool, tmp_path, auto_answers=AutoAnswerSettings(per_hour=3)) as post:
        await post.queue("Support", "support@hub.example", auto_answer=WORDS)
        for number in range(6):
            address = f"p{number}@client.example"
            await post.drop(write_mail(address), "support@hub.example", sender=address)
        await post.read()
        assert len(await letters(post)) == 3


async def test_readers_beside_each_other_keep_to_the_caps_together(pool: Pool, tmp_path: Path) -> None:
    from inbox.reading_settings import AutoAnswerSettings, ReadingSettings

    settings = ReadingSettings(batch=1)
    caps = AutoAnswerSettings(per_hour=5)
    async with (
        open_post_room(pool, tmp_path, settings, auto_answers=caps) as one,
        open_post_room(pool, tmp_path, settings, auto_answers=caps) as other,
    ):
        await one.queue("Support", "support@hub.example", auto_answer=WORDS)
        for number in range(30):  # in many names, from one envelope
            raw = write_mail(f"p{number}@client.example", message_id=f"{number}@client.example")
            await one.drop(raw, "support@hub.example", sender="ana@client.example")
        for number in range(30):
            address = f"q{number}@client.example"
            await one.drop(write_mail(address), "support@hub.example", sender=address)
        await asyncio.gather(one.read(), other.read())
        answered = [letter["address"] for letter in await letters(one)]
        assert len(answered) == 5
        assert answered.count("ana@client.example") == 1


async def test_whom_the_envelope_names_falsely_gets_no_answer(pool: Pool, tmp_path: Path) -> None:
    async def check(*_: Any) -> dict[str, str]:
        return {"spf": "fail", "dkim": "none", "dmarc": "none"}

    async with open_post_room(pool, tmp_path, authenticate=check) as post:
        await post.queue("Support", "support@hub.example", auto_answer=WORDS)
        await post.receive(write_mail("x@evil.example"), sender="victim@client.example")
        assert await letters(post) == []


@pytest.mark.parametrize(
    ("headers", "envelope"),
    [
        ({"Auto_Submitted": "auto-replied"}, "ana@client.example"),
        ({"List_Id": "<news.client.example>"}, "ana@client.example"),
        ({"Precedence": "bulk"}, "ana@client.example"),
        ({}, ""),
    ],
)
async def test_machines_are_not_answered(
    post: PostRoom, queue: int, headers: dict[str, Any], envelope: str
) -> None:
    await post.receive(write_mail(**headers), sender=envelope)
    assert await letters(post) == []


async def test_a_person_whose_program_says_no_machine_wrote_is_answered(post: PostRoom, queue: int) -> None:
    await post.receive(write_mail(Auto_Submitted="no"))
    assert len(await letters(post)) == 1


async def test_two_houses_that_answer_each_other_stop_at_once(
    post: PostRoom, queue: int, databases: Any, tmp_path: Path
) -> None:
    """The other house acknowledges too; each letter is carried over as a mail server would carry it."""
    from storage.pool import open_pool

    url = databases.create()
    pool = await open_pool(url)
    async with open_post_room(pool, tmp_path / "other") as other:
        await other.queue("Help", "help@else.example", auto_answer="Thank you.")
        await post.receive(
            write_mail("help@else.example", message_id="1@else.example"), sender="help@else.example"
        )
        carried = 0
        for here, there in [(post, other), (other, post)] * 5:
            for letter in await letters(here):
                await there.receive(letter["content"], letter["address"], sender=letter["sender"])
                carried += 1
            await here.pool.execute("DELETE FROM deliveries")
        assert carried == 1
        assert await letters(other) == []
    pool.terminate()
    databases.drop(url)
