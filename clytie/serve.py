"""`clytie serve`: bring the servers up, the schema to date, then keep the role processes running until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from channels.mail.door.settings import DoorSettings
from clytie.processes import ProcessGroup, RoleProcess, stop_on_signals
from clytie.running import remove_note, write_note
from clytie.services.supervisor import Services, ServiceUrls
from clytie.settings import Settings
from domain.errors import ConfigurationError
from storage.migrations import upgrade_async

ROLES: Final = ("web", "worker", "mail")


@dataclass(slots=True)
class House:
    """A running deployment: its settings, its servers' addresses and its processes."""

    settings: Settings
    roles: tuple[str, ...]
    urls: ServiceUrls
    group: ProcessGroup

    @property
    def embedded(self) -> bool:
        """Whether one of the servers was started below the data directory."""
        return self.settings.database_url is None or self.settings.redis_url is None


def plan_processes(
    settings: Settings, roles: Sequence[str], processes: int, environment: Mapping[str, str]
) -> list[RoleProcess]:
    """Which processes to start: `processes` web processes that share the port, the set number of workers, one mail."""
    counts = {"web": processes, "worker": settings.worker_processes, "mail": 1}
    wanted = [role for role in roles if role != "mail" or _has_doors(settings)]
    return [
        RoleProcess(f"{role}-{number}", (role,), environment)
        for role in wanted
        for number in range(1, counts[role] + 1)
    ]


def _has_doors(settings: Settings) -> bool:
    inbox = settings.inbox
    return (
        settings.sandbox.enabled
        or settings.has_carrier
        or inbox.smtp.enabled
        or inbox.lmtp.enabled
        or bool(inbox.imap)
    )


def open_services(settings: Settings) -> Services:
    """The servers of the settings; those with an address are used, the others are embedded."""
    return Services(settings.var, database_url=settings.database_url, redis_url=settings.redis_url)


def claim_port(host: str, port: int, setting: str) -> int:
    """The port to listen on, a free one for 0. Raises ConfigurationError when somebody else listens there."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"{setting}: cannot listen on {host} port {port} ({error.strerror}). Stop what uses it, or set another."
            ) from error
        return int(probe.getsockname()[1])


def settle_ports(settings: Settings, roles: Sequence[str]) -> Settings:
    """The settings with every port known, so that all processes agree. Raises ConfigurationError for a busy one."""
    changes: dict[str, object] = {}
    if "web" in roles:
        changes["port"] = claim_port(settings.host, settings.port, "CLYTIE_PORT")
    if "mail" in roles and settings.sandbox.enabled:
        port = claim_port(settings.sandbox.host, settings.sandbox.port, "CLYTIE_SANDBOX__PORT")
        changes["sandbox"] = settings.sandbox.model_copy(update={"port": port})
    if "mail" in roles and settings.has_carrier:
        port = claim_port(settings.carrier.host, settings.carrier.port, "CLYTIE_CARRIER__PORT")
        changes["carrier"] = settings.carrier.model_copy(update={"port": port})
    if "mail" in roles:
        doors: dict[str, DoorSettings] = {"smtp": settings.inbox.smtp, "lmtp": settings.inbox.lmtp}
        settled = {
            name: door.model_copy(
                update={"port": claim_port(door.host, door.port, f"CLYTIE_INBOX__{name.upper()}__PORT")}
            )
            for name, door in doors.items()
            if door.enabled
        }
        changes["inbox"] = settings.inbox.model_copy(update=settled)
    return settings.model_copy(update=changes)


async def keep_house(
    settings: Settings,
    roles: Sequence[str],
    processes: int = 1,
    story: Callable[[House], Awaitable[None]] | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run the house until SIGTERM or SIGINT, or until `story`, which runs beside it, has ended.

    Raises ConfigurationError or Conflict when the data directory, the database, a port or the settings forbid a
    start, and whatever `story` raises, after everything was stopped in good order.
    """
    settings = settle_ports(settings, roles)
    services = open_services(settings)
    urls = await asyncio.to_thread(services.start)
    try:
        await upgrade_async(urls.database_url)
        if settings.database_url is None or settings.redis_url is None:
            write_note(settings.var, urls, settings.public_url)
        told = {
            **(environment or {}),
            "CLYTIE_VAR": str(settings.var),
            "CLYTIE_HOST": settings.host,
            "CLYTIE_PORT": str(settings.port),
            "CLYTIE_SANDBOX__PORT": str(settings.sandbox.port),
            "CLYTIE_CARRIER__PORT": str(settings.carrier.port),
            "CLYTIE_INBOX__SMTP__PORT": str(settings.inbox.smtp.port),
            "CLYTIE_INBOX__LMTP__PORT": str(settings.inbox.lmtp.port),
            "CLYTIE_DATABASE_URL": urls.database_url,
            "CLYTIE_REDIS_URL": urls.redis_url,
        }
        group = ProcessGroup(plan_processes(settings, roles, processes, told))
        stop_on_signals(group.stop)
        running = asyncio.create_task(group.run())
        if story is None:
            await running
            return
        telling = asyncio.ensure_future(story(House(settings, tuple(roles), urls, group)))
        await asyncio.wait({running, telling}, return_when=asyncio.FIRST_COMPLETED)
        group.stop()
        await running
        if not telling.done():
            telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling
    finally:
        remove_note(settings.var)
        await asyncio.to_thread(services.stop)
