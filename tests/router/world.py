"""A small organisation for the router's tests: a sales team, an owner, contacts, campaigns, and hits on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.clock import FixedClock
from domain.events import EventType, NewEvent
from router.loop import Router, route_once
from router.rule_files import read_rules
from router.rule_store import apply_rules
from router.settings import RouterSettings
from router.timers import run_due_timers
from storage.announce import Announcer
from storage.event_store import record
from storage.pool import Pool, transaction

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # 10:00 in Paris
HOURS = {day: [["09:00", "12:30"], ["14:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}

CALLBACK = """
- name: call-openers
  when: [Opened, Clicked]
  where: {field: campaign.name, is: Spring letter}
  once: {per: [contact, campaign], within: 30d}
  then:
    - open_task:
        kind: callback
        title: Call {contact.name} about {campaign.name}
        assign: {owner: true, else_team: sales}
        decide_within: 4 working hours
        due_within: 4 working hours
"""


@dataclass
class World:
    """A database with people in it, a router and a clock that stands still."""

    pool: Pool
    clock: FixedClock
    router: Router
    claire: int = 0  # a rep, owner of some contacts, member of sales
    paul: int = 0  # a rep, member of sales
    mona: int = 0  # manager of sales
    zoe: int = 0  # a rep of no team
    admin: int = 0
    sales: int = 0
    spring: int = 0
    autumn: int = 0
    contacts: list[int] = field(default_factory=list)

    async def apply(self, text: str) -> Any:
        """Make these the rules."""
        return await apply_rules(self.pool, read_rules(text, file="rules.yaml"))

    async def contact(self, name: str = "Ana Sousa", **columns: Any) -> int:
        """A contact who allows measuring; owned by Claire unless said otherwise."""
        values = {"name": name, "owner_id": self.claire, "relation": "prospect", "country": "FR"} | columns
        names = ", ".join(values)
        places = ", ".join(f"${number + 1}" for number in range(len(values)))
        id: int = await self.pool.fetchval(
            f"INSERT INTO contacts ({names}) VALUES ({places}) RETURNING id", *values.values()
        )
        await self.consent(id, "measure")
        return id

    async def consent(self, contact: int, purpose: str, state: str = "granted") -> None:
        """The contact allows a purpose, or takes that back."""
        await self.pool.execute(
            "INSERT INTO consents (contact_id, purpose, state, since) VALUES ($1, $2, $3, now())"
            " ON CONFLICT (contact_id, purpose) DO UPDATE SET state = excluded.state, since = excluded.since",
            contact,
            purpose,
            state,
        )

    async def tell(self, type: EventType, contact: int | None, **facts: Any) -> int:
        """Record an event."""
        event = NewEvent(type, facts.pop("occurred_at", self.clock.now()), contact_id=contact, **facts)
        async with transaction(self.pool) as connection:
            (id,) = await record(connection, [event])
        assert id is not None
        return id

    async def hit(
        self,
        contact: int,
        *,
        type: EventType = EventType.OPENED,
        verdict: str = "human",
        judged: bool = True,
        campaign: int | None = None,
        settles_in: timedelta = timedelta(0),
        link_no: int | None = None,
    ) -> int:
        """Record a hit with its verdict, as the tracker and its judge leave it."""
        async with transaction(self.pool) as connection:
            event = NewEvent(
                type,
                self.clock.now(),
                contact_id=contact,
                message_id=1000 + contact,
                campaign_id=self.spring if campaign is None else campaign,
            )
            (id,) = await record(connection, [event])
            await connection.execute(
                """
                INSERT INTO hits (event_id, occurred_at, message_id, campaign_id, contact_id, type, link_no, method,
                                  verdict, settle_at, judged_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, 'GET', $8, now() + $9, CASE WHEN $10 THEN now() END)
                """,
                id,
                self.clock.now(),
                event.message_id,
                event.campaign_id,
                contact,
                type.value,
                link_no,
                verdict,
                settles_in,
                judged,
            )
        assert id is not None
        return id

    async def judge(self, event_id: int, verdict: str) -> None:
        """What the judge does when the settle window is over."""
        await self.pool.execute(
            "UPDATE hits SET verdict = $2, judged_at = now() WHERE event_id = $1", event_id, verdict
        )

    async def route(self) -> int:
        """Route until nothing is pending; gives the number of events."""
        total = 0
        while count := await route_once(self.router):
            total += count
        return total

    async def pass_time(self, by: timedelta) -> int:
        """Let business time pass and do what is due, then route what came of it."""
        self.clock.advance(by)
        count = 0
        while done := await run_due_timers(self.router):
            count += done
        await self.route()
        return count

    async def tasks(self) -> list[Any]:
        """All tasks, in the order they were opened."""
        rows: list[Any] = await self.pool.fetch("SELECT * FROM tasks ORDER BY id")
        return rows

    async def runs(self) -> list[tuple[str, str]]:
        """The log: rule and result, in order."""
        rows = await self.pool.fetch(
            "SELECT rules.name, result FROM rule_runs JOIN rules ON rules.id = rule_id ORDER BY rule_runs.id"
        )
        return [(row["name"], row["result"]) for row in rows]

    async def reasons(self) -> list[str | None]:
        """The reasons in the log, in order."""
        rows = await self.pool.fetch("SELECT matched ->> 'reason' AS reason FROM rule_runs ORDER BY id")
        return [row["reason"] for row in rows]

    async def events(self, *types: EventType) -> list[Any]:
        """Recorded events of these types."""
        rows: list[Any] = await self.pool.fetch(
            "SELECT * FROM events WHERE type = ANY ($1) ORDER BY id", [type.value for type in types]
        )
        return rows


async def build_world(pool: Pool, settings: RouterSettings | None = None) -> World:
    """The organisation, with nothing routed yet."""
    clock = FixedClock(MONDAY)
    world = World(pool, clock, Router(pool, clock, Announcer(pool), settings or RouterSettings()))

    async def user(name: str, role: str) -> int:
        id: int = await pool.fetchval(
            "INSERT INTO users (email, name, role) VALUES ($1, $2, $3) RETURNING id",
            f"{name.lower()}@example.org",
            name,
            role,
        )
        return id

    world.claire, world.paul = await user("Claire", "rep"), await user("Paul", "rep")
    world.mona, world.zoe = await user("Mona", "manager"), await user("Zoe", "rep")
    world.admin = await user("Adam", "administrator")
    world.sales = await pool.fetchval(
        "INSERT INTO teams (name, country, timezone, hours) VALUES ('sales', 'FR', 'Europe/Paris', $1) RETURNING id",
        HOURS,
    )
    await _join(pool, world.sales, [world.claire, world.paul, world.mona])
    world.spring = await pool.fetchval("INSERT INTO campaigns (name) VALUES ('Spring letter') RETURNING id")
    world.autumn = await pool.fetchval("INSERT INTO campaigns (name) VALUES ('Autumn letter') RETURNING id")
    return world


async def _join(pool: Pool, team: int, users: Sequence[int]) -> None:
    await pool.executemany(
        "INSERT INTO team_members (team_id, user_id) VALUES ($1, $2)", [(team, user) for user in users]
    )
