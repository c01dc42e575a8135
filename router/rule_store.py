"""Rules in the database: versions that change only with the definition, and what the router is interested in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from router.closing import LOOKED_AT
from router.rule_checks import require_sound
from router.rule_files import WrittenRule
from router.rulebook import RULES_VERSION
from storage.announce import Announcer
from storage.pool import Connection, Pool

_BUMP: Final = """
INSERT INTO house (key, value) VALUES ($1, '1'::jsonb)
ON CONFLICT (key) DO UPDATE SET value = to_jsonb((house.value #>> '{}')::bigint + 1)
"""
_LATEST: Final = """
SELECT DISTINCT ON (name) id, name, version, active, definition FROM rules ORDER BY name, version DESC
"""
_INTERESTS: Final = """
WITH wanted AS (SELECT unnest($1::text[]) AS type),
     gone AS (DELETE FROM router_interests WHERE type <> ALL ($1::text[]))
INSERT INTO router_interests (type) SELECT type FROM wanted ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class RulesDiff:
    """Names of rules by what applying a file does, or did, to them."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    switched_on: tuple[str, ...] = ()
    switched_off: tuple[str, ...] = ()  # `active: false` in the file
    removed: tuple[str, ...] = ()  # no longer in the file
    unchanged: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Tell whether applying changes nothing."""
        return not (self.added or self.changed or self.switched_on or self.switched_off or self.removed)


@dataclass(frozen=True, slots=True)
class _Stored:
    id: int
    name: str
    version: int
    active: bool
    definition: dict[str, Any]


async def diff_rules(pool: Pool, rules: Sequence[WrittenRule]) -> RulesDiff:
    """What `apply_rules` would do."""
    async with pool.acquire() as connection:
        return compare_rules(await _latest(connection), rules)


async def apply_rules(
    pool: Pool, rules: Sequence[WrittenRule], announcer: Announcer | None = None
) -> RulesDiff:
    """Make these the rules of the house, all in one transaction; routers use them from the next event on.

    A changed definition becomes a new version; a rule that is not among them any more is switched off, its versions
    and runs are kept. Raises InvalidRules, with nothing changed, when a rule is not sound.
    """
    await require_sound(pool, rules)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_BUMP, RULES_VERSION)  # also: one applier at a time
        latest = await _latest(connection)
        diff = compare_rules(latest, rules)
        fresh = {*diff.added, *diff.changed}
        active = {written.rule.name for written in rules if written.rule.active}
        await connection.execute(
            "UPDATE rules SET active = false WHERE active AND NOT (name = ANY ($1) AND name <> ALL ($2))",
            list(active),
            list(fresh),
        )
        await connection.executemany(
            "INSERT INTO rules (name, version, active, definition) VALUES ($1, $2, $3, $4)",
            [
                (
                    written.rule.name,
                    latest[written.rule.name].version + 1 if written.rule.name in latest else 1,
                    written.rule.active,
                    _definition(written),
                )
                for written in rules
                if written.rule.name in fresh
            ],
        )
        await connection.execute(
            "UPDATE rules SET active = true WHERE id = ANY ($1)",
            [latest[name].id for name in diff.switched_on],
        )
        await connection.execute(
            _INTERESTS,
            sorted(
                {kind.value for written in rules if written.rule.active for kind in written.rule.types}
                | {kind.value for kind in LOOKED_AT}
            ),
        )
    if announcer is not None:
        announcer.touch()
    return diff


def compare_rules(latest: dict[str, _Stored], rules: Sequence[WrittenRule]) -> RulesDiff:
    """Sort rules by what sets them apart from the latest stored versions. Pure."""
    added: list[str] = []
    changed: list[str] = []
    on: list[str] = []
    off: list[str] = []
    unchanged: list[str] = []
    for written in rules:
        name, stored = written.rule.name, latest.get(written.rule.name)
        if stored is None:
            added.append(name)
        elif stored.definition != _definition(written):
            changed.append(name)
        elif stored.active == written.rule.active:
            unchanged.append(name)
        else:
            (on if written.rule.active else off).append(name)
    kept = {written.rule.name for written in rules}
    removed = [stored.name for stored in latest.values() if stored.active and stored.name not in kept]
    return RulesDiff(*(tuple(names) for names in (added, changed, on, off, removed, unchanged)))


def _definition(written: WrittenRule) -> dict[str, Any]:
    """The stored form; whether a rule is active is a column of its own, so switching makes no new version."""
    definition = written.rule.written()
    definition.pop("active", None)
    return definition


async def _latest(connection: Connection) -> dict[str, _Stored]:
    return {row["name"]: _Stored(**dict(row)) for row in await connection.fetch(_LATEST)}
