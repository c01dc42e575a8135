"""The agent's room: lists, threads, moves, answers, files; and who may see what."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from storage.pool import Pool
from tests.web.correspondence import PNG, Correspondence, build_correspondence
from tests.web.house import House, Visitor
from tests.web.world import World, build_world
from web.console.mail_files import disposition, safe_type


@pytest.fixture
async def world(house: House, pool: Pool) -> World:
    """An organisation."""
    return await build_world(pool)


@pytest.fixture
async def post(house: House, pool: Pool, world: World) -> Correspondence:
    """Its conversations."""
    return await build_correspondence(pool, house.context.blobs, world.users, world.contacts)


async def enter(house: House, role: str) -> Visitor:
    """Sign in as the world's person of a role."""
    visitor = house.visitor()
    assert (await visitor.sign_in(f"{role}@helianthe.example")).status == 200
    return visitor


async def test_the_box_that_opens_first_is_mine_and_else_the_unassigned(
    house: House, post: Correspondence
) -> None:
    agent = await enter(house, "agent")
    page = await agent.get("/conversations")
    assert "Where are my twelve panels?" in page.words
    assert "Your roof, our offer" not in page.words
    rep = await enter(house, "rep")  # nothing of the rep's is open, but something waits for anybody
    assert "Your roof, our offer" in (await rep.get("/conversations")).words


async def test_a_list_says_who_wrote_what_and_since_when_they_wait(
    house: House, post: Correspondence
) -> None:
    agent = await enter(house, "agent")
    words = (await agent.get("/conversations?box=open")).words
    for said in (
        "Claire Dubreuil",
        "Thank you, that helps.",
        "40 minutes ago",
        "2 files",
        "belongs elsewhere?",
        "nobody",
    ):
        assert said in words, said
    order = [words.index(subject) for subject in ("Your roof, our offer", "Urgent: new bank account")]
    assert order == sorted(order)  # whoever waited longest comes first
    assert "You have won" not in words
    assert "You have won" in (await agent.get("/conversations?box=junk")).words
    assert "Appointment on Tuesday" in (await agent.get("/conversations?box=waiting")).words
    assert "Invoice 2026-101" in (await agent.get("/conversations?box=closed")).words


async def test_a_list_goes_on_from_page_to_page(house: House, pool: Pool, post: Correspondence) -> None:
    now = datetime.now(UTC)
    await pool.executemany(
        "INSERT INTO conversations (subject, queue_id, waiting_since) VALUES ($1, $2, $3)",
        [(f"Number {n:03d}", post.queues["support"], now - timedelta(days=9, minutes=-n)) for n in range(90)],
    )
    agent = await enter(house, "agent")
    seen: list[str] = []
    path = f"/conversations?box=unassigned&queue={post.queues['support']}"
    while path:
        page = await agent.get(path)
        seen += re.findall(r"Number \d{3}", page.text)
        following = re.search(r'href="(/conversations\?[^"]*after=[^"]+)"', page.text)
        path = following[1].replace("&amp;", "&") if following else ""
    assert seen == [f"Number {n:03d}" for n in range(90)]
    assert (await agent.get("/conversations?after=nonsense")).status == 422


async def test_a_search_finds_subjects_names_and_addresses(house: House, post: Correspondence) -> None:
    agent = await enter(house, "agent")
    for words in ("PANELS", "claire dub", "claire.dubreuil@dubreuil.example", "otto@dach"):
        assert "twelve panels" in (await agent.get("/conversations", params={"q": words})).words, words
    assert "Nothing found" in (await agent.get("/conversations", params={"q": "100%_"})).words


