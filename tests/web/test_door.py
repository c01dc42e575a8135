"""Coming in: the first administrator, sign-in, sign-out, throttling, personas."""

from __future__ import annotations

import asyncio
import re

import pytest

from storage.pool import Pool
from tests.web.house import PASSWORD, House
from web.access import passwords
from web.access.first_link import make_first_link
from web.console.door import safe_path


async def test_the_first_administrator_comes_in_through_a_link_that_works_once(
    house: House, pool: Pool
) -> None:
    url = await make_first_link(pool, house.url)
    assert url is not None
    path = url.removeprefix(house.url)
    visitor = house.visitor()
    page = await visitor.get(path)
    assert "Welcome to Clytie" in page.words
    short = await visitor.post(path, {"name": "Maud", "email": "maud@house.example", "password": "short"})
    assert short.status == 422
    assert "The password is too short." in short.words
    home = await visitor.post(path, {"name": "Maud", "email": "maud@house.example", "password": PASSWORD})
    assert home.status == 200
    assert "Maud" in home.words
    assert (await house.visitor().get(path)).status == 404
    assert await make_first_link(pool, house.url) is None
    row = await pool.fetchrow("SELECT role, password_hash FROM users")
    assert row is not None
    assert row["role"] == "administrator"
    assert row["password_hash"].startswith("$argon2id$")


async def test_two_people_with_the_same_link_do_not_both_become_administrator(
    house: House, pool: Pool
) -> None:
    url = await make_first_link(pool, house.url)
    assert url is not None
    path = url.removeprefix(house.url)
    visitors = [house.visitor() for _ in range(4)]
    for visitor in visitors:
        await visitor.get(path)
    answers = await asyncio.gather(
        *(
            visitor.post(path, {"name": f"N{n}", "email": f"n{n}@house.example", "password": PASSWORD})
            for n, visitor in enumerate(visitors)
        )
    )
    assert sorted(answer.status for answer in answers) == [200, 404, 404, 404]
    assert await pool.fetchval("SELECT count(*) FROM users") == 1


async def test_a_password_that_is_wrong_lets_nobody_in(house: House) -> None:
    await house.user("rep")
    visitor = house.visitor()
    answer = await visitor.sign_in("rep@house.example", "not the password")
    assert answer.status == 422
    assert "do not belong together" in answer.words
    assert (await visitor.get("/tasks")).url.endswith("/sign-in?next=/tasks")


async def test_a_person_who_does_not_exist_gets_the_same_answer(house: House) -> None:
    await house.user("rep")
    known = await house.visitor().sign_in("rep@house.example", "wrong")
    unknown = await house.visitor().sign_in("nobody@house.example", "wrong")
    assert known.words.replace("rep@", "") == unknown.words.replace("nobody@", "")


async def test_guessing_is_slowed_down(house: House) -> None:
    await house.user("rep")
    visitor = house.visitor()
    statuses = [(await visitor.sign_in("rep@house.example", f"guess {n}")).status for n in range(9)]
    assert statuses[:8] == [422] * 8
    assert statuses[8] == 429
    assert (await visitor.sign_in("rep@house.example")).status == 429


async def test_sign_out_ends_the_session_on_the_server(house: House, pool: Pool) -> None:
    visitor = await house.signed_in("rep")
    await visitor.get("/tasks")
    cookies = {cookie.key: cookie.value for cookie in visitor.session.cookie_jar}
    await visitor.post("/sign-out")
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 0
    stale = house.visitor()
    answer = await stale.get("/tasks", headers={"Cookie": f"clytie_session={cookies['clytie_session']}"})
    assert "Sign in" in answer.words


async def test_sign_in_goes_on_only_to_our_own_pages(house: House) -> None:
    await house.user("rep")
    visitor = house.visitor()
    await visitor.get("/sign-in")
    fields = {"email": "rep@house.example", "password": PASSWORD, "next": "//evil.example/"}
    answer = await visitor.post("/sign-in", fields)
    assert answer.url.startswith(house.url)


async def test_an_inactive_user_stays_outside(house: House, pool: Pool) -> None:
    visitor = await house.signed_in("rep")
    await pool.execute("UPDATE users SET active = false")
    assert "Sign in" in (await visitor.get("/tasks")).words
    assert (await house.visitor().sign_in("rep@house.example")).status == 422


async def test_a_persona_needs_no_password_in_a_demo(demo: House, pool: Pool) -> None:
    number = await pool.fetchval(
        "INSERT INTO users (email, name, role) VALUES ('rosa@demo.example', 'Rosa', 'rep') RETURNING id"
    )
    visitor = demo.visitor()
    assert "Rosa" in (await visitor.get("/personas")).words
    home = await visitor.post(f"/become/{number}")
    assert home.status == 200
    assert "Rosa" in home.words


async def test_nobody_becomes_a_person_who_has_a_password(demo: House) -> None:
    number = await demo.user("administrator")
    visitor = demo.visitor()
    await visitor.get("/personas")
    assert (await visitor.post(f"/become/{number}")).status == 404


