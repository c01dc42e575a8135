"""The rooms are top-level names in a checkout, and the wheel brings all of them tucked under one."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

import clytie
from clytie.__main__ import find_root

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WHEEL = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
ROOMS: list[str] = WHEEL["only-include"]
OURS = [*ROOMS, "tests", "benchmarks"]


def find_intruders(distributions: Iterable[importlib.metadata.Distribution]) -> list[str]:
    """Return which distribution, other than ours, provides one of our top-level names."""
    return sorted(
        f"{distribution.name} provides {top}"
        for distribution in distributions
        if distribution.name != "clytie"
        for top in {file.parts[0].removesuffix(".py") for file in distribution.files or []}
        if top in OURS
    )


def test_no_installed_distribution_provides_one_of_our_names() -> None:
    assert find_intruders(importlib.metadata.distributions()) == []


@pytest.mark.parametrize("file", ["web/__init__.py", "storage.py"])
def test_a_distribution_that_provides_one_of_our_names_is_noticed(tmp_path: Path, file: str) -> None:
    record = tmp_path / "intruder-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: intruder\nVersion: 1.0\n")
    (record / "RECORD").write_text(f"{file},,\nweb_client.py,,\n")
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    name = file.partition("/")[0].removesuffix(".py")
    found = find_intruders(importlib.metadata.distributions(path=[str(tmp_path)]))
    assert found == [f"intruder provides {name}"]


def test_every_room_is_named_to_the_builder_and_to_the_import_contract() -> None:
    present = sorted(
        entry.parent.name for entry in ROOT.glob("*/__init__.py") if entry.parent.name not in OURS[-2:]
    )
    assert sorted(ROOMS) == present
    assert sorted(PYPROJECT["tool"]["importlinter"]["root_packages"]) == present
    assert {f"clytie/_root/{room}" for room in present if room != "clytie"} == set(WHEEL["sources"].values())


def test_a_checkout_is_its_own_root() -> None:
    assert find_root(ROOT / "clytie") == ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder), cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_every_room_and_one_importable_name(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.partition("/")[0] for name in names} == {"clytie", f"clytie-{clytie.__version__}.dist-info"}
    for room in ROOMS:
        for file in (ROOT / room).rglob("*"):
            if file.is_file() and file.suffix not in {".pyc", ".log"}:
                inside = WHEEL["sources"].get(room, room) + "/" + file.relative_to(ROOT / room).as_posix()
                assert inside in names


def test_an_installed_wheel_runs_from_anywhere_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", str(environment), cwd=tmp_path)
    python = environment / "bin" / "python"
    run(
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)),
        *("install", "--quiet", "--no-deps", "--no-index", str(wheel)),
        cwd=tmp_path,
    )
    # The packages are borrowed from this environment, by a line that does not carry the checkout's own path along.
    target = run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path)
    borrowed = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    (Path(target.strip()) / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    assert (
        run(str(environment / "bin" / "clytie"), "--version", cwd=tmp_path).strip()
        == f"clytie {clytie.__version__}"
    )
    assert (
        run(str(python), "-m", "clytie", "--version", cwd=tmp_path).strip() == f"clytie {clytie.__version__}"
    )
    probe = "import clytie.__main__ as entry; entry.prepare_path(); import web, domain; print(web.__file__, domain.__file__)"
    for file in run(str(python), "-c", probe, cwd=tmp_path).split():
        assert Path(file).is_relative_to(environment), file


def run(*command: str, cwd: Path) -> str:
    """Run a program with a bare environment and return what it printed."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
