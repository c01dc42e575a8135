"""What the house itself says on the phone, in the caller's language: a line may say most of it in its own words.

Not from the catalogues of the console: a caller's language need not be one of the console's.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Phrase(StrEnum):
    """Each sentence; names in braces are filled in."""

    CHOOSE_LANGUAGE = "choose_language"  #: {key}; said in that language itself
    INVALID_KEY = "invalid_key"
    ONE_MOMENT = "one_moment"
    POSITION = "position"  #: {number}
    HOLD = "hold"
    OR_LEAVE = "or_leave"  #: {key}
    LEAVE_MESSAGE = "leave_message"
    CLOSED = "closed"
    THANK_YOU = "thank_you"
    GOODBYE = "goodbye"
    RECORDED = "recorded"
    WHISPER = "whisper"  #: {queue}, {name}
    HIDDEN = "hidden"
    PRESS_KEY = "press_key"  #: {key}
    TAKEN = "taken"
    MESSAGE = "message"  #: written: what a message says that nobody has written down
    MESSAGE_OF = "message_of"  #: {seconds}
    FORGOTTEN = "forgotten"  #: written: when its time of retention has ended
    OUR_CALL = "our_call"  #: {name}; said to one of us who placed a call
    CONNECT_KEY = "connect_key"  #: {key}
    NO_KEY = "no_key"
    TAKEN_BACK = "taken_back"


_P = Phrase
_ENGLISH: Final = {
    _P.CHOOSE_LANGUAGE: "For English, press {key}.",
    _P.INVALID_KEY: "Sorry, that is not one of the choices.",
    _P.ONE_MOMENT: "One moment, please.",
    _P.POSITION: "You are number {number} in line.",
    _P.HOLD: "Please hold. Somebody will be with you as soon as possible.",
    _P.OR_LEAVE: "To leave a message instead, press {key}.",
    _P.LEAVE_MESSAGE: "Please leave a message after the tone. Press the hash key when you are done.",
    _P.CLOSED: "We are closed at the moment.",
    _P.THANK_YOU: "Thank you. We will call you back.",
    _P.GOODBYE: "Thank you for calling. Goodbye.",
    _P.RECORDED: "This call is recorded.",
    _P.WHISPER: "Call for {queue}, from {name}.",
    _P.HIDDEN: "a hidden number",
    _P.PRESS_KEY: "Press {key} to take it.",
    _P.TAKEN: "Somebody else has taken this call, or the caller has hung up.",
    _P.MESSAGE: "Voice message.",
    _P.MESSAGE_OF: "Voice message of {seconds} seconds.",
    _P.FORGOTTEN: "The recording of this message was deleted when its time of retention ended.",
    _P.OUR_CALL: "This is your call to {name}.",
    _P.CONNECT_KEY: "Press {key} to be connected.",
    _P.NO_KEY: "No key was pressed. Goodbye.",
    _P.TAKEN_BACK: "This call has been taken back. Goodbye.",
}
PHRASES: Final[Mapping[str, Mapping[Phrase, str]]] = {
    "en": _ENGLISH,
    "fr": {
        _P.CHOOSE_LANGUAGE: "Pour le français, tapez {key}.",
        _P.INVALID_KEY: "Désolé, ce choix n'existe pas.",
        _P.ONE_MOMENT: "Un instant, s'il vous plaît.",
        _P.POSITION: "Vous êtes en position {number} dans la file d'attente.",
        _P.HOLD: "Merci de patienter. Nous vous répondrons dès que possible.",
        _P.OR_LEAVE: "Pour laisser un message, tapez {key}.",
        _P.LEAVE_MESSAGE: "Laissez un message après le signal sonore, puis appuyez sur la touche dièse.",
        _P.CLOSED: "Nous sommes actuellement fermés.",
        _P.THANK_YOU: "Merci. Nous vous rappellerons.",
        _P.GOODBYE: "Merci de votre appel. Au revoir.",
        _P.RECORDED: "Cet appel est enregistré.",
        _P.WHISPER: "Appel pour {queue}, de la part de {name}.",
        _P.HIDDEN: "un numéro masqué",
        _P.PRESS_KEY: "Appuyez sur {key} pour le prendre.",
        _P.TAKEN: "Quelqu'un d'autre a pris cet appel, ou l'appelant a raccroché.",
        _P.MESSAGE: "Message vocal.",
        _P.MESSAGE_OF: "Message vocal de {seconds} secondes.",
        _P.FORGOTTEN: "L'enregistrement de ce message a été supprimé à la fin de sa durée de conservation.",
        _P.OUR_CALL: "Voici votre appel à {name}.",
        _P.CONNECT_KEY: "Appuyez sur {key} pour être mis en relation.",
        _P.NO_KEY: "Aucune touche n'a été pressée. Au revoir.",
        _P.TAKEN_BACK: "Cet appel a été annulé. Au revoir.",
    },
    "de": {
        _P.CHOOSE_LANGUAGE: "Für Deutsch drücken Sie die {key}.",
        _P.INVALID_KEY: "Diese Auswahl gibt es leider nicht.",
        _P.ONE_MOMENT: "Einen Moment bitte.",
        _P.POSITION: "Sie sind Nummer {number} in der Warteschlange.",
        _P.HOLD: "Bitte warten Sie. Wir sind so bald wie möglich für Sie da.",
        _P.OR_LEAVE: "Um eine Nachricht zu hinterlassen, drücken Sie die {key}.",
        _P.LEAVE_MESSAGE: "Bitte sprechen Sie nach dem Signalton. Drücken Sie am Ende die Rautetaste.",
        _P.CLOSED: "Wir haben zurzeit geschlossen.",
        _P.THANK_YOU: "Vielen Dank. Wir rufen Sie zurück.",
        _P.GOODBYE: "Vielen Dank für Ihren Anruf. Auf Wiederhören.",
        _P.RECORDED: "Dieses Gespräch wird aufgezeichnet.",
        _P.WHISPER: "Anruf für {queue}, von {name}.",
        _P.HIDDEN: "einer unterdrückten Nummer",
        _P.PRESS_KEY: "Drücken Sie die {key}, um ihn anzunehmen.",
        _P.TAKEN: "Jemand anderes hat diesen Anruf angenommen, oder der Anrufer hat aufgelegt.",
        _P.MESSAGE: "Sprachnachricht.",
        _P.MESSAGE_OF: "Sprachnachricht von {seconds} Sekunden.",
        _P.FORGOTTEN: "Die Aufnahme dieser Nachricht wurde nach Ablauf der Aufbewahrungsfrist gelöscht.",
        _P.OUR_CALL: "Dies ist Ihr Anruf bei {name}.",
        _P.CONNECT_KEY: "Drücken Sie die {key}, um verbunden zu werden.",
        _P.NO_KEY: "Es wurde keine Taste gedrückt. Auf Wiederhören.",
        _P.TAKEN_BACK: "Dieser Anruf wurde zurückgenommen. Auf Wiederhören.",
    },
    "es": {
        _P.CHOOSE_LANGUAGE: "Para español, pulse {key}.",
        _P.INVALID_KEY: "Lo sentimos, esa opción no existe.",
        _P.ONE_MOMENT: "Un momento, por favor.",
        _P.POSITION: "Es usted el número {number} en la cola.",
        _P.HOLD: "Espere, por favor. Le atenderemos lo antes posible.",
        _P.OR_LEAVE: "Para dejar un mensaje, pulse {key}.",
        _P.LEAVE_MESSAGE: "Deje un mensaje después de la señal. Pulse almohadilla al terminar.",
        _P.CLOSED: "En este momento estamos cerrados.",
        _P.THANK_YOU: "Gracias. Le devolveremos la llamada.",
        _P.GOODBYE: "Gracias por su llamada. Adiós.",
        _P.RECORDED: "Esta llamada se graba.",
        _P.WHISPER: "Llamada para {queue}, de {name}.",
        _P.HIDDEN: "un número oculto",
        _P.PRESS_KEY: "Pulse {key} para atenderla.",
        _P.TAKEN: "Otra persona ha atendido esta llamada, o quien llamaba ha colgado.",
        _P.MESSAGE: "Mensaje de voz.",
        _P.MESSAGE_OF: "Mensaje de voz de {seconds} segundos.",
        _P.FORGOTTEN: "La grabación de este mensaje se eliminó al terminar su plazo de conservación.",
        _P.OUR_CALL: "Esta es su llamada a {name}.",
        _P.CONNECT_KEY: "Pulse {key} para establecer la comunicación.",
        _P.NO_KEY: "No se ha pulsado ninguna tecla. Adiós.",
        _P.TAKEN_BACK: "Esta llamada se ha cancelado. Adiós.",
    },
}


def phrase(one: Phrase, language: str, **names: object) -> str:
    """A sentence in a language, given as a tag such as fr or fr-CA; in English where the house does not speak it."""
    return PHRASES.get(language.partition("-")[0], _ENGLISH)[one].format(**names)


def spoken_language(language: str) -> str:
    """The language that the house's own sentences come in."""
    return language if language.partition("-")[0] in PHRASES else "en"


#: the country whose accent is spoken where a line names the language alone
_ACCENTS: Final = {
    "en": "en-GB",
    "da": "da-DK",
    "sv": "sv-SE",
    "ca": "ca-ES",
    "cs": "cs-CZ",
    "el": "el-GR",
} | {
    "ja": "ja-JP",
    "ko": "ko-KR",
    "nb": "nb-NO",
    "uk": "uk-UA",
    "zh": "zh-CN",
    "ar": "ar-XA",
    "hi": "hi-IN",
    "pt": "pt-PT",
}


def accent(language: str) -> str:
    """The tag that a voice is chosen by: fr-FR for fr."""
    if "-" in language or not language:
        return language
    return _ACCENTS.get(language, f"{language}-{language.upper()}")
