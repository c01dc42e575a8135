"""Queues as people and programs write them: name, addresses, team, what answers look like."""

from __future__ import annotations

from typing import Annotated, Any, Final

import asyncpg
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contacts.addresses import read_mail_address, read_phone
from domain.errors import Forbidden, InvalidInput, NotFound
from inbox.desk.sealing import seal
from router.promises.model import Promises
from router.working_time import read_calendar
from storage.pool import Connection, Pool, transaction
from web.access.people import Person
from web.access.permissions import Role
from web.context import WebContext
from web.i18n import N_

#: languages that quotations are announced in
ANSWER_LANGUAGES: Final = ("en", "fr", "de", "es", "it", "nl", "pt", "pl", "sv")

_LIST: Final = """
SELECT q.*, t.name AS team_name, array(SELECT address FROM queue_addresses a WHERE a.queue_id = q.id ORDER BY address)
       AS addresses,
       CASE WHEN NOT q.confidential OR q.team_id = ANY ($2::bigint[])
            THEN (SELECT count(*) FROM conversations v WHERE v.queue_id = q.id AND v.state = 'open' AND NOT v.junk) END AS open
FROM queues q LEFT JOIN teams t ON t.id = q.team_id WHERE $1::bigint IS NULL OR q.id = $1
ORDER BY lower(q.name), q.id
"""
_INSERT: Final = """
INSERT INTO queues (name, team_id, from_name, from_address, signature, language, auto_answer, confidential, promises, hours)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id
"""
_UPDATE: Final = """
UPDATE queues SET name = $2, team_id = $3, from_name = $4, from_address = $5, signature = $6, language = $7,
                  auto_answer = $8, confidential = $9, promises = $10, hours = $11
WHERE id = $1 RETURNING id
"""
_BEFORE: Final = "SELECT confidential FROM queues WHERE id = $1 FOR UPDATE"
#: the clocks of its conversations are counted anew, by what it promises now
_COUNT_ANEW: Final = "UPDATE conversations SET clock_queue = NULL WHERE queue_id = $1 AND state <> 'closed'"
_HELD: Final = "SELECT id FROM conversations WHERE queue_id = $1 ORDER BY id FOR UPDATE"
_TAKEN: Final = """
SELECT a.address, q.name FROM queue_addresses a JOIN queues q ON q.id = a.queue_id
WHERE a.address = ANY ($1::text[]) AND a.queue_id <> $2 ORDER BY 1 LIMIT 1
"""
_DROP: Final = "DELETE FROM queue_addresses WHERE queue_id = $1 AND address <> ALL ($2::text[])"
_KEEP: Final = """
INSERT INTO queue_addresses (queue_id, address) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING
"""
_Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)]
_Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class QueueInput(BaseModel):
    """A queue as it is written down."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    addresses: list[Annotated[str, StringConstraints(max_length=320)]] = Field(
        default_factory=list,
        max_length=50,
        description="Mail and short messages to these begin their conversations here: addresses, and numbers such as "
        "+33 1 99 00 00 01.",
    )
    team_id: int | None = Field(None, description="Who works on it; nobody in particular when left out.")
    from_name: _Short = Field("", description="The name that answers are sent in; the agent's when empty.")
    from_address: Annotated[str, StringConstraints(max_length=320)] | None = Field(
        None, description="The address that answers are sent from."
    )
    signature: _Text = Field("", description="Below every answer; {agent} is the name of who writes it.")
    language: _Short = Field(
        "en", description="In which quotations are announced: " + ", ".join(ANSWER_LANGUAGES)
    )
    auto_answer: _Text | None = Field(
        None, description="Sent by itself when a conversation begins; nothing when left out."
    )
    confidential: bool = Field(False, description="Only the people of the team see it, no supervisor.")
    promises: Promises = Field(
        default_factory=Promises,
        description="Time for answers and for the end, warnings, what happens after it.",
    )
    hours: dict[str, list[list[str]]] | None = Field(
        None,
        description='When it works, where that is not as its team does: {"mon": [["09:00", "17:00"]], ...}.',
    )


async def list_queues(pool: Pool, person: Person, queue_id: int | None = None) -> list[Any]:
    """All queues with their addresses, team and open conversations; or only one.

    How many are open in a confidential queue is told to its people only.
    """
    return list(await pool.fetch(_LIST, queue_id, list(person.teams)))


async def save_queue(
    context: WebContext, person: Person, given: QueueInput, queue_id: int | None = None
) -> int:
    """Make a queue, or change one; gives its id. Raises InvalidInput, NotFound, Forbidden."""
    if queue_id is not None:
        await _guard_confidential(context.pool, person, queue_id)
    addresses = [
        _read_address(one.strip(), f"addresses[{at}]")
        for at, one in enumerate(given.addresses)
        if one.strip()
    ]
    first_mail = next((one for one in addresses if "@" in one), None)
    from_address = (given.from_address or "").strip()
    from_address = read_mail_address(from_address, "from_address") if from_address else ""
    if given.language not in ANSWER_LANGUAGES:
        raise InvalidInput(
            "language", N_("This value is not one of those allowed."), N_("Choose one from the list.")
        )
    if given.confidential and given.team_id is None:
        raise InvalidInput(
            "team_id", N_("A confidential queue needs a team: nobody else sees it."), N_("Choose the team.")
        )
    values = (
        given.name, given.team_id, given.from_name, from_address or first_mail,
        given.signature, given.language, given.auto_answer or None, given.confidential,
        given.promises.written(), given.hours or None,
    )  # fmt: skip
    if given.hours:
        read_calendar(given.hours, "UTC")
    async with transaction(context.pool) as connection:
        before = None if queue_id is None else await connection.fetchval(_BEFORE, queue_id)
        number = await _write(connection, values, queue_id)
        taken = await connection.fetchrow(_TAKEN, addresses, number)
        if taken is not None:
            raise InvalidInput(
                "addresses",
                f"{taken['address']} belongs to the queue “{taken['name']}” already.",
                N_("Take it away there first."),
            )
        await connection.execute(_DROP, number, addresses)
        await connection.execute(_KEEP, number, addresses)
        if queue_id is not None:
            await connection.execute(_COUNT_ANEW, number)
        if before is not None and before != given.confidential:
            held = [row["id"] for row in await connection.fetch(_HELD, number)]
            await seal(connection, held, context.clock.now())
    context.announcer.touch()
    return number


async def _guard_confidential(pool: Pool, person: Person, queue_id: int) -> None:
    """Whoever may not read a confidential queue must not open it to themselves, nor send its mail elsewhere."""
    row = await pool.fetchrow("SELECT confidential, team_id FROM queues WHERE id = $1", queue_id)
    if row is None or not row["confidential"]:
        return
    if person.role != Role.ADMINISTRATOR and row["team_id"] not in person.teams:
        raise Forbidden(N_("This queue is confidential: only its people and administrators change it."))


def _read_address(written: str, field: str) -> str:
    """A mail address, or a phone number with its country's code. Raises InvalidInput."""
    return read_phone(written, field=field) if written.startswith("+") else read_mail_address(written, field)


async def _write(connection: Connection, values: tuple[Any, ...], queue_id: int | None) -> int:
    try:
        async with connection.transaction():
            if queue_id is None:
                made: int = await connection.fetchval(_INSERT, *values)
                return made
            if await connection.fetchval(_UPDATE, queue_id, *values) is None:
                raise NotFound(f"There is no queue {queue_id}.")
            return queue_id
    except asyncpg.UniqueViolationError as error:
        raise InvalidInput(
            "name", N_("There is a queue of this name already."), N_("Choose another name.")
        ) from error
    except asyncpg.ForeignKeyViolationError as error:
        raise InvalidInput(
            "team_id", N_("There is no such team."), N_("Choose one from the list.")
        ) from error
