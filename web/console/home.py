"""The first page: what waits, in the order of each role."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from aiohttp import web

from campaigns.drafts import list_campaigns
from web.access.permissions import Permission, Role
from web.console.pages import page
from web.console.visit import Visit
from web.i18n import N_, _
from web.queries.conversations import Box, count_conversations, list_conversations
from web.queries.notices import list_notices, path_of
from web.queries.tasks import Scope, count_tasks, list_tasks
from web.times import local

_SHOWN: Final = 5
_CONTACTS: Final = """
SELECT greatest(reltuples, 0)::bigint AS about FROM pg_class WHERE oid = 'contacts'::regclass
"""
_CONTACTS_EXACT: Final = "SELECT count(*) FROM contacts"
_RECENT_HITS: Final = (
    "SELECT count(*) FROM hits WHERE verdict = 'human' AND occurred_at > $1 AND recorded_at > $2"
)

#: who you are and what to try; said in a demo only
_DEMO_INTRO: Final = {
    Role.MARKETER: N_(
        "You write to prospects. Open a campaign, look at its preview and launch it, then watch the report fill. "
        "In the test mailbox you can be Claire, and click yourself."
    ),
    Role.REP: N_(
        "You call prospects who showed interest. Tasks appear below by themselves while you watch. "
        "Accept one, look at why it exists, and complete it with an outcome."
    ),
    Role.MANAGER: N_(
        "You look after the team. See who has what to do, and what runs late. "
        "Advance the clock by an hour to see deadlines pass."
    ),
    Role.AGENT: N_(
        "You answer people who write. Their mails wait under Conversations: take one, answer it, and watch the answer "
        "arrive in the test mailbox, where you can be the contact and write back."
    ),
    Role.ADMINISTRATOR: N_(
        "You look after this installation. Invite people, make teams, and read the rules that open tasks. "
        "Become the marketer or the rep to see the story run."
    ),
}


@page("GET", "/", permission=Permission.TASKS_WORK)
async def show_home(visit: Visit) -> web.StreamResponse:
    """The page; `?part=tiles|tasks|conversations` gives only that."""
    part = visit.request.query.get("part") if visit.is_fragment else None
    if part == "tiles":
        return visit.page("home_tiles.html", tiles=await _tiles(visit))
    tasks = (await list_tasks(visit.context.pool, visit.person, Scope.MINE, visit.now, _SHOWN * 4))[:]
    tasks.sort(key=lambda task: (task.deadline, task.id))
    if part == "tasks":
        return visit.page("home_tasks.html", tasks=tasks[:_SHOWN])
    values: dict[str, Any] = {"conversations": None}
    if visit.person.may(Permission.CONVERSATIONS_WORK) and visit.person.role is not Role.ADMINISTRATOR:
        values["conversations"] = await _conversations(visit)
    if part == "conversations":
        return visit.page("home_conversations.html", **values)
    campaigns = None
    if visit.person.may(Permission.CAMPAIGNS_SEE):
        async with visit.context.pool.acquire() as connection:
            campaigns = await list_campaigns(connection, limit=_SHOWN)
    return visit.page(
        "home.html",
        greeting=_greet(visit),
        intro=_(_DEMO_INTRO[visit.person.role]) if visit.context.demo else "",
        tiles=await _tiles(visit),
        tasks=tasks[:_SHOWN],
        notices=await list_notices(visit.context.pool, visit.person),
        notice_path=path_of,
        campaigns=campaigns,
        **values,
    )


async def _conversations(visit: Visit) -> list[Any]:
    """What waits longest for an answer: one's own, then what nobody has taken."""
    pool = visit.context.pool
    mine = await list_conversations(pool, visit.person, Box.MINE, limit=_SHOWN)
    free = await list_conversations(pool, visit.person, Box.UNASSIGNED, limit=_SHOWN)
    return [*mine, *free][:_SHOWN]


def _greet(visit: Visit) -> str:
    hour = local(visit.now, visit.person.timezone).hour
    name = visit.person.name.split()[0] if visit.person.name else ""
    if 5 <= hour < 12:
        return _("Good morning, %(name)s") % {"name": name}
    if 12 <= hour < 18:
        return _("Good afternoon, %(name)s") % {"name": name}
    return _("Good evening, %(name)s") % {"name": name}


async def _tiles(visit: Visit) -> list[dict[str, Any]]:
    pool = visit.context.pool
    counts = await count_tasks(pool, visit.person, visit.now)
    works = visit.person.role not in (Role.MARKETER, Role.ADMINISTRATOR) or counts["open"]
    tiles: list[dict[str, Any]] = [
        {"number": counts["undecided"], "words": _("to decide"), "path": "/tasks", "late": False},
        {"number": counts["late"], "words": _("overdue"), "path": "/tasks", "late": True},
        {"number": counts["open"], "words": _("open tasks"), "path": "/tasks", "late": False},
    ]
    if not works:
        tiles = []
    if visit.person.may(Permission.CONVERSATIONS_WORK):
        boxes, _queues = await count_conversations(pool, visit.person)
        if visit.person.role is Role.AGENT and not counts["open"]:
            tiles = []
        for box, words in (
            ("mine", _("conversations of yours to answer")),
            ("unassigned", _("waiting for somebody")),
        ):
            tile = {"number": boxes[box], "words": words, "path": f"/conversations?box={box}", "late": False}
            if boxes[box] or visit.person.role is Role.AGENT:
                tiles.append(tile)
    if visit.person.may(Permission.CAMPAIGNS_SEE):
        since = visit.now - timedelta(days=1)
        hits = await pool.fetchval(_RECENT_HITS, since, since - timedelta(days=1))
        tiles.append(
            {
                "number": hits,
                "words": _("opens and clicks by people in 24 hours"),
                "path": "/campaigns",
                "late": False,
            }
        )
    about = await pool.fetchval(_CONTACTS)
    number = about if about > 100_000 else await pool.fetchval(_CONTACTS_EXACT)
    tiles.append({"number": number, "words": _("contacts"), "path": "/contacts", "late": False})
    return tiles
