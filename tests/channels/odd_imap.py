"""An IMAP server of few words with the oddities of real ones; its mails and its oddities are set by the test."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from channels.mail.imap.settings import ImapAccount


class OddServer:
    """Mails by UID in one folder. Whatever a test sets in `oddities` is done differently."""

    def __init__(self, *oddities: str) -> None:
        self.oddities = set(oddities)
        self.mails: dict[int, bytes] = {}
        self.bad: set[int] = set()  # UIDs that cannot be given
        self.sizes: dict[int, int] = {}  # what is said instead of the true size
        self.uidnext = 0  # what is said instead of the true one
        self.commands: list[str] = []
        self.sessions = 0
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._idling: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[OddServer]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in self._writers:
                writer.transport.abort()

    def account(self, **settings: Any) -> ImapAccount:
        values = {
            "name": "odd",
            "host": "127.0.0.1",
            "port": self.port,
            "encryption": "never",
            "plain_login": True,
            "username": "anna@clytie.example",
            "password": "secret",
            "retry_seconds": 0.02,
            "retry_longest": 0.05,
            "read_seconds": 5,
            **settings,
        }
        return ImapAccount.model_validate(values)

    def put(self, *mails: bytes) -> None:
        """Let mails arrive; whoever idles is told."""
        for mail in mails:
            self.mails[max(self.mails, default=0) + 1] = mail
        for writer in self._idling:
            writer.write(f"* {len(self.mails)} EXISTS\r\n".encode())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        self._writers.add(writer)
        try:
            writer.write(b"* OK [CAPABILITY " + self._capabilities() + b"] hello\r\n")
            while line := await reader.readline():
                tag, _, command = line.decode().rstrip("\r\n").partition(" ")
                self.commands.append(command)
                if command == "IDLE":
                    await self._idle(reader, writer, tag)
                else:
                    writer.write(self._answer(tag, command))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    def _capabilities(self) -> bytes:
        return b"IMAP4rev1" + (b"" if "no idle" in self.oddities else b" IDLE")

    async def _idle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tag: str) -> None:
        exists = f"* {len(self.mails)} EXISTS\r\n".encode()
        if "news before idling" in self.oddities:
            writer.write(b"* OK still here\r\n" + exists + b"+ idling\r\n")
        elif "news with idling" in self.oddities:
            writer.write(b"+ idling\r\n" + exists)
        elif "goodbye while idling" in self.oddities:
            writer.write(b"+ idling\r\n* BYE server shutting down\r\n")
        elif "idle refused" in self.oddities:
            writer.write(f"{tag} BAD not now\r\n".encode())
            return
        else:
            writer.write(b"+ idling\r\n* OK chatter\r\n* 1 FETCH (FLAGS (\\Seen))\r\n")
        self._idling.add(writer)
        try:
            await reader.readline()
        finally:
            self._idling.discard(writer)
        writer.write(f"{tag} OK done\r\n".encode())

    def _answer(self, tag: str, command: str) -> bytes:
        done = f"{tag} OK done\r\n".encode()
        if command.startswith(("SELECT", "EXAMINE")):
            uidnext = self.uidnext or max(self.mails, default=0) + 1
            said = f"* {len(self.mails)} EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n"
            if "no uidnext" not in self.oddities:
                said += f"* OK [UIDNEXT {uidnext}] ok\r\n"
            return said.encode() + done
        if command.startswith("CAPABILITY"):
            return b"* CAPABILITY " + self._capabilities() + b"\r\n" + done
        if command.startswith("UID SEARCH UID"):
            uids = " ".join(str(uid) for uid in sorted(self._named(command.split()[3])))
            return f"* SEARCH {uids}\r\n".encode() + done
        if match := re.match(r"(UID )?FETCH (\S+) \((.*)\)", command):
            numbers = sorted(self.mails)
            uids_ = self._named(match[2]) if match[1] else [numbers[int(match[2]) - 1]]
            return self._fetch(tag, uids_, match[3]) or done
        return done

    def _named(self, numbers: str) -> list[int]:
        found: set[int] = set()
        last = max(self.mails, default=0)
        for part in numbers.split(","):
            low, _, high = part.partition(":")
            first, end = (last if edge == "*" else int(edge) for edge in (low, high or low))
            found |= {uid for uid in self.mails if min(first, end) <= uid <= max(first, end)}
        return list(found)

    def _fetch(self, tag: str, uids: list[int], what: str) -> bytes:
        said = b"* 9 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen))\r\n" if "unasked answers" in self.oddities else b""
        order = sorted(self.mails)
        for uid in uids:
            if "sizes left out" in self.oddities and "SIZE" in what and uid in self.bad:
                continue
            said += self._fetch_one(order.index(uid) + 1, uid, what)
        refused = "body refused" in self.oddities and "BODY" in what and self.bad & set(uids)
        return said + (f"{tag} NO [SERVERBUG] cannot\r\n" if refused else f"{tag} OK done\r\n").encode()

    def _fetch_one(self, number: int, uid: int, what: str) -> bytes:
        raw = self.mails[uid]
        parts = [f"UID {uid}".encode()]
        if "SIZE" in what:
            parts.append(f"RFC822.SIZE {self.sizes.get(uid, len(raw))}".encode())
        if "INTERNALDATE" in what:
            date = (
                "99-Foo-0000 99:99:99 +0000" if "odd dates" in self.oddities else "01-Nov-2026 10:00:00 +0100"
            )
            parts.append(f'INTERNALDATE "{date}"'.encode())
        if match := re.search(r"BODY\.PEEK\[\](?:<(\d+)\.(\d+)>)?", what):
            start = int(match[1] or 0)
            piece = raw[start : start + int(match[2])] if match[2] else raw
            label = b"BODY[]" + (f"<{start}>".encode() if match[2] else b"")
            if uid not in self.bad or "sizes left out" in self.oddities:
                parts.append(label + f" {{{len(piece)}}}\r\n".encode() + piece)
            elif "body nil" in self.oddities:
                parts.append(label + b" NIL")
        return f"* {number} FETCH (".encode() + b" ".join(parts) + b")\r\n"
