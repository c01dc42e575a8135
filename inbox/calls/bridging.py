"""What our person hears who placed a call: whom it goes to, a key to press, and then the contact.

The key keeps a mailbox from being connected with the contact. Each request may come twice and is then answered alike:
the provider asks again when our answer was lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from domain.calls import (
    LIVE_STATES,
    CallPart,
    CallState,
    Document,
    Gather,
    Hangup,
    Pause,
    Ring,
    Say,
    Target,
)
from domain.events import EventType
from inbox.calls.announcement import must_announce
from inbox.calls.keeping import hold_call, is_outgoing, keep_news, settle_call, tell_of
from inbox.calls.legs import Leg
from inbox.calls.phrases import Phrase, accent, phrase, spoken_language
from inbox.calls.switchboard import Switchboard
from storage.pool import Connection
from storage.unit_of_work import UnitOfWork, unit_of_work

_WAIT: Final = 6  #: seconds for the key, each time
_TRIES: Final = 2
_WHO: Final = """
SELECT u.language, k.name, k.language AS their_language
FROM calls c JOIN messages m ON m.id = c.message_id LEFT JOIN users u ON u.id = c.user_id
LEFT JOIN contact_aliases a ON a.old_id = m.contact_id LEFT JOIN contacts k ON k.id = coalesce(a.contact_id, m.contact_id)
WHERE c.message_id = $1
"""
_ASK: Final = """
UPDATE calls SET position = position || '{"asked": true}', announced = $2, changed_at = now() WHERE message_id = $1
"""


@dataclass(frozen=True, slots=True)
class _Speech:
    """What is said in one language."""

    language: str

    def say(self, one: Phrase, **names: object) -> Say:
        return Say(phrase(one, self.language, **names), accent(spoken_language(self.language)))


async def meet_our_person(board: Switchboard, message_id: int, provider_id: str) -> Document:
    """What our person hears who took their phone. Raises NotFound."""
    async with unit_of_work(board.pool, board.announcer) as work:
        call = await hold_call(work.connection, message_id)
        await _take_leg(board, work, call, provider_id)
        ours, name, _ = await _find_speech(work.connection, call)
    if not is_wanted(call):
        return ours.say(Phrase.TAKEN_BACK), Hangup()
    first: list[Say | Pause] = [ours.say(Phrase.OUR_CALL, name=name), Pause()]
    if _is_announced(board, call):
        first.append(ours.say(Phrase.RECORDED))
    press = ours.say(Phrase.CONNECT_KEY, key=board.settings.confirm_key)
    action = board.addresses.of(message_id, "connect")
    asked = (
        Gather(action, (*first, press), digits=1, seconds=_WAIT),
        *[Gather(action, (press,), digits=1, seconds=_WAIT)] * (_TRIES - 1),
    )
    return (*asked, ours.say(Phrase.NO_KEY), Hangup())


async def connect(board: Switchboard, message_id: int, provider_id: str, keys: str) -> Document:
    """Ring the contact, when our person pressed the key. Raises NotFound."""
    if keys != board.settings.confirm_key:
        return await meet_our_person(board, message_id, provider_id)
    async with unit_of_work(board.pool, board.announcer) as work:
        call = await hold_call(work.connection, message_id)
        if not is_wanted(call):
            ours, _, _ = await _find_speech(work.connection, call)
            return ours.say(Phrase.TAKEN_BACK), Hangup()
        if not call["position"].get("asked"):
            await work.connection.execute(_ASK, message_id, _is_announced(board, call))
            work.tell(tell_of(call, EventType.CALLED, board.clock.now()))
        await _take_leg(board, work, await hold_call(work.connection, message_id), provider_id)
    settings, addresses = board.settings, board.addresses
    target = Target(
        call["theirs"],
        whisper=addresses.of(message_id, "notice") if _is_announced(board, call) else "",
        status=addresses.status(message_id, CallPart.THEM),
    )
    recorded = addresses.of(message_id, "recorded/talk") if settings.record_talks else ""
    talked = addresses.of(message_id, "talked")
    return (
        Ring((target,), talked, settings.their_seconds, call["ours"], settings.longest, recorded=recorded),
    )


async def give_notice(board: Switchboard, message_id: int) -> Document:
    """What the contact hears before a talk that is recorded, in their language. Raises NotFound."""
    async with unit_of_work(board.pool) as work:
        call = await hold_call(work.connection, message_id)
        _, _, theirs = await _find_speech(work.connection, call)
    return (theirs.say(Phrase.RECORDED),)


async def end_talk(board: Switchboard, message_id: int, provider_id: str, leg: Leg | None) -> Document:
    """The talk is over, or nobody took the call. `leg`: what is told of the contact's leg. Raises NotFound."""
    async with unit_of_work(board.pool, board.announcer) as work:
        call = await hold_call(work.connection, message_id)
        if leg is not None:
            await keep_news(work.connection, message_id, leg, number=call["theirs"])
        await _take_leg(board, work, call, provider_id)
    return (Hangup(),)


def is_wanted(call: Any) -> bool:
    """Whether a held call may go on: it is ours, and nobody has taken it back."""
    live = CallState(call["state"]) in LIVE_STATES or call["state"] == CallState.UNCONFIRMED
    return is_outgoing(call) and live and not call["position"].get("hung_up")


def _is_announced(board: Switchboard, call: Any) -> bool:
    """Whether both sides have to hear that the talk is recorded."""
    settings = board.settings
    return settings.record_talks and must_announce(settings.announce, call["ours"], call["theirs"])


async def _take_leg(board: Switchboard, work: UnitOfWork, call: Any, provider_id: str) -> None:
    """Whoever is asked for a document about has been answered: it is a report, and settles an open question."""
    news = Leg(provider_id, CallPart.US, "in-progress", answered_at=board.clock.now())
    await keep_news(
        work.connection,
        call["message_id"],
        news,
        number=call["position"].get("phone", ""),
        user_id=call["user_id"],
    )
    await settle_call(board, work, call)


async def _find_speech(connection: Connection, call: Any) -> tuple[_Speech, str, _Speech]:
    """How to speak with our person, the name of whom they call, and how to speak with the contact."""
    row = await connection.fetchrow(_WHO, call["message_id"])
    assert row is not None  # the caller holds it
    ours, theirs = row["language"] or "en", row["their_language"] or row["language"] or "en"
    return _Speech(ours), row["name"] or call["theirs"], _Speech(theirs)
