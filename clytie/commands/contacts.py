"""`clytie contacts`: import contacts from a CSV file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from clytie.attach import reach_servers
from clytie.bootstrap import Core, open_core
from clytie.commands.output import out, say
from clytie.settings import Settings, load_settings
from contacts.importing import (
    ImportReport,
    create_import,
    read_import,
    read_rejects,
    run_import,
    write_rejects,
)
from domain.errors import Conflict, InvalidInput

app = typer.Typer(help="Contacts.", no_args_is_help=True)

_SHOWN: Final = 20  # refused lines that are shown without being asked for
_INTERRUPTED: Final = """
SELECT id FROM imports WHERE path = $1 AND size = $2 AND state IN ('waiting', 'running') ORDER BY id DESC LIMIT 1
"""
_COLUMNS: Final = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())


@app.callback()
def contacts() -> None:
    """Contacts."""


@app.command(name="import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A CSV file with a line of headings.")],
    rejects: Annotated[
        Path | None, typer.Option(help="Write the refused lines, with the reasons, to this file.")
    ] = None,
) -> None:
    """Import contacts. An interrupted import goes on where it stopped when the same file is given again."""
    if not file.is_file():
        raise InvalidInput("FILE", f"there is no file {file}.", "Check the path.")
    asyncio.run(_import(load_settings(), file.resolve(), rejects))


async def _import(settings: Settings, file: Path, rejects: Path | None) -> None:
    async with reach_servers(settings) as urls:
        settings = settings.model_copy(update={"database_url": urls.database_url})
        async with open_core(settings, connections=4) as core:
            number = await core.pool.fetchval(_INTERRUPTED, str(file), file.stat().st_size)
            if number is not None:
                say("This file was being imported before; it goes on where it stopped.")
            else:
                number = await create_import(
                    core.pool, file.name, file, None, country=settings.contacts.country
                )
            report = await _carry_out(core, number)
            await _tell(core, report, rejects)


async def _carry_out(core: Core, number: int) -> ImportReport:
    """Run the import, or watch it when a worker of the running house was faster."""
    with Progress(*_COLUMNS, console=out()) as progress:
        bar = progress.add_task("Importing")

        async def show(done: int, total: int | None) -> None:
            progress.update(bar, completed=done, total=total)

        report = await run_import(core.pool, core.announcer, number, show, clock=core.clock)
        while report.state in ("waiting", "running"):
            await show(report.offset, report.size)
            await asyncio.sleep(0.3)
            report = await read_import(core.pool, number)
        await show(report.offset, report.size)
    return report


async def _tell(core: Core, report: ImportReport, rejects: Path | None) -> None:
    """Say what became of the lines. Raises Conflict when the import failed."""
    say(
        f"{report.created} contacts are new, {report.joined} lines were joined with known ones, "
        f"{report.rejected} lines were refused."
    )
    if report.ignored:
        say(f"Columns that were ignored: {', '.join(report.ignored)}.")
    if rejects is not None:
        with rejects.open("wb") as file:
            async for piece in write_rejects(core.pool, report.id):
                file.write(piece)
        say(f"The refused lines and their reasons are in {rejects}.")
    else:
        for line in await read_rejects(core.pool, report.id, limit=_SHOWN):
            say(f"  line {line.line}, {line.field}: {line.problem}")
        if report.rejected > _SHOWN:
            say("  … and more; --rejects FILE.csv writes all of them down.")
    if report.error:
        raise Conflict(report.error)
