"""What somebody of us hears who takes their phone, before the caller is connected: who calls, and the key to press."""

from __future__ import annotations

from typing import Final

from domain.calls import Document, Gather, Hangup, Say
from inbox.calls.phrases import Phrase, accent, phrase, spoken_language
from inbox.lines.answering import accept, whisper
from inbox.lines.desk import LineDesk, line_of, position_of

_SECONDS: Final = 6  #: for the key, each time
_TRIES: Final = 2
_WHO: Final = """
SELECT u.language, k.name FROM users u
LEFT JOIN contact_aliases a ON a.old_id = $2 LEFT JOIN contacts k ON k.id = coalesce(a.contact_id, $2)
WHERE u.id = $1
"""


async def announce_caller(desk: LineDesk, message_id: int, step: int, user_id: int, leg_id: str) -> Document:
    """Said to somebody who took their phone. Raises NotFound."""
    call = await whisper(desk, message_id, step, user_id, leg_id)
    contact = call["contact_id"] if call is not None else None
    row = await desk.board.pool.fetchrow(_WHO, user_id, contact)
    language = row["language"] if row is not None else "en"
    tag = accent(spoken_language(language))
    if call is None:
        return Say(phrase(Phrase.TAKEN, language), tag), Hangup()
    name = (row["name"] if row is not None else None) or call["theirs"]
    line = line_of(call)
    said = phrase(
        Phrase.WHISPER,
        language,
        queue=position_of(call).queue or line.queue,
        name=name or phrase(Phrase.HIDDEN, language),
    )
    recorded = (Say(phrase(Phrase.RECORDED, language), tag),) if line.record and call["announced"] else ()
    press = Say(phrase(Phrase.PRESS_KEY, language, key=desk.board.settings.confirm_key), tag)
    action = desk.board.addresses.of(message_id, f"accept/{step}", user_id)
    prompts = [(Say(said, tag), *recorded, press), *[(press,)] * (_TRIES - 1)]
    return (*(Gather(action, prompt, digits=1, seconds=_SECONDS) for prompt in prompts), Hangup())


async def connect_caller(
    desk: LineDesk, message_id: int, step: int, user_id: int, leg_id: str, keys: str
) -> Document:
    """An empty document connects both; any other key than the right one declines. Raises NotFound."""
    if keys != desk.board.settings.confirm_key:
        return (Hangup(),)
    if await accept(desk, message_id, step, user_id, leg_id):
        return ()
    return await announce_caller(desk, message_id, step, user_id, leg_id)
