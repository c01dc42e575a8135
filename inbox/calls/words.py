"""What is said to our people on their own phones, in the languages that we speak."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from domain.calls import Say


@dataclass(frozen=True, slots=True)
class Words:
    """Sentences in one language; `{name}` and `{key}` are filled in."""

    tag: str  #: BCP 47, for whoever speaks them
    announce: str
    press: str
    no_key: str
    gone: str
    keys: dict[str, str]

    def say(self, sentence: str, **values: str) -> Say:
        """One of the sentences, to be spoken."""
        return Say(sentence.format(**values), self.tag)

    def name_key(self, key: str) -> str:
        """A key as it is called."""
        return self.keys.get(key, key)


_WORDS: Final = {
    "en": Words(
        "en-GB",
        "This is your call to {name}.",
        "Press {key} to be connected.",
        "No key was pressed. Good bye.",
        "This call has been taken back. Good bye.",
        {"*": "star", "#": "hash"},
    ),
    "fr": Words(
        "fr-FR",
        "Voici votre appel à {name}.",
        "Appuyez sur {key} pour être mis en relation.",
        "Aucune touche n'a été pressée. Au revoir.",
        "Cet appel a été annulé. Au revoir.",
        {"*": "étoile", "#": "dièse"},
    ),
}


def words_in(language: str) -> Words:
    """The sentences in a language (ISO 639-1); English when we do not speak it."""
    return _WORDS.get(language[:2].lower(), _WORDS["en"])
