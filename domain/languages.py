"""Which language a text is written in, told by its commonest words. Pure, and the same on every machine.

For the languages that the house meets most; of any other, of too few words and of a mixture it says nothing: a rule that
is not told acts on nothing, and one that is told wrongly acts on the wrong thing. A word of several languages counts for
each of them, but less.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

#: characters that are looked at: whoever writes more goes on in the same language
LONGEST: Final = 5_000
#: what a text must at least hold of a language, in words that belong to it alone
LEAST: Final = 1.9
#: by how much the likeliest must lead
LEAD: Final = 1.4

_WORDS: Final = {
    "en": "the and you your yours this that these those with from for have has had would could should will are is was were "
    "not what which when where who how our their there here been because about please thank thanks hello dear regards "
    "sincerely can cannot into it its they them we my me he she his her than then but or if by do does did of to am i",
    "fr": "le la les des une un du de et est pas vous votre vos nous notre nos je mon ma mes ce cette ces que qui dans pour "
    "avec sur par plus mais ou où donc être avoir avez avons suis sont était été bonjour bonsoir merci cordialement "
    "madame monsieur veuillez aux au en il elle ils elles ne se sa son ses leur leurs très aussi comme quand chez afin si "
    "l'on j'ai c'est n'est d'un d'une qu'il qu'elle l d j qu",
    "de": "der die das und ist nicht sie ihr ihre ihren wir uns unser unsere ich mein meine mit für auf von zu zum zur im den "
    "dem des ein eine einen einem einer auch aber oder wenn dass haben hat habe sind war wird werden kann können bitte "
    "danke hallo guten sehr geehrte geehrter grüßen grüße freundlichen als bei nach aus über noch nur wie was es",
    "es": "el los las una unos y es no usted ustedes su sus nosotros nuestro nuestra yo mi mis este esta estos que con para "
    "por pero o si del al lo se como más está están soy son era gracias hola buenos buenas días tardes estimado estimada "
    "saludos muy también cuando donde porque ha he hay tengo tiene quiero un la de en le",
    "it": "il lo gli una e è non voi vostro vostra noi nostro nostra io mio mia questo questa che con per ma o se del della "
    "dei delle al alla nel nella sul sono era più anche come quando dove perché ho ha hanno grazie buongiorno ciao "
    "cordiali saluti gentile egregio signore signora molto vorrei di un la le da in si ci",
    "nl": "de het een en is niet u uw wij we ons onze ik mijn met voor op van naar te bij dat dit deze die maar of als ook nog "
    "hebben heeft heb zijn was wordt worden kan kunnen graag dank bedankt hallo beste geachte groeten groet vriendelijke "
    "er om aan uit over wat wie hoe",
    "pt": "o os as uma um e é não você vocês seu sua nós nosso nossa eu meu minha este esta isso que com para por mas ou se do "
    "da dos das ao à no na nos nas mais também como quando onde porque está estão sou são era obrigado obrigada olá bom "
    "boa dia tarde caro cara prezado prezada atenciosamente cumprimentos muito tenho tem quero de em",
}
LANGUAGES: Final = tuple(_WORDS)

_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_APOSTROPHES: Final = str.maketrans({"’": "'", "ʼ": "'"})


def _weigh() -> Mapping[str, Mapping[str, float]]:
    """For each word how much it says for each language."""
    of: dict[str, list[str]] = {}
    for language, words in _WORDS.items():
        for word in dict.fromkeys(words.split()):
            of.setdefault(word, []).append(language)
    return {word: dict.fromkeys(languages, 1 / len(languages) ** 2) for word, languages in of.items()}


_WEIGHTS: Final = _weigh()


def detect_language(text: str) -> str | None:
    """The language of a text as ISO 639-1; None where its words do not tell, or it is none of LANGUAGES."""
    scores: defaultdict[str, float] = defaultdict(float)
    for word in _WORD.findall(text[:LONGEST].lower().translate(_APOSTROPHES)):
        for part in (word, *word.split("'")) if "'" in word else (word,):
            for language, weight in _WEIGHTS.get(part, {}).items():
                scores[language] += weight
    ranked = sorted(scores.items(), key=lambda score: -score[1])[:2]
    if not ranked or ranked[0][1] < LEAST:
        return None
    if len(ranked) > 1 and ranked[0][1] < LEAD * ranked[1][1]:
        return None
    return ranked[0][0]


def first_language(texts: Iterable[str]) -> str | None:
    """The language of the first of these texts that tells one."""
    return next((found for text in texts if (found := detect_language(text))), None)
