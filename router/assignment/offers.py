"""Offers in the database: made, settled, handed on from step to step. Deciding who is next is in offering.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from domain.tasks import OfferState, TaskKind, channel_of
from router.assignment.offering import Need, Offer, Rota, next_offer
from router.assignment.rota import keep_turns, load_rota
from router.assignment.steps import By, Step, Who, read_steps
from router.settings import RouterSettings
from storage.pool import Connection, Pool

#: what the next offer of a task depends on: the contact as it is today, and who was asked before
_NEEDS: Final = """
SELECT t.id, t.kind, t.team_id, t.details, c.owner_id, c.language, v.channel,
       ARRAY(SELECT o.user_id FROM task_offers o WHERE o.task_id = t.id AND o.user_id IS NOT NULL
             AND o.state IN ('declined', 'timed_out')) AS asked
FROM tasks t
LEFT JOIN contact_aliases a ON a.old_id = t.contact_id
LEFT JOIN contacts c ON c.id = coalesce(a.contact_id, t.contact_id)
LEFT JOIN conversations v ON v.id = t.conversation_id
WHERE t.id = ANY ($1::bigint[])
"""
_SETTLE: Final = """
UPDATE task_offers SET state = $2, settled_at = $3 WHERE task_id = ANY ($1::bigint[]) AND state = 'offered'
"""
_ANSWER: Final = """
UPDATE task_offers SET state = CASE WHEN user_id IS NULL OR user_id = $2 THEN $3 ELSE 'withdrawn' END,
       user_id = coalesce(user_id, $2), settled_at = $4
WHERE task_id = $1 AND state = 'offered' RETURNING user_id
"""
_NOTE: Final = """
INSERT INTO task_offers (task_id, step, user_id, team_id, state, offered_at, settled_at)
SELECT id, coalesce((details ->> 'step')::smallint, 0), $2, team_id, $3, $4, $4 FROM tasks WHERE id = $1
"""
_MAKE: Final = """
INSERT INTO task_offers (task_id, step, user_id, team_id, deputy_of, offered_at)
SELECT given.*, $6 FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS given
"""
_OFFERS: Final = """
SELECT o.step, o.state, o.offered_at, o.settled_at, u.name AS person, t.name AS team, d.name AS deputy_of
FROM task_offers o LEFT JOIN users u ON u.id = o.user_id LEFT JOIN teams t ON t.id = o.team_id
LEFT JOIN users d ON d.id = o.deputy_of
WHERE o.task_id = $1 ORDER BY o.id
"""


@dataclass(slots=True)
class Search:
    """A task that looks for somebody else: its steps, the one it stands at, and what it needs."""

    steps: tuple[Step, ...]
    at: int
    need: Need

    def after_decline(self, rota: Rota, now: datetime, *, whole_team: bool) -> Offer | None:
        """Who is asked after one declined: the same step goes on while it finds somebody who was not asked.

        None when nobody is left but people who declined: then the requester has to decide. An offer to the whole team
        (`person_id` None at the same step) stands as it is.
        """
        if not self.steps:
            return None
        start = self.at
        if whole_team and self.steps[start].by is not By.ANYBODY:
            start += 1
        offer = next_offer(self.steps, start, self.need, rota, now)
        if offer is not None and offer.person_id in self.need.asked:
            return None
        return offer

    def after_silence(self, rota: Rota, now: datetime) -> Offer | None:
        """Who is asked when the time of a step is over: the next step; None when there is none."""
        return next_offer(self.steps, self.at + 1, self.need, rota, now)

    def escalates(self, offer: Offer) -> bool:
        """Whether an offer is the passing on to a supervisor."""
        return offer.last and self.steps[offer.step].who is Who.SUPERVISOR


async def load_searches(
    connection: Connection, asked: Mapping[int, int | None], now: datetime, settings: RouterSettings
) -> tuple[dict[int, Search], Rota]:
    """The searches of tasks that were opened with steps, and everybody whom they may ask, locked where they choose.

    `asked` gives each task with the person who declines it now or did not answer in time.
    """
    searches: dict[int, Search] = {}
    for row in await connection.fetch(_NEEDS, list(asked)):
        steps = read_steps(row["details"].get("steps", ()))
        if not steps:
            continue
        person = asked[row["id"]]
        need = Need(
            owner_id=row["owner_id"],
            team_id=row["team_id"],
            language=row["language"],
            channel=channel_of(TaskKind(row["kind"]), row["channel"]),
            asked=frozenset(row["asked"]) | (frozenset() if person is None else {person}),
        )
        searches[row["id"]] = Search(steps, min(row["details"].get("step", 0), len(steps) - 1), need)
    if not searches:
        return {}, Rota()
    steps_of_all = [step for search in searches.values() for step in search.steps]
    owners = {search.need.owner_id for search in searches.values() if search.need.owner_id is not None}
    return searches, await load_rota(connection, steps_of_all, owners, now, settings)


async def settle_offers(
    connection: Connection, tasks: Sequence[int], state: OfferState, now: datetime
) -> None:
    """End the open offers of these tasks."""
    await connection.execute(_SETTLE, list(tasks), state.value, now)


async def answer_offer(
    connection: Connection, task_id: int, person_id: int, state: OfferState, now: datetime
) -> None:
    """What a person answered. An offer to somebody else is withdrawn by it, and the answer is noted beside it."""
    rows = await connection.fetch(_ANSWER, task_id, person_id, state.value, now)
    if not rows or rows[0]["user_id"] != person_id:
        await connection.execute(_NOTE, task_id, person_id, state.value, now)


async def note_decline(connection: Connection, task_id: int, person_id: int, now: datetime) -> None:
    """A member of a team declines what stays offered to the others."""
    await connection.execute(_NOTE, task_id, person_id, OfferState.DECLINED.value, now)


async def make_offers(
    connection: Connection, offers: Sequence[tuple[int, Offer]], now: datetime, rota: Rota | None = None
) -> None:
    """Keep these offers of tasks, and the turns that they took."""
    if rota is not None:
        await keep_turns(connection, rota)
    if offers:
        await connection.execute(
            _MAKE,
            [task for task, _ in offers],
            [offer.step for _, offer in offers],
            [offer.person_id for _, offer in offers],
            [offer.team_id for _, offer in offers],
            [offer.deputy_of for _, offer in offers],
            now,
        )


async def list_offers(connection: Connection | Pool, task_id: int) -> list[Any]:
    """Everybody who was asked to take a task, in order, and what became of it."""
    return list(await connection.fetch(_OFFERS, task_id))
