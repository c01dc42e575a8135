"""Forms of the console: what they do, and how they say what is wrong."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.pool import Pool
from tests.web.house import PASSWORD, House, Visitor
from tests.web.world import World, build_world
from web.access.throttle import WINDOW, Throttle
from web.console.contacts import read_place, write_place
from web.console.door import safe_path
from web.mails.view import read_mail


@pytest.fixture
async def world(house: House, pool: Pool) -> World:
    """An organisation with something on every page."""
    return await build_world(pool)


async def enter(house: House, role: str, page: str = "/") -> Visitor:
    """Sign in as the world's person of a role and look at a page."""
    visitor = house.visitor()
    await visitor.sign_in(f"{role}@helianthe.example")
    assert (await visitor.get(page)).status == 200
    return visitor


# Tasks ------------------------------------------------------------------------------------------------------------


async def test_a_task_is_declined_with_a_reason(house: House, pool: Pool, world: World) -> None:
    path = f"/tasks/{world.tasks[0]}"
    visitor = await enter(house, "rep", path)
    bare = await visitor.post(f"{path}/decline", {"version": "1"})
    assert bare.status == 422
    assert "Say why, so that the requester knows what to change." in bare.words
    answer = await visitor.post(f"{path}/decline", {"version": "1", "reason": "no_time"})
    assert "Declined." in answer.words
    row = await pool.fetchrow("SELECT state, details FROM tasks WHERE id = $1", world.tasks[0])
    assert row is not None
    assert (row["state"], row["details"]["reason"]) == ("declined", "no_time")
    await visitor.get(f"/contacts/{world.contacts[0]}")
    assert "No time" in (await visitor.get(f"/contacts/{world.contacts[0]}")).words


async def test_a_task_is_rescheduled_in_the_person_s_own_time_zone(
    house: House, pool: Pool, world: World
) -> None:
    await pool.execute("UPDATE users SET timezone = 'America/New_York'")
    path = f"/tasks/{world.tasks[0]}"
    visitor = await enter(house, "rep", path)
    year = datetime.now(UTC).year
    past = await visitor.post(f"{path}/reschedule", {"version": "1", "until": f"{year - 1}-07-01T09:00"})
    assert past.status == 422
    assert "lies in the past" in past.words.lower()
    moment = (datetime.now(UTC).replace(hour=3, minute=0, second=0, microsecond=0)).date()
    until = f"{moment.year + (moment.month == 12)}-{moment.month % 12 + 1:02d}-10T09:00"
    assert (await visitor.post(f"{path}/reschedule", {"version": "1", "until": until})).status == 200
    details = await pool.fetchval("SELECT details FROM tasks WHERE id = $1", world.tasks[0])
    assert datetime.fromisoformat(details["until"]).hour in (13, 14)


async def test_a_task_is_not_completed_without_an_outcome(house: House, pool: Pool, world: World) -> None:
    path = f"/tasks/{world.tasks[4]}"
    visitor = await enter(house, "rep", path)
    answer = await visitor.post(f"{path}/finish", {"version": "1", "note": "kept words"})
    assert answer.status == 422
    assert "kept words" in answer.text
    assert 'aria-invalid="true"' in answer.text


async def test_a_supervisor_offers_a_declined_task_to_somebody_else(
    house: House, pool: Pool, world: World
) -> None:
    path = f"/tasks/{world.tasks[0]}"
    rep = await enter(house, "rep", path)
    await rep.post(f"{path}/decline", {"version": "1", "reason": "not_mine"})
    manager = await enter(house, "manager", path)
    answer = await manager.post(f"{path}/offer", {"version": "2", "to": f"user-{world.users['agent']}"})
    assert "Offered again." in answer.words
    assert (
        await pool.fetchval("SELECT assignee_id FROM tasks WHERE id = $1", world.tasks[0])
        == world.users["agent"]
    )


# Contacts ---------------------------------------------------------------------------------------------------------


async def test_a_contact_is_written_down_with_its_address(house: House, pool: Pool) -> None:
    visitor = await house.signed_in("rep")
    await visitor.get("/contacts/new")
    wrong = await visitor.post(
        "/contacts/new", {"given_name": "Nils", "kind": "person", "relation": "prospect", "email": "nils"}
    )
    assert wrong.status == 422
    assert re.search(r'id="email"[^>]*aria-invalid="true"', wrong.text)
    assert 'value="Nils"' in wrong.text
    fields = {
        "given_name": "Nils",
        "kind": "person",
        "relation": "prospect",
        "email": "nils@oberg.example",
        "owner_id": "",
    }
    answer = await visitor.post("/contacts/new", fields)
    assert answer.status == 200
    assert "nils@oberg.example" in answer.words


