"""`clytie serve` and `clytie migrate`."""

from __future__ import annotations

import asyncio

from clytie.commands.output import say
from clytie.first_steps import first_administrator_link, wait_until_ready
from clytie.serve import ROLES, House, keep_house, open_services
from clytie.settings import load_settings
from domain.errors import InvalidInput
from storage.migrations import upgrade


def run_serve(role: str, processes: int) -> None:
    """Serve until told to stop. Raises InvalidInput for a role that does not exist."""
    if role != "all" and role not in ROLES:
        raise InvalidInput("--role", f"there is no role “{role}”.", f"Choose {', '.join(ROLES)} or all.")
    settings = load_settings()
    say("Clytie is starting …")
    asyncio.run(keep_house(settings, ROLES if role == "all" else (role,), processes, _greet))
    say("Clytie has stopped.")


async def _greet(house: House) -> None:
    """Say where everything is, once it answers; then wait for ever."""
    settings = house.settings
    if "web" in house.roles:
        await wait_until_ready(settings)
        say(f"Console:  {settings.public_url}")
        link = await first_administrator_link(house.urls.database_url, settings.public_url)
        if link is not None:
            say(
                f"Nobody has signed up yet. Become the first administrator (works once, for a day):\n          {link}"
            )
    if "mail" in house.roles:
        for name, door in (("SMTP", settings.inbox.smtp), ("LMTP", settings.inbox.lmtp)):
            if door.enabled:
                say(f"Mail in:  {name} at {door.host}:{door.port}")
    if settings.mail is None:
        say("Mail:     CLYTIE_MAIL__HOST is not set, so every mail goes to the test mailbox.")
    say(f"Data:     {settings.var if house.embedded else 'in the servers that the settings name'}")
    say("Stop:     Ctrl-C")
    await asyncio.Event().wait()


def run_migrate() -> None:
    """Migrate the database of the settings (or the embedded one)."""
    with open_services(load_settings()) as services:
        upgrade(services.start().database_url)
    say("The database has the schema of this version.")
