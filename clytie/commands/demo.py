"""`clytie demo`: everything on this machine, with invented contacts; `--check` plays it once and verifies it."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from clytie.commands.output import complain, say
from clytie.demo.check import check_story
from clytie.demo.findings import Findings
from clytie.demo.live import play_live
from clytie.demo.people import write_contacts
from clytie.demo.post import TRUSTED
from clytie.demo.seed import REPS, Seeded, seed
from clytie.first_steps import wait_until_ready
from clytie.serve import ROLES, House, keep_house
from clytie.settings import Settings, load_settings
from domain.errors import ClytieError, ConfigurationError
from storage.blobs import BlobStore
from storage.pool import open_pool

#: Times that fit a demo: people read within minutes, so verdicts come within seconds.
_DEMO: Final[Mapping[str, str]] = {
    "CLYTIE_DEMO": "true",
    "CLYTIE_INBOX__DOMAINS": '["helianthe.example"]',
    "CLYTIE_OUTBOX__ORGANISATION": "Hélianthe Énergie",
    "CLYTIE_OUTBOX__POSTAL_ADDRESS": "12 rue des Tournesols, 69007 Lyon",
    "CLYTIE_OUTBOX__REPLY_DOMAIN": "helianthe.example",
    "CLYTIE_INBOX__AUTHENTICATION__CHECK": "false",  # what a server before ours found is believed; no DNS is asked
    "CLYTIE_INBOX__AUTHENTICATION__TRUSTED_SERVERS": json.dumps([TRUSTED]),
    "CLYTIE_OUTBOX__WEBSITE": "https://helianthe.example",
    "CLYTIE_TRACKING__SETTLE_SECONDS": "3",
    "CLYTIE_TRACKING__SCANNER_SECONDS": "3",
    "CLYTIE_TRACKING__SUSPICION_SECONDS": "4",
    "CLYTIE_TRACKING__BURST_SECONDS": "2",
    "CLYTIE_TRACKING__BESIDE_SECONDS": "0.5",
    "CLYTIE_ROUTER__HOLD_MARGIN": "PT0.2S",
    "CLYTIE_ROUTER__HOLD_PATIENCE": "PT0.5S",
    "CLYTIE_ROUTER__POLL_SECONDS": "0.25",
}


def run_demo(*, check: bool, port: int) -> int:
    """Run the demo until it is stopped, or once with `check`; gives the exit code."""
    if check:
        with tempfile.TemporaryDirectory(prefix="clytie-demo-", ignore_cleanup_errors=True) as folder:
            return asyncio.run(_check(_settings(Path(folder) / "var", 0)))
    settings = _settings(load_settings().var / "demo", port)
    say("Clytie's demo is starting …")
    asyncio.run(_watch(settings))
    say(f"Stopped. The demo's data stays in {settings.var}; delete that folder to begin anew.")
    return 0


def _settings(var: Path, port: int) -> Settings:
    """The demo's own settings: always embedded servers, always the test mailbox, whatever else is configured.

    With `port` 0 the mail doors take free ports too.
    """
    for name in [name for name in os.environ if name.startswith("CLYTIE_")]:
        del os.environ[name]
    os.environ.update(_DEMO)
    os.environ["CLYTIE_VAR"] = str(var)
    if port == 0:
        return load_settings(port=0, sandbox={"port": 0}, carrier={"port": 0}, inbox={"smtp": {"port": 0}})
    return load_settings(port=port)


async def _watch(settings: Settings) -> None:
    try:
        await keep_house(settings, ROLES, story=_show)
    except ConfigurationError as error:
        if "cannot listen" not in str(error):
            raise
        say(f"{error} The demo takes free ports instead.")
        await keep_house(_settings(settings.var, 0), ROLES, story=_show)


async def _show(house: House) -> None:
    seeded = await _prepare(house)
    say(f"Open:     {house.settings.public_url}")
    say(f"Data:     {house.settings.var}")
    say("Stop:     Ctrl-C")
    say("Now:      the contacts are imported and the spring letter goes out …")
    await play_live(house, seeded)


async def _check(settings: Settings) -> int:
    result: list[Findings] = []

    async def story(house: House) -> None:
        result.append(await check_story(house, await _prepare(house), write_contacts(owners=REPS)))

    try:
        await keep_house(settings, ROLES, story=story)
    except ClytieError as error:
        complain(str(error))
        return 1
    if not result:
        complain("The check was interrupted.")
        return 1
    (findings,) = result
    print(json.dumps(findings.counts, ensure_ascii=False), flush=True)
    return 1 if findings.differences else 0


async def _prepare(house: House) -> Seeded:
    """Wait for the house, and put the demo's people, team, segment, brochure and rules into it."""
    await wait_until_ready(house.settings)
    pool = await open_pool(house.urls.database_url, max_size=2)
    try:
        return await seed(pool, BlobStore(house.settings.var / "blobs"))
    finally:
        await pool.close()
