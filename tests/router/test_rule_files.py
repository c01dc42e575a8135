"""Rules in YAML: what is wrong is told with file, line, rule, field and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import InvalidInput
from domain.events import EventType
from router.rule_checks import check_rule, check_rules
from router.rule_files import InvalidRules, load_rules, read_rules
from router.rules import Rule
from router.then import ACTIONS
from storage.pool import Pool
from tests.router.world import CALLBACK

HEAD = "- name: some-rule\n  when: Opened\n"
THEN = "  then: [{note: hello}]\n"


def problems_of(text: str) -> list[str]:
    try:
        rules = read_rules(text, file="r.yaml")
    except InvalidRules as error:
        return [str(problem) for problem in error.problems]
    return [str(problem) for written in rules for problem in check_rule(written)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "r.yaml: rules: there is no list of rules. Start with - name: ...", id="empty"),
        pytest.param("rules: [", "r.yaml:1: this is not YAML: ", id="broken"),
        pytest.param("rule: []", "r.yaml:1: found rule. Write one key: rules, with a list.", id="key"),
        pytest.param("- hello\n", "r.yaml:1: rule number 1: is no mapping.", id="scalar"),
        pytest.param(
            HEAD.replace("some-rule", "Some Rule") + THEN,
            "r.yaml:1: rule Some Rule name: is no name for a rule. Write small letters",
            id="name",
        ),
        pytest.param(
            "- name: a\n  when: Openend\n" + THEN,
            "r.yaml:2: rule a when: 'Openend' is unknown here. Did you mean Opened?",
            id="event",
        ),
        pytest.param("- name: a\n" + THEN, "r.yaml:1: rule a when: is missing.", id="no when"),
        pytest.param(HEAD, "r.yaml:1: rule some-rule then: is missing.", id="no then"),
        pytest.param(HEAD + "  then: []\n", "r.yaml:3: rule some-rule then: is empty.", id="empty then"),
        pytest.param(
            HEAD + THEN + "  wher: 1\n", "r.yaml:4: rule some-rule wher: is unknown here.", id="extra"
        ),
        pytest.param(
            HEAD + "  where:\n    all:\n      - {field: contact.country, is: FR}\n"
            "      - {field: contact.contry, is: FR}\n" + THEN,
            "r.yaml:6: rule some-rule where.all[1].field: there is no field contact.contry. Did you mean contact.country",
            id="field",
        ),
        pytest.param(
            HEAD + "  where:\n    not:\n      field: contact.relation\n      is: prospekt\n" + THEN,
            "r.yaml:6: rule some-rule where.not.is: contact.relation is never 'prospekt'. Did you mean 'prospect'?",
            id="value",
        ),
        pytest.param(
            HEAD + "  where: {field: contact.name, iss: x}\n" + THEN,
            "r.yaml:3: rule some-rule where.iss: is unknown here.",
            id="operator",
        ),
        pytest.param(
            HEAD + "  where: {fields: x}\n" + THEN,
            "r.yaml:3: rule some-rule where: a condition has one of the keys all, any, not, field, did, consent, working_time.",
            id="condition",
        ),
        pytest.param(
            HEAD + "  hold: soon\n" + THEN,
            "r.yaml:3: rule some-rule hold: not a length of time; write a number and s, min, h, d or w",
            id="hold",
        ),
        pytest.param(
            HEAD + "  once: {within: 3d}\n" + THEN,
            "r.yaml:3: rule some-rule once: write what it is once for",
            id="once",
        ),
        pytest.param(
            HEAD + "  once: {key: '{contact.nam}'}\n" + THEN,
            "r.yaml:3: rule some-rule once.key: there is no field contact.nam.",
            id="once key",
        ),
        pytest.param(
            "- name: a\n  when: [Opened, Received]\n  judged: human\n" + THEN,
            "r.yaml:1: rule a: judged: only hits are judged, not Received",
            id="judged",
        ),
        pytest.param(
            HEAD + "  then:\n    - notes: x\n",
            f"r.yaml:4: rule some-rule then[0]: an action has one of the keys {', '.join(ACTIONS)}.",
            id="action",
        ),
        pytest.param(
            HEAD
            + "  then:\n    - open_task:\n        kind: callback\n        title: Call\n        assign: {owner: true}\n",
            "r.yaml:7: rule some-rule then[0].open_task.assign: somebody must get the task",
            id="assign",
        ),
        pytest.param(
            HEAD + "  then:\n    - open_task:\n        kind: callback\n        assign: {team: x}\n",
            "r.yaml:5: rule some-rule then[0].open_task.title: is missing.",
            id="title",
        ),
        pytest.param(
            HEAD
            + "  then:\n    - open_task: {kind: callback, title: 'Call {contact.nme}', assign: {team: x}}\n",
            "r.yaml:4: rule some-rule then[0].open_task.title: there is no field contact.nme.",
            id="template",
        ),
        pytest.param(
            HEAD
            + "  then:\n    - open_task: {kind: todo, title: x, assign: {team: x}, due_within: 1h, decide_within: 2h}\n",
            "r.yaml:4: rule some-rule then[0].open_task: due_within ends before decide_within",
            id="clocks",
        ),
        pytest.param(
            HEAD + "  when: Clicked\n" + THEN, "r.yaml:3: when: stands here twice.", id="double key"
        ),
        pytest.param(
            (HEAD + THEN) * 2, "r.yaml:4: rule some-rule name: another rule has this name.", id="double name"
        ),
    ],
)
def test_a_wrong_rule_is_refused_with_place_and_remedy(text: str, says: str) -> None:
    found = problems_of(text)
    assert found
    assert found[0].startswith(says)


def test_all_problems_of_a_file_are_told_at_once() -> None:
    found = problems_of("- name: a\n  when: Nothing\n- name: b\n  then: [{note: x}]\n")
    assert [line.split(":")[1] for line in found] == ["1", "2", "3"]


def test_norway_is_a_country_and_not_a_no() -> None:
    (written,) = read_rules(HEAD + "  where: {field: contact.country, in: [NO, SE]}\n" + THEN)
    assert check_rule(written) == []


def test_a_rule_reads_back_from_its_stored_form() -> None:
    (written,) = read_rules(CALLBACK)
    stored = written.rule.written()
    assert Rule.model_validate(stored) == written.rule
    assert Rule.model_validate(stored).written() == stored
    assert stored["then"][0]["open_task"]["decide_within"] == "4 working hours"


def test_hits_wait_for_a_human_unless_said_otherwise() -> None:
    rule = Rule.model_validate({"name": "a", "when": ["Opened", "Received"], "then": [{"note": "x"}]})
    assert rule.judgement(EventType.OPENED) == "human"
    assert rule.judgement(EventType.RECEIVED) == "any"


def test_a_folder_of_rules_is_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("rules:\n" + HEAD + THEN, encoding="utf-8")
    (tmp_path / "two.yml").write_text((HEAD + THEN).replace("some-rule", "other"), encoding="utf-8")
    assert [written.rule.name for written in load_rules(tmp_path)] == ["some-rule", "other"]
    (tmp_path / "three.yaml").write_text(HEAD + THEN, encoding="utf-8")
    with pytest.raises(InvalidRules, match="another rule has this name"):
        load_rules(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nothing\.yaml: the file cannot be read"):
        load_rules(tmp_path / "nothing.yaml")


async def test_circles_are_found_and_the_way_round_is_told() -> None:
    text = """
