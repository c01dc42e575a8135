"""Live updates: GET /live?topic=… (server-sent events) tells a page which of its parts to fetch again.

One reader per process looks at the event log when the bell rings (at least once a second while somebody listens)
and tells the clients concerned; nothing polls per client. A message holds topic names, never content, so whatever a
client may not see stays behind the permission check of the part it fetches.

Topics: `tasks` (the tasks of this person and their teams changed), `task:ID`, `contact:ID`, `campaign:ID`,
`import:ID`, `mailbox`, `phones` (the test phones), `conversations` (one of them changed), `conversation:ID`, `cases` (one of them
changed), `case:ID`, `quarantine`,
`call:ID`, `calls` (one that this person may see), `ringing:ID` (calls that ring this person or that they are in; each
hears of their own only). `since=` is the cursor of the page that listens: web/live/gap.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import asyncpg
import structlog
from aiohttp import web
from aiohttp.client_exceptions import ClientConnectionResetError

from storage.announce import Bell
from storage.pool import Pool
from web.access.people import Person
from web.access.permissions import OPEN_IN_DEMOS, Permission
from web.access.sessions import SESSION_COOKIE, find_session
from web.context import CONTEXT, WebContext
from web.live.clients import Client, topics_of
from web.live.gap import read_cursor, read_gap
from web.live.reader import Change, ChangeReader
from web.queries.calls import find_call
from web.queries.cases import find_case
from web.queries.conversations import find_conversation
from web.queries.tasks import find_task
from web.settings import WebSettings

_log = structlog.get_logger("web.live.stream")
#: ids stay within the columns that they are compared with: integer for campaigns, bigint for the others
_TOPIC: Final = re.compile(
    r"tasks|mailbox|phones|calls|cases|conversations|quarantine|(task|contact|import|conversation|case|call|ringing):[0-9]{1,18}|campaign:[0-9]{1,9}"
)
_EVENT_ID: Final = re.compile(r"[0-9]{1,18}")
_AWAY: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
#: at most one look at the log in so many seconds, however often the bell rings
_PACE: Final = 0.2
_POLL: Final = 1.0
#: seconds between messages to one client: a busy day makes an open list fetch itself once a second, not at every event
_REST: Final = 1.0
_REMEMBERED: Final = 512


class LiveHub:
    """The reader and the clients of one process."""

    def __init__(self, pool: Pool, bell: Bell, settings: WebSettings) -> None:
        self._bell = bell
        self._reader = ChangeReader(pool)
        self._clients: set[Client] = set()
        self._somebody = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._recent: deque[tuple[int, Sequence[Change]]] = deque(maxlen=_REMEMBERED)
        self.settings = settings

    def start(self) -> None:
        """Begin to read; costs nothing while nobody listens."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="live")

    async def close(self) -> None:
        """Stop reading and end all streams."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for client in list(self._clients):
            client.end()

    @property
    def full(self) -> bool:
        """Whether another client would be too many."""
        return len(self._clients) >= self.settings.live_clients

    def join(self, client: Client, last_seen: int | None) -> None:
        """Tell `client` from now on; what it missed since `last_seen` is told at once."""
        self._clients.add(client)
        self._somebody.set()
        if last_seen is None:
            return
        if not self._recent or last_seen < self._recent[0][0]:
            if last_seen != self._reader.position:
                client.tell(client.topics)  # too long ago to know exactly: look at everything again
            return
        for position, changes in self._recent:
            if position > last_seen:
                client.tell(topics_of(client, changes))

    def leave(self, client: Client) -> None:
        """Forget a client."""
        self._clients.discard(client)

    @property
    def position(self) -> int:
        """Where the reader stands: the id that a reconnecting client sends back."""
        return self._reader.position

    async def _run(self) -> None:
        async with self._bell.subscribed() as rung:
            while True:
                if not self._clients:
                    self._somebody.clear()
                    self._reader.forget()
                    await self._somebody.wait()
                heard = list(self._clients)
                try:
                    self._tell(await self._reader.read(self._watched()))
                except _AWAY as error:
                    _log.warning("live updates wait for the database", error=type(error).__name__)
                    await asyncio.sleep(1)
                    continue
                except Exception:  # the loop serves everybody: whatever broke, look again
                    _log.exception("live updates broke, and go on")
                    await asyncio.sleep(1)
                    continue
                for client in heard:
                    client.heard.set()
                await asyncio.sleep(_PACE)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(rung.wait(), _POLL)
                rung.clear()

    def _tell(self, changes: Sequence[Change]) -> None:
        if changes:
            self._recent.append((self._reader.position, changes))
            for client in list(self._clients):
                client.tell(topics_of(client, changes))

    def tell(self, topic: str) -> None:
        """Tell everybody who watches a topic that does not come from the database."""
        for client in list(self._clients):
            client.tell({topic} & client.topics)

    def watches(self, topic: str) -> bool:
        """Whether anybody watches this topic."""
        return any(topic in client.topics for client in self._clients)

    def _watched(self) -> frozenset[str]:
        return frozenset(topic for client in self._clients for topic in client.topics)


LIVE: Final = web.AppKey("live", LiveHub)


def read_topics(asked: Iterable[str]) -> frozenset[str]:
    """The known topics of a request, at most twenty."""
    return frozenset([topic for topic in asked if _TOPIC.fullmatch(topic)][:20])


#: kind of topic → what one must be allowed to, where a number tells nothing by itself
_ASKED: Final = {
    "campaign": Permission.CAMPAIGNS_SEE,
    "import": Permission.IMPORTS_RUN,
    "mailbox": Permission.MAILBOX_SEE,
    "phones": Permission.MAILBOX_SEE,
    "cases": Permission.CASES_WORK,
    "case": Permission.CASES_WORK,
    "conversations": Permission.CONVERSATIONS_WORK,
    "conversation": Permission.CONVERSATIONS_WORK,
    "quarantine": Permission.QUARANTINE_WORK,
    "calls": Permission.TASKS_WORK,
}


async def open_topics(context: WebContext, person: Person, asked: frozenset[str]) -> frozenset[str]:
    """Those that this person may hear of: that something happened in a confidential conversation is told to its people."""
    found = set()
    for topic in asked:
        kind, _colon, number = topic.partition(":")
        permission = _ASKED.get(kind)
        opened = context.demo and permission in OPEN_IN_DEMOS
        if permission is not None and not person.may(permission) and not opened:
            continue
        if kind == "case" and await find_case(context.pool, person, int(number)) is None:
            continue
        if kind == "conversation" and await find_conversation(context.pool, person, int(number)) is None:
            continue
        if kind == "ringing" and int(number) != person.id:
            continue
        if kind == "call" and await find_call(context.pool, person, int(number)) is None:
            continue
        if kind == "task" and await find_task(context.pool, person, int(number), context.clock.now()) is None:
            continue
        found.add(topic)
    return frozenset(found)


async def stream_changes(request: web.Request) -> web.StreamResponse:
    """GET /live: a stream for whoever is signed in; ends when the session does."""
    context, hub = request.app[CONTEXT], request.app[LIVE]
    cookie = request.cookies.get(SESSION_COOKIE, "")
    session = await find_session(context.pool, cookie) if cookie else None
    if session is None:
        return web.Response(status=401)
    if hub.full:
        return web.Response(status=503, headers={"Retry-After": "20"})
    client = Client(
        await open_topics(context, session.person, read_topics(request.query.getall("topic", []))),
        session.person.id,
        frozenset(session.person.teams),
        session.person.may(Permission.TASKS_SUPERVISE),
    )
    last = request.headers.get("Last-Event-ID", "")
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    hub.join(client, int(last) if _EVENT_ID.fullmatch(last) else None)
    cursor = None if last else read_cursor(request.query.get("since", ""))
    try:
        await response.prepare(request)
        await response.write(b"retry: 2000\n\n")
        if cursor is not None:
            await client.rest_until_heard(context.settings.live_heartbeat)
            if not client.ended:
                client.tell(topics_of(client, await read_gap(context.pool, cursor, client.topics)))
        while not client.ended:
            topics = await client.next(context.settings.live_heartbeat)
            if topics:
                message = f"id: {hub.position}\nevent: changed\ndata: {json.dumps(sorted(topics))}\n\n"
                await response.write(message.encode())
                await client.rest(_REST)
            else:
                await response.write(b": still here\n\n")
                if await find_session(context.pool, cookie) is None:
                    break
    except (ConnectionResetError, ClientConnectionResetError, *_AWAY):
        pass  # the browser left, or the database did: it will come back with its Last-Event-ID
    finally:
        hub.leave(client)
    return response