async def test_a_note_and_a_consent_stand_on_the_page(house: House, world: World) -> None:
    path = f"/contacts/{world.contacts[2]}"
    visitor = await enter(house, "rep", path)
    noted = await visitor.post(f"{path}/notes", {"kind": "letter", "text": "<b>Sent</b> a letter."})
    assert "Letter noted by Rosa Martin" in noted.words
    assert "&lt;b&gt;Sent&lt;/b&gt; a letter." in noted.text
    granted = await visitor.post(
        f"{path}/consents", {"purpose": "calls", "state": "granted", "wording": "Call me."}
    )
    assert "Consented: be called for prospecting" in granted.words
    withdrawn = await visitor.post(f"{path}/consents", {"purpose": "calls", "state": "withdrawn"})
    assert "Withdrew consent: be called for prospecting" in withdrawn.words


# Campaigns --------------------------------------------------------------------------------------------------------


async def test_a_campaign_is_written_with_a_segment_of_its_own(
    house: House, pool: Pool, world: World
) -> None:
    visitor = await enter(house, "marketer", "/campaigns/new")
    fields = {
        "name": "Autumn letter",
        "segment_id": "new",
        "segment_name": "French prospects",
        "condition": "all:\n  - {field: contact.country, is: FR}\n",
        "purpose": "newsletter",
        "tracking_policy": "aggregate",
    }
    broken = await visitor.post("/campaigns/new", {**fields, "condition": "all: [unclosed"})
    assert broken.status == 422
    assert "neither YAML nor JSON" in broken.words
    assert "all: [unclosed" in broken.text
    answer = await visitor.post(
        "/campaigns/new", {**fields, "source.subject": "Hello {{ contact.given_name }}"}
    )
    assert answer.status == 200
    assert "French prospects" in answer.words
    assert "Launch…" in answer.words
    assert re.search(r"Hello (Claire|Étienne|Loïc|Yasmine|Hélène)", answer.words)


async def test_an_unknown_variable_keeps_a_campaign_from_launching(
    house: House, pool: Pool, world: World
) -> None:
    source = await pool.fetchval("SELECT source FROM campaigns WHERE id = $1", world.draft)
    await pool.execute(
        "UPDATE campaigns SET source = $2 WHERE id = $1",
        world.draft,
        {**source, "subject": "{{ contact.shoe }}"},
    )
    visitor = await enter(house, "marketer")
    answer = await visitor.get(f"/campaigns/{world.draft}")
    assert "Not ready to launch." in answer.words
    assert "Launch…" not in answer.words


async def test_a_segment_is_counted_while_it_is_written(house: House, world: World) -> None:
    visitor = await enter(house, "marketer", "/campaigns/new")
    fields = {"segment_id": "new", "purpose": "newsletter", "condition": "{field: contact.country, is: FR}"}
    answer = await visitor.post("/segments/count", fields)
    assert answer.status == 200
    assert answer.words.startswith("5 recipients")
    bomb = "a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]"
    for condition in (bomb, "", "- just\n- a list", "{field: contact.nothing, is: 1}", "{did: Dreamed}"):
        answer = await visitor.post("/segments/count", {**fields, "condition": condition})
        assert answer.status == 422, condition
        assert answer.words, condition


# Imports ----------------------------------------------------------------------------------------------------------


async def test_a_file_is_uploaded_from_the_console(house: House, pool: Pool) -> None:
    visitor = await house.signed_in("marketer")
    await visitor.get("/imports")
    answer = await visitor.post("/imports", {"file": io.BytesIO(b"email,given_name\na@b.example,Ada\n")})
    assert answer.status == 200
    assert "the import has started" in answer.words
    assert [job[0] for job in house.jobs] == ["import_contacts"]


async def test_a_file_without_usable_columns_is_refused_at_once(house: House, pool: Pool) -> None:
    visitor = await house.signed_in("marketer")
    await visitor.get("/imports")
    for content in (b"", b"colour,shape\nred,round\n"):
        answer = await visitor.post("/imports", {"file": io.BytesIO(content)})
        assert answer.status == 422
    assert list(house.context.settings.upload_folder.iterdir()) == []
    assert await pool.fetchval("SELECT count(*) FROM imports") == 0


# People -----------------------------------------------------------------------------------------------------------


