"""`clytie mail quarantine`: mails that could not be read, and reading them again."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer
from rich.table import Table

from clytie.attach import reach_servers
from clytie.bootstrap import open_blobs, open_core
from clytie.commands.output import out, say
from clytie.settings import Settings, load_settings
from domain.errors import InvalidInput
from inbox.arrival import quarantine
from storage.pool import Pool

app = typer.Typer(help="Mails that could not be read.", no_args_is_help=True)

_Number = Annotated[int, typer.Argument(min=1, help="The mail's number, as `list` shows it.")]


@app.command(name="list")
def list_mails(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many to show.")] = 50,
) -> None:
    """Show what could not be read, latest first, with the reason."""
    asyncio.run(_list(load_settings(), limit))


@app.command()
def retry(
    number: Annotated[int | None, typer.Argument(min=1, help="The mail's number.")] = None,
    all: Annotated[bool, typer.Option("--all", help="Everything in quarantine.")] = False,
) -> None:
    """Have a mail read again, or all of them, such as after an update."""
    if (number is None) != all:
        raise InvalidInput("NUMBER", "say which mail to read again.", "Give its number, or --all.")
    asyncio.run(_retry(load_settings(), number))


@app.command()
def discard(number: _Number) -> None:
    """Put a mail aside. Its bytes are kept, and it can still be read again."""
    asyncio.run(_discard(load_settings(), number))


@app.command()
def show(number: _Number) -> None:
    """Write the bytes of a mail as they came to standard output."""
    sys.stdout.buffer.write(asyncio.run(_show(load_settings(), number)))
    sys.stdout.buffer.flush()


async def _list(settings: Settings, limit: int) -> None:
    async with _pool(settings) as pool:
        mails = await quarantine.list_quarantine(pool, limit=limit)
        count = await quarantine.count_quarantine(pool)
    if not mails:
        say("Every mail that came could be read.")
        return
    table = Table("number", "came", "from", "for", "bytes", "why")
    for mail in mails:
        table.add_row(
            str(mail.id),
            f"{mail.received_at:%Y-%m-%d %H:%M}",
            mail.sender or "<>",
            ", ".join(mail.recipients),
            str(mail.size),
            mail.reason,
        )
    out().print(table)
    if count > len(mails):
        say(f"… and {count - len(mails)} more.")


async def _retry(settings: Settings, number: int | None) -> None:
    async with _pool(settings) as pool:
        if number is None:
            count = await quarantine.read_all_again(pool)
            say(f"{count} mails will be read again.")
        else:
            await quarantine.read_again(pool, number)
            say(f"Mail {number} will be read again.")


async def _discard(settings: Settings, number: int) -> None:
    async with _pool(settings) as pool:
        await quarantine.discard(pool, number)
    say(f"Mail {number} is put aside; `clytie mail quarantine retry {number}` takes it back.")


async def _show(settings: Settings, number: int) -> bytes:
    async with _pool(settings) as pool:
        return await quarantine.load_bytes(pool, open_blobs(settings), number)


@asynccontextmanager
async def _pool(settings: Settings) -> AsyncIterator[Pool]:
    async with reach_servers(settings) as urls:
        reached = settings.model_copy(update={"database_url": urls.database_url})
        async with open_core(reached, connections=2) as core:
            yield core.pool
