"""How people work: hours, skills, capacity, absences and days off, on pages and through the API."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from domain.errors import InvalidInput
from tests.web.house import House
from web.work.availability import read_capacity, read_days_off, read_hours, read_skills, write_hours


def test_hours_are_read_as_people_write_them_and_written_back() -> None:
    hours = read_hours({"mon": "9-12:30, 14h00-18h", "sat": "08:30 – 12:00"})
    assert hours == {"mon": [["09:00", "12:30"], ["14:00", "18:00"]], "sat": [["08:30", "12:00"]]}
    assert read_hours(write_hours(hours)) == hours


@pytest.mark.parametrize("text", ["mornings", "9-8", "9-12, 11-14", "25-26", "9:70-10"])
def test_hours_that_make_no_sense_name_their_day(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_hours({"wed": text})
    assert caught.value.field == "hours-wed"


def test_skills_capacity_and_days_off_are_checked() -> None:
    assert read_skills([" Contracts", "contracts", "Droit social"]) == ("contracts", "droit social")
    assert read_capacity({"voice": "5", "all": "", "mail": 3}) == {"voice": 5, "mail": 3}
    assert read_days_off("2026-12-24 Christmas Eve\n\n2026-12-31") == {
        date(2026, 12, 24): "Christmas Eve",
        date(2026, 12, 31): "",
    }
    for broken in (lambda: read_skills(["<b>"]), lambda: read_capacity({"voice": "many"})):
        with pytest.raises(InvalidInput):
            broken()
    with pytest.raises(InvalidInput, match="days_off"):
        read_days_off("Christmas")


async def test_a_manager_says_how_somebody_works(house: House) -> None:
    rep = await house.user("rep", "Rosa Martin")
    boss = await house.signed_in("manager")
    page = await boss.get("/presence")
    assert "Rosa Martin" in page.words
    saved = await boss.post(
        f"/people/{rep}/work",
        {
            "hours-mon": "09:00-12:00, 13:00-17:00",
            "country": "fr",
            "skills": "Contracts",
            "languages": "fr en",
            "capacity-voice": "4",
        },
    )
    assert saved.status == 200
    (row,) = await house.pool.fetch("SELECT * FROM users WHERE id = $1", rep)
    assert row["hours"] == {"mon": [["09:00", "12:00"], ["13:00", "17:00"]]}
    assert (row["country"], row["skills"], row["languages"]) == ("FR", ["contracts"], ["fr", "en"])
    assert row["capacity"] == {"voice": 4}
    wrong = await boss.post(f"/people/{rep}/work", {"hours-tue": "late"})
    assert wrong.status == 422
    assert "These are no working hours." in wrong.words
    assert 'value="late"' in wrong.text


async def test_a_rep_may_not_say_how_others_work(house: House) -> None:
    other = await house.user("manager", "Mona")
    rep = await house.signed_in("rep")
    assert (await rep.get(f"/people/{other}/work")).status == 403
    assert (await rep.post(f"/people/{other}/absences", {"first_day": "2030-01-01"})).status == 403
    status, _ = await rep.call("GET", f"/people/{other}/absences")
    assert status == 403


async def test_a_rep_leaves_the_desk_and_plans_leave_with_a_deputy(house: House) -> None:
    deputy = await house.user("agent", "Lea Petit")
    rep = await house.signed_in("rep")
    await rep.post("/account/presence", {"present": "0"})
    assert not await house.pool.fetchval("SELECT present FROM users WHERE role = 'rep'")
    page = await rep.post(
        "/account/absences", {"first_day": "2031-07-01", "last_day": "2031-07-14", "deputy": str(deputy)}
    )
    assert "Lea Petit stands in" in page.words
    (row,) = await house.pool.fetch("SELECT * FROM absences")
    assert row["ends_at"] - row["starts_at"] == timedelta(days=14)
    assert "Stands in" in page.words
    wrong = await rep.post("/account/absences", {"first_day": "2031-07-02", "last_day": "2031-07-01"})
    assert wrong.status == 422
    page = await rep.post(f"/account/absences/{row['id']}/end")
    assert "No absence is planned." in page.words


async def test_a_team_has_hours_days_off_and_weights(house: House) -> None:
    team = await house.team()
    member = await house.user("rep", "Rosa", teams=(team,))
    admin = await house.signed_in()
    form = {"name": "Sales", "country": "FR", "timezone": "Europe/Paris", "hours-fri": "9-12"}
    answer = await admin.post(
        f"/people/teams/{team}", {**form, "days_off": "2030-05-02 Bridge", f"weight-{member}": "3"}
    )
    assert answer.status == 200
    assert await house.pool.fetchval("SELECT hours FROM teams") == {"fri": [["09:00", "12:00"]]}
    assert await house.pool.fetchval("SELECT day FROM team_days_off") == date(2030, 5, 2)
    assert await house.pool.fetchval("SELECT weight FROM team_members") == 3
    page = await admin.get(f"/people/teams/{team}")
    assert "2030-05-02 Bridge" in page.words
    wrong = await admin.post(f"/people/teams/{team}", {**form, f"weight-{member}": "11"})
    assert wrong.status == 422
    assert "A weight lies between 0 and 10." in wrong.words


async def test_programs_keep_absences_days_off_and_skills(house: House) -> None:
    team = await house.team()
    rep = await house.user("rep", "Rosa", teams=(team,))
    boss = await house.signed_in("manager")
    status, person = await boss.call(
        "PUT",
        f"/people/{rep}/working",
        {
            "skills": ["contracts"],
            "languages": ["fr"],
            "capacity": {"all": 9},
            "hours": {"mon": [["09:00", "12:00"]]},
        },
    )
    assert status == 200
    assert person["working"]["hours"] == {"mon": [["09:00", "12:00"]]}
    status, problem = await boss.call("PUT", f"/people/{rep}/working", {"capacity": {"fax": 1}})
    assert (status, "capacity-fax" in str(problem)) == (422, True)
    body = {"starts_at": "2031-01-01T00:00:00Z", "ends_at": "2031-01-08T00:00:00Z", "deputy_id": rep}
    assert (await boss.call("POST", f"/people/{rep}/absences", body))[
        0
    ] == 422  # nobody stands in for themselves
    status, absence = await boss.call("POST", f"/people/{rep}/absences", {**body, "deputy_id": None})
    assert status == 201
    status, left = await boss.call("DELETE", f"/people/{rep}/absences/{absence['id']}")
    assert (status, left["items"]) == (200, [])
    days = {"items": [{"day": "2031-05-02", "name": "Bridge"}]}
    assert await boss.call("PUT", f"/teams/{team}/days-off", days) == (200, days)
    assert await boss.call("PUT", "/me/presence", {"present": False}) == (200, {"present": False})
    status, people = await boss.call("GET", "/people")
    assert {one["name"]: one["present"] for one in people["items"]}["Rosa"] is True