async def test_a_queue_of_another_team_is_closed_to_all_but_supervisors(
    house: House, pool: Pool, post: Correspondence
) -> None:
    rep, manager = await enter(house, "rep"), await enter(house, "manager")
    path = f"/conversations/{post.conversations['order']}"
    await pool.execute(
        "DELETE FROM team_members WHERE team_id = (SELECT id FROM teams WHERE name = 'Support')"
    )
    await pool.execute("UPDATE conversations SET assignee_id = NULL")
    assert (await rep.get(path)).status == 404
    assert (await rep.post(f"{path}/close")).status == 404
    assert (await manager.get(path)).status == 200
    await pool.execute("UPDATE queues SET confidential = true")
    assert (await manager.get(path)).status == 404
    assert "twelve panels" not in (await manager.get("/conversations?q=panels")).words
    status, _ = await manager.call("GET", f"/conversations/{post.conversations['order']}")
    assert status == 404
    await pool.execute(
        "UPDATE conversations SET assignee_id = (SELECT id FROM users WHERE role = 'rep') WHERE id = $1",
        post.conversations["order"],
    )
    assert (await rep.get(path)).status == 200  # whoever it was given to


async def test_a_thread_shows_new_words_notes_and_whether_the_sender_is_real(
    house: House, post: Correspondence
) -> None:
    agent = await enter(house, "agent")
    page = await agent.get(f"/conversations/{post.conversations['order']}")
    for said in ("sender verified", "internal note, the contact does not see it", "Show quoted text", "gate.png",
                 "Tomas Berg assigned the conversation to Aïcha Joly", "Quote the message"):  # fmt: skip
        assert said in page.words, said
    assert 'rel="nofollow noopener noreferrer"' in page.text
    forged = await agent.get(f"/conversations/{post.conversations['forged']}")
    assert "This mail may be forged." in forged.words
    away = await agent.get(f"/conversations/{post.conversations['away']}")
    assert "Out of office until" in away.words
    junk = await agent.get(f"/conversations/{post.conversations['junk']}")
    assert "This is held as junk." in junk.words


async def test_moves_go_through_and_the_second_of_two_is_told(
    house: House, pool: Pool, post: Correspondence
) -> None:
    agent, manager = await enter(house, "agent"), await enter(house, "manager")
    number = post.conversations["forged"]
    path = f"/conversations/{number}"
    page = await agent.get(path)
    version = re.search(r'name="version" value="(\d+)"', page.text)
    assert version is not None
    await manager.get(path)
    me = await pool.fetchval("SELECT id FROM users WHERE role = 'manager'")
    taken = await manager.post(f"{path}/assign", {"version": version[1], "assignee": str(me)})
    assert "Assigned." in taken.words
    late = await agent.post(f"{path}/close", {"version": version[1]})
    assert late.status == 409
    assert "Somebody changed this conversation meanwhile." in late.words
    assert "Here is how the conversation stands now." in late.words
    assert (await agent.post(f"{path}/notes", {"text": "Looks wrong."})).status == 200
    assert "Looks wrong." in (await agent.get(path)).words
    assert "Held as junk." in (await agent.post(f"{path}/junk", {"junk": "yes"})).words
    assert "Not junk." in (await agent.post(f"{path}/junk", {"junk": "no"})).words
    assert "Closed." in (await agent.post(f"{path}/close")).words
    assert (await agent.post(f"{path}/close")).status == 409
    assert "Open again." in (await agent.post(f"{path}/reopen")).words
    moved = await agent.post(f"{path}/queue", {"queue": str(post.queues["sales"])})
    assert "Moved to the other queue." in moved.words
    assert (await agent.post(f"{path}/queue", {"queue": "x"})).status == 422


async def test_a_person_decides_where_a_mail_belongs(house: House, post: Correspondence) -> None:
    agent = await enter(house, "agent")
    path = f"/conversations/{post.conversations['stranger']}"
    page = await agent.get(path)
    assert "This mail refers to the conversation “Where are my twelve panels?”" in page.words
    joined = await agent.post(
        f"{path}/placements", {"message": str(post.messages["stranger"]), "join": "yes"}
    )
    assert joined.url.split("?")[0].endswith(f"/conversations/{post.conversations['order']}")
    assert "I am the roofer." in joined.words
    again = await agent.post(
        f"/conversations/{post.conversations['order']}/placements",
        {"message": str(post.messages["stranger"]), "join": "no"},
    )
    assert again.status == 409


