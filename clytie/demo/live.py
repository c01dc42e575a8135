"""`clytie demo`: the story as one watches it. People come to their mail over some minutes, machines at once."""

from __future__ import annotations

import asyncio
import random
from typing import Final

from clytie.commands.output import say
from clytie.demo.api import Api, open_client
from clytie.demo.people import CLAIRE, write_contacts
from clytie.demo.recipients import Answers, Habit, Visit, plan_visits, visit_all
from clytie.demo.seed import REPS, Seeded
from clytie.demo.story import Sent, import_contacts, read_mailboxes, send_letter
from clytie.serve import House

_HABITS: Final = (
    (Habit.IGNORES, 40),
    (Habit.OPENS, 22),
    (Habit.CLICKS, 12),
    (Habit.DOWNLOADS, 6),
    (Habit.GATEWAY, 10),
    (Habit.PROXY, 10),
)
_PATIENCE: Final = (12.0, 30.0, 90.0, 240.0)  # seconds; some read at once, others when they have time


async def play_live(house: House, seeded: Seeded) -> None:
    """Import the contacts, send the letter, and let its recipients read it."""
    base_url = house.settings.public_url
    async with open_client() as client:
        marketer = Api(client, base_url, seeded.tokens["marketer"])
        job = await import_contacts(marketer, write_contacts(owners=REPS))
        say(
            f"          {job['created']} contacts imported, {job['joined']} lines joined, {job['rejected']} refused."
        )
        sent = await send_letter(marketer)
        await read_mailboxes(Api(client, base_url, seeded.tokens["administrator"]), sent, base_url)
        say(
            f"          {sent.recipients} letters are in the test mailbox; their readers come over four minutes."
        )
        await visit_all(_visits(sent), Answers())
    say("          Everybody has read who wanted to. Now it is your turn: be Claire, open her letter, click.")
    await asyncio.Event().wait()


def _visits(sent: Sent) -> list[Visit]:
    """Everybody's requests; Claire is left to whoever watches."""
    chance = random.Random()
    habits, weights = zip(*_HABITS, strict=True)
    return [
        visit
        for address, mail in sent.mails.items()
        if address != CLAIRE
        for visit in plan_visits(
            mail, chance.choices(habits, weights)[0], chance, patience=chance.choice(_PATIENCE)
        )
    ]