async def test_somebody_is_invited_and_chooses_a_password(house: House, pool: Pool) -> None:
    visitor = await house.signed_in("administrator")
    await visitor.get("/people")
    page = await visitor.post("/people", {"name": "Nils", "email": "Nils@house.example", "role": "rep"})
    link = re.search(r"http://[^<\"]+/welcome/[\w-]+", page.text)
    assert link is not None
    guest = house.visitor()
    path = link[0].removeprefix(house.url)
    assert 'value="Nils"' in (await guest.get(path)).text
    home = await guest.post(path, {"name": "Nils Öberg", "email": "nils@house.example", "password": PASSWORD})
    assert "Nils" in home.words
    assert (await guest.get("/people")).status == 403
    clash = await visitor.post("/people", {"name": "Other", "email": "nils@house.example", "role": "rep"})
    assert clash.status == 422
    assert "Somebody already has this address." in clash.words


async def test_the_last_administrator_stays_one(house: House, pool: Pool) -> None:
    visitor = await house.signed_in("administrator")
    number = await pool.fetchval("SELECT id FROM users")
    await visitor.get(f"/people/{number}")
    answer = await visitor.post(f"/people/{number}", {"name": "Ada", "role": "rep", "active": "1"})
    assert answer.status == 422
    assert "last administrator" in answer.words


async def test_whoever_is_closed_out_is_signed_out_at_once(house: House, pool: Pool) -> None:
    admin, rep = await house.signed_in("administrator"), await house.signed_in("rep")
    number = await pool.fetchval("SELECT id FROM users WHERE role = 'rep'")
    await admin.get(f"/people/{number}")
    await admin.post(f"/people/{number}", {"name": "Ada", "role": "rep"})
    assert "Sign in" in (await rep.get("/tasks")).words


async def test_an_api_token_is_shown_once_and_can_be_ended(house: House, pool: Pool) -> None:
    visitor = await house.signed_in("rep")
    await visitor.get("/account")
    page = await visitor.post("/account/tokens", {"token_name": "spreadsheet"})
    secret = re.search(r"clytie_[\w-]{40,}", page.text)
    assert secret is not None
    headers = {"Authorization": f"Bearer {secret[0]}"}
    assert (await house.visitor().call("GET", "/me", headers=headers))[0] == 200
    assert secret[0] not in (await visitor.get("/account")).text
    await visitor.post(f"/account/tokens/{await pool.fetchval('SELECT id FROM api_tokens')}/end")
    assert (await house.visitor().call("GET", "/me", headers=headers))[0] == 401


# Health -----------------------------------------------------------------------------------------------------------


async def test_a_watcher_learns_that_the_process_lives_and_is_ready(house: House, pool: Pool) -> None:
    visitor = house.visitor()
    assert (await visitor.get("/healthz")).status == 200
    assert (await visitor.get("/readyz")).status == 200
    assert "clytie_" in (await visitor.get("/metrics")).text
    await pool.execute("UPDATE alembic_version SET version_num = '0000'")
    answer = await visitor.get("/readyz")
    assert answer.status == 503
    assert "clytie migrate" in answer.text


async def test_the_console_says_calmly_that_the_database_is_away(house: House, pool: Pool) -> None:
    visitor = await house.signed_in("rep")
    pool.terminate()
    answer = await visitor.get("/tasks")
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "5"
    assert "Nothing is lost" in answer.words
    status, problem = await visitor.call("GET", "/tasks")
    assert (status, problem["type"]) == (503, "unavailable")


# Small things -----------------------------------------------------------------------------------------------------


def test_failures_are_forgotten_after_the_window() -> None:
    now = [0.0]
    throttle = Throttle(2, keys=2, now=lambda: now[0])
    throttle.failed("a")
    throttle.failed("a")
    assert throttle.seconds_to_wait("a") == WINDOW + 1
    assert throttle.seconds_to_wait("b") == 0
    now[0] = WINDOW + 0.1
    assert throttle.seconds_to_wait("a") == 0
    for key in "bcd":
        throttle.failed(key)
    assert throttle.seconds_to_wait("a") == 0


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:1", "", "/a\r\nX: y"]
)
def test_a_path_that_leads_elsewhere_is_not_followed(path: str) -> None:
    assert safe_path(path) == "/"


def test_a_path_of_our_own_is_followed() -> None:
    assert safe_path("/tasks?scope=team") == "/tasks?scope=team"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00")), st.integers(0, 2**62))
def test_a_place_in_the_list_reads_back(name: str, number: int) -> None:
    assert read_place(write_place(name, number)) == (name, number)


@given(st.binary(max_size=2000))
def test_no_bytes_keep_a_mail_from_being_shown(raw: bytes) -> None:
    read_mail(raw)
    read_mail(b"Content-Type: text/html; charset=nonsense\r\nSubject: =?x?q?=FF?=\r\n\r\n" + raw)
