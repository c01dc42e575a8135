"""STOP, START and HELP: messages that are nothing but a command, in the languages of our contacts.

A command is the whole message. "STOP" and " stop! " are one, "please stop" and "stop the machine" are not: those go
to a person, as the provider does it too. What the provider obeys by itself (it then refuses our messages with
21610) is marked, so that ours and its list never disagree. Its list: help.twilio.com, "Twilio support for opt-out
keywords", with OPTOUT and REVOKE since 2025, and the French of Canada.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Command(StrEnum):
    """What a keyword asks for."""

    STOP = "stop"
    START = "start"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Keyword:
    """A message that was a command."""

    command: Command
    word: str  #: as it stands in the table
    language: str  #: ISO 639-1; the first that has this word, `en` for those of the providers
    obeyed: bool  #: the provider acts on it by itself
    #: an ordinary answer as well ("yes"): means START only to somebody who sent STOP before
    ambiguous: bool


_OBEYED: Final[dict[Command, tuple[str, ...]]] = {
    Command.STOP: (
        "stop", "stopall", "unsubscribe", "cancel", "end", "quit", "optout", "revoke",
    ),
    Command.START: ("start", "unstop", "yes"),
    Command.HELP: ("help", "info"),
}  # fmt: skip

#: language → command → words, spelt with their accents; they are met without them too
_WORDS: Final[dict[str, dict[Command, tuple[str, ...]]]] = {
    "en": {
        Command.STOP: ("stop all", "opt out", "opt-out", "remove", "remove me", "unsub", "stop sms", "stop texting"),
        Command.START: ("opt in", "opt-in", "optin", "subscribe", "resubscribe"),
        Command.HELP: ("aid",),
    },
    "fr": {
        Command.STOP: (
            "arrêt", "arrêter", "arrêtez", "arrett", "désabonner", "désabonnement", "désabonnez-moi",
            "désinscription", "désinscrire", "se désinscrire", "résilier", "fin", "stop pub", "stop publicité",
        ),
        Command.START: ("reprendre", "débuter", "commencer", "abonner", "réabonner", "s'abonner", "oui"),
        Command.HELP: ("aide", "infos"),
    },
    "de": {
        Command.STOP: (
            "stopp", "halt", "ende", "abmelden", "abmeldung", "abbestellen", "austragen", "beenden", "kündigen",
            "kein sms", "keine sms",
        ),
        Command.START: ("starten", "anmelden", "anmeldung", "wieder anmelden", "ja"),
        Command.HELP: ("hilfe", "information"),
    },
    "es": {
        Command.STOP: ("alto", "baja", "cancelar", "darse de baja", "dar de baja", "detener", "parar", "no más", "salir"),
        Command.START: ("alta", "iniciar", "comenzar", "suscribir", "empezar", "sí"),
        Command.HELP: ("ayuda", "información"),
    },
    "it": {
        Command.STOP: ("basta", "annulla", "cancella", "cancellami", "disiscrivi", "disiscrivimi", "disdire", "ferma"),
        Command.START: ("inizia", "iscrivi", "iscrivimi", "riprendi", "sì"),
        Command.HELP: ("aiuto", "informazioni"),
    },
    "nl": {
        Command.STOP: ("stoppen", "afmelden", "uitschrijven", "opzeggen", "einde"),
        Command.START: ("aanmelden", "inschrijven", "begin", "ja"),
        Command.HELP: ("hulp", "informatie"),
    },
    "pt": {
        Command.STOP: ("pare", "parar", "sair", "cancelar", "descadastrar", "remover", "cancelar inscrição"),
        Command.START: ("começar", "iniciar", "voltar", "inscrever", "sim"),
        Command.HELP: ("ajuda", "informação"),
    },
    "pl": {
        Command.STOP: ("koniec", "zatrzymaj", "wypisz", "wypisz mnie", "rezygnuję", "anuluj", "zakończ"),
        Command.START: ("rozpocznij", "zapisz", "wznów", "tak"),
        Command.HELP: ("pomoc", "informacja"),
    },
    "sv": {
        Command.STOP: ("stoppa", "avsluta", "avregistrera", "avanmäl", "slut"),
        Command.START: ("starta", "börja", "anmäl", "ja"),
        Command.HELP: ("hjälp", "information"),
    },
    "da": {
        Command.STOP: ("stop sms", "afmeld", "frameld", "afslut", "slut"),
        Command.START: ("tilmeld", "begynd", "ja"),
        Command.HELP: ("hjælp",),
    },
    "no": {
        Command.STOP: ("stopp", "avmeld", "meld av", "avslutt", "slutt"),
        Command.START: ("meld på", "begynn", "ja"),
        Command.HELP: ("hjelp",),
    },
    "fi": {
        Command.STOP: ("seis", "lopeta", "peruuta", "lopetus", "poista"),
        Command.START: ("aloita", "tilaa", "kyllä"),
        Command.HELP: ("apua", "ohje"),
    },
    "cs": {
        Command.STOP: ("zastavit", "odhlásit", "ukončit", "zrušit"),
        Command.START: ("přihlásit", "začít", "ano"),
        Command.HELP: ("pomoc", "nápověda"),
    },
    "ro": {
        Command.STOP: ("opriți", "oprește", "dezabonare", "renunț"),
        Command.START: ("abonare", "începe", "da"),
        Command.HELP: ("ajutor",),
    },
    "tr": {
        Command.STOP: ("dur", "durdur", "iptal", "ret", "çık"),
        Command.START: ("başla", "başlat", "evet"),
        Command.HELP: ("yardım",),
    },
    "ru": {
        Command.STOP: ("стоп", "отписаться", "отписка", "хватит"),
        Command.START: ("старт", "начать", "подписаться", "да"),
        Command.HELP: ("помощь", "справка"),
    },
    "uk": {
        Command.STOP: ("стоп", "відписатися", "відписка"),
        Command.START: ("старт", "почати", "підписатися", "так"),
        Command.HELP: ("допомога", "довідка"),
    },
    "el": {
        Command.STOP: ("στοπ", "διακοπή", "διαγραφή"),
        Command.START: ("έναρξη", "ναι"),
        Command.HELP: ("βοήθεια",),
    },
    "ar": {
        Command.STOP: ("توقف", "إيقاف", "الغاء", "إلغاء"),
        Command.START: ("ابدأ", "بدء", "نعم"),
        Command.HELP: ("مساعدة",),
    },
}  # fmt: skip

_AMBIGUOUS: Final = frozenset(
    {
        "yes",
        "oui",
        "ja",
        "sí",
        "sì",
        "sim",
        "tak",
        "kyllä",
        "ano",
        "da",
        "evet",
        "да",
        "так",
        "ναι",
        "نعم",
        "begin",
    }
)
#: Longer messages are not looked at: no command with its punctuation comes near.
_LONGEST: Final = 60
_AROUND: Final = re.compile(r"^[\W_]+|[\W_]+$")
_BETWEEN: Final = re.compile(r"[\W_]+")


def read_keyword(body: str) -> Keyword | None:
    """The command that a message is, or None for everything else.

    Case, accents, punctuation and spaces around the words, and quotes do not matter; any other word does.
    """
    if len(body) > _LONGEST:
        return None
    return _TABLE.get(_fold(body))


def _fold(text: str) -> str:
    """The bare words: no case, no accents, no signs around them, one space between them."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("ı", "i"))
    bare = "".join(
        char for char in plain if not unicodedata.combining(char) and char not in "\u200b\u200e\u200f\ufeff"
    )
    return _BETWEEN.sub(" ", _AROUND.sub("", bare))


def _rows() -> Iterator[Keyword]:
    for command, words in _OBEYED.items():
        for word in words:
            yield Keyword(command, word, "en", obeyed=True, ambiguous=word in _AMBIGUOUS)
    for word in ("arrêt", "arrett", "arrête"):
        yield Keyword(Command.STOP, word, "fr", obeyed=True, ambiguous=False)
    for language, commands in _WORDS.items():
        for command, words in commands.items():
            for word in words:
                yield Keyword(command, word, language, obeyed=False, ambiguous=word in _AMBIGUOUS)


def _build() -> dict[str, Keyword]:
    table: dict[str, Keyword] = {}
    for row in _rows():
        table.setdefault(_fold(row.word), row)
    return table


_TABLE: Final = _build()


def words_of() -> dict[str, dict[Command, list[tuple[str, bool, bool]]]]:
    """The table by language and command: words, each with whether it is obeyed and ambiguous."""
    found: dict[str, dict[Command, list[tuple[str, bool, bool]]]] = {}
    for row in _TABLE.values():
        commands = found.setdefault(row.language, {command: [] for command in Command})
        commands[row.command].append((row.word, row.obeyed, row.ambiguous))
    return found