async def test_participants_and_the_contact_are_chosen(
    house: House, pool: Pool, post: Correspondence
) -> None:
    agent = await enter(house, "agent")
    path = f"/conversations/{post.conversations['stranger']}"
    await agent.get(path)
    assert (
        "Changed who takes part." in (await agent.post(f"{path}/parties", {"address": "new@x.example"})).words
    )
    assert (await agent.post(f"{path}/parties", {"address": "nonsense"})).status == 422
    assert "Changed who" in (await agent.post(f"{path}/parties", {"remove": "new@x.example"})).words
    author = await agent.post(f"{path}/author", {"message": str(post.messages["stranger"])})
    assert "Ida Lind" in author.words
    chosen = await agent.post(f"{path}/contact", {"address": "otto@dach.example", "name": "Otto Roth"})
    assert "The conversation is on their timeline now." in chosen.words
    name = await pool.fetchval(
        "SELECT c.name FROM conversations v JOIN contacts c ON c.id = v.contact_id WHERE v.id = $1",
        post.conversations["stranger"],
    )
    assert name == "Otto Roth"


async def test_an_answer_is_written_kept_sent_and_taken_back(
    house: House, pool: Pool, post: Correspondence
) -> None:
    agent, manager = await enter(house, "agent"), await enter(house, "manager")
    path = f"/conversations/{post.conversations['order']}"
    page = await agent.get(path)
    seen = re.search(r'name="seen" value="(\d+)"', page.text)
    assert seen is not None
    written = {
        "to": "claire.dubreuil@dubreuil.example",
        "text": "See you Thursday.",
        "seen": seen[1],
        "quote": "yes",
    }
    kept = await agent.post(f"{path}/draft", written, headers={"X-Fragment": "1"})
    assert kept.status == 204
    warned = await manager.get(f"{path}?part=writers", headers={"X-Fragment": "1"})
    assert "Aïcha Joly is writing an answer here, too." in warned.words
    assert "See you Thursday." in (await agent.get(path)).text
    sent = await agent.post(f"{path}/answer", written)
    assert "Your answer leaves in a moment." in sent.words
    message = re.search(r'name="message" value="(\d+)"', sent.text[sent.text.index('id="undo"') :])
    assert message is not None
    assert (await manager.post(f"{path}/undo", {"message": message[1]})).status in (403, 404)
    undone = await agent.post(f"{path}/undo", {"message": message[1]})
    assert "Taken back. Nothing was sent; your answer is below." in undone.words
    assert "See you Thursday.</textarea>" in undone.text
    assert (
        await pool.fetchval("SELECT state FROM deliveries WHERE message_id = $1", int(message[1]))
        == "cancelled"
    )
    dropped = await agent.post(f"{path}/draft/drop")
    assert "The draft is thrown away." in dropped.words
    assert "See you Thursday.</textarea>" not in dropped.text


async def test_what_came_in_meanwhile_is_shown_before_anything_is_sent(
    house: House, pool: Pool, post: Correspondence
) -> None:
    agent = await enter(house, "agent")
    path = f"/conversations/{post.conversations['order']}"
    await agent.get(path)
    written = {"to": "claire.dubreuil@dubreuil.example", "text": "Patience, please.", "seen": "1"}
    stopped = await agent.post(f"{path}/answer", written)
    assert stopped.status == 409
    assert "A message came in while you were writing." in stopped.words
    assert "Send all the same" in stopped.words
    assert "Patience, please.</textarea>" in stopped.text
    assert await pool.fetchval("SELECT count(*) FROM deliveries WHERE state = 'queued'") == 0
    seen = re.search(r'name="seen" value="(\d+)"', stopped.text)
    assert seen is not None
    sent = await agent.post(f"{path}/answer", {**written, "seen": seen[1]})
    assert "Your answer leaves in a moment." in sent.words


async def test_nothing_is_lost_when_an_answer_cannot_be_sent(
    house: House, pool: Pool, post: Correspondence
) -> None:
    agent = await enter(house, "agent")
    path = f"/conversations/{post.conversations['order']}"
    await agent.get(path)
    refused = await agent.post(
        f"{path}/answer", {"to": "gone@old.example", "text": "Hello?", "seen": "999999"}
    )
    assert refused.status == 422
    assert "Nothing would reach gone@old.example: it is on the do-not-contact list." in refused.words
    assert "Hello?</textarea>" in refused.text
    await pool.execute("UPDATE queues SET from_address = NULL")
    page = await agent.post(f"{path}/answer", {"to": "a@b.example", "text": "Hello?", "seen": "999999"})
    assert page.status == 422
    assert "no address to send from" in page.words


