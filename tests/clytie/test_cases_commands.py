"""`clytie cases types` checks a file with the line of each mistake, and makes it the types of the house."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from router.cases.reference import EXAMPLE
from storage.pool import Pool

ROOT = Path(__file__).parents[2]


async def test_a_file_of_types_is_checked_and_applied(
    pool: Pool, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "types.yaml"
    file.write_text(EXAMPLE)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "clytie", "cases", "types", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "CLYTIE_DATABASE_URL": database_url,
                "CLYTIE_REDIS_URL": redis_url,
                "CLYTIE_VAR": str(tmp_path / "var"),
            },
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    assert "1 types are sound." in run("check", str(file), "--offline").stdout
    refused = run("apply", str(file))
    assert refused.returncode == 1
    assert f"{file}:3: type loan team: there is no team 'Workshop'." in refused.stderr
    await pool.execute("INSERT INTO teams (name) VALUES ('Workshop')")
    done = run("apply", str(file))
    assert done.stdout.splitlines()[0] == "loan: added", done.stderr
    assert "sale: removed" in done.stdout
    shown = run("show").stdout
    file.write_text(shown)
    assert run("apply", str(file)).stdout.strip() == "1 more stay as they are."
    file.write_text(EXAMPLE.replace("kind: date", "kind: day"))
    wrong = run("check", str(file))
    assert wrong.returncode == 1
    assert f"{file}:9: type loan fields[0].kind: 'day' is unknown here. Did you mean date?" in wrong.stderr
