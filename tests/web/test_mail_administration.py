"""Queues, the do-not-contact list, unreadable messages: by hand and by programs."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from channels.mail.imap.ports import FolderState, FolderStatus
from channels.mail.imap.words import Trouble
from inbox.arrival.imap_ledger import ImapLedger
from inbox.mails.reading import read_copy_address
from outbox.addresses import reply_address
from outbox.settings import OutboxSettings
from storage.pool import Pool
from tests.web.correspondence import Correspondence, build_correspondence
from tests.web.house import KEY, House
from tests.web.test_conversation_pages import enter
from tests.web.world import World, build_world
from web.console.mailboxes import TROUBLES
from web.context import Door
from web.words import WORDS


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


async def _make_confidential(house: House, pool: Pool) -> int:
    """A queue of people whose mail is theirs alone; gives its id."""
    team = await house.team("Personnel")
    queue: int = await pool.fetchval(
        "INSERT INTO queues (name, team_id, confidential, from_address) VALUES ('HR', $1, true, 'hr@helianthe.example')"
        " RETURNING id",
        team,
    )
    await pool.execute("INSERT INTO queue_addresses VALUES ('hr@helianthe.example', $1)", queue)
    await house.user("agent", "Hanna Rau", teams=(team,), email="hanna@helianthe.example")
    return queue


async def test_nobody_opens_a_confidential_queue_to_themselves(
    house: House, pool: Pool, post: Correspondence
) -> None:
    queue = await _make_confidential(house, pool)
    await pool.execute("INSERT INTO conversations (subject, queue_id) VALUES ('I resign', $1)", queue)
    manager = await enter(house, "manager")
    form = {"name": "HR", "addresses": "hr@helianthe.example", "language": "en"}
    await manager.get("/queues")
    refused = await manager.post(f"/queues/{queue}", form)
    assert (refused.status, "only its people and administrators" in refused.words) == (403, True)
    assert (await manager.call("PUT", f"/queues/{queue}", {"name": "HR"}))[0] == 403
    assert (await manager.call("GET", f"/queues/{queue}"))[1]["open"] is None
    chief = await enter(house, "administrator")
    await chief.get("/queues")
    kept = {**form, "confidential": "yes", "team_id": await pool.fetchval("SELECT max(id) FROM teams")}
    assert "The queue is saved." in (await chief.post(f"/queues/{queue}", kept)).words


async def test_unreadable_mail_to_a_confidential_queue_shows_only_that_it_is_there(
    house: House, pool: Pool, post: Correspondence
) -> None:
    queue = await _make_confidential(house, pool)
    await pool.execute("UPDATE arrivals SET recipients = '{HR@helianthe.example}'")
    manager = await enter(house, "manager")
    page = await manager.get("/unreadable")
    assert "for a confidential queue" in page.words
    one = await manager.get(f"/unreadable/{post.raw}")
    for text in (page.text, one.text):
        assert "broken@mailer.example" not in text
        assert "Mangler" not in text
        assert "hr@helianthe" not in text.lower()
    assert (await manager.get(f"/unreadable/{post.raw}/original")).status == 403
    assert (await manager.call("GET", f"/quarantine/{post.raw}/raw"))[0] == 403
    listed = (await manager.call("GET", "/quarantine"))[1]["items"][0]
    assert (listed["sender"], listed["recipients"], listed["closed"]) == ("", [], True)
    assert "It will be read again" in (await manager.post(f"/unreadable/{post.raw}/again")).words
    await pool.execute("UPDATE raw_mails SET state = 'quarantined'")
    # an answer in a conversation of that queue is as confidential as its address
    number = await pool.fetchval(
        "INSERT INTO conversations (subject, queue_id) VALUES ('I resign', $1) RETURNING id", queue
    )
    message = await pool.fetchval(
        "INSERT INTO messages (direction, channel, conversation_id) VALUES ('out', 'mail', $1) RETURNING id",
        number,
    )
    address = reply_address(KEY, OutboxSettings(reply_domain="helianthe.example"), message)
    await pool.execute("UPDATE arrivals SET recipients = ARRAY[$1]", address)
    assert "for a confidential queue" in (await manager.get("/unreadable")).words


@pytest.mark.parametrize(
    ("door", "head", "meta"),
    [
        ("imap:all", "To: Personnel <HR@helianthe.example>", {"direction": "in"}),
        ("imap:all", "Cc: ann@x.example,\r\n hr@helianthe.example", {"direction": "in"}),
        ("imap:hanna", "From: Hanna <hr@helianthe.example>\r\nTo: ann@x.example", {"direction": "out"}),
        ("smtp", "To: hr@helianthe.example", {}),
    ],
)
@pytest.mark.parametrize("large", [False, True])
async def test_headers_close_an_unreadable_mail_whose_envelope_does_not_tell(
    house: House, pool: Pool, post: Correspondence, door: str, head: str, meta: dict[str, str], large: bool
) -> None:
    await _make_confidential(house, pool)
    raw = f"{head}\r\nSubject: I resign\r\n\r\nAs we said.".encode()
    blob = house.context.blobs.put(raw) if large else None
    await pool.execute("UPDATE raw_mails SET content = $1, blob = $2", None if large else raw, blob)
    await pool.execute(
        "UPDATE arrivals SET door = $1, recipients = '{all@helianthe.example}', meta = $2", door, meta
    )
    manager = await enter(house, "manager")
    assert "for a confidential queue" in (await manager.get("/unreadable")).words
    assert (await manager.get(f"/unreadable/{post.raw}/original")).status == 403
    listed = (await manager.call("GET", "/quarantine"))[1]["items"][0]
    assert (listed["sender"], listed["recipients"], listed["closed"]) == ("", [], True)


async def test_an_unreadable_answer_in_a_confidential_conversation_is_closed_in_a_mailbox_too(
    house: House, pool: Pool, post: Correspondence
) -> None:
    queue = await _make_confidential(house, pool)
    number = await pool.fetchval(
        "INSERT INTO conversations (subject, queue_id) VALUES ('I resign', $1) RETURNING id", queue
    )
    message = await pool.fetchval(
        "INSERT INTO messages (direction, channel, conversation_id) VALUES ('out', 'mail', $1) RETURNING id",
        number,
    )
    address = reply_address(KEY, OutboxSettings(reply_domain="helianthe.example"), message)
    await pool.execute("UPDATE raw_mails SET content = $1", f"To: Hub <{address}>\n\nNo.".encode())
    await pool.execute("UPDATE arrivals SET door = 'imap:all', recipients = '{}'")
    manager = await enter(house, "manager")
    assert "for a confidential queue" in (await manager.get("/unreadable")).words


async def test_mailboxes_say_how_they_are_and_what_to_do(house: House, pool: Pool) -> None:
    ledger = ImapLedger(pool, house.context.announcer)
    now = datetime.now(UTC)
    await ledger.tell(FolderStatus("support", "INBOX", FolderState.WATCHING, now))
    await ledger.tell(
        FolderStatus("support", "Archive/<b>", FolderState.FAILED, None, "login", "imap.example refused: no")
    )
    await ledger.tell(FolderStatus("sales", "INBOX", FolderState.READING, now, done=20, total=1500))
    house.context.doors = (Door("smtp", "127.0.0.1", 8027), Door("sandbox", "127.0.0.1", 0))
    chief = await house.signed_in("administrator")
    page = await chief.get("/mailboxes")
    for said in (
        "up to date",
        "The server refused the login. Check username and password",
        "imap.example refused: no",
        "20 of 1,500",
        "127.0.0.1:8027",
    ):
        assert said in page.words, said
    assert "Archive/&lt;b&gt;" in page.text
    await ledger.forget_others([])
    house.context.doors = ()
    empty = await chief.get("/mailboxes")
    assert "No mailbox is read by IMAP" in empty.words
    assert "No door is open" in empty.words
    assert (await (await house.signed_in("manager")).get("/mailboxes")).status == 403


def test_every_trouble_of_a_mailbox_has_words_and_a_remedy() -> None:
    assert set(TROUBLES) == set(Trouble)
    assert {state.value for state in FolderState} == set(WORDS["folder_state"])


async def test_an_account_names_its_address_for_copies(house: House, pool: Pool) -> None:
    rep = await house.signed_in("rep")
    assert "Mail that you write elsewhere" not in (await rep.get("/account")).words  # no domain is ours yet
    await pool.execute("INSERT INTO queues (name, from_address) VALUES ('S', 'support@our.example')")
    page = await rep.get("/account")
    found = re.search(r"bcc\+[^@\s<]+@our\.example", page.text)
    assert found is not None
    user = await pool.fetchval("SELECT id FROM users")
    assert read_copy_address(KEY, house.context.reading, found[0]) == user
    house.context.copy_domain = "hub.example"
    assert "@hub.example" in (await rep.get("/account")).text
    marketer = await house.signed_in("marketer")
    assert "Mail that you write elsewhere" not in (await marketer.get("/account")).words
