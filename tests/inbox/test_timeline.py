"""Mail on a contact's timeline: what it was about, for those who may read its conversation."""

from __future__ import annotations

from contacts.timeline import TimelineRow, Viewer, read_timeline
from tests.inbox.post import PostRoom, write_mail
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
