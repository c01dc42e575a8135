"""`clytie doctor mail`: servers that take our mail, mailboxes that are read, what DNS says of domains that we send from."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final

import asyncpg

from channels.mail.authentication import DnsResolver, Resolver
from channels.mail.deliverability import examine_domain, examine_machine
from channels.mail.dkim.keys import DkimKey, load_key
from channels.mail.junk.scanners import ScannerAway, ask_clamav, ask_rspamd
from channels.mail.settings import RelaySettings
from clytie.attach import reach_servers
from clytie.commands.doctor_logins import examine_logins
from clytie.settings import Settings
from domain.errors import ClytieError
from domain.findings import Finding

#: Addresses in From of what we send: of queues, and of campaigns of the last 90 days.
_AUTHORS: Final = """
SELECT DISTINCT lower(split_part(address, '@', 2)) AS domain FROM (
    SELECT from_address AS address FROM queues
    UNION SELECT source->>'from_address' FROM campaigns WHERE coalesce(launched_at, created_at) > now() - interval '90 days'
) AS authors WHERE address LIKE '%@%' ORDER BY domain
"""
#: Domains kept for examples and tests (RFC 2606, 6761) have no records to look for.
_RESERVED: Final = (
    ".example",
    ".test",
    ".invalid",
    ".localhost",
    "example.com",
    "example.org",
    "example.net",
)


async def examine_mail(settings: Settings, resolver: Resolver | None = None) -> AsyncIterator[Finding]:
    """Every finding about mail: relays, mailboxes, sending domains, scanners."""
    relays: Sequence[RelaySettings] = settings.mail.servers if settings.mail is not None else ()
    async for finding in examine_logins(settings):
        yield finding
    keys: list[DkimKey] = []
    for key in settings.dkim:
        try:
            keys.append(await asyncio.to_thread(load_key, key))
        except ClytieError as error:
            yield Finding(f"DKIM key {key.selector}", False, str(error), "Correct CLYTIE_DKIM.")
    try:
        async with reach_servers(settings) as urls:
            domains = await _sending_domains(urls.database_url)
    except (ClytieError, OSError, asyncpg.PostgresError) as error:
        yield Finding(
            "Sending domains", None, f"the database cannot be asked: {error}", "Run `clytie doctor` first."
        )
        domains = []
    domains = sorted({*domains, *(key.domain for key in keys)})
    if not domains:
        yield Finding("Sending domains", True, "no queue or campaign has an address to send from yet")
    asks = resolver or DnsResolver()
    if relays:
        addresses = await asyncio.to_thread(_public_addresses, relays)
        for finding in await asyncio.to_thread(
            list, _examine_world(settings, domains, keys, addresses, asks)
        ):
            yield finding
    async for finding in _scanners(settings):
        yield finding


def _examine_world(
    settings: Settings,
    domains: Sequence[str],
    keys: Sequence[DkimKey],
    addresses: Sequence[str],
    resolver: Resolver,
) -> Iterator[Finding]:
    now = datetime.now(UTC)
    for domain in domains:
        if domain.endswith(_RESERVED):
            yield Finding(f"Domain {domain}", True, "is kept for examples, so nobody outside has mail for it")
            continue
        bounces = settings.outbox.bounce_domain or domain
        signing = [key for key in keys if key.signs(domain, now)]
        yield from examine_domain(domain, bounces, signing, addresses, resolver)
    for address in addresses:
        yield examine_machine(address, resolver)
    if domains and not addresses:
        yield Finding(
            "rDNS", None, "the relay has no public address that could be looked up", "Ask who runs the relay."
        )


async def _sending_domains(database_url: str) -> list[str]:
    connection = await asyncpg.connect(database_url, timeout=10)
    try:
        return [row["domain"] for row in await connection.fetch(_AUTHORS)]
    finally:
        await connection.close()


def _public_addresses(relays: Sequence[RelaySettings]) -> list[str]:
    """Addresses of the relays. Mail may leave from others; the relay's own are the best guess from here."""
    found: dict[str, None] = {}
    for relay in relays:
        try:
            for *_, place in socket.getaddrinfo(relay.host, relay.port, type=socket.SOCK_STREAM):
                address = ip_address(str(place[0]).partition("%")[0])
                if address.is_global:
                    found[str(address)] = None
        except (OSError, ValueError):
            continue  # that it cannot be reached was a finding already
    return list(found)


async def _scanners(settings: Settings) -> AsyncIterator[Finding]:
    junk = settings.inbox.junk
    probe = b"Subject: a look whether you are there\r\n\r\n"
    if junk.rspamd is not None:
        try:
            password = junk.rspamd_password.get_secret_value()
            verdict = await ask_rspamd(
                junk.rspamd,
                probe,
                sender="",
                recipients=(),
                peer="",
                helo="",
                password=password,
                timeout=junk.timeout,
            )
            yield Finding("rspamd", True, f"{junk.rspamd} answers ({verdict.action})")
        except ScannerAway as error:
            yield Finding("rspamd", False, str(error), "Check CLYTIE_INBOX__JUNK__RSPAMD and its password.")
    if junk.clamav is not None:
        try:
            await ask_clamav(junk.clamav, probe, junk.timeout)
            yield Finding("ClamAV", True, f"{junk.clamav} answers")
        except ScannerAway as error:
            yield Finding("ClamAV", False, str(error), "Check CLYTIE_INBOX__JUNK__CLAMAV.")
