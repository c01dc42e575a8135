"""The queue of one worker: claim rows, settle and mark them in one statement, release them, keep to a pace."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

from domain.events import EventType
from domain.messages import ChannelKind, DeliveryState, Outbound, Outcome
from outbox import statements
from storage.pool import Connection

_EVENTS: Final[Mapping[DeliveryState, str]] = {
    DeliveryState.SENT: EventType.SENT.value,
    DeliveryState.DEFERRED: EventType.DEFERRED.value,
    DeliveryState.REJECTED: EventType.REJECTED.value,
}


@dataclass(slots=True, eq=False)
class Lot:
    """The rows that were claimed together in one range, `left` of which are not finished."""

    low: int
    left: int


@dataclass(frozen=True, slots=True)
class TextFacts:
    """What a short message takes, as it is kept with it: our number, name or service, its alphabet, its parts."""

    ours: str
    encoding: str
    parts: int


@dataclass(slots=True, eq=False)
class Claimed:
    """A row that this worker claimed. `message` is what will go out, or None with a `refusal`."""

    message_id: int
    attempt: int  #: attempts so far
    claim: int  #: the number of the claim
    campaign_id: int  #: 0 for letters
    contact_id: int  #: 0 for nobody we know
    address: str
    kind: str  #: of the address: mail or phone
    message: Outbound | None = None
    refusal: str | None = None
    lot: Lot | None = None
    text: TextFacts | None = None  #: of a short message
    zone: str = ""  #: the time zone of the contact, where they told it


class Result(NamedTuple):
    """An outcome and what follows from it. `claim`: it counts only under this claim, for a row that may have been
    marked and is not written. A tuple, because one is made per message."""

    outcome: Outcome
    delay: float | None = None  #: seconds until the next attempt, for a deferred one
    given_up: bool = False
    claim: int | None = None
    unread: bool = False  #: nobody looked at it: no attempt that counts, and nothing to tell


@dataclass(frozen=True, slots=True)
class Step:
    """What one statement did."""

    marked: set[int] = field(default_factory=set)  #: these are `sending` now, and ours
    refused: dict[int, str] = field(default_factory=dict)  #: these were rejected, for this reason
    settled: int = 0  #: results that counted; others came too late


def monotonic() -> float:
    """Seconds that go on while the process is stopped and, where the system can tell, while the machine sleeps."""
    return _read_clock(_CLOCK)


_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_read_clock = time.clock_gettime


async def prepare(connection: Connection) -> None:
    """Set a connection up for the statements of the outbox; released to its pool, it forgets about it."""
    await connection.execute(statements.PREPARE)


async def claim(
    connection: Connection,
    worker: str,
    campaign_id: int,
    lease: float,
    *,
    fields: bool = True,
    last: bool = False,
) -> tuple[int, list[asyncpg.Record]] | None:
    """Claim what is due in one range of a running campaign, for `lease` seconds; None when no range is due.
    `last`: in the range that became due last, where messages are tried again.

    Gives the range's low end, for `outbox.ranges.close`, and the rows: message_id, attempt, claim, email (the
    address), tracking_level, contact_id and what templates may know of the contact (name is None when the contact
    is gone); its own `fields`, which take time to read, only when they are wanted.
    """
    statement = statements.CLAIM_LAST if last else statements.CLAIM_FIRST
    rows = await connection.fetch(statement, worker, campaign_id, lease, fields)
    if not rows:
        return None
    return rows[0]["low"], [] if rows[0]["message_id"] is None else rows


async def claim_letters(
    connection: Connection, worker: str, lease: float, count: int, channel: ChannelKind = ChannelKind.MAIL
) -> tuple[list[int], list[asyncpg.Record]] | None:
    """Claim up to `count` letters of a channel that are due, for `lease` seconds; None when none is.

    Gives the low ends of ranges in which nothing was due after all, for `outbox.ranges.close`, and the rows:
    message_id (also its range's low end), attempt, claim, email, contact_id, sender, utf8, options, content or blob.
    """
    rows = await connection.fetch(statements.CLAIM_LETTERS, worker, lease, count, channel.value)
    if not rows:
        return None
    empty = [row["low"] for row in rows if row["message_id"] is None]
    return empty, [row for row in rows if row["message_id"] is not None]


async def settle_and_mark(
    connection: Connection,
    worker: str,
    results: Sequence[Result],
    wanted: Sequence[Claimed],
    lease: float,
    now: datetime,
    *,
    repeated: bool = False,
    kind: ChannelKind = ChannelKind.MAIL,
) -> Step:
    """Settle `results` and mark `wanted` for `lease` seconds, in one statement; `now` is the business time.

    When the answer was lost, it may be done again with the same rows and `repeated`: what was marked the first
    time is told then. Never with rows of which an answer said that they are marked, and never with two claims of
    one message.
    """
    results = sorted(results, key=_result_key)
    wanted = sorted(wanted, key=_row_key)
    outcomes = [result.outcome for result in results]
    texts = _text_facts(wanted) if kind is ChannelKind.SMS else ()
    rows = await connection.fetch(
        statements.SETTLE_AND_MARK_SMS if kind is ChannelKind.SMS else statements.SETTLE_AND_MARK,
        worker,
        _each([outcome.key for outcome in outcomes]),
        _alike([outcome.attempt for outcome in outcomes]),
        _alike([_state(result) for result in results]),
        _texts([_reason(outcome) for outcome in outcomes]),
        _texts([outcome.reply for outcome in outcomes]),
        _texts(["" if result.delay is None else str(result.delay) for result in results]),
        _alike([_event(result) for result in results]),
        _each([row.message_id for row in wanted]),
        _alike([row.attempt for row in wanted]),
        _alike([row.campaign_id for row in wanted]),
        _each([row.contact_id for row in wanted]),
        _texts([row.address for row in wanted]),
        _alike([row.kind for row in wanted]),
        _texts([row.refusal or "" for row in wanted]),
        lease,
        now,
        _alike([row.claim for row in wanted]),
        repeated,
        _texts(["" if result.claim is None else str(result.claim) for result in results]),
        _alike([outcome.relay for outcome in outcomes]),
        _texts([outcome.provider_id for outcome in outcomes]),
        *texts,
    )
    step = Step(settled=int(rows.pop()[1]))
    for message_id, reason in rows:
        if reason is None:
            step.marked.add(message_id)
        else:
            step.refused[message_id] = reason
    return step


def _text_facts(rows: Sequence[Claimed]) -> tuple[str, str, str]:
    facts = [row.text or _NO_FACTS for row in rows]
    return (
        _alike([one.ours for one in facts]),
        _alike([one.encoding for one in facts]),
        _alike([one.parts for one in facts]),
    )


_NO_FACTS: Final = TextFacts("", "", 0)


def _result_key(result: Result) -> int:
    return result.outcome.key


def _row_key(row: Claimed) -> int:
    return row.message_id


def _each(values: Sequence[int]) -> str:
    return statements.SEPARATOR.join(map(str, values))


def _alike(values: Sequence[int] | Sequence[str]) -> str:
    """A list without nulls; given once when all its values are the same."""
    different = set(values)
    return statements.SEPARATOR.join(map(str, values if len(different) > 1 else different))


def _texts(values: Sequence[str]) -> str:
    """A list in which an empty text is a null. A reply from outside may hold anything, our separator too."""
    if not any(values):
        return ""
    text = statements.SEPARATOR.join(values)
    if text.count(statements.SEPARATOR) >= len(values):
        return statements.SEPARATOR.join([value.replace(statements.SEPARATOR, " ") for value in values])
    return text


def _reason(outcome: Outcome) -> str:
    """Whatever is not simply sent has a reason, by which it is found (storage/schema/)."""
    return "" if outcome.state is DeliveryState.SENT else outcome.reason or outcome.state.value


def _event(result: Result) -> str:
    if result.unread:
        return "none"
    return EventType.FAILED.value if result.given_up else _EVENTS.get(result.outcome.state, "none")


def _state(result: Result) -> str:
    return DeliveryState.REJECTED.value if result.given_up else result.outcome.state.value


async def release(connection: Connection, worker: str, rows: Sequence[Claimed]) -> None:
    """Give claimed rows back to the queue; those whose claim is over stay as they are."""
    if rows:
        await connection.execute(statements.RELEASE, worker, *_claims(rows))


@dataclass(frozen=True, slots=True)
class Held:
    """A claimed row that has to wait for so many seconds, for a reason of outbox.limits."""

    row: Claimed
    seconds: float
    reason: str


async def hold(connection: Connection, worker: str, held: Sequence[Held]) -> None:
    """Give claimed rows back to the queue until their time has come."""
    held = sorted(held, key=lambda one: one.row.message_id)
    ids, claims = _claims([one.row for one in held])
    await connection.execute(
        statements.HOLD, worker, ids, claims, [one.seconds for one in held], [one.reason for one in held]
    )


async def renew(connection: Connection, worker: str, rows: Sequence[Claimed], lease: float) -> set[int]:
    """Make claims last for `lease` seconds from now; gives the ids of those that were not over."""
    found = await connection.fetch(statements.RENEW, worker, *_claims(rows), lease)
    return {row["message_id"] for row in found}


def _claims(rows: Sequence[Claimed]) -> tuple[list[int], list[int]]:
    rows = sorted(rows, key=_row_key)
    return [row.message_id for row in rows], [row.claim for row in rows]


async def reserve(connection: Connection, campaign_id: int, count: int, rate: float) -> float:
    """Reserve `count` places in a campaign's pace of `rate` messages per second over all workers.

    Gives the seconds to wait before the first of them may be marked (zero or less: now).
    """
    return float(await connection.fetchval(statements.RESERVE, campaign_id, count, rate))
