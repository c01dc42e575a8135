"""`clytie rules backtest`: what rules would have made of the past, beside those in force."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from clytie.attach import reach_servers
from clytie.commands.output import out, say
from clytie.settings import load_settings
from domain.clock import SystemClock
from domain.conditions import parse_duration, parse_moment
from domain.errors import InvalidInput
from router.backtest import Side, Trial, backtest
from router.rule_checks import require_sound
from router.rule_files import load_rules
from storage.house_clock import read_offset
from storage.pool import open_pool

_SHOWN = 20


def backtest_file(
    file: Annotated[Path, typer.Argument(help="A YAML file, or a folder of them.")],
    since: Annotated[str, typer.Option(help="How far back: 30d, or a day such as 2026-03-01.")] = "30d",
    until: Annotated[str, typer.Option(help="Up to when, if not now.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Play past events through the rules of the file; nothing is changed. Confidential queues are left out."""
    rules = load_rules(file)

    async def run() -> Trial:
        settings = load_settings()
        async with reach_servers(settings) as urls:
            pool = await open_pool(urls.database_url, max_size=2)
            try:
                await require_sound(pool, rules)
                now = SystemClock(await read_offset(pool)).now()
                begin, end = _moment(since, now, "since"), _moment(until, now, "until") if until else now
                if begin >= end:
                    raise InvalidInput("since", "it lies behind the end.", "Choose an earlier day.")
                with Progress(console=out(), disable=as_json, transient=True) as bar:
                    task = bar.add_task("Events", total=None)

                    async def progress(done: int, total: int) -> None:
                        bar.update(task, completed=done, total=total)

                    drafts = [written.rule for written in rules]
                    return await backtest(pool, drafts, begin, end, settings.router, progress=progress)
            finally:
                await pool.close()

    trial = asyncio.run(run())
    if as_json:
        say(json.dumps(describe(trial), default=str, ensure_ascii=False))
    else:
        _show(trial)


def _moment(text: str, now: datetime, name: str) -> datetime:
    """A day, or so long before now. Raises InvalidInput."""
    moment = parse_moment(text)
    if moment is not None:
        return moment
    try:
        length: timedelta = parse_duration(text)
    except ValueError as error:
        raise InvalidInput(
            name, f"{text!r} is no time.", "Write 30d, or a day such as 2026-03-01."
        ) from error
    return now - length


def describe(trial: Trial) -> dict[str, Any]:
    """A trial as JSON has it: people by name, counts by name."""

    def side(one: Side) -> dict[str, Any]:
        return {
            "results": dict(one.results),
            "actions": dict(one.actions),
            "rules": dict(one.by_rule),
            "people": [
                {"person": _who(trial, person, team), "a_day": round(mean, 1), "worst_day": worst}
                for person, team, mean, worst in one.busiest()
            ],
            "shown": [
                asdict(would) | {"person": trial.names.get(would.person_id or 0)} for would in one.shown
            ],
        }

    return {
        "since": trial.since,
        "until": trial.until,
        "events": trial.events,
        "draft": side(trial.draft),
        "active": side(trial.active),
    }


def _who(trial: Trial, person: int | None, team: str | None) -> str:
    return trial.names.get(person, f"user {person}") if person is not None else f"team {team}"


def _show(trial: Trial) -> None:
    say(
        f"{trial.events} events from {trial.since:%Y-%m-%d %H:%M} to {trial.until:%Y-%m-%d %H:%M} (UTC); nothing was changed."
    )
    table = Table("rule", "would have acted", "its active version")
    for name in sorted(trial.draft.by_rule | trial.active.by_rule):
        table.add_row(name, str(trial.draft.by_rule[name]), str(trial.active.by_rule[name]))
    if table.row_count:
        out().print(table)
    else:
        say("No rule would have acted.")
    people = Table("who", "tasks a day", "on the worst day", "with the active version")
    before = {(person, team): (mean, worst) for person, team, mean, worst in trial.active.busiest()}
    for person, team, mean, worst in trial.draft.busiest():
        was = before.get((person, team))
        people.add_row(
            _who(trial, person, team),
            f"{mean:.1f}",
            str(worst),
            f"{was[0]:.1f}, {was[1]} on the worst day" if was else "none",
        )
    if people.row_count:
        out().print(people)
    for would in trial.draft.shown[:_SHOWN]:
        whom = f" → {_who(trial, would.person_id, would.team)}" if would.action == "open_task" else ""
        say(f"{would.at:%Y-%m-%d %H:%M}  {would.rule}: {would.action} “{would.words}”{whom}")
    more = sum(trial.draft.actions.values()) - min(len(trial.draft.shown), _SHOWN)
    if more > 0:
        say(f"… and {more} more; --json prints {len(trial.draft.shown)} of them.")
