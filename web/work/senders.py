"""Whom short messages can come from: the numbers of our queues and lines, and the names and services of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from channels.sms.numbers import is_e164
from web.context import WebContext
from web.work.phones import list_own_numbers

_SERVICE: Final = "MG"
_OF_QUEUE: Final = """
SELECT address FROM queue_addresses WHERE queue_id = $1 AND address LIKE '+%' ORDER BY address LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Sender:
    """`value` as a message carries it; `name`: of its queue or line, empty where there is none."""

    value: str
    name: str = ""

    @property
    def can_be_answered(self) -> bool:
        """Whether people can write back: nobody can write to a name."""
        return self.value.lstrip("+").isdigit() or is_service(self.value)

    @property
    def takes_files(self) -> bool:
        """Whether pictures and files can go with a message: names send text alone."""
        return self.can_be_answered


def is_service(sender: str) -> bool:
    """Whether a sender is a messaging service, which has numbers of its own."""
    return sender.startswith(_SERVICE) and len(sender) == 34


async def list_senders(context: WebContext) -> list[Sender]:
    """Numbers first, then the others."""
    found = {
        row["number"]: Sender(row["number"], row["name"]) for row in await list_own_numbers(context.pool)
    }
    for value in context.texts.senders:
        found.setdefault(value, Sender(value))
    return sorted(found.values(), key=lambda one: (not is_e164(one.value), one.value))


async def sender_of_queue(context: WebContext, queue_id: int | None) -> str:
    """The number that a queue's messages come from: its own, else the first of all senders; empty without any."""
    own = await context.pool.fetchval(_OF_QUEUE, queue_id) if queue_id is not None else None
    if own:
        return str(own)
    return next((one.value for one in await list_senders(context)), "")
