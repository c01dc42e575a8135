"""The table of channels: names, lazy imports, channels of outsiders."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from channels import registry
from channels.mail.smtp import MailChannel
from domain.errors import ConfigurationError


class OutsidersMail(MailChannel):
    """A channel from another distribution."""

    name = "outsiders_mail"


class Unfinished:
    name = "unfinished"


@pytest.fixture
def outsiders(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {
        "outsiders_mail": f"{__name__}:OutsidersMail",
        "unfinished": f"{__name__}:Unfinished",
        "gone": "no_such_package:Channel",
        "mail": f"{__name__}:OutsidersMail",
    }
    group = registry.ENTRY_POINT_GROUP
    found = [EntryPoint(name, value, group) for name, value in points.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group: found)


@pytest.mark.usefixtures("outsiders")
def test_an_outsiders_channel_is_found_by_its_entry_point() -> None:
    assert registry.channel_class("outsiders_mail") is OutsidersMail
    assert registry.channel_names()[-3:] == ["gone", "outsiders_mail", "unfinished"]


@pytest.mark.usefixtures("outsiders")
def test_an_outsider_cannot_take_the_place_of_one_of_ours() -> None:
    assert registry.channel_class("mail") is MailChannel
    assert registry.channel_names().count("mail") == 1


@pytest.mark.usefixtures("outsiders")
def test_an_unfinished_channel_is_refused_with_what_it_lacks() -> None:
    with pytest.raises(
        ConfigurationError, match=r"declares no kind.*no settings model.*no docstring.*no method send"
    ):
        registry.channel_class("unfinished")


@pytest.mark.usefixtures("outsiders")
def test_a_channel_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'gone' cannot be loaded"):
        registry.channel_class("gone")


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"'pigeon'; known are mail, sandbox"):
        registry.channel_class("pigeon")


def test_no_channel_is_imported_before_it_is_asked_for() -> None:
    code = "import sys, channels.registry as r; r.channel_names(); print('channels.mail.smtp' in sys.modules)"
    root = Path(registry.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "False"
