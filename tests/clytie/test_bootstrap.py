"""What bootstrap wires: each role works by the settings of this deployment."""

from __future__ import annotations

import os
from pathlib import Path

from clytie.bootstrap import open_web, open_worker
from clytie.settings import Settings
from router.settings import RouterSettings
from worker.loops import Loop
from worker.work import plan_work


async def test_people_move_tasks_by_the_working_hours_of_the_settings(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    hours = {"mon": [["06:00", "10:00"]]}
    settings = Settings(
        var=tmp_path, database_url=database_url, redis_url=redis_url, router=RouterSettings(hours=hours)
    )
    async with open_web(settings) as context:
        assert context.router.hours == hours


async def test_a_worker_removes_uploads_from_the_folder_that_the_web_processes_write_to(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = Settings(var=tmp_path, database_url=database_url, redis_url=redis_url)
    folder = settings.web_settings.upload_folder
    folder.mkdir(parents=True)
    forgotten = folder / f"{'a' * 32}.csv"
    forgotten.touch()
    os.utime(forgotten, (0, 0))
    async with open_worker(settings) as context:
        (loop,) = [work for work in plan_work(context) if work.name == "uploads"]
        assert isinstance(loop, Loop)
        await loop.step()
    assert not forgotten.exists()
