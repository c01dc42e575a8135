"""Types of cases are data: what is wrong with a file is told at its place, and no case loses the ground it stands on."""

from __future__ import annotations

import pytest

from domain.errors import InvalidInput
from router.cases.fields import check_fields, missing_fields
from router.cases.type_files import InvalidTypes, read_types
from router.cases.type_store import apply_types, default_types, load_types, write_types
from router.cases.types import CaseType
from storage.pool import Pool

LOAN = """
- name: loan
  title: {en: Loan, fr: Prêt}
  stages: [{name: asked}, {name: lent, title: Lent}, {name: back, ends: true}]
  fields:
    - {name: things, kind: number, needed: true}
    - {name: until, kind: date}
    - {name: colour, kind: choice, choices: [{name: red}, {name: blue}]}
    - {name: insured, kind: yes_no}
  roles: [{name: borrower}]
"""


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidTypes) as caught:
        read_types(text, file="types.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_the_types_that_come_with_clytie_speak_both_languages() -> None:
    types = default_types()
    assert list(types) == ["sale", "complaint", "tender", "recruitment", "dispute", "event"]
    for kind in types.values():
        named = [kind, *kind.stages, *kind.fields, *kind.roles]
        named += [choice for field in kind.fields for choice in field.choices]
        assert all({"en", "fr"} <= one.title.keys() for one in named), kind.name
        assert any(stage.ends for stage in kind.stages)
    assert {name for name, kind in types.items() if kind.confidential} == {"recruitment", "dispute"}
    assert types["sale"].said("fr") == "Vente"
    assert types["sale"].said("de") == "Sale"


def test_a_word_for_people_falls_back_to_english_and_then_to_the_name() -> None:
    (written,) = read_types(LOAN)
    loan = written.type
    assert [stage.said("fr") for stage in loan.stages] == ["asked", "Lent", "back"]
    assert loan.said("fr") == "Prêt"
    assert CaseType.model_validate(loan.written()) == loan


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("name: loan", "name: Loan!", "types.yaml:2: type Loan! name: is no name."),
        ("name: things, kind: number", "name: things, kind: numbr", "Did you mean number?"),
        ("{name: asked}, ", "{name: lent}, ", "lent stands there twice; give each a name of its own."),
        ("{name: asked}, ", "{name: asked, ends: true}, ", "put another first"),
        ("kind: date", "kind: date, choices: [{name: x}]", "fields[1].choices: a choice needs some"),
        ("roles:", "rolls:", "rolls: is unknown here."),
        ("title: Lent", "title: {english: Lent}", "write a text, or one for each language"),
        ("[{name: asked}, {name: lent, title: Lent}, {name: back, ends: true}]", "[]", "stages: is empty."),
    ],
)
def test_what_is_wrong_is_told_at_its_place(before: str, after: str, says: str) -> None:
    assert before in LOAN
    found = problems(LOAN.replace(before, after))
    assert any(says in problem for problem in found), found


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    found = problems(LOAN.replace("kind: date", "kind: day") + "- name: other\n- stages: 3\n")
    assert [problem.split(":")[1] for problem in found] == ["7", "11", "12", "12"]


def test_a_template_whose_steps_wait_for_each_other_is_refused() -> None:
    template = """
  templates:
    - name: lending
      steps:
        - {name: one, task: One, assign: {owner: true}, after: two}
        - {name: two, task: Two, assign: {owner: true}, after: one}
"""
    assert "one waits for itself" in problems(LOAN + template)[0]
    assert "three, which is no step" in problems(LOAN + template.replace("after: two", "after: three"))[0]


async def test_a_template_that_names_nobody_is_refused_with_the_remedy(pool: Pool) -> None:
    await pool.execute("INSERT INTO teams (name) VALUES ('Store')")
    template = """
  team: Stor
  templates:
    - name: lending
      steps:
        - {name: one, task: "Ask {contact.nam}", assign: {person: who@example.com}}
        - {name: two, task: "Ask {event.id}", assign: {team: Store}}
"""
    with pytest.raises(InvalidTypes) as caught:
        await apply_types(pool, read_types(LOAN + template))
    told = "\n".join(str(problem) for problem in caught.value.problems)
    assert "Did you mean contact.name" in told
    assert "event.id is not known here." in told
    assert "there is no team 'Stor'. Did you mean 'Store'?" in told
    assert "nobody signs in as 'who@example.com'" in told


async def test_applying_a_file_makes_it_the_types_of_the_house(pool: Pool) -> None:
    assert await load_types(pool) == default_types()
    diff = await apply_types(pool, read_types(LOAN))
    assert diff.added == ("loan",)
    assert "sale" in diff.removed
    assert list(await load_types(pool)) == ["loan"]
    again = await apply_types(pool, read_types(LOAN.replace("Prêt", "Emprunt")))
    assert again.changed == ("loan",)
    text = write_types(await load_types(pool))
    assert (await apply_types(pool, read_types(text))).unchanged == ("loan",)
    assert [one.type for one in read_types(write_types(default_types()))] == list(default_types().values())


async def test_a_type_and_a_stage_that_cases_stand_on_stay(pool: Pool) -> None:
    await apply_types(pool, read_types(LOAN))
    await pool.execute("INSERT INTO cases (kind, title, stage) VALUES ('loan', 'A drill', 'lent')")
    with pytest.raises(InvalidTypes, match="open cases are in the stage lent"):
        await apply_types(pool, read_types(LOAN.replace("{name: lent, title: Lent}, ", "")))
    with pytest.raises(InvalidTypes, match="Keep it, with active: false"):
        await apply_types(pool, read_types(LOAN.replace("name: loan", "name: lending")))
    await pool.execute("UPDATE cases SET state = 'closed'")
    await apply_types(pool, read_types(LOAN.replace("{name: lent, title: Lent}, ", "")))


def test_fields_are_kept_as_their_kind() -> None:
    loan = read_types(LOAN)[0].type
    given = {"things": "1 200,5", "until": "2026-03-31", "colour": "red", "insured": "yes"}
    kept = {"things": 1200.5, "until": "2026-03-31", "colour": "red", "insured": True}
    assert check_fields(loan, given) == kept
    assert check_fields(loan, {"things": " "}) == {"things": None}
    assert [field.name for field in missing_fields(loan, {})] == ["things"]
    assert missing_fields(loan, {"things": 0}) == []


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("things", "many", "Write it like 1200"),
        ("things", True, "is no number"),
        ("things", "9" * 400, "is no number"),
        ("things", 1e300, "too large"),
        ("until", "31.3.2026", "Write it like 2026-03-31"),
        ("until", 3, "is no day"),
        ("colour", "green", "Choose red, blue"),
        ("colour", ["red"], "Choose red, blue"),
        ("insured", "perhaps", "true or false"),
        ("size", "3", "Known are things, until, colour, insured"),
    ],
)
def test_what_does_not_fit_a_field_is_refused_by_its_name(field: str, value: object, says: str) -> None:
    loan = read_types(LOAN)[0].type
    with pytest.raises(InvalidInput, match=says) as caught:
        check_fields(loan, {field: value})
    assert caught.value.field == f"fields.{field}"
