"""`clytie lines` reads files of phone lines; whose working time opens a line."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clytie.lines import works_now
from router.settings import RouterSettings
from storage.pool import Pool
from tests.inbox.lines import MENU_LINE

ROOT = Path(__file__).parents[2]


async def test_a_file_is_checked_and_applied(
    pool: Pool, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    def run(command: str, text: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "lines.yaml").write_text(text)
        return subprocess.run(
            [sys.executable, "-m", "clytie", "lines", command, str(tmp_path / "lines.yaml")],
            cwd=ROOT,
            env={
                **os.environ,
                "CLYTIE_DATABASE_URL": database_url,
                "CLYTIE_REDIS_URL": redis_url,
                "CLYTIE_VAR": str(tmp_path / "var"),
                "COLUMNS": "200",
            },
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    unknown = run("check", MENU_LINE)
    assert unknown.returncode == 1
    assert "lines.yaml:4: +33199000001 queue: there is no queue Support." in unknown.stderr
    await pool.execute("INSERT INTO queues (name) VALUES ('Support'), ('Sales')")
    assert "+33199000001: would be added" in run("check", MENU_LINE).stdout
    assert await pool.fetchval("SELECT count(*) FROM phone_lines") == 0
    assert "+33199000001: added" in run("apply", MENU_LINE).stdout
    assert "Nothing changes." in run("apply", MENU_LINE).stdout
    wrong = run("apply", MENU_LINE.replace("open: {menu: main}", "open: {menu: mian}"))
    assert wrong.returncode == 1
    assert "Did you mean main?" in wrong.stderr
    assert await pool.fetchval("SELECT version FROM phone_lines") == 1


@pytest.mark.parametrize(
    ("moment", "works"),
    [
        (datetime(2026, 5, 4, 8, 0, tzinfo=UTC), True),  # a Monday, ten in Paris
        (datetime(2026, 5, 4, 11, 0, tzinfo=UTC), False),  # lunch
        (datetime(2026, 5, 4, 20, 0, tzinfo=UTC), False),
        (datetime(2026, 5, 3, 8, 0, tzinfo=UTC), False),  # Sunday
        (datetime(2026, 5, 1, 8, 0, tzinfo=UTC), False),  # a public holiday, on a Friday
    ],
)
def test_a_line_is_open_while_its_team_works(moment: datetime, works: bool) -> None:
    shifts = [["09:00", "12:30"], ["14:00", "18:00"]]
    team = {
        "hours": dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), shifts),
        "timezone": "Europe/Paris",
        "country": "FR",
    }
    assert works_now(RouterSettings(), team, moment) is works
