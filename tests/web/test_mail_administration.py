"""Queues, the do-not-contact list, unreadable messages: by hand and by programs."""

from __future__ import annotations

import pytest

from storage.pool import Pool
from tests.web.correspondence import Correspondence, build_correspondence
from tests.web.house import House
from tests.web.test_conversation_pages import enter
from tests.web.world import World, build_world


@pytest.fixture
async def post(house: House, pool: Pool) -> Correspondence:
    """A support desk."""
    world: World = await build_world(pool)
    return await build_correspondence(pool, house.context.blobs, world.users, world.contacts)


async def test_a_queue_is_made_and_changed(house: House, pool: Pool, post: Correspondence) -> None:
    manager = await enter(house, "manager")
    await manager.get("/queues/new")
    form = {
        "name": "Press",
        "addresses": "Press@Helianthe.example\npresse@helianthe.example",
        "language": "fr",
    }
    made = await manager.post("/queues/new", form)
    assert "The queue is saved." in made.words
    row = await pool.fetchrow("SELECT * FROM queues WHERE name = 'Press'")
    assert row is not None
    assert (row["from_address"], row["language"]) == ("press@helianthe.example", "fr")
    path = f"/queues/{row['id']}"
    await manager.post(path, {**form, "addresses": "press@helianthe.example", "auto_answer": "Thank you."})
    kept = await pool.fetch("SELECT address FROM queue_addresses WHERE queue_id = $1", row["id"])
    assert [one[0] for one in kept] == ["press@helianthe.example"]
    for wrong, said in (
        ({"name": ""}, "This is empty or too short."),
        ({"name": "Support"}, "There is a queue of this name already."),
        ({"addresses": "support@helianthe.example"}, "belongs to the queue “Support” already"),
        ({"addresses": "nonsense"}, "This is not a mail address."),
        ({"confidential": "yes"}, "A confidential queue needs a team"),
    ):
        answer = await manager.post(path, {**form, **wrong})
        assert answer.status == 422, wrong
        assert said in answer.words, wrong
    assert (await (await enter(house, "agent")).get("/queues")).status == 403


async def test_programs_keep_queues_too(house: House, post: Correspondence) -> None:
    manager = await enter(house, "manager")
    await manager.get("/queues")
    status, made = await manager.call(
        "POST", "/queues", {"name": "Jobs", "addresses": ["jobs@helianthe.example"]}
    )
    assert (status, made["from_address"]) == (201, "jobs@helianthe.example")
    status, changed = await manager.call("PUT", f"/queues/{made['id']}", {"name": "Careers"})
    assert (status, changed["name"], changed["addresses"]) == (200, "Careers", [])
    assert (await manager.call("PUT", "/queues/999999", {"name": "Nobody"}))[0] == 404
    status, every = await manager.call("GET", "/queues")
    assert {one["name"] for one in every["items"]} == {"Support", "Sales", "Careers"}
    assert (await manager.call("GET", f"/queues/{made['id']}"))[1]["name"] == "Careers"


async def test_the_list_says_why_and_is_lifted_with_a_reason(
    house: House, pool: Pool, post: Correspondence
) -> None:
    contact = await house.contact("Gone", "gone@old.example")
    manager = await enter(house, "manager")
    page = await manager.get("/do-not-contact")
    assert "The mailbox does not exist." in page.words
    assert "550 5.1.1" in page.words
    found = await manager.get("/do-not-contact?q=angry")
    assert "angry@elsewhere.example" in found.words
    assert "gone@old.example" not in found.words
    lifted = {"kind": "mail", "address": "gone@old.example"}
    assert (await manager.post("/do-not-contact/lift", lifted)).status == 422
    done = await manager.post("/do-not-contact/lift", {**lifted, "note": "New mailbox, they say."})
    assert "Taken off the list." in done.words
    assert await pool.fetchval("SELECT count(*) FROM suppressions WHERE address = 'gone@old.example'") == 0
    timeline = await manager.get(f"/contacts/{contact}")
    assert "took an address off the do-not-contact list" in timeline.words
    assert "New mailbox, they say." in timeline.words
    added = await manager.post(
        "/do-not-contact", {"kind": "mail", "address": "Never@x.example", "words": "asked us"}
    )
    assert "Nothing is sent to this address any more." in added.words
    assert "added by Tomas Berg" in (await manager.get("/do-not-contact")).words
    again = await manager.post("/do-not-contact", {"kind": "mail", "address": "never@x.example"})
    assert "is on the list already" in again.words
    rep = await enter(house, "rep")
    assert (await rep.get("/do-not-contact")).status == 200
    assert (await rep.post("/do-not-contact", {"address": "a@b.example"})).status == 403