async def test_there_are_no_personas_outside_a_demo(house: House, pool: Pool) -> None:
    number = await pool.fetchval(
        "INSERT INTO users (email, name, role) VALUES ('rosa@demo.example', 'Rosa', 'rep') RETURNING id"
    )
    visitor = house.visitor()
    await visitor.get("/sign-in")
    assert (await visitor.get("/personas")).status == 404
    assert (await visitor.post(f"/become/{number}")).status == 404


async def test_a_proxy_or_a_foreign_name_is_not_this_machine(demo: House) -> None:
    visitor = demo.visitor()
    assert (await visitor.get("/personas", headers={"X-Forwarded-For": "127.0.0.1"})).status == 404
    assert (await visitor.get("/personas", headers={"Host": "rebound.example"})).status == 404


async def test_the_language_is_remembered(house: House) -> None:
    visitor = house.visitor("de, fr;q=0.8, en;q=0.5")
    assert 'lang="fr"' in (await visitor.get("/sign-in")).text
    switched = await visitor.post("/language", {"language": "en", "back": "/sign-in"})
    assert 'lang="en"' in switched.text


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "/\t/evil.example", "/\n/evil.example", "/a\x00b", "/a b", "/a\x7f",
     "evil", "https://evil.example", ""],
)  # fmt: skip
def test_a_path_that_could_lead_elsewhere_is_not_gone_to(path: str) -> None:
    assert safe_path(path) == "/"


def test_a_path_of_our_own_is_gone_to() -> None:
    for path in ("/", "/tasks", "/mailbox?recipient=claire%40a.example", "/contacts?search=é"):
        assert safe_path(path, "/other") == path


async def test_guesses_made_at_once_are_slowed_down_as_well(house: House) -> None:
    await house.user("rep")
    visitor = house.visitor()
    await visitor.get("/sign-in")
    answers = await asyncio.gather(
        *(
            visitor.post("/sign-in", {"email": "rep@house.example", "password": f"guess {n}"})
            for n in range(20)
        )
    )
    statuses = [answer.status for answer in answers]
    assert statuses.count(422) == 8
    assert set(statuses) == {422, 429}


async def test_signing_in_rightly_is_never_slowed_down(house: House) -> None:
    await house.user("rep")
    for _ in range(12):
        assert (await house.visitor().sign_in("rep@house.example")).status == 200


async def test_a_try_that_nobody_could_look_at_counts_as_none(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.user("rep")
    visitor = house.visitor()
    monkeypatch.setattr(passwords, "LONGEST_QUEUE", 0)
    for _ in range(10):
        answer = await visitor.sign_in("rep@house.example")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert "Too many people are signing in" in answer.words
    monkeypatch.undo()
    assert (await visitor.sign_in("rep@house.example")).status == 200


async def test_a_demo_begins_with_the_choice_of_a_persona(demo: House, pool: Pool) -> None:
    await pool.execute("INSERT INTO users (email, name, role) VALUES ('rosa@demo.example', 'Rosa', 'rep')")
    await demo.contact("Claire Dubreuil", "claire.dubreuil@ateliers-dubreuil.example", given_name="Claire")
    visitor = demo.visitor()
    page = await visitor.get("/")
    assert page.url.endswith("/personas")
    assert "Be Claire" in page.words
    (action,) = re.findall(r'action="(/become/\d+)"[^\n]*name="next" value="(/mailbox[^"]+)"', page.text)
    mailbox = await visitor.post(action[0], {"next": action[1]})
    assert mailbox.status == 200
    assert "claire.dubreuil@ateliers-dubreuil.example received" in mailbox.words


async def test_a_demo_seen_from_elsewhere_and_a_house_begin_with_the_form(house: House, demo: House) -> None:
    assert (await house.visitor().get("/")).url.endswith("/sign-in")
    away = await demo.visitor().get("/", headers={"X-Forwarded-For": "203.0.113.9"})
    assert away.url.endswith("/sign-in")


async def test_a_number_beyond_every_id_is_nothing_that_exists(house: House) -> None:
    visitor = await house.signed_in("administrator")
    for path in ("/campaigns/99999999999", "/contacts/99999999999", "/campaigns?before=99999999999"):
        assert (await visitor.get(path)).status in (200, 404), path
    assert (await visitor.get("/campaigns/99999999999")).status == 404
    for number in ("9" * 19, "9" * 5000):
        assert (await visitor.get(f"/contacts/{number}")).status == 422
    assert (await visitor.call("GET", "/campaigns/99999999999"))[0] == 404
    assert (await visitor.call("GET", "/campaigns/99999999999/report"))[0] == 404
    assert (await visitor.call("GET", "/campaigns?after=99999999999"))[0] == 404
    assert (await visitor.call("PATCH", "/contacts/1", {"owner_id": 10**20}))[0] in (404, 422)


async def test_the_first_visitor_is_told_where_the_link_is(house: House) -> None:
    assert "Open the link that the terminal showed" in (await house.visitor().get("/sign-in")).words
    await house.user("administrator")
    assert "terminal" not in (await house.visitor().get("/sign-in")).words
