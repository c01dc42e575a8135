"""`clytie cases types`: read types of cases from a file, check them, make them the types of the house."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from clytie.attach import reach_servers
from clytie.commands.output import say
from clytie.settings import load_settings
from router.cases.type_files import InvalidTypes, WrittenType, load_types_file
from router.cases.type_store import TypesDiff, apply_types, check_texts, check_types, load_types, write_types
from storage.announce import Announcer
from storage.pool import open_pool

app = typer.Typer(help="Cases: business matters with stages, people and fields.", no_args_is_help=True)
types = typer.Typer(help="Types of cases, as a YAML file (docs/cases.md).", no_args_is_help=True)
app.add_typer(types, name="types")

_File = Annotated[Path, typer.Argument(help="A YAML file.")]


@types.command()
def check(
    file: _File,
    offline: Annotated[
        bool, typer.Option(help="Do not look up teams, people and cases in the database.")
    ] = False,
) -> None:
    """Read the types and name every mistake with its line; with the database, unknown teams and used stages too."""
    given = load_types_file(file)
    problems = [problem for written in given for problem in check_texts(written)]
    if problems:
        raise InvalidTypes(problems)
    if not offline:
        asyncio.run(_check(given))
    say(f"{len(given)} types are sound.")


@types.command()
def apply(file: _File) -> None:
    """Make these the types of the house. Types and stages that cases stand on have to stay."""
    diff = asyncio.run(_apply(load_types_file(file)))
    for word, names in (("added", diff.added), ("changed", diff.changed), ("removed", diff.removed)):
        for name in names:
            say(f"{name}: {word}")
    say(f"{len(diff.unchanged)} more stay as they are.")


@types.command()
def show() -> None:
    """Write the types of the house as a file."""
    say(asyncio.run(_show()))


async def _check(given: list[WrittenType]) -> None:
    async with reach_servers(load_settings()) as urls:
        pool = await open_pool(urls.database_url, max_size=1)
        try:
            problems = await check_types(pool, given)
        finally:
            await pool.close()
    if problems:
        raise InvalidTypes(problems)


async def _apply(given: list[WrittenType]) -> TypesDiff:
    async with reach_servers(load_settings()) as urls:
        pool = await open_pool(urls.database_url, max_size=2)
        announcer = Announcer(pool)
        try:
            return await apply_types(pool, given, announcer)
        finally:
            await announcer.close()
            await pool.close()


async def _show() -> str:
    async with reach_servers(load_settings()) as urls:
        pool = await open_pool(urls.database_url, max_size=1)
        try:
            return write_types(await load_types(pool))
        finally:
            await pool.close()