async def test_programs_read_and_change_the_list(house: House, post: Correspondence) -> None:
    manager = await enter(house, "manager")
    await manager.get("/do-not-contact")
    status, page = await manager.call("GET", "/suppressions?limit=1")
    assert (status, len(page["items"])) == (200, 1)
    status, rest = await manager.call("GET", f"/suppressions?limit=1&after={page['next']}")
    assert rest["items"][0]["address"] != page["items"][0]["address"]
    assert (await manager.call("GET", "/suppressions?after=nonsense"))[0] == 422
    status, added = await manager.call(
        "POST", "/suppressions", {"kind": "phone", "address": "+33 6 12 34 56 78"}
    )
    assert (status, added["address"], added["reason"]) == (201, "+33612345678", "by_hand")
    assert (await manager.call("POST", "/suppressions", {"kind": "phone", "address": "+33612345678"}))[
        0
    ] == 409
    body = {"kind": "phone", "address": "+33612345678", "note": "asked"}
    assert (await manager.call("POST", "/suppressions/lift", body))[0] == 204
    assert (await manager.call("POST", "/suppressions/lift", body))[0] == 404


async def test_an_unreadable_message_is_looked_at_read_again_and_put_aside(
    house: House, pool: Pool, post: Correspondence
) -> None:
    manager = await enter(house, "manager")
    page = await manager.get("/unreadable")
    assert "Reading it took longer than 10 s." in page.words
    one = await manager.get(f"/unreadable/{post.raw}")
    assert "X-Mailer: Mangler 1.0" in one.words
    assert "Hello" in one.words
    original = await manager.get(f"/unreadable/{post.raw}/original")
    assert original.headers["Content-Disposition"].startswith("attachment")
    assert "It will be read again in a moment." in (await manager.post(f"/unreadable/{post.raw}/again")).words
    assert await pool.fetchval("SELECT state FROM raw_mails WHERE id = $1", post.raw) == "stored"
    assert (await manager.post(f"/unreadable/{post.raw}/again")).status == 409
    await pool.execute("UPDATE raw_mails SET state = 'quarantined'")
    assert "Discarded." in (await manager.post(f"/unreadable/{post.raw}/discard")).words
    assert "Everything could be read" in (await manager.get("/unreadable")).words
    assert "It was discarded" in (await manager.get(f"/unreadable/{post.raw}")).words
    assert "read again" in (await manager.post("/unreadable")).words
    assert (await (await enter(house, "agent")).get("/unreadable")).status == 403


async def test_programs_see_unreadable_messages(house: House, pool: Pool, post: Correspondence) -> None:
    manager = await enter(house, "manager")
    await manager.get("/unreadable")
    status, page = await manager.call("GET", "/quarantine")
    assert (status, page["items"][0]["id"]) == (200, post.raw)
    assert (await manager.call("GET", f"/quarantine/{post.raw}/raw"))[1].startswith(b"From: Broken")
    assert (await manager.call("POST", f"/quarantine/{post.raw}/discard"))[0] == 204
    assert (await manager.call("POST", f"/quarantine/{post.raw}/discard"))[0] == 409
    assert (await manager.call("POST", f"/quarantine/{post.raw}/again"))[0] == 204
