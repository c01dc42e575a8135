"""A test that misses a system program is skipped at home, naming it, and fails where everything is required."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IN_A_TEST = """
from tests.servers import find_program

def test_something_with_a_server():
    find_program("no-such-server", "no-such-package")
"""
IN_A_FILE = "import pytest\npytest.skip('no-such-server is not installed', allow_module_level=True)\n"


@pytest.mark.parametrize("source", [IN_A_TEST, IN_A_FILE], ids=["a test", "a whole file"])
@pytest.mark.parametrize("required", [False, True], ids=["at home", "required"])
def test_a_missing_program_is_named_and_fails_only_where_required(
    tmp_path: Path, source: str, required: bool
) -> None:
    file = tmp_path / "test_sample.py"
    file.write_text(source)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)} | ({"CLYTIE_REQUIRE_ALL": "1"} if required else {})
    if not required:
        environment.pop("CLYTIE_REQUIRE_ALL", None)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.conftest",
            "-c",
            str(ROOT / "pyproject.toml"),
            str(file),
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "no-such-server is not installed" in done.stdout, done.stdout + done.stderr
    assert ("passed" in done.stdout, "CLYTIE_REQUIRE_ALL is set" in done.stdout) == (False, required)
    assert (done.returncode in (0, 5)) is not required