async def upload(
    visitor: Visitor, path: str, name: str, content: bytes, csrf: str | None = None
) -> tuple[int, str]:
    form = aiohttp.FormData()
    form.add_field("csrf", visitor.csrf if csrf is None else csrf)
    form.add_field("file", content, filename=name, content_type="text/html")
    async with visitor.session.post(f"{visitor.url}{path}/files", data=form) as response:
        return response.status, await response.text()


async def test_files_go_with_an_answer(house: House, pool: Pool, post: Correspondence) -> None:
    agent = await enter(house, "agent")
    path = f"/conversations/{post.conversations['order']}"
    await agent.get(path)
    assert (await upload(agent, path, "a.pdf", b"%PDF-", csrf="forged"))[0] == 403
    status, text = await upload(agent, path, "offer.pdf", b"%PDF-1.7")
    assert status == 200
    assert "offer.pdf" in text
    house.context.settings.attachment_limit = 2_000
    status, text = await upload(agent, path, "huge.bin", b"0" * 3_000)
    assert status == 422
    assert "too large for one mail" in text
    await upload(agent, path, "second.txt", b"hello")
    gone = await agent.post(f"{path}/files/drop", {"file": "1"}, headers={"X-Fragment": "1"})
    assert "second.txt" not in gone.text
    assert "offer.pdf" in gone.text
    await agent.post(f"{path}/answer", {"to": "a@b.example", "text": "Here.", "seen": "999999"})
    assert await pool.fetchval("SELECT name FROM attachments ORDER BY id DESC LIMIT 1") == "offer.pdf"


async def test_files_are_handed_out_as_downloads_and_never_as_pages(
    house: House, post: Correspondence
) -> None:
    agent = await enter(house, "agent")
    page = await agent.get(f"/conversations/{post.conversations['forged']}")
    (path,) = re.findall(r'href="(/conversations/\d+/messages/\d+/files/1/invoice.html)"', page.text)
    for asked in (path, f"{path}?show=1"):
        answer = await agent.get(asked)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="invoice.html"')
    thread = (
        f"/conversations/{post.conversations['order']}/messages/{post.messages['thanks']}/files/1/gate.png"
    )
    async with agent.session.get(agent.url + thread + "?show=1") as response:
        assert response.headers["Content-Type"] == "image/png"
        assert response.headers["Content-Disposition"].startswith("inline")
        assert await response.read() == PNG
    assert (await agent.get(thread.replace("/files/1/", "/files/9/"))).status == 404
    other = thread.replace(
        f"/conversations/{post.conversations['order']}/", f"/conversations/{post.conversations['junk']}/"
    )
    assert (await agent.get(other)).status == 404


async def test_files_of_a_mail_with_a_virus_are_handed_to_nobody(
    house: House, pool: Pool, post: Correspondence
) -> None:
    agent = await enter(house, "agent")
    await pool.execute("UPDATE mail_facts SET virus = 'Eicar' WHERE message_id = $1", post.messages["thanks"])
    page = await agent.get(f"/conversations/{post.conversations['order']}")
    assert "A virus was found: Eicar." in page.words
    assert "gate.png" not in page.words
    path = f"/conversations/{post.conversations['order']}/messages/{post.messages['thanks']}/files/1/gate.png"
    assert (await agent.get(path)).status == 404


def test_names_of_files_are_written_as_browsers_read_them() -> None:
    assert disposition("a.pdf") == "attachment; filename=\"a.pdf\"; filename*=UTF-8''a.pdf"
    assert disposition('é"\r\nX: 1/€.pdf') == (
        "attachment; filename=\"__X: 1__.pdf\"; filename*=UTF-8''%C3%A9%22X%3A%201%2F%E2%82%AC.pdf"
    )
    assert (
        safe_type("text/html")
        == safe_type("image/svg+xml")
        == safe_type("application/x-sh")
        == "application/octet-stream"
    )
    assert safe_type("application/pdf") == "application/pdf"


