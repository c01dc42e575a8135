"""What is pinned is what pyproject.toml asks for: hashed, the same everywhere, from no named place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME: list[str] = PYPROJECT["project"]["dependencies"]
DEVELOPMENT: list[str] = (
    RUNTIME + PYPROJECT["dependency-groups"]["dev"] + PYPROJECT["build-system"]["requires"]
)
FILES = ["constraints.txt", "constraints-dev.txt"]
PIN = re.compile(r"^(?P<name>[A-Za-z0-9_.-]+)==(?P<version>[^ ;\\]+)(?P<rest>.*)$", re.MULTILINE)


def pins(file: str) -> dict[str, Version]:
    """Return the pinned version of each package."""
    found = PIN.finditer((ROOT / file).read_text())
    return {canonicalize_name(pin["name"]): Version(pin["version"]) for pin in found}


@pytest.mark.parametrize(
    ("file", "wanted"), [("constraints.txt", RUNTIME), ("constraints-dev.txt", DEVELOPMENT)]
)
def test_every_dependency_is_pinned_within_its_bounds(file: str, wanted: list[str]) -> None:
    pinned = pins(file)
    for requirement in map(Requirement, wanted):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not pinned in {file}: run `make constraints`"
        assert requirement.specifier.contains(version), f"{file} pins {version}, wanted {requirement}"


@pytest.mark.parametrize("file", FILES)
def test_every_pin_carries_hashes_and_nothing_else(file: str) -> None:
    lines = [line for line in (ROOT / file).read_text().splitlines() if not line.startswith("#")]
    for number, line in enumerate(lines):
        if line.startswith("    "):
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line), line
        else:
            assert PIN.match(line), line
            assert lines[number + 1].startswith("    --hash="), line


@pytest.mark.parametrize("file", FILES)
def test_no_address_of_a_registry_is_written_down(file: str) -> None:
    assert not re.search(r"https?:|index-url|find-links|trusted-host|@ ", (ROOT / file).read_text())


def test_developers_run_the_versions_that_users_run() -> None:
    developers = pins("constraints-dev.txt")
    assert {name: developers.get(name) for name in pins("constraints.txt")} == pins("constraints.txt")
