"""What we answer to HELP and START by ourselves: in the reader's language, seldom, and never when the provider did.

Providers obey the words of their own table and answer them (channels/sms/keywords.py tells which); OptOutType says so.
The answer is written in the transaction that stores the message, so that there is one; one transaction at a time writes
such answers, those to mail too, so that the caps hold. So two machines that answer each other end soon.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from channels.sms.inbound import InboundSms
from channels.sms.keywords import Command
from channels.sms.numbers import is_e164
from domain.clock import Clock
from domain.errors import InvalidInput
from inbox import reading_metrics
from inbox.reading_settings import TextAnswerSettings
from inbox.texts.writing import Place
from outbox.letters.letter import LetterKind
from outbox.texts.letters import SmsLetter, write_sms
from storage.pool import Connection

#: By command and language (ISO 639-1).
WORDS: Final[Mapping[Command, Mapping[str, str]]] = {
    Command.HELP: {
        "en": "Write your question here and a person will answer. Reply STOP to get no more messages.",
        "fr": "Écrivez votre question ici, une personne vous répondra. Répondez STOP pour ne plus recevoir de messages.",
        "de": "Schreiben Sie uns hier, ein Mensch antwortet Ihnen. Mit STOP erhalten Sie keine Nachrichten mehr.",
        "es": "Escriba aquí su pregunta y le responderá una persona. Responda STOP para no recibir más mensajes.",
        "it": "Scriva qui la sua domanda, le risponderà una persona. Risponda STOP per non ricevere altri messaggi.",
        "nl": "Stel hier uw vraag, een medewerker antwoordt u. Antwoord STOP om geen berichten meer te krijgen.",
        "pt": "Escreva aqui a sua pergunta e uma pessoa responderá. Responda STOP para não receber mais mensagens.",
        "pl": "Napisz tutaj swoje pytanie, odpowie człowiek. Odpowiedz STOP, aby nie otrzymywać wiadomości.",
    },
    Command.START: {
        "en": "You will get our messages again. Reply STOP to get no more.",
        "fr": "Vous recevrez à nouveau nos messages. Répondez STOP pour ne plus en recevoir.",
        "de": "Sie erhalten unsere Nachrichten wieder. Mit STOP erhalten Sie keine mehr.",
        "es": "Volverá a recibir nuestros mensajes. Responda STOP para no recibir más.",
        "it": "Riceverà di nuovo i nostri messaggi. Risponda STOP per non riceverne altri.",
        "nl": "U krijgt onze berichten weer. Antwoord STOP om er geen meer te krijgen.",
        "pt": "Voltará a receber as nossas mensagens. Responda STOP para não receber mais.",
        "pl": "Znów będziesz otrzymywać nasze wiadomości. Odpowiedz STOP, aby ich nie otrzymywać.",
    },
}

#: Until the commit; the same as that of automatic answers to mail. Taken after all others.
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('automatic answers', 7301))"
_RECENT: Final = "SELECT count(*) FROM auto_answers WHERE address = $1 AND answered_at > $2"
_THIS_HOUR: Final = "SELECT count(*) FROM auto_answers WHERE answered_at > $1"
_KEEP: Final = """
INSERT INTO auto_answers (address, conversation_id, message_id, answered_at) VALUES ($1, $2, $3, $4)
"""
#: Whether nothing may be sent to a number, or it is one of ours: then a machine of ours wrote.
CLOSED: Final = """
SELECT EXISTS (SELECT FROM suppressions WHERE kind = 'phone' AND address = $1)
    OR EXISTS (SELECT FROM queue_addresses WHERE address = $1)
    OR EXISTS (SELECT FROM phone_lines WHERE number = $1)
    OR EXISTS (SELECT FROM teams WHERE caller_id = $1)
"""
_LANGUAGE: Final = "SELECT language FROM contacts WHERE id = $1"


def is_answered_there(message: InboundSms, settings: TextAnswerSettings) -> bool:
    """Whether the provider answers a command by itself: it says so, or its table has the word. Pure."""
    if message.opted is not None:
        return True
    return message.keyword is not None and message.keyword.obeyed and settings.provider_answers


def choose_words(
    command: Command, contact_language: str | None, message: InboundSms, settings: TextAnswerSettings
) -> str:
    """The text in the contact's language, else in that of the word they wrote, else in the setting's; empty where a
    command has no answer. HELP itself is no English: everybody writes it. Pure."""
    own = {Command.HELP: settings.help, Command.START: settings.start}.get(command)
    if own is None:
        return ""
    texts = {**WORDS[command], **own}
    word = message.keyword
    wanted = [contact_language or "", word.language if word and not word.obeyed else "", settings.language]
    for language in wanted:
        text = texts.get(language.replace("_", "-").partition("-")[0].lower())
        if text:
            return f"{settings.organisation}: {text}" if settings.organisation else text
    return ""


async def answer_command(
    connection: Connection,
    message: InboundSms,
    command: Command,
    place: Place,
    at: datetime,
    settings: TextAnswerSettings,
    clock: Clock,
) -> bool:
    """Answer a command of a person, if nothing speaks against it; true when an answer was written."""
    if is_answered_there(message, settings) or not is_e164(message.sender):
        return False
    now = clock.now()
    if now - at > timedelta(hours=settings.latest):
        return False  # it lay here, or at the provider, for long
    language = await connection.fetchval(_LANGUAGE, place.contact_id) if place.contact_id else None
    text = choose_words(command, language, message, settings)
    if not text or await connection.fetchval(CLOSED, message.sender):
        return False
    await connection.execute(_LOCK)
    since = now - timedelta(hours=settings.hours)
    if await connection.fetchval(_RECENT, message.sender, since) >= settings.per_correspondent:
        return False
    if await connection.fetchval(_THIS_HOUR, now - timedelta(hours=1)) >= settings.per_hour:
        return False
    letter = SmsLetter(
        LetterKind.AUTO_ANSWER,
        message.recipient,
        message.sender,
        text,
        service=message.service,
        lookalikes=True,
        contact_id=place.contact_id,
        conversation_id=place.conversation_id,
        case_id=place.case_id,
    )
    try:
        number = await write_sms(connection, letter, clock)
    except InvalidInput:
        return False  # a number that takes no messages
    await connection.execute(_KEEP, message.sender, place.conversation_id, number, now)
    reading_metrics.ANSWERED.inc()
    return True