async def test_a_mail_s_html_is_clean_and_sealed(house: House, post: Correspondence) -> None:
    agent = await enter(house, "agent")
    path = f"/conversations/{post.conversations['offer']}/messages/{post.messages['html']}/body"
    answer = await agent.get(path)
    assert "<script" not in answer.text
    assert "pixel.example" not in answer.text
    assert 'src="data:image/png;base64,' in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "img-src data:;" in policy
    assert "sandbox allow-popups" in policy
    assert "allow-same-origin" not in policy
    shown = await agent.get(path + "?images=1")
    assert "https://pixel.example/o.gif" in shown.text
    assert "img-src data: https:;" in shown.headers["Content-Security-Policy"]


async def test_a_message_tells_every_attempt_with_the_server_s_words(
    house: House, post: Correspondence
) -> None:
    agent = await enter(house, "agent")
    page = await agent.get(f"/conversations/{post.conversations['order']}/messages/{post.messages['answer']}")
    assert "451 4.7.1 Greylisted, try again in 5 minutes" in page.words
    assert "250 2.0.0 Ok: queued as 4F2B1" in page.words


async def test_programs_work_on_conversations_too(house: House, pool: Pool, post: Correspondence) -> None:
    agent = await enter(house, "agent")
    await agent.get("/conversations")
    status, page = await agent.call("GET", "/conversations?box=open&limit=2")
    assert (status, len(page["items"])) == (200, 2)
    status, rest = await agent.call("GET", f"/conversations?box=open&limit=50&after={page['next']}")
    assert status == 200
    ids = [{one["id"] for one in items["items"]} for items in (page, rest)]
    assert ids[1]
    assert not ids[0] & ids[1]
    number = post.conversations["order"]
    status, thread = await agent.call("GET", f"/conversations/{number}")
    assert status == 200
    assert [message["direction"] for message in thread["messages"]] == ["in", "out", "in"]
    assert thread["notes"][0]["text"].startswith("Called the carrier")
    assert (await agent.call("POST", f"/conversations/{number}/notes", {"text": "By a program."}))[0] == 201
    status, sent = await agent.call("POST", f"/conversations/{number}/answers", {"text": "On its way."})
    assert status == 201
    assert (await agent.call("POST", f"/conversations/{number}/answers/{sent['message_id']}/undo"))[0] == 204
    status, problem = await agent.call("POST", f"/conversations/{number}/answers", {"text": "x", "seen": 1})
    assert (status, problem["type"]) == (409, "conflict")
    status, closed = await agent.call("POST", f"/conversations/{number}/state", {"move": "close"})
    assert (status, closed["state"]) == (200, "closed")
    assert (await agent.call("POST", f"/conversations/{number}/assignment", {"assignee_id": None}))[0] == 204
    assert (await agent.call("POST", f"/conversations/{number}/assignment", {}))[0] == 422
    body = {"message_id": post.messages["stranger"], "join": False}
    status, placed = await agent.call("POST", "/placements", body)
    assert (status, placed["conversation_id"]) == (200, post.conversations["stranger"])
    assert (await agent.call("POST", "/placements", body))[0] == 409


