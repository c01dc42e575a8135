"""The web process as tests start it, and a person who visits it without a browser."""

from __future__ import annotations

import html
import re
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from argon2 import PasswordHasher

from domain.clock import SystemClock
from domain.tokens import TokenKeys
from inbox.desk.files import AnswerFiles
from outbox.composing import MailKitchen
from outbox.settings import OutboxSettings
from storage.announce import Announcer, Bell
from storage.blobs import BlobStore
from storage.pool import Pool
from tracking.recorder import Recorder
from web.app import build_app
from web.callbacks.voice_door import VoiceCallbacks
from web.context import TestPhone, WebContext
from web.settings import WebSettings

PASSWORD = "sunflowers turn around"
#: made with little work, so that tests spend their time on other things
PASSWORD_HASH = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
KEY = TokenKeys({1: b"k" * 32})


@dataclass
class House:
    """A running web process."""

    url: str
    pool: Pool
    context: WebContext
    visitors: list[Visitor] = field(default_factory=list)
    jobs: list[tuple[Any, ...]] = field(default_factory=list)

    def visitor(self, language: str = "en") -> Visitor:
        """Somebody new, with an empty cookie jar."""
        session = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True), headers={"Accept-Language": language}
        )
        self.visitors.append(Visitor(self.url, session))
        return self.visitors[-1]

    async def user(
        self, role: str, name: str = "Ada Example", *, teams: tuple[int, ...] = (), email: str = ""
    ) -> int:
        """Make a user with PASSWORD."""
        number: int = await self.pool.fetchval(
            "INSERT INTO users (email, name, role, password_hash) VALUES ($1, $2, $3, $4) RETURNING id",
            email or f"{role}@house.example",
            name,
            role,
            PASSWORD_HASH,
        )
        for team in teams:
            await self.pool.execute(
                "INSERT INTO team_members (team_id, user_id) VALUES ($1, $2)", team, number
            )
        return number

    async def team(self, name: str = "Sales") -> int:
        """Make a team."""
        number: int = await self.pool.fetchval("INSERT INTO teams (name) VALUES ($1) RETURNING id", name)
        return number

    async def contact(self, name: str = "Claire Dubreuil", email: str = "", **columns: Any) -> int:
        """Make a contact, with a mail address when one is given."""
        values = {"name": name, "relation": "prospect", "country": "FR", **columns}
        places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
        number: int = await self.pool.fetchval(
            f"INSERT INTO contacts ({', '.join(values)}) VALUES ({places}) RETURNING id", *values.values()
        )
        if email:
            await self.pool.execute(
                "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'mail', $2, $2)",
                number,
                email,
            )
        return number

    async def task(self, contact_id: int | None, **columns: Any) -> int:
        """Make a task, due in four hours unless told otherwise."""
        now = datetime.now(UTC)
        values = {
            "kind": "callback",
            "title": "Call them back",
            "contact_id": contact_id,
            "decide_by": now + timedelta(hours=2),
            "due": now + timedelta(hours=4),
            "opened_at": now,
            **columns,
        }
        places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
        number: int = await self.pool.fetchval(
            f"INSERT INTO tasks ({', '.join(values)}) VALUES ({places}) RETURNING id", *values.values()
        )
        return number

    async def signed_in(self, role: str = "administrator", language: str = "en", **user: Any) -> Visitor:
        """Make a user and sign in."""
        await self.user(role, **user)
        visitor = self.visitor(language)
        await self.pool.execute(
            "UPDATE users SET language = $2 WHERE email = $1",
            user.get("email") or f"{role}@house.example",
            language,
        )
        answer = await visitor.sign_in(user.get("email") or f"{role}@house.example")
        assert answer.status == 200, answer.text
        return visitor


@dataclass
class Answer:
    """What came back."""

    status: int
    text: str
    headers: Mapping[str, str]
    url: str

    @property
    def words(self) -> str:
        """The page's text without its tags."""
        bare = re.sub(r"<(script|style)\b.*?</\1>", " ", self.text, flags=re.S)
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", bare)).split())


@dataclass
class Visitor:
    """A person with a cookie jar."""

    url: str
    session: aiohttp.ClientSession
    csrf: str = ""
    streams: list[aiohttp.ClientResponse] = field(default_factory=list)

    async def get(self, path: str, **options: Any) -> Answer:
        """Fetch a page, following redirects."""
        async with self.session.get(self.url + path, **options) as response:
            return await self._read(response)

    async def post(self, path: str, fields: Mapping[str, Any] | None = None, **options: Any) -> Answer:
        """Send a form with the secret of the last page that was seen."""
        async with self.session.post(
            self.url + path, data={"csrf": self.csrf, **(fields or {})}, **options
        ) as response:
            return await self._read(response)

    async def _read(self, response: aiohttp.ClientResponse) -> Answer:
        text = await response.text(errors="replace")
        found = re.search(r'name="csrf" value="([^"]+)"', text)
        if found:
            self.csrf = found[1]
        return Answer(response.status, text, response.headers, str(response.url))

    async def sign_in(self, email: str, password: str = PASSWORD) -> Answer:
        """Fill in the form."""
        await self.get("/sign-in")
        return await self.post("/sign-in", {"email": email, "password": password, "next": "/"})

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        """Call the API with the session's secret; gives status and JSON."""
        headers = {"X-CSRF-Token": self.csrf, **options.pop("headers", {})}
        async with self.session.request(
            method, f"{self.url}/api/v1{path}", json=body, headers=headers, **options
        ) as response:
            if response.content_type.endswith("json"):
                return response.status, await response.json(content_type=None)
            return response.status, await response.read()


@asynccontextmanager
async def open_house(
    pool: Pool,
    database_url: str,
    *,
    demo: bool = False,
    settings: WebSettings | None = None,
    test_phone: TestPhone | None = None,
    voice: VoiceCallbacks | None = None,
) -> AsyncIterator[House]:
    """Start the web process on a free port."""
    with tempfile.TemporaryDirectory() as folder:
        announcer, bell = Announcer(pool), Bell(database_url)
        recorder = Recorder(pool, announcer)
        recorder.start()
        bell.start()
        jobs: list[tuple[Any, ...]] = []

        async def enqueue(job: str, *arguments: Any) -> None:
            jobs.append((job, *arguments))

        context = WebContext(
            pool=pool,
            announcer=announcer,
            bell=bell,
            clock=SystemClock(),
            tokens=KEY,
            blobs=BlobStore(Path(folder) / "blobs"),
            recorder=recorder,
            answer_files=AnswerFiles(Path(folder) / "answers"),
            kitchen=MailKitchen(KEY, "http://127.0.0.1:8025", OutboxSettings()),
            settings=settings or WebSettings(upload_folder=Path(folder) / "imports", upload_limit=100_000),
            enqueue=enqueue,
            demo=demo,
            test_phone=test_phone,
            voice=voice,
        )
        runner = web.AppRunner(build_app(context), shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        house = House(f"http://127.0.0.1:{port}", pool, context, jobs=jobs)
        try:
            yield house
        finally:
            for visitor in house.visitors:
                for stream in visitor.streams:
                    stream.close()
                await visitor.session.close()
            await runner.cleanup()
            await recorder.close()
            await bell.close()
            await announcer.close()