- name: ping
  when: Noted
  then: [{open_task: {kind: todo, title: x, assign: {team: sales}}}]
- name: pong
  when: TaskOpened
  then: [{note: x}]
- name: harmless
  when: TaskOpened
  once: contact
  then: [{open_task: {kind: todo, title: x, assign: {team: sales}}}]
"""
    found = [str(problem) for problem in await check_rules(None, read_rules(text, file="r.yaml"))]
    assert found == [
        "r.yaml:3: rule ping when: the rule sets itself off again: ping → pong → ping. Look at another type of event, "
        "or write once: contact.",
        "r.yaml:6: rule pong when: the rule sets itself off again: pong → ping → pong. Look at another type of event, "
        "or write once: contact.",
    ]


async def test_names_that_the_database_does_not_know_are_refused(pool: Pool) -> None:
    await pool.execute("INSERT INTO campaigns (name) VALUES ('Spring letters')")
    await pool.execute("INSERT INTO teams (name) VALUES ('sale')")
    found = [str(problem) for problem in await check_rules(pool, read_rules(CALLBACK, file="r.yaml"))]
    assert found == [
        "r.yaml:4: rule call-openers where.is: there is no campaign 'Spring letter'. Did you mean 'Spring letters'?",
        "r.yaml:10: rule call-openers then[0].open_task.assign.else_team: there is no team 'sales'. "
        "Did you mean 'sale'?",
    ]
