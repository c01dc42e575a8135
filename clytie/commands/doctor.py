"""`clytie doctor`: look at the settings and at every server they name; each finding comes with its remedy."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

import asyncpg
import redis.asyncio
import redis.exceptions

from clytie.attach import reach_servers
from clytie.commands.doctor_logins import examine_logins
from clytie.commands.doctor_mail import examine_mail
from clytie.commands.output import out
from clytie.keys import load_token_keys
from clytie.services.supervisor import ServiceUrls
from clytie.settings import Settings, load_settings
from domain.errors import ClytieError
from domain.findings import Finding

_LEAST_POSTGRESQL: Final = 180000
_LEAST_DISK: Final = 1 << 30


_MARKS: Final = {True: ("ok ", "green"), False: ("!! ", "bold red"), None: ("?? ", "yellow")}


async def run_doctor(part: str) -> int:
    """Print the findings on `house`, or on `mail`; 1 when one of them is not good."""
    settings = load_settings()
    ill = False
    async for finding in examine_mail(settings) if part == "mail" else examine(settings):
        mark, style = _MARKS[finding.good]
        out().print(mark, style=style, end="")
        out().print(f"{finding.subject}: {finding.says}", markup=False, soft_wrap=True)
        ill |= finding.good is False
        if not finding.good:
            out().print(f"   {finding.remedy}", markup=False, soft_wrap=True)
    return int(ill)


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Every finding, in the order an administrator would look."""
    yield _disk(settings)
    yield _keys(settings)
    yield _address(settings)
    yield _phones(settings)
    try:
        async with reach_servers(settings) as urls:
            yield await _postgres(urls)
            yield await _redis(urls)
    except (ClytieError, OSError, asyncpg.PostgresError) as error:
        yield Finding(
            "Servers",
            False,
            str(error),
            "Mend what it says, or set CLYTIE_DATABASE_URL and CLYTIE_REDIS_URL.",
        )
    async for finding in examine_logins(settings):
        yield finding


def _disk(settings: Settings) -> Finding:
    folder = settings.var
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return Finding(
        "Data directory",
        free >= _LEAST_DISK,
        f"{settings.var}, {free / (1 << 30):.1f} GiB free",
        "Make room: PostgreSQL stops when the disk is full.",
    )


def _keys(settings: Settings) -> Finding:
    try:
        load_token_keys(settings.token_keys, settings.var)
    except ClytieError as error:
        return Finding("Token keys", False, str(error), "Correct CLYTIE_TOKEN_KEYS.")
    place = "from the settings" if settings.token_keys else f"in {settings.var / 'token-keys.json'}"
    return Finding(
        "Token keys", True, f"{place}; keep a copy: without them, links in sent mail no longer work"
    )


def _address(settings: Settings) -> Finding:
    parts = urlsplit(settings.public_url)
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    is_alone = settings.mail is None and not settings.sms.is_complete
    good = is_alone or (parts.scheme == "https" and not local)
    return Finding(
        "Public address",
        good,
        settings.public_url,
        "Set CLYTIE_WEB__PUBLIC_URL to the https address that recipients of your mail, and your provider, can reach.",
    )


def _phones(settings: Settings) -> Finding:
    subject = "SMS and calls"
    if settings.has_carrier:
        return Finding(subject, True, "no account is set; all of them go to the test phones")
    account = settings.sms_settings
    if not account.is_complete:
        return Finding(
            subject,
            None,
            "no complete account is set, so none are sent or taken",
            "Set CLYTIE_SMS__ACCOUNT_SID and CLYTIE_SMS__AUTH_TOKEN, or CLYTIE_CARRIER__ENABLED for the test phones.",
        )
    return Finding(
        subject,
        bool(account.callback_url),
        f"through {account.account_sid}, called back at {account.callback_url or 'no address'}",
        "Set CLYTIE_WEB__PUBLIC_URL: without it the provider cannot tell us what became of a message or call.",
    )


async def _postgres(urls: ServiceUrls) -> Finding:
    connection = await asyncpg.connect(urls.database_url, timeout=10)
    try:
        number = int(await connection.fetchval("SHOW server_version_num"))
        schema = await connection.fetchval("SELECT version_num FROM alembic_version")
    finally:
        await connection.close()
    return Finding(
        "PostgreSQL",
        number >= _LEAST_POSTGRESQL,
        f"version {number // 10000}.{number % 10000}, schema {schema}",
        "Upgrade PostgreSQL to version 18 or newer.",
    )


async def _redis(urls: ServiceUrls) -> Finding:
    client = redis.asyncio.Redis.from_url(urls.redis_url, socket_timeout=5)
    try:
        version = (await client.info("server"))["redis_version"]
    except redis.exceptions.RedisError as error:
        return Finding(
            "Redis",
            False,
            str(error),
            "Check CLYTIE_REDIS_URL; until it answers, work starts a second later.",
        )
    finally:
        await client.aclose()
    return Finding("Redis", True, f"version {version}")
