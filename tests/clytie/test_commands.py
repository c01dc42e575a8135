"""The command line says what it did, and what is wrong, in sentences; exit codes tell scripts the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(database_url: str, redis_url: str, tmp_path: Path) -> Run:
    environment = {
        **os.environ,
        "CLYTIE_DATABASE_URL": database_url,
        "CLYTIE_REDIS_URL": redis_url,
        "CLYTIE_VAR": str(tmp_path / "var"),
        "COLUMNS": "200",
    }

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "clytie", *arguments],
            cwd=ROOT,
            env={**environment, **settings},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    return run


def test_an_import_tells_what_became_of_each_kind_of_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(
        "email,name,country\nclaire@example.org,Claire,FR\nnobody,No One,FR\nCLAIRE@example.org,Claire,FR\n"
    )
    done = run("contacts", "import", str(file))
    assert done.returncode == 0, done.stderr
    assert "1 contacts are new, 1 lines were joined with known ones, 1 lines were refused." in done.stdout
    assert "line 3, email: this is not a mail address" in done.stdout


def test_phone_numbers_of_an_import_belong_to_the_country_of_the_settings(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("phone,name\n01 99 00 00 01,Claire\n")
    assert "1 lines were refused" in run("contacts", "import", str(file)).stdout
    done = run("contacts", "import", str(file), CLYTIE_CONTACTS__COUNTRY="FR")
    assert "1 contacts are new" in done.stdout, done.stderr


def test_a_file_that_is_not_there_is_an_error_in_one_sentence(run: Run) -> None:
    done = run("contacts", "import", "/nowhere.csv")
    assert done.returncode == 1
    assert done.stderr.strip() == "Error: FILE: there is no file /nowhere.csv. Check the path."


def test_rules_are_checked_with_the_line_of_each_mistake_before_any_is_applied(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(
        "- name: call\n  when: Opened\n  where: {field: contact.contry, is: FR}\n  then: [{note: seen}]\n"
    )
    done = run("rules", "apply", str(file))
    assert done.returncode == 1
    assert f"{file}:3: rule call where.field: " in done.stderr
    assert "contact.country" in done.stderr
    file.write_text(file.read_text().replace("contry", "country"))
    assert run("rules", "diff", str(file)).stdout.splitlines()[0] == "call: would be added"
    assert run("rules", "apply", str(file)).stdout.splitlines()[0] == "call: added"
    assert run("rules", "diff", str(file)).stdout.splitlines()[0] == "Nothing changes."


def test_the_doctor_finds_a_mail_server_that_does_not_answer_and_says_what_to_check(run: Run) -> None:
    done = run("doctor", CLYTIE_MAIL__HOST="127.0.0.1", CLYTIE_MAIL__PORT="1")
    assert done.returncode == 1
    assert "ok PostgreSQL: version" in done.stdout
    assert "!! Mail 127.0.0.1: 127.0.0.1 port 1" in done.stdout
    assert "CLYTIE_MAIL__HOST" in done.stdout


def test_the_doctor_is_content_with_a_fresh_house(run: Run) -> None:
    done = run("doctor")
    assert done.returncode == 0, done.stdout
    assert "!!" not in done.stdout
    assert "SMS and calls: no account is set; all of them go to the test phones" in done.stdout


def test_a_campaign_that_does_not_exist_is_named(run: Run) -> None:
    done = run("campaign", "send", "Spring")
    assert done.returncode == 1
    assert "no campaign is called “Spring”" in done.stderr


def test_an_unknown_role_is_answered_with_those_there_are(run: Run) -> None:
    done = run("serve", "--role", "wbe")
    assert done.returncode == 1
    assert "Choose web, worker, mail or all." in done.stderr


def test_the_description_of_the_api_is_printed_as_json(run: Run) -> None:
    described = json.loads(run("openapi").stdout)
    assert "post" in described["paths"]["/api/v1/campaigns/{id}/launch"]


def test_a_wrong_setting_stops_every_command_with_its_name(run: Run) -> None:
    done = run("doctor", CLYTIE_PORT="many")
    assert done.returncode == 1
    assert "CLYTIE_PORT" in done.stderr
