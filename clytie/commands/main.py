"""`clytie`: the commands an administrator, a developer or a script types."""

from __future__ import annotations

import asyncio
import sys
from enum import StrEnum
from typing import Annotated

import typer

from clytie import __version__
from clytie.commands import campaigns, cases, contacts, lines, mail, rules
from clytie.commands.output import complain, say
from domain.errors import ClytieError

app = typer.Typer(
    name="clytie",
    help="One hub for every exchange between an organisation and its contacts.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(contacts.app, name="contacts")
app.add_typer(mail.app, name="mail")
app.add_typer(rules.app, name="rules")
app.add_typer(cases.app, name="cases")
app.add_typer(lines.app, name="lines")
app.add_typer(campaigns.app, name="campaign")


class DoctorPart(StrEnum):
    """What the doctor looks at."""

    HOUSE = "house"
    MAIL = "mail"


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"clytie {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave."),
    ] = False,
) -> None:
    """Options before any command."""


@app.command()
def serve(
    role: Annotated[
        str, typer.Option(help="What this machine does: web, worker, mail, or all of them.")
    ] = "all",
    processes: Annotated[int, typer.Option(min=1, max=64, help="Web processes that share the port.")] = 1,
) -> None:
    """Run Clytie. PostgreSQL and Valkey are started below ./var unless their addresses are set."""
    from clytie.commands.serve import run_serve

    run_serve(role, processes)


@app.command()
def demo(
    check: Annotated[
        bool, typer.Option("--check", help="Play the story once, verify it, print JSON, leave.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the console; 0 picks a free one.")
    ] = 8025,
) -> None:
    """Show Clytie at work with invented contacts; nothing leaves this machine."""
    from clytie.commands.demo import run_demo

    sys.exit(run_demo(check=check, port=port))


@app.command()
def migrate() -> None:
    """Bring the database to the schema of this version."""
    from clytie.commands.serve import run_migrate

    run_migrate()


@app.command()
def openapi() -> None:
    """Print the OpenAPI description of the REST API."""
    from clytie.commands.describe import print_openapi

    print_openapi()


@app.command()
def doctor(
    part: Annotated[
        DoctorPart,
        typer.Argument(help="house: settings and servers; mail: relays, mailboxes, DNS of sending domains."),
    ] = DoctorPart.HOUSE,
) -> None:
    """Check the settings and every server they name; each finding comes with its remedy."""
    from clytie.commands.doctor import run_doctor

    sys.exit(asyncio.run(run_doctor(part.value)))


@app.command(hidden=True)
def role(name: str) -> None:
    """Run one role in this process; `clytie serve` starts these."""
    from clytie.roles import run_role

    run_role(name)


def run() -> None:
    """Run the command line; what went wrong is said in a sentence, with exit code 1."""
    try:
        app()
    except ClytieError as error:
        complain(str(error))
        sys.exit(1)
