"""What our person hears who placed a call: whom it goes to, a key to press, and then the contact.

The key keeps a mailbox from being connected with the contact. Each request may come twice and is then answered alike:
the provider asks again when our answer was lost.
"""

from __future__ import annotations

from typing import Any, Final

from domain.calls import LIVE_STATES, CallPart, CallState, Document, Gather, Hangup, Pause, Ring, Target
from domain.events import EventType
from inbox.calls.keeping import hold_call, is_outgoing, keep_news, settle_call, tell_of
from inbox.calls.legs import Leg
from inbox.calls.switchboard import Switchboard
from inbox.calls.words import Words, words_in
from storage.pool import Connection
from storage.unit_of_work import UnitOfWork, unit_of_work

_WAIT: Final = 6  #: seconds for the key, each time
_TRIES: Final = 2
_WHO: Final = """
SELECT u.language, k.name FROM calls c JOIN messages m ON m.id = c.message_id LEFT JOIN users u ON u.id = c.user_id
LEFT JOIN contact_aliases a ON a.old_id = m.contact_id LEFT JOIN contacts k ON k.id = coalesce(a.contact_id, m.contact_id)
WHERE c.message_id = $1
"""
_ASK: Final = """
UPDATE calls SET position = position || '{"asked": true}', changed_at = now() WHERE message_id = $1
"""


async def meet_our_person(board: Switchboard, message_id: int, provider_id: str) -> Document:
    """What our person hears who took their phone. Raises NotFound."""
    async with unit_of_work(board.pool, board.announcer) as work:
        call = await hold_call(work.connection, message_id)
        await _take_leg(board, work, call, provider_id)
        words, name = await _find_words(work.connection, call)
        if not is_wanted(call):
            return words.say(words.gone), Hangup()
        key = board.settings.confirm_key
        action = board.addresses.of(message_id, "connect")
        press = words.say(words.press, key=words.name_key(key))
        prompts = [(words.say(words.announce, name=name), Pause(), press), *[(press,)] * (_TRIES - 1)]
        asked = tuple(Gather(action, prompt, digits=1, seconds=_WAIT) for prompt in prompts)
        return (*asked, words.say(words.no_key), Hangup())


async def connect(board: Switchboard, message_id: int, provider_id: str, keys: str) -> Document:
    """Ring the contact, when our person pressed the key. Raises NotFound."""
    if keys != board.settings.confirm_key:
        return await meet_our_person(board, message_id, provider_id)
    async with unit_of_work(board.pool, board.announcer) as work:
        call = await hold_call(work.connection, message_id)
        if not is_wanted(call):
            words, _ = await _find_words(work.connection, call)
            return words.say(words.gone), Hangup()
        if not call["position"].get("asked"):
            await work.connection.execute(_ASK, message_id)
            work.tell(tell_of(call, EventType.CALLED, board.clock.now()))
        await _take_leg(board, work, await hold_call(work.connection, message_id), provider_id)
    settings, addresses = board.settings, board.addresses
    target = Target(call["theirs"], status=addresses.status(message_id, CallPart.THEM))
    return (
        Ring(
            (target,),
            addresses.of(message_id, "talked"),
            settings.their_seconds,
            call["ours"],
            settings.longest,
        ),
    )


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


async def _find_words(connection: Connection, call: Any) -> tuple[Words, str]:
    """The sentences in the language of our person, and the name of whom they call."""
    row = await connection.fetchrow(_WHO, call["message_id"])
    assert row is not None  # the caller holds it
    return words_in(row["language"] or "en"), row["name"] or call["theirs"]