async def test_a_search_that_takes_too_long_says_so(
    house: House, post: Correspondence, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await enter(house, "agent")
    monkeypatch.setattr("web.queries.conversations._SEARCH_SECONDS", 0.000_001)
    slow = await agent.get("/conversations?q=panels")
    assert slow.status == 503
    assert "Write the whole e-mail address, or a rarer word." in slow.words
    quick = await agent.get("/conversations", params={"q": "claire.dubreuil@dubreuil.example"})
    assert "twelve panels" in quick.words


async def test_programs_send_and_fetch_files(house: House, pool: Pool, post: Correspondence) -> None:
    agent = await enter(house, "agent")
    await agent.get("/conversations")
    path = f"/conversations/{post.conversations['order']}/answers"
    plan = {"name": "../../etc/plan\r\nX-Evil: 1.pdf", "media_type": "application/pdf", "content": "JVBERi0="}
    status, sent = await agent.call("POST", path, {"text": "Here is the plan.", "attachments": [plan]})
    assert status == 201, sent
    row = await pool.fetchrow("SELECT * FROM attachments WHERE message_id = $1", sent["message_id"])
    assert row is not None
    assert "/" not in row["name"]
    raw = await agent.get(
        f"/conversations/{post.conversations['order']}/messages/{sent['message_id']}/original"
    )
    assert "\nX-Evil" not in raw.text
    fetched = f"/messages/{sent['message_id']}/files/{row['no']}"
    assert await agent.call("GET", fetched) == (200, b"%PDF-")
    wrong = {**plan, "content": "no base64!"}
    status, problem = await agent.call("POST", path, {"text": "x", "attachments": [plan, wrong]})
    assert (status, problem["field"]) == (422, "attachments[1].content")
    house.context.settings.attachment_limit = 4
    status, problem = await agent.call("POST", path, {"text": "x", "attachments": [plan]})
    assert (status, "too large" in problem["detail"]) == (422, True)
    # the same rules as for people: no message of a queue of others, and not even that it is there
    await pool.execute("UPDATE queues SET team_id = NULL, confidential = true")
    await pool.execute("UPDATE conversations SET assignee_id = NULL")
    for one in (fetched, "/messages/999999/files/0"):
        status, problem = await agent.call("GET", one)
        assert (status, problem["type"]) == (404, "not-found")
    assert (await (await enter(house, "marketer")).call("GET", fetched))[0] == 403


async def test_a_file_that_was_swept_is_said_to_be_gone(house: House, post: Correspondence) -> None:
    agent = await enter(house, "agent")
    path = f"/conversations/{post.conversations['order']}"
    await agent.get(path)
    await upload(agent, path, "offer.pdf", b"%PDF-1.7")
    for file in house.context.answer_files.root.iterdir():
        file.unlink()
    refused = await agent.post(f"{path}/answer", {"to": "a@b.example", "text": "Here.", "seen": "999999"})
    assert refused.status == 422
    assert "The file offer.pdf is not here any more. Remove it, and attach it again." in refused.words


async def test_a_conversation_waits_by_hand_and_moves_where_its_mover_sees_nothing(
    house: House, pool: Pool, post: Correspondence
) -> None:
    team = await house.team("Personnel")
    queue = await pool.fetchval(
        "INSERT INTO queues (name, team_id, confidential) VALUES ('HR', $1, true) RETURNING id", team
    )
    agent = await enter(house, "agent")
    path = f"/conversations/{post.conversations['order']}"
    page = await agent.get(path)
    assert "Let it wait" in page.words
    assert "HR (confidential)" in page.words
    waits = await agent.post(f"{path}/wait")
    assert "It waits for the contact now." in waits.words
    assert "lets the conversation wait for the contact" in waits.words
    assert (await agent.call("POST", f"{path}/state", {"move": "wait"}))[0] == 409
    assert "Moved to the other queue." in (await agent.post(f"{path}/queue", {"queue": queue})).words
    assert (await agent.get(path)).status == 404


async def test_a_question_about_a_confidential_mail_is_not_asked_of_others(
    house: House, pool: Pool, post: Correspondence
) -> None:
    team = await house.team("Personnel")
    queue = await pool.fetchval(
        "INSERT INTO queues (name, team_id, confidential) VALUES ('HR', $1, true) RETURNING id", team
    )
    agent = await enter(house, "agent")
    path = f"/conversations/{post.conversations['order']}"
    assert "Otto Roth, who takes no part here" in (await agent.get(path)).words
    await pool.execute(
        "UPDATE conversations SET queue_id = $2 WHERE id = $1", post.conversations["stranger"], queue
    )
    assert "Otto Roth" not in (await agent.get(path)).words
    assert (await agent.call("GET", path))[1]["placements"] == []
    body = {"message_id": post.messages["stranger"], "join": False}
    assert (await agent.call("POST", "/placements", body))[0] == 404


async def test_what_others_own_is_nowhere_not_even_its_number(
    house: House, pool: Pool, post: Correspondence
) -> None:
    """Lists, search, counts, contact, API, bodies, files, originals, moves: all say that there is nothing."""
    team = await house.team("Personnel")
    await pool.execute("UPDATE queues SET team_id = $1, confidential = true", team)
    await pool.execute("UPDATE conversations SET assignee_id = NULL")
    number, message = post.conversations["order"], post.messages["thanks"]
    base = f"/conversations/{number}"
    contact = await pool.fetchval("SELECT contact_id FROM conversations WHERE id = $1", number)
    for role in ("rep", "agent", "manager", "administrator", "marketer"):
        visitor = await enter(house, role)
        refused = (403,) if role == "marketer" else (404,)
        for path in (
            base, f"{base}/messages/{message}", f"{base}/messages/{message}/body", f"{base}/messages/{message}/original",
            f"{base}/messages/{message}/files/0/gate.png", f"{base}/messages/{message}/files/0/gate.png?show=1",
        ):  # fmt: skip
            assert (await visitor.get(path)).status in refused, (role, path)
            assert (await visitor.get(path, headers={"X-Fragment": "1"})).status in refused, (role, path)
        for path in ("assign", "queue", "close", "wait", "reopen", "junk", "notes", "parties", "contact", "draft",
                     "draft/drop", "answer", "undo", "files/drop"):  # fmt: skip
            form = {
                "message": message,
                "file": "0",
                "text": "x",
                "to": "a@b.example",
                "queue": "1",
                "address": "a@b.example",
            }
            assert (await visitor.post(f"{base}/{path}", form)).status in refused, (role, path)
        for path in (base, f"/messages/{message}/files/0"):
            assert (await visitor.call("GET", path))[0] in refused, (role, path)
        for path in ("/", "/conversations?box=open", "/conversations?q=panels", "/conversations?box=closed",
                     f"/contacts/{contact}", "/conversations?box=junk"):  # fmt: skip
            page = await visitor.get(path)
            for secret in (
                "twelve panels",
                "You have won",
                "gate.png",
                "Invoice 2026-101",
                "our roofer arrives",
            ):
                assert secret not in page.text, (role, path, secret)
        if role != "marketer":
            assert (await visitor.call("GET", "/conversations?box=open"))[1]["items"] == []
            assert (await visitor.call("GET", "/conversations?q=panels"))[1]["items"] == []
        _status, events = await visitor.call("GET", f"/contacts/{contact}/events")
        assert "twelve panels" not in str(events)
        assert not any(event.get("conversation_id") == number for event in events["items"])


async def test_an_answer_that_may_have_arrived_is_settled_on_its_page(
    house: House, pool: Pool, post: Correspondence
) -> None:
    agent = await enter(house, "agent")
    number = post.conversations["order"]
    await agent.get(f"/conversations/{number}")
    _status, sent = await agent.call(
        "POST", f"/conversations/{number}/answers", {"text": "Soon.", "cc": "ida@lind.example"}
    )
    deliveries = [
        row["message_id"]
        for row in await pool.fetch(
            "UPDATE deliveries d SET state = 'uncertain', reason = 'connection_lost', settled_at = now() FROM letters l"
            " WHERE l.message_id = d.message_id AND (l.message_id = $1 OR l.copy_of = $1) RETURNING d.message_id",
            sent["message_id"],
        )
    ]
    assert len(deliveries) == 2
    path = f"/conversations/{number}/messages/{sent['message_id']}"
    assert "Nobody knows whether it arrived." in (await agent.get(path)).words
    for delivery, fate in zip(deliveries, ("sent", "queued"), strict=True):
        await agent.post(f"{path}/settle", {"delivery": delivery, "fate": fate})
        assert fate == await pool.fetchval("SELECT state FROM deliveries WHERE message_id = $1", delivery)
    assert (await agent.post(f"{path}/settle", {"delivery": deliveries[0], "fate": "sent"})).status == 409
    other = post.messages["answer"]
    assert (await agent.post(f"{path}/settle", {"delivery": other, "fate": "sent"})).status == 404
