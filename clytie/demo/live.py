"""`clytie demo`: the story as one watches it. People come to their mail over some minutes, machines at once."""

from __future__ import annotations

import asyncio
import random
from typing import Final

from clytie.commands.output import say
from clytie.demo.api import Api, open_client
from clytie.demo.people import CLAIRE, write_contacts
from clytie.demo.post import hand_in, write_letters
from clytie.demo.recipients import Crowd, DeliveredMail, Habit, Visit, plan_visits
from clytie.demo.seed import REPS, Seeded
from clytie.demo.story import arriving_mails, import_contacts, launch_letter
from clytie.demo.texts import write_texts
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
        await hand_in(house.settings, write_letters())
        say("          Four people wrote to support@ and sales@; be Léo, and answer them.")
        await write_texts(marketer)
        say(
            "          A campaign by SMS is ready: launch it, and answer on the test phone; call us there, too."
        )
        letter = await launch_letter(marketer)
        administrator = Api(client, base_url, seeded.tokens["administrator"])
        chance = random.Random()
        async with Crowd() as crowd:
            async for mail in arriving_mails(administrator, letter, base_url):
                crowd.come(_visits(mail, chance))
            say(
                f"          {letter.recipients} letters are in the test mailbox; people read them over four minutes."
            )
    say("          Everybody has read who wanted to. Now it is your turn: be Claire, open her letter, click.")
    await asyncio.Event().wait()


def _visits(mail: DeliveredMail, chance: random.Random) -> list[Visit]:
    """What a recipient does; Claire is left to whoever watches."""
    if mail.recipient == CLAIRE:
        return []
    habits, weights = zip(*_HABITS, strict=True)
    return plan_visits(mail, chance.choices(habits, weights)[0], chance, patience=chance.choice(_PATIENCE))
