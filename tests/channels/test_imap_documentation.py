"""docs/receiving.md: its settings can be used as they stand, and it knows every kind of trouble."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from channels.mail.imap.settings import ImapAccount
from channels.mail.imap.words import REMEDIES, Trouble
from channels.mail.settings import MailSettings

PAGE = (Path(__file__).parents[2] / "docs" / "receiving.md").read_text()
EXAMPLES = re.findall(r"^ *```toml\n(.*?)^ *```", PAGE, re.DOTALL | re.MULTILINE)
ACCOUNT = {"name": "a", "host": "mail.example.com", "username": "a@example.com", "password": "x"}


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_understood(example: str) -> None:
    settings = tomllib.loads(example.replace("…", "x"))
    if "folders" in settings:
        ImapAccount.model_validate(ACCOUNT | settings)
    if "mail" in settings:
        MailSettings.model_validate(settings["mail"])
    for account in settings.get("inbox", {}).get("imap", []):
        ImapAccount.model_validate(account)
    assert settings.keys() <= {"folders", "mail", "inbox"}


def test_there_are_examples_of_everything() -> None:
    assert len(EXAMPLES) >= 7


@pytest.mark.parametrize("trouble", Trouble)
def test_every_trouble_is_documented_with_its_remedy(trouble: Trouble) -> None:
    assert f"| {trouble} | {REMEDIES[trouble]} |" in PAGE
