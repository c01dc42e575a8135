"""Pages about calls: whose phone, the list, one call, its recordings, the card of who calls, and what stays closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storage.pool import Pool
from tests.web.house import House, Visitor
from tests.web.telephony import WAV, Exchange

_PHONE = "+33639980001"


@pytest.fixture
def exchange(house: House) -> Exchange:
    """Where calls are made."""
    return Exchange(house.pool, house.context.blobs)


async def test_a_person_says_which_phone_is_theirs(house: House, pool: Pool) -> None:
    rosa = await house.signed_in("rep")
    await rosa.get("/account")
    answer = await rosa.post("/account/phone", {"phone": "+33 6 39 98 00 01", "takes_calls": "1"})
    assert "Saved." in answer.words
    assert 'value="+33 6 39 98 00 01"' in answer.text
    row = await pool.fetchrow("SELECT phone, takes_calls FROM users")
    assert row is not None
    assert (row["phone"], row["takes_calls"]) == (_PHONE, True)
    await rosa.post("/account/phone", {"phone": "client:rosa"})
    assert await pool.fetchval("SELECT phone FROM users WHERE NOT takes_calls") == "client:rosa"
    await rosa.post("/account/phone", {"phone": ""})
    assert await pool.fetchval("SELECT phone FROM users") is None


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("06 39 98 00 01", "The country of this phone number is not known."),
        ("+33 6 12", "too few digits"),
        ("call me", "This is not a phone number."),
        ("client:Rosa Martin", "A phone in a browser is written client:name"),
        ("+33 899 70 00 00", "This is a premium or special number"),
    ],
    ids=["no-country", "short", "words", "client", "premium"],
)
async def test_what_cannot_ring_is_refused_at_its_field(house: House, written: str, problem: str) -> None:
    rosa = await house.signed_in("rep")
    await rosa.get("/account")
    answer = await rosa.post("/account/phone", {"phone": written})
    assert answer.status == 422
    assert problem in answer.words
    assert f'value="{written}"' in answer.text


async def test_an_administrator_sets_phones_of_people(house: House, pool: Pool) -> None:
    maud = await house.signed_in("administrator")
    rosa = await house.user("rep", "Rosa Martin")
    await maud.get(f"/people/{rosa}")
    given = {"name": "Rosa Martin", "role": "rep", "active": "1"}
    answer = await maud.post(f"/people/{rosa}", {**given, "phone": "nobody"})
    assert (answer.status, "This is not a phone number." in answer.words) == (422, True)
    answer = await maud.post(f"/people/{rosa}", {**given, "phone": _PHONE})
    assert "+33 6 39 98 00 01" in answer.words
    assert "only for their own calls" in answer.words
    assert await pool.fetchval("SELECT phone FROM users WHERE id = $1", rosa) == _PHONE


async def test_a_team_shows_a_number_of_ours_and_is_warned_of_others(
    house: House, pool: Pool, exchange: Exchange
) -> None:
    maud = await house.signed_in("administrator")
    team = await house.team()
    await exchange.line("+33644600001")
    await maud.get(f"/people/teams/{team}")
    given = {"name": "Sales", "country": "FR", "timezone": "Europe/Paris"}
    answer = await maud.post(f"/people/teams/{team}", {**given, "caller_id": "+33 6 44 60 00 01"})
    assert answer.url.endswith("/people?notice=team_saved")
    assert "not one of ours" not in answer.words
    answer = await maud.post(f"/people/teams/{team}", {**given, "caller_id": "+33 6 39 98 00 09"})
    assert "+33 6 39 98 00 09 is none of our phone lines or queue addresses." in answer.words
    assert "not one of ours" in (await maud.get("/people")).words
    answer = await maud.post(f"/people/teams/{team}", {**given, "caller_id": "12"})
    assert answer.status == 422
    assert await pool.fetchval("SELECT caller_id FROM teams") == "+33639980009"


async def test_the_lists_hold_what_is_mine_what_nobody_took_and_all(
    house: House, pool: Pool, exchange: Exchange
) -> None:
    team = await house.team()
    rosa = await house.signed_in("rep", teams=(team,))
    me = await pool.fetchval("SELECT id FROM users")
    other = await house.user("agent", "Aïcha Joly", teams=(team,))
    claire = await house.contact()
    line = await exchange.line()
    mine = await exchange.call("out", result="answered", contact=claire, user_id=me, seconds=125,
                               answered_at=datetime.now(UTC))  # fmt: skip
    hers = await exchange.call("out", result="busy", user_id=other, theirs="+33639980002")
    lost = await exchange.call("in", result="missed", theirs="+33639980003", line_id=line, contact=claire)
    words = (await rosa.get("/calls")).text
    assert f"/calls/{mine}" in words
    assert f"/calls/{hers}" not in words
    assert "2:05" in words
    missed = await rosa.get("/calls?scope=missed")
    assert f"/calls/{lost}" in missed.text
    assert f"/calls/{mine}" not in missed.text
    assert "Call them back" in missed.words
    every = (await rosa.get("/calls?scope=all")).text
    assert all(f"/calls/{one}" in every for one in (mine, hers, lost))


async def test_empty_lists_say_what_will_stand_there(house: House) -> None:
    rosa = await house.signed_in("rep")
    assert "Say which phone is yours" in (await rosa.get("/calls")).words
    assert "No missed calls" in (await rosa.get("/calls?scope=missed")).words
    assert "No calls yet" in (await rosa.get("/calls?scope=all")).words


async def test_calls_of_other_teams_are_closed_to_all_but_supervisors(
    house: House, exchange: Exchange
) -> None:
    other = await house.user("agent", "Aïcha Joly", teams=(await house.team("Support"),))
    call = await exchange.call("out", result="busy", user_id=other)
    rosa = await house.signed_in("rep", teams=(await house.team(),))
    assert (await rosa.get(f"/calls/{call}")).status == 404
    assert f"/calls/{call}" not in (await rosa.get("/calls?scope=all")).text
    tomas = await house.signed_in("manager")
    assert (await tomas.get(f"/calls/{call}")).status == 200


async def test_a_call_on_a_confidential_line_is_its_peoples(
    house: House, pool: Pool, exchange: Exchange
) -> None:
    hr = await house.team("HR")
    queue = await pool.fetchval(
        "INSERT INTO queues (name, team_id, confidential) VALUES ('HR', $1, true) RETURNING id", hr
    )
    line = await exchange.line(queue=queue)
    call = await exchange.call("in", result="voicemail", line_id=line, contact=await house.contact())
    recording = await exchange.recording(call, transcript="I want to leave.")
    owner = await house.signed_in("rep")
    me = await pool.fetchval("SELECT id FROM users WHERE role = 'rep'")
    # it rang at the contact's owner, who did not take it
    await exchange.leg(call, "us", user_id=me, status="no-answer", ended_at=datetime.now(UTC))
    tomas = await house.signed_in("manager")
    for visitor in (owner, tomas):
        assert (await visitor.get(f"/calls/{call}")).status == 404
        assert (await visitor.get(f"/calls/{call}/recordings/{recording}")).status == 404
        for scope in ("mine", "missed", "all"):
            assert f"/calls/{call}" not in (await visitor.get(f"/calls?scope={scope}")).text
    agent = await house.signed_in("agent", teams=(hr,))
    assert "I want to leave." in (await agent.get(f"/calls/{call}")).words


async def test_whom_it_only_rang_sees_the_call_but_hears_nothing(
    house: House, pool: Pool, exchange: Exchange
) -> None:
    support = await house.team("Support")
    queue = await pool.fetchval(
        "INSERT INTO queues (name, team_id) VALUES ('Support', $1) RETURNING id", support
    )
    call = await exchange.call("in", result="voicemail", line_id=await exchange.line(queue=queue))
    recording = await exchange.recording(call, transcript="My roof leaks.")
    rosa = await house.signed_in("rep")
    me = await pool.fetchval("SELECT id FROM users")
    await exchange.leg(call, "us", user_id=me, status="no-answer", ended_at=datetime.now(UTC))
    answer = await rosa.get(f"/calls/{call}")
    assert answer.status == 200
    assert "My roof leaks." not in answer.words
    assert "open to those who talked and to the people of its queue" in answer.words
    assert (await rosa.get(f"/calls/{call}/recordings/{recording}")).status == 404


async def test_one_call_tells_phones_times_cost_and_retention(
    house: House, pool: Pool, exchange: Exchange
) -> None:
    rosa = await house.signed_in("rep", name="Rosa Martin")
    me = await pool.fetchval("SELECT id FROM users")
    claire = await house.contact()
    taken = datetime.now(UTC) - timedelta(minutes=4)
    call = await exchange.call("out", result="answered", contact=claire, user_id=me, seconds=80, answered_at=taken,
                               price=-0.028, currency="USD", announced=True)  # fmt: skip
    await exchange.leg(call, "us", user_id=me, status="completed", seconds=95, answered_at=taken, price=-0.014, currency="USD")  # fmt: skip
    await exchange.leg(call, "them", "+33199000000", status="completed", seconds=80, answered_at=taken)
    await exchange.recording(call, "talk")
    answer = await rosa.get(f"/calls/{call}")
    for words in ("We called", "answered", "1:20", "0.028", "Rosa Martin", "Claire Dubreuil", "+33 1 99 00 00 00",
                  "was announced", "Recording of the talk", "kept until", "1:35"):  # fmt: skip
        assert words in answer.words, words


async def test_a_recording_is_played_in_parts_and_never_kept_by_the_browser(
    house: House, pool: Pool, exchange: Exchange
) -> None:
    rosa = await house.signed_in("rep")
    me = await pool.fetchval("SELECT id FROM users")
    call = await exchange.call("out", result="answered", user_id=me, answered_at=datetime.now(UTC), seconds=1)
    recording = await exchange.recording(call, "talk")
    path = f"{house.url}/calls/{call}/recordings/{recording}"
    async with rosa.session.get(path, headers={"Range": "bytes=100-199"}) as part:
        assert (part.status, await part.read()) == (206, WAV[100:200])
        assert part.headers["Content-Range"] == f"bytes 100-199/{len(WAV)}"
        assert part.headers["Content-Type"] == "audio/wav"
        assert "no-store" in part.headers["Cache-Control"]
        assert "sandbox" in part.headers["Content-Security-Policy"]
        assert part.headers["Content-Disposition"].startswith("inline")
    async with rosa.session.get(f"{path}?save=1") as whole:
        assert (whole.status, await whole.read()) == (200, WAV)
        assert f'filename="call-{call}-{recording}.wav"' in whole.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"state": "deleted", "blob": None}, "its time of retention is over"),
        ({"delete_after": datetime(2026, 1, 1, tzinfo=UTC)}, "its time of retention is over"),
        ({"state": "there", "blob": None}, "on its way here"),
        ({"state": "failed", "blob": None, "trouble": "404"}, "could not be fetched"),
    ],
    ids=["deleted", "overdue", "there", "failed"],
)
async def test_a_recording_that_is_not_here_says_why(
    house: House, pool: Pool, exchange: Exchange, columns: dict[str, object], words: str
) -> None:
    rosa = await house.signed_in("rep")
    me = await pool.fetchval("SELECT id FROM users")
    call = await exchange.call("out", result="answered", user_id=me, answered_at=datetime.now(UTC), seconds=1)
    recording = await exchange.recording(call, "talk", **columns)
    answer = await rosa.get(f"/calls/{call}")
    assert words in answer.words
    assert "<audio" not in answer.text
    assert (await rosa.get(f"/calls/{call}/recordings/{recording}")).status == 404


async def test_a_file_that_is_no_sound_is_not_handed_out(
    house: House, pool: Pool, exchange: Exchange
) -> None:
    rosa = await house.signed_in("rep")
    me = await pool.fetchval("SELECT id FROM users")
    call = await exchange.call("out", result="answered", user_id=me, answered_at=datetime.now(UTC), seconds=1)
    recording = await exchange.recording(call, "talk", media_type="text/html")
    assert (await rosa.get(f"/calls/{call}/recordings/{recording}")).status == 404


async def test_the_timeline_has_one_line_for_a_call_with_its_length_and_cost(
    house: House, pool: Pool, exchange: Exchange
) -> None:
    rosa = await house.signed_in("rep", name="Rosa Martin")
    me = await pool.fetchval("SELECT id FROM users")
    claire = await house.contact()
    await exchange.call("out", result="answered", contact=claire, user_id=me, seconds=125,
                        answered_at=datetime.now(UTC), price=-0.03, currency="EUR")  # fmt: skip
    await exchange.call("out", result="no_answer", contact=claire, user_id=me)
    words = (await rosa.get(f"/contacts/{claire}")).words
    assert "Rosa Martin talked with them on the phone" in words
    assert "2:05" in words
    assert "0.03" in words
    assert "Rosa Martin called: nobody answered" in words
    assert "Rosa Martin called " not in words.replace("called: ", "")


async def test_the_bar_follows_a_call_of_mine(house: House, pool: Pool, exchange: Exchange) -> None:
    rosa = await house.signed_in("rep")
    me = await pool.fetchval("SELECT id FROM users")
    claire = await house.contact()
    call = await exchange.call("out", "ringing_us", contact=claire, user_id=me)

    async def bar() -> str:
        return (await rosa.get("/calls/bar", headers={"X-Fragment": "1"})).words

    assert "Your phone rings" in await bar()
    await pool.execute("UPDATE calls SET state = 'ringing'")
    assert "It rings there." in await bar()
    await pool.execute("UPDATE calls SET state = 'talking', answered_at = now() - interval '65 seconds'")
    assert "Hang up" in await bar()
    assert "1:0" in await bar()
    task = await house.task(claire, assignee_id=me, state="accepted")
    await pool.execute(
        "UPDATE calls SET state = 'ended', result = 'answered', ended_at = now(), seconds = 65, task_id = $1", task
    )  # fmt: skip
    assert "How did it end?" in await bar()
    await pool.execute("UPDATE tasks SET state = 'done'")
    assert "How did it end?" not in await bar()
    await pool.execute("UPDATE calls SET ended_at = now() - interval '10 minutes'")
    assert await bar() == ""
    assert call


async def test_a_call_that_was_given_up_asks_for_no_outcome(
    house: House, pool: Pool, exchange: Exchange
) -> None:
    rosa = await house.signed_in("rep")
    me = await pool.fetchval("SELECT id FROM users WHERE role = 'rep'")
    contact = await house.contact("Anna")
    task = await house.task(contact, assignee_id=me, state="accepted")

    async def bar(result: str) -> str:
        await pool.execute("DELETE FROM calls")
        about = {"contact": contact, "user_id": me, "task_id": task, "ago": timedelta(seconds=40)}
        await exchange.call("out", "ended", result, **about)
        return (await rosa.get("/calls/bar", headers={"X-Fragment": "1"})).words

    assert "How did it end?" in await bar("no_answer")
    assert "How did it end?" not in await bar("cancelled")


async def test_who_calls_is_shown_to_whom_it_rings_and_to_nobody_else(
    house: House, pool: Pool, exchange: Exchange
) -> None:
    team = await house.team()
    rosa = await house.signed_in("rep", teams=(team,))
    aicha = await house.signed_in("agent", teams=(team,), name="Aïcha Joly")
    me = await pool.fetchval("SELECT id FROM users WHERE role = 'rep'")
    claire = await house.contact(organisation="Ateliers Dubreuil")
    await house.task(claire, assignee_id=me, title="Call Claire about her roof")
    call = await exchange.call(
        "in", "ringing", contact=claire, line_id=await exchange.line(name="Sales line")
    )
    await exchange.leg(call, "us", user_id=me, status="ringing")

    async def bar(visitor: Visitor) -> str:
        return (await visitor.get("/calls/bar", headers={"X-Fragment": "1"})).words

    words = await bar(rosa)
    for told in ("Incoming call", "Sales line", "Claire Dubreuil", "Ateliers Dubreuil", "+33 1 99 00 00 00",
                 "Call Claire about her roof", "Open the contact"):  # fmt: skip
        assert told in words, told
    assert await bar(aicha) == ""
    # somebody else took it
    await pool.execute("UPDATE call_legs SET ended_at = now(), status = 'canceled'")
    await pool.execute("UPDATE calls SET state = 'talking', answered_at = now()")
    assert await bar(rosa) == ""


async def test_an_unknown_caller_can_be_made_a_contact(house: House, pool: Pool, exchange: Exchange) -> None:
    rosa = await house.signed_in("rep")
    me = await pool.fetchval("SELECT id FROM users")
    call = await exchange.call("in", "ringing", theirs="+33639980044")
    await exchange.leg(call, "us", user_id=me, status="ringing")
    bar = await rosa.get("/calls/bar", headers={"X-Fragment": "1"})
    assert "/contacts/new?phone=%2B33639980044" in bar.text
    form = await rosa.get("/contacts/new?phone=%2B33639980044")
    assert 'value="+33639980044"' in form.text


async def test_the_card_tells_nothing_of_tasks_that_its_reader_may_not_see(
    house: House, pool: Pool, exchange: Exchange
) -> None:
    rosa = await house.signed_in("rep")
    me = await pool.fetchval("SELECT id FROM users")
    other = await house.user("agent", "Aïcha Joly")
    claire = await house.contact()
    await house.task(claire, assignee_id=other, kind="interview", title="Talk about the resignation")
    call = await exchange.call("in", "ringing", contact=claire)
    await exchange.leg(call, "us", user_id=me, status="ringing")
    words = (await rosa.get("/calls/bar", headers={"X-Fragment": "1"})).words
    assert "Claire Dubreuil" in words
    assert "resignation" not in words


async def test_pages_about_calls_speak_french(house: House, pool: Pool, exchange: Exchange) -> None:
    rosa = await house.signed_in("rep", "fr")
    me = await pool.fetchval("SELECT id FROM users")
    call = await exchange.call("out", result="no_answer", user_id=me)
    assert "personne n'a répondu" in (await rosa.get(f"/calls/{call}")).words
    assert "Appels" in (await rosa.get("/calls")).words


async def test_the_list_says_in_the_reader_s_language_what_nobody_has_written_down(
    house: House, pool: Pool, exchange: Exchange
) -> None:
    agent = await house.signed_in("agent")
    number = await pool.fetchval(
        "INSERT INTO conversations (channel, subject, state) VALUES ('voice', 'Support', 'open') RETURNING id"
    )
    message = await exchange.call("in", "ended", "voicemail", conversation=number)
    await pool.execute(
        "INSERT INTO message_contents (message_id, body) VALUES ($1, 'Message vocal de 14 secondes.')",
        message,
    )
    await pool.execute(
        "INSERT INTO recordings (message_id, provider_id, kind, state, seconds, url) VALUES ($1, 'RE1', 'voicemail', 'there', 14, '')",
        message,
    )
    words = (await agent.get("/conversations?box=unassigned")).words
    assert "Call to Support" in words
    assert "Voice message · 0:14" in words
    assert "secondes" not in words
    await pool.execute("UPDATE recordings SET transcript = 'Call me back'")
    await pool.execute("UPDATE message_contents SET body = 'Call me back'")
    assert "Call me back" in (await agent.get("/conversations?box=unassigned")).words


async def test_a_voice_message_is_heard_read_and_answered_in_its_conversation(
    house: House, pool: Pool, exchange: Exchange
) -> None:
    support = await house.team("Support")
    queue = await pool.fetchval(
        "INSERT INTO queues (name, team_id) VALUES ('Support', $1) RETURNING id", support
    )
    claire = await house.contact()
    conversation = await pool.fetchval(
        "INSERT INTO conversations (subject, queue_id, contact_id) VALUES ('Support line', $1, $2) RETURNING id",
        queue,
        claire,
    )
    call = await exchange.call("in", result="voicemail", contact=claire, conversation=conversation, seconds=21,
                               line_id=await exchange.line(queue=queue))  # fmt: skip
    await pool.execute("INSERT INTO message_contents (message_id, body) VALUES ($1, 'My roof leaks.')", call)
    recording = await exchange.recording(call, transcript="My roof leaks.", seconds=21)
    aicha = await house.signed_in("agent", teams=(support,))
    answer = await aicha.get(f"/conversations/{conversation}")
    assert f'src="/calls/{call}/recordings/{recording}"' in answer.text
    assert answer.words.count("My roof leaks.") == 1
    assert "Called us and left a voice message" in answer.words
    assert "Call them back" in answer.words
    await exchange.call("out", result="answered", contact=claire, conversation=conversation, seconds=60,
                        answered_at=datetime.now(UTC))  # fmt: skip
    words = (await aicha.get(f"/conversations/{conversation}")).words
    assert "talked with them on the phone 1:00" in words
    assert "talked since" in words
    assert "Call them back" not in words
