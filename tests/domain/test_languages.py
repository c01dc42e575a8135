"""A text's language is told by its commonest words, or not at all."""

from __future__ import annotations

import pytest

from domain.languages import LANGUAGES, detect_language, first_language


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "I hereby resign from my position as of the end of the month."),
        ("en", "Where is my parcel?"),
        ("fr", "Bonjour, je vous présente ma démission."),
        ("fr", "Où est mon colis ?"),
        ("fr", "J’ai bien reçu votre facture, mais le montant n’est pas le bon."),
        ("de", "Wo ist mein Paket? Ich warte seit Montag."),
        ("es", "Buenos días, quiero saber dónde está mi paquete, gracias."),
        ("it", "Buongiorno, dove è il mio pacco? Grazie"),
        ("nl", "Waar is mijn pakket? Ik wacht al lang."),
        ("pt", "Onde está o meu pacote? Obrigado"),
        (
            "fr",
            "Please find enclosed : madame, je vous présente ma démission et je quitterai mon poste en juin.",
        ),
    ],
)
def test_a_sentence_tells_its_language(language: str, text: str) -> None:
    assert detect_language(text) == language


@pytest.mark.parametrize(
    "text", ["", "OK", "12345", "Merci", "Hello, merci", "FW: RE: AW:", "Привет, как дела?"]
)
def test_too_few_words_and_a_mixture_tell_nothing(text: str) -> None:
    assert detect_language(text) is None


def test_every_language_is_told_from_its_own_words() -> None:
    texts = {
        "en": "Thank you for your message, we will answer it as soon as we can.",
        "fr": "Merci pour votre message, nous vous répondrons dès que possible avec plaisir.",
        "de": "Danke für Ihre Nachricht, wir werden sie so bald wie möglich beantworten.",
        "es": "Gracias por su mensaje, le responderemos lo antes posible, pero no hoy.",
        "it": "Grazie per il vostro messaggio, vi risponderemo il più presto possibile, ma non oggi.",
        "nl": "Bedankt voor uw bericht, wij zullen het zo snel mogelijk beantwoorden.",
        "pt": "Obrigado pela sua mensagem, nós vamos responder o mais rápido possível, mas não hoje.",
    }
    assert {language: detect_language(text) for language, text in texts.items()} == {
        language: language for language in LANGUAGES
    }


def test_the_first_text_that_tells_decides() -> None:
    assert first_language(["", "OK", "Où est mon colis ?", "Where is my parcel?"]) == "fr"
    assert first_language(["OK"]) is None
