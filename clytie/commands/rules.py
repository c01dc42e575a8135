"""`clytie rules`: check rule files, try them on the past, and make them the rules of the house."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from channels.http.hooks import write_secret
from clytie.attach import reach_servers
from clytie.commands.backtest import backtest_file
from clytie.commands.output import say
from clytie.errands import webhook_secret
from clytie.settings import load_settings
from router.rule_checks import require_sound
from router.rule_files import load_rules
from router.rule_store import RulesDiff, apply_rules, diff_rules
from storage.announce import Announcer
from storage.pool import open_pool

app = typer.Typer(
    help="Rules: what happens when, read from YAML files (docs/rules.md).", no_args_is_help=True
)

app.command("backtest")(backtest_file)

_File = Annotated[Path, typer.Argument(help="A YAML file, or a folder of them.")]


@app.command()
def check(
    file: _File,
    offline: Annotated[
        bool, typer.Option(help="Do not look up teams and campaigns in the database.")
    ] = False,
) -> None:
    """Read the rules and name every mistake with its line; with the database, unknown teams and campaigns too."""
    rules = load_rules(file)
    if not offline:
        asyncio.run(_compare(file))
    say(f"{len(rules)} rules are sound.")


@app.command()
def diff(file: _File) -> None:
    """Show what applying the file would change."""
    _show(asyncio.run(_compare(file)), "would be ")


@app.command()
def apply(file: _File) -> None:
    """Make these the rules of the house; a rule that is not in the file any more is switched off."""
    _show(asyncio.run(_apply(file)), "")


@app.command()
def secret() -> None:
    """Show what the webhooks of rules are signed with, as receivers are given it."""
    typer.echo(write_secret(webhook_secret(load_settings())))


async def _compare(file: Path) -> RulesDiff:
    rules = load_rules(file)
    async with reach_servers(load_settings()) as urls:
        pool = await open_pool(urls.database_url, max_size=2)
        try:
            await require_sound(pool, rules)
            return await diff_rules(pool, rules)
        finally:
            await pool.close()


async def _apply(file: Path) -> RulesDiff:
    rules = load_rules(file)
    async with reach_servers(load_settings()) as urls:
        pool = await open_pool(urls.database_url, max_size=2)
        announcer = Announcer(pool)
        try:
            return await apply_rules(pool, rules, announcer)
        finally:
            await announcer.close()
            await pool.close()


def _show(diff: RulesDiff, tense: str) -> None:
    kinds = {
        "added": diff.added,
        "changed": diff.changed,
        "switched on": diff.switched_on,
        "switched off": (*diff.switched_off, *diff.removed),
    }
    for word, names in kinds.items():
        for name in names:
            say(f"{name}: {tense}{word}")
    say("Nothing changes." if diff.empty else f"{len(diff.unchanged)} more stay as they are.")
