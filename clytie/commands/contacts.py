"""`clytie contacts`: import contacts from a CSV file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from clytie.attach import reach_servers
from clytie.bootstrap import open_core
from clytie.commands.output import out
from clytie.settings import Settings, load_settings
from contacts.importing import create_import, run_import
from domain.errors import InvalidInput

app = typer.Typer(help="Contacts.", no_args_is_help=True)


@app.callback()
def contacts() -> None:
    """Contacts."""


@app.command(name="import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A CSV file with a line of headings (docs/importing.md).")],
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
            number = await create_import(core.pool, file.name, file, None)
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TimeRemainingColumn(),
            )
            with Progress(*columns, console=out()) as progress:
                bar = progress.add_task(file.name, total=file.stat().st_size)

                async def show(done: int, total: int | None) -> None:
                    progress.update(bar, completed=done, total=total)

                await run_import(core.pool, core.announcer, number, show)
