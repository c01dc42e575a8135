"""`clytie lines`: check files of phone lines, and make them what callers hear."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from clytie.attach import reach_servers
from clytie.commands.output import say
from clytie.settings import load_settings
from domain.errors import InvalidInput
from inbox.lines.files import WrittenLine, read_lines
from inbox.lines.reference import write_schema
from inbox.lines.store import LinesDiff, apply_lines, diff_lines, require_known
from storage.pool import Pool, open_pool

app = typer.Typer(
    help="Phone lines: what callers hear, read from YAML files (docs/phone-lines.md).", no_args_is_help=True
)

_File = Annotated[Path, typer.Argument(help="A YAML file with one line or several.")]


@app.command()
def check(
    file: _File,
    offline: Annotated[
        bool, typer.Option(help="Do not look up queues, teams and people in the database.")
    ] = False,
) -> None:
    """Read the lines and name every mistake with its place; with the database, unknown queues and people too."""
    lines = _read(file)
    if not offline:
        _show(asyncio.run(_with_pool(lines, apply=False)), "would be ")
    say(f"{len(lines)} {'line is' if len(lines) == 1 else 'lines are'} sound.")


@app.command()
def apply(file: _File) -> None:
    """Make these the lines of their numbers, from the next call on; lines of other numbers stay as they are."""
    _show(asyncio.run(_with_pool(_read(file), apply=True)), "")


@app.command()
def schema() -> None:
    """Print the JSON Schema of a line, for editors that complete and check while one writes."""
    typer.echo(json.dumps(write_schema(), indent=2))


def _read(file: Path) -> list[WrittenLine]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            str(file), f"the file cannot be read: {error}.", "Name a YAML file in UTF-8."
        ) from error
    return read_lines(text, file=str(file))


async def _with_pool(lines: list[WrittenLine], *, apply: bool) -> LinesDiff:
    async with reach_servers(load_settings()) as urls:
        pool: Pool = await open_pool(urls.database_url, max_size=2)
        try:
            if apply:
                return await apply_lines(pool, lines)
            await require_known(pool, lines)
            return await diff_lines(pool, lines)
        finally:
            await pool.close()


def _show(diff: LinesDiff, tense: str) -> None:
    for word, numbers in (("added", diff.added), ("changed", diff.changed)):
        for number in numbers:
            say(f"{number}: {tense}{word}")
    if not diff.added and not diff.changed:
        say("Nothing changes.")
