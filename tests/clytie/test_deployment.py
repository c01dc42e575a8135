"""docker-compose.yml and the Dockerfile name only services, ports, settings and commands that exist."""

from __future__ import annotations

import re
import typing
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock
from urllib.parse import urlsplit

import pytest
import typer.main
import yaml
from pydantic import BaseModel
from typer.core import TyperGroup

from clytie.commands.main import app
from clytie.serve import ROLES
from clytie.settings import Settings
from web.app import build_app

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "clytie"}
DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
INSTRUCTIONS = [
    tuple(line.split(" ", 1)) for line in DOCKERFILE.splitlines() if line.strip() and not line.startswith("#")
]
IMAGE_ENVIRONMENT = dict(
    word.split("=", 1) for name, text in INSTRUCTIONS if name == "ENV" for word in text.split() if "=" in word
)
SAMPLES = {"POSTGRES_PASSWORD": "secret", "CLYTIE_TOKEN_KEYS": '{"1": "' + "ab" * 32 + '"}'}


def substitute(text: object) -> str:
    """Fill in ${NAME:-default} and ${NAME:?hint} as compose does when `.env` holds only what is required."""
    return re.sub(
        r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)\}",
        lambda found: found[2] if found[2] is not None else SAMPLES[found[1]],
        str(text),
    )


def setting_names(model: type[BaseModel], prefix: str = "CLYTIE_") -> set[str]:
    """Return the environment variables of a settings model and of the models inside."""
    names = set()
    for name, field in model.model_fields.items():
        candidates = (field.annotation, *typing.get_args(field.annotation))
        inner = next(
            (part for part in candidates if isinstance(part, type) and issubclass(part, BaseModel)), None
        )
        names |= setting_names(inner, f"{prefix}{name.upper()}__") if inner else {prefix + name.upper()}
    return names


def environment_of(service: dict[str, Any]) -> dict[str, str]:
    """Return what a container of ours finds in its environment."""
    own = {name: substitute(value) for name, value in service["environment"].items()}
    return IMAGE_ENVIRONMENT | own


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_and_together_they_are_valid(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {
        key: value for key, value in environment_of(OURS[name]).items() if key.startswith("CLYTIE_")
    }
    assert set(environment) - setting_names(Settings) == set()
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    settings = Settings()
    assert settings.relay.host == "mail"
    assert settings.relay.port == settings.sandbox.port
    assert settings.host == "0.0.0.0"


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_that_the_command_line_knows(name: str) -> None:
    check_command(OURS[name]["command"])
    test = OURS[name].get("healthcheck", {"test": ["CMD", "clytie", "doctor"]})["test"]
    if test[1] == "clytie":
        check_command(test[2:])
    elif test[1] == "python":
        compile(test[3], name, "exec")


def test_the_image_serves_by_default() -> None:
    (entry,) = [yaml.safe_load(text) for name, text in INSTRUCTIONS if name == "ENTRYPOINT"]
    (command,) = [yaml.safe_load(text) for name, text in INSTRUCTIONS if name == "CMD"]
    assert entry == ["clytie"]
    check_command(command)


def test_every_role_has_its_service() -> None:
    served = {service["command"][2] for service in OURS.values() if service["command"][0] == "serve"}
    assert served == set(ROLES)


def test_every_published_port_is_one_that_is_listened_on_and_only_for_this_machine() -> None:
    defaults = Settings()
    listened = {"web": [defaults.port], "mail": [defaults.sandbox.port, defaults.inbox.smtp.port]}
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {
        name: [f"127.0.0.1:{port}:{port}" for port in ports] for name, ports in listened.items()
    }
    (exposed,) = [text for name, text in INSTRUCTIONS if name == "EXPOSE"]
    assert exposed.split() == [str(port) for ports in listened.values() for port in ports]


def test_health_is_asked_for_where_it_is_answered() -> None:
    asked = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", str(OURS["web"]["healthcheck"]))
    answered = {resource.canonical for resource in build_app(MagicMock()).router.resources()}
    assert [(port, path in answered) for port, path in asked] == [(str(Settings().port), True)]
    for name in ("web", "worker", "mail", "postgres", "valkey"):
        assert "healthcheck" in SERVICES[name]


def test_every_server_that_is_named_is_a_service() -> None:
    for service in OURS.values():
        environment = environment_of(service)
        for variable in ("CLYTIE_DATABASE_URL", "CLYTIE_REDIS_URL"):
            assert urlsplit(environment[variable]).hostname in SERVICES
        assert set(service["depends_on"]) <= set(SERVICES)
    database = urlsplit(environment_of(OURS["web"])["CLYTIE_DATABASE_URL"])
    postgres = {name: substitute(value) for name, value in SERVICES["postgres"]["environment"].items()}
    assert (database.username, database.password, database.path) == (
        postgres["POSTGRES_USER"],
        postgres["POSTGRES_PASSWORD"],
        "/" + postgres["POSTGRES_DB"],
    )


def test_the_data_lies_in_declared_volumes() -> None:
    used = [volume.split(":") for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert {name for name, _ in used} == set(COMPOSE["volumes"])
    assert {path for name, path in used if name == "data"} == {IMAGE_ENVIRONMENT["CLYTIE_VAR"]}


def test_the_image_runs_as_an_ordinary_user_and_installs_only_what_is_pinned() -> None:
    final = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert re.search(r"^USER (?!root|0)\w+", final, re.MULTILINE)
    installs = re.findall(r"pip install ([^&]*)", DOCKERFILE)
    assert installs
    for install in installs:
        assert "--require-hashes" in install or {"--no-deps", "--no-index"} <= set(install.split())
    for source in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE):
        for file in source.split():
            assert (ROOT / file).exists()


def check_command(words: list[str]) -> None:
    """Parse a command of `clytie` without running it."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    with group.make_context("clytie", list(words)) as context:
        name, command, arguments = group.resolve_command(context, list(words))
        assert command is not None
        parsed = command.make_context(name, arguments, parent=context)
    if "role" in parsed.params:
        assert parsed.params["role"] in ROLES
