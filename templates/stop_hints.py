"""How a reader is told to stop short messages, in the reader's language.

Whoever gets news by SMS must be told in each of them how to refuse more, without cost beyond that of an SMS
(directive 2002/58/EC, article 13; in France article L34-5 of the CPCE, which made "STOP au …" the usual words).
The words are short, and where the language allows it within the 7-bit alphabet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: language → words when one answers the message, words with the number to write to
STOP_HINTS: Final[Mapping[str, tuple[str, str]]] = {
    "en": ("Reply STOP to opt out", "To opt out: STOP to {number}"),
    "fr": ("Plus de SMS ? Répondez STOP", "STOP au {number}"),
    "de": ("Abmelden: STOP antworten", "Abmelden: STOP an {number}"),
    "es": ("Baja: responda STOP", "Baja: STOP al {number}"),
    "it": ("Per non riceverne: rispondi STOP", "Per non riceverne: STOP al {number}"),
    "nl": ("Afmelden: antwoord STOP", "Afmelden: STOP naar {number}"),
    "pt": ("Para sair, responda STOP", "Para sair: STOP para {number}"),
    "pl": ("Rezygnacja: odpisz STOP", "Rezygnacja: STOP na {number}"),
    "sv": ("Avsluta: svara STOPP", "Avsluta: STOPP till {number}"),
    "da": ("Afmeld: svar STOP", "Afmeld: STOP til {number}"),
    "no": ("Avslutt: svar STOPP", "Avslutt: STOPP til {number}"),
    "fi": ("Peruuta: vastaa STOP", "Peruuta: STOP numeroon {number}"),
    "cs": ("Zrusit: odpovezte STOP", "Zrusit: STOP na {number}"),
    "ro": ("Dezabonare: raspunde STOP", "Dezabonare: STOP la {number}"),
    "tr": ("Iptal: STOP yazip yanitla", "Iptal: {number} no.ya STOP"),
    "ru": ("Отписаться: ответьте СТОП", "Отписаться: СТОП на {number}"),
    "uk": ("Відписатися: надішліть СТОП", "Відписатися: СТОП на {number}"),
    "el": ("Διακοπή: απαντήστε STOP", "Διακοπή: STOP στο {number}"),
    "ar": ("للإلغاء أرسل STOP", "للإلغاء أرسل STOP إلى {number}"),
}


def write_hint(language: str, number: str = "") -> str:
    """The words in a language (English where we have none); `number`: where STOP is sent when nobody can answer."""
    answering, writing = STOP_HINTS.get(language[:2].lower(), STOP_HINTS["en"])
    return writing.format(number=number) if number else answering


def hint_template(language: str, number: str = "") -> str:
    """jinja2 that writes the words in each reader's language, in `language` for those who have told none."""
    first = write_hint(language, number)
    others = [(code, write_hint(code, number)) for code in STOP_HINTS if code != language[:2].lower()]
    branches = "".join(
        f"{{% {'elif' if place else 'if'} contact.language == '{code}' %}}{words}"
        for place, (code, words) in enumerate(others)
    )
    return f"{branches}{{% else %}}{first}{{% endif %}}"
