"""`clytie mail`: take in mail from files, and passwords for those who hand mail in."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Final

import typer
from argon2 import PasswordHasher
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from clytie.attach import reach_servers
from clytie.bootstrap import open_blobs, open_core
from clytie.commands import quarantine
from clytie.commands.mail_accounts import add_commands
from clytie.commands.output import out, say
from clytie.settings import Settings, load_settings
from domain.errors import InvalidInput
from inbox.arrival.ingest import IngestReport, ingest
from inbox.arrival.intake import Intake
from inbox.arrival.mail_files import MailFiles, open_mail_files

app = typer.Typer(help="Mail.", no_args_is_help=True)
add_commands(app)
app.add_typer(quarantine.app, name="quarantine")

_SHOWN: Final = 20  # problems that are shown one by one
_MEGABYTE: Final = 1_048_576


@app.callback()
def mail() -> None:
    """Mail."""


@app.command(name="ingest")
def ingest_file(
    file: Annotated[
        str,
        typer.Argument(help="An mbox, a Maildir, a folder of .eml files, one mail, or - for standard input."),
    ],
    sent: Annotated[bool, typer.Option("--sent", help="These are mails that we sent.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="The largest mail to take in, in megabytes.")] = 100,
) -> None:
    """Take in mail from files. What is there already is skipped, so an interrupted run goes on when repeated."""
    files = open_mail_files(file, sys.stdin.buffer, limit * _MEGABYTE)
    report = asyncio.run(_ingest(load_settings(), files, {"direction": "out"} if sent else {}))
    say(f"{report.new} mails are new, {report.again} were there already.")
    for place, problem in report.problems[:_SHOWN]:
        say(f"  {place}: {problem}")
    if len(report.problems) > _SHOWN:
        say(f"  … and {len(report.problems) - _SHOWN} more.")
    if report.problems:
        raise typer.Exit(1)


@app.command()
def password() -> None:
    """Make the hash of a password, for CLYTIE_INBOX__SMTP__USERS."""
    if sys.stdin.isatty():
        secret = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        secret = sys.stdin.readline().rstrip("\n")
    if not secret:
        raise InvalidInput("PASSWORD", "is empty.", "Type one, or send one line to standard input.")
    say(PasswordHasher().hash(secret))


async def _ingest(settings: Settings, files: MailFiles, meta: dict[str, str]) -> IngestReport:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn() if files.total is not None else MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    async with reach_servers(settings) as urls:
        settings = settings.model_copy(update={"database_url": urls.database_url})
        async with open_core(settings, connections=4) as core:
            intake = Intake(core.pool, open_blobs(settings), core.announcer, settings.inbox.intake)
            try:
                with Progress(*columns, console=out()) as progress:
                    bar = progress.add_task("Taking in", total=files.total)

                    async def show(done: int, total: int | None) -> None:
                        progress.update(bar, completed=done, total=total)

                    return await ingest(core.pool, intake, files, show, meta=meta)
            finally:
                await intake.close()
