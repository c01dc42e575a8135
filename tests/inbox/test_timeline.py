"""Mail on a contact's timeline: what it was about, for those who may read its conversation."""

from __future__ import annotations

from contacts.timeline import TimelineRow, Viewer, read_timeline
from outbox.addresses import reply_address
from tests.inbox.post import KEYS, OUTBOX, PostRoom, write_mail
from web.console.event_words import describe_event
from web.i18n import speaking


async def timeline(post: PostRoom, contact: int, viewer: Viewer) -> list[TimelineRow]:
    return await read_timeline(post.pool, contact, viewer=viewer)


async def test_a_received_mail_shows_its_subject_and_how_its_new_words_begin(post: PostRoom) -> None:
    message = await post.receive(write_mail(text="It is broken.\n\nOn Monday Bob wrote:\n> Is it?"))
    [row] = await timeline(post, message["contact_id"], Viewer(1))
    assert (row["subject"], row["preview"]) == ("A question", "It is broken.")
    assert row["conversation_id"] == message["conversation_id"]
    line = describe_event(row)
    assert (line.sentence, line.detail) == ("Wrote to us: “A question”", "It is broken.")
    with speaking("fr"):
        assert "A question" in describe_event(row).sentence


async def test_mail_in_a_confidential_queue_is_not_on_the_timeline_of_others(post: PostRoom) -> None:
    team: int = await post.pool.fetchval("INSERT INTO teams (name) VALUES ('HR') RETURNING id")
    await post.queue("HR", "hr@hub.example")
    await post.pool.execute("UPDATE queues SET confidential = true, team_id = $1", team)
    message = await post.receive(write_mail(to="hr@hub.example"), "hr@hub.example")
    contact = message["contact_id"]
    assert await timeline(post, contact, Viewer(1, (), sees_all=True)) == []
    assert [row["subject"] for row in await timeline(post, contact, Viewer(2, (team,)))] == ["A question"]
    await post.pool.execute("UPDATE conversations SET assignee_id = 3")
    assert [row["subject"] for row in await timeline(post, contact, Viewer(3))] == ["A question"]


async def confidential(post: PostRoom) -> int:
    """The queue of a team whose mail is nobody else's."""
    team: int = await post.pool.fetchval("INSERT INTO teams (name) VALUES ('HR') RETURNING id")
    queue = await post.queue("HR", "hr@hub.example")
    await post.pool.execute("UPDATE queues SET confidential = true, team_id = $1", team)
    return queue


async def test_what_answers_a_confidential_conversation_from_elsewhere_stays_in_its_queue(
    post: PostRoom,
) -> None:
    queue = await confidential(post)
    first = await post.receive(write_mail(to="hr@hub.example"), "hr@hub.example")
    letter = await post.answer(first["conversation_id"], "ana@client.example")
    address = reply_address(KEYS, OUTBOX, letter["id"])
    reply = await post.receive(write_mail("ana@home.example", to=address, text="From home"), address)
    assert reply["conversation_id"] != first["conversation_id"]
    assert (await post.conversation(reply["conversation_id"]))["queue_id"] == queue
    assert await timeline(post, reply["contact_id"], Viewer(1, (), sees_all=True)) == []


async def test_an_automatic_answer_to_a_confidential_queue_is_nobody_elses(post: PostRoom) -> None:
    await confidential(post)
    ana = await post.contact("Ana", "ana@client.example")
    away = write_mail(
        to="hr@hub.example",
        subject="Out of office: your letter",
        text="I am ill until 12 May 2026.",
        Auto_Submitted="auto-replied",
    )
    await post.receive(away, "hr@hub.example")
    assert len(await post.events("AutoReplied")) == 1
    assert await timeline(post, ana, Viewer(1, (), sees_all=True)) == []


async def test_what_a_confidential_queue_sent_from_elsewhere_is_in_that_queue(post: PostRoom) -> None:
    queue = await confidential(post)
    message = await post.receive(
        write_mail("HR <hr@hub.example>", "Ana <ana@client.example>", "Your contract"),
        door="imap:hr",
        cursor="Sent/1/1",
        meta={"direction": "out"},
    )
    assert (await post.conversation(message["conversation_id"]))["queue_id"] == queue
    assert await timeline(post, message["contact_id"], Viewer(1, (), sees_all=True)) == []


async def test_of_mail_in_another_teams_queue_others_learn_only_that_there_was_some(post: PostRoom) -> None:
    team: int = await post.pool.fetchval("INSERT INTO teams (name) VALUES ('Sales') RETURNING id")
    await post.queue("Sales", "sales@hub.example")
    await post.pool.execute("UPDATE queues SET team_id = $1", team)
    message = await post.receive(write_mail(to="sales@hub.example"), "sales@hub.example")
    [row] = await timeline(post, message["contact_id"], Viewer(1))
    assert (row["type"], row["subject"], row["preview"], row["data"]) == ("Received", None, None, None)
    assert describe_event(row).sentence == "Wrote to us"
    [row] = await timeline(post, message["contact_id"], Viewer(1, sees_all=True))
    assert row["subject"] == "A question"


async def test_a_mail_that_joined_a_confidential_conversation_is_as_confidential(post: PostRoom) -> None:
    team: int = await post.pool.fetchval("INSERT INTO teams (name) VALUES ('HR') RETURNING id")
    message = await post.receive(write_mail())
    contact = message["contact_id"]
    await post.queue("HR", "hr@hub.example")
    number = await post.pool.fetchval(
        "INSERT INTO conversations (subject, queue_id) SELECT 'x', id FROM queues WHERE name = 'HR' RETURNING id"
    )
    await post.pool.execute("UPDATE queues SET confidential = true, team_id = $1 WHERE name = 'HR'", team)
    await post.pool.execute("UPDATE messages SET conversation_id = $1", number)
    await post.pool.execute("DELETE FROM conversations WHERE id <> $1", number)  # it holds nothing any more
    assert await timeline(post, contact, Viewer(1, (), sees_all=True)) == []
    assert len(await timeline(post, contact, Viewer(2, (team,)))) == 1


async def test_who_does_not_work_on_conversations_reads_none_of_them(post: PostRoom) -> None:
    message = await post.receive(write_mail())
    [row] = await timeline(post, message["contact_id"], Viewer(1, answers=False))
    assert (row["type"], row["subject"], row["preview"]) == ("Received", None, None)
