"""What bootstrap wires: each role works by the settings of this deployment."""

from __future__ import annotations

from pathlib import Path

from clytie.bootstrap import open_web
from clytie.settings import Settings
from router.settings import RouterSettings


async def test_people_move_tasks_by_the_working_hours_of_the_settings(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    hours = {"mon": [["06:00", "10:00"]]}
    settings = Settings(
        var=tmp_path, database_url=database_url, redis_url=redis_url, router=RouterSettings(hours=hours)
    )
    async with open_web(settings) as context:
        assert context.router.hours == hours
