"""Settings come from the environment or a file; what is wrong is named, with the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from clytie.keys import load_token_keys
from clytie.reference import write_settings_page
from clytie.serve import claim_port, plan_processes
from clytie.settings import Settings, load_settings
from domain.errors import ConfigurationError
from domain.tokens import TokenUse

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_without_any_setting_everything_has_a_value() -> None:
    settings = load_settings()
    assert settings.public_url == "http://127.0.0.1:8025"
    assert settings.relay.port == settings.sandbox.port  # nothing leaves the machine unless a server is named


def test_a_nested_setting_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLYTIE_MAIL__HOST", "relay.example.org")
    monkeypatch.setenv("CLYTIE_MAIL__ENCRYPTION", "required")
    assert load_settings().relay.host == "relay.example.org"


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "clytie.toml"
    file.write_text('port = 9000\n[web]\npublic_url = "https://hub.example.org/"\n')
    monkeypatch.setenv("CLYTIE_CONFIG", str(file))
    monkeypatch.setenv("CLYTIE_PORT", "9001")
    settings = load_settings()
    assert (settings.port, settings.public_url) == (9001, "https://hub.example.org")


@pytest.mark.parametrize(
    ("name", "value"),
    [("CLYTIE_PORT", "many"), ("CLYTIE_OUTBOX__WINDOW", "0"), ("CLYTIE_MAIL__ENCRYPTION", "tls")],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        load_settings()


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLYTIE_CONFIG", "/nowhere/clytie.toml")
    with pytest.raises(ConfigurationError, match=r"/nowhere/clytie\.toml"):
        load_settings()


def test_keys_are_made_once_and_only_for_the_owner(tmp_path: Path) -> None:
    first = load_token_keys({}, tmp_path).sign(TokenUse.MEASURE, 1, 2)
    assert load_token_keys({}, tmp_path).sign(TokenUse.MEASURE, 1, 2) == first
    assert (tmp_path / "token-keys.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("key", ["not hexadecimal", "abcd"])
def test_a_key_that_is_no_key_is_refused_with_the_remedy(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigurationError, match="key"):
        load_token_keys({1: key}, tmp_path)


def test_a_port_in_use_is_named_with_its_setting() -> None:
    import socket

    with (
        socket.create_server(("127.0.0.1", 0)) as busy,
        pytest.raises(ConfigurationError, match="CLYTIE_PORT"),
    ):
        claim_port("127.0.0.1", busy.getsockname()[1], "CLYTIE_PORT")


def test_web_processes_share_the_port_and_the_other_roles_run_once() -> None:
    names = [process.name for process in plan_processes(Settings(), ("web", "worker", "mail"), 3, {})]
    assert names == ["web-1", "web-2", "web-3", "worker-1", "mail-1"]


def test_the_page_of_settings_is_in_step_with_the_settings() -> None:
    assert PAGE.read_text(encoding="utf-8") == write_settings_page(), (
        "run `python -m clytie.reference > docs/settings.md`"
    )
