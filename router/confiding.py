"""Route what is confidential while it is being stored: in the transaction of its reader, before anybody sees it.

Everything else learns of a message when that transaction commits: other rules, notifications, webhooks, the live stream,
feeds, lists. So rules that route to a confidential queue are asked earlier, by whoever stores the message, and what they
do is committed with it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from domain.clock import Clock
from router.decide import Question
from router.routing import answer
from router.rulebook import RULES_VERSION, CompiledRule, RuleBook, load_rule_book
from router.settings import RouterSettings
from router.sightings import Sighting, load_campaigns, load_sightings
from router.then.queues import RouteAction
from storage.pool import Connection

log = logging.getLogger("clytie.router")

_STATE: Final = """
SELECT (SELECT value FROM house WHERE key = $1) AS version,
       array(SELECT name FROM queues WHERE confidential ORDER BY 1) AS names
"""
_RECORDED: Final = """
SELECT id, recorded_at FROM events WHERE id = ANY ($1::bigint[]) AND recorded_at = now() ORDER BY id
"""
_HANDLED: Final = """
SELECT DISTINCT e.conversation_id FROM rule_runs r JOIN events e ON e.id = r.event_id AND e.recorded_at = now()
WHERE r.event_id = ANY ($1::bigint[]) AND r.result = 'acted' AND e.conversation_id IS NOT NULL
"""


@dataclass(slots=True)
class Confider:
    """Asks the rules that route to a confidential queue. One per process; the rules are read again when they changed."""

    clock: Clock
    settings: RouterSettings = field(default_factory=RouterSettings)
    _book: RuleBook = field(default_factory=lambda: RuleBook((), -1))

    async def confide(self, connection: Connection, events: Sequence[int]) -> frozenset[int]:
        """Ask them about events that were recorded in this transaction; gives the conversations that a rule acted on.

        Nothing may be said by itself in those. An error of the database is the caller's: what cannot be decided on is not
        stored, and is read again.
        """
        if not events:
            return frozenset()
        state = await connection.fetchrow(_STATE, RULES_VERSION)
        assert state is not None
        if not state["names"]:
            return frozenset()
        if self._book.version != (state["version"] or 0):
            self._book = await load_rule_book(connection)
        rules = confiding_rules(self._book, frozenset(state["names"]))
        if not rules:
            return frozenset()
        questions = [
            Question(sighting, asked)
            for sighting in await _sightings(connection, events)
            if (
                asked := [rule for rule in rules if sighting.type in {kind.value for kind in rule.rule.types}]
            )
        ]
        await load_campaigns(connection, [question.sighting for question in questions])
        await answer(connection, questions, self.clock.now(), self.settings, carefully=True)
        handled = await connection.fetch(_HANDLED, list(events))
        return frozenset(row["conversation_id"] for row in handled)


def confiding_rules(book: RuleBook, queues: frozenset[str]) -> list[CompiledRule]:
    """The rules that move an event's conversation at once into one of these queues, in their order."""
    return [
        rule
        for rule in book.rules
        if rule.rule.waits is None
        and any(isinstance(act, RouteAction) and act.route.queue in queues for act in rule.rule.then)
    ]


async def _sightings(connection: Connection, events: Sequence[int]) -> list[Sighting]:
    rows = await connection.fetch(_RECORDED, list(events))
    found = await load_sightings(
        connection, [row["id"] for row in rows], [row["recorded_at"] for row in rows]
    )
    for sighting in found.values():
        sighting.arriving = True
    return [found[id] for id in sorted(found)]
