"""Out-of-office answers in nine languages, and the day of return."""

from __future__ import annotations

import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.mail.absences import Absence, find_absence, is_automatic_answer

SENT = date(2026, 7, 20)


@pytest.mark.parametrize(
    ("subject", "text", "back_on"),
    [
        ("Automatic reply: Your offer", "I am out of the office and will return on 3 August.", date(2026, 8, 3)),
        ("Out of office: Your offer", "I will be away until August 2nd, 2026.", date(2026, 8, 3)),
        ("Réponse automatique : Votre offre", "Absent du bureau, je serai de retour le 17 août 2026.", date(2026, 8, 17)),
        ("Absence du bureau", "Je suis en congés jusqu'au 31/07/2026.", date(2026, 8, 1)),
        ("Automatische Antwort: Angebot", "Ich bin im Urlaub und wieder erreichbar ab 10.08.2026.", date(2026, 8, 10)),
        ("Abwesenheitsnotiz: Angebot", "Ich bin bis zum 7. August nicht im Büro.", date(2026, 8, 8)),
        ("Respuesta automática: Oferta", "Estoy de vacaciones hasta el 15 de agosto.", date(2026, 8, 16)),
        ("Fuera de la oficina", "Vuelvo a la oficina el 24 de agosto de 2026.", date(2026, 8, 24)),
        ("Risposta automatica: Offerta", "Sono in ferie, rientro il 24 agosto.", date(2026, 8, 24)),
        ("Fuori sede", "Sarò assente fino al 21/08/2026.", date(2026, 8, 22)),
        ("Automatisch antwoord: Offerte", "Ik ben met vakantie en weer terug op 12 augustus.", date(2026, 8, 12)),
        ("Afwezig", "Ik ben afwezig tot en met 11 augustus 2026.", date(2026, 8, 12)),
        ("Resposta automática: Proposta", "Estou de férias e regresso em 18 de agosto.", date(2026, 8, 18)),
        ("Ausência temporária", "Estarei ausente até 14/08/2026.", date(2026, 8, 15)),
        ("Automatyczna odpowiedź: Oferta", "Jestem na urlopie, wracam do pracy 5 sierpnia.", date(2026, 8, 5)),
        ("Nieobecność", "Jestem nieobecny do 4.08.2026.", date(2026, 8, 5)),
        ("Autosvar: Offert", "Jag är på semester och tillbaka den 6 augusti.", date(2026, 8, 6)),
        ("Frånvaromeddelande", "Jag är borta till och med 5 augusti 2026.", date(2026, 8, 6)),
    ],
)  # fmt: skip
def test_an_absence_is_known_in_nine_languages_with_the_first_day_back(
    subject: str, text: str, back_on: date
) -> None:
    assert find_absence(subject, text, SENT) == Absence(back_on)


def test_an_absence_without_a_date_is_an_absence_all_the_same() -> None:
    assert find_absence("Out of office", "I am away, please ask my colleagues.", SENT) == Absence(None)


def test_a_day_without_a_year_is_the_next_such_day() -> None:
    assert find_absence("Out of office", "back on January 4", date(2026, 12, 23)) == Absence(date(2027, 1, 4))


@pytest.mark.parametrize("text", ["back on 31 February", "back on 99.99.2026", "back on 1 August 1999"])
def test_an_impossible_day_is_not_believed(text: str) -> None:
    assert find_absence("Out of office", text, SENT) == Absence(None)


@pytest.mark.parametrize("subject", ["Re: Your offer", "Vacation homes in Italy", "Meeting on Monday", ""])
def test_other_mails_tell_no_absence(subject: str) -> None:
    assert find_absence(subject, "Let us meet on 3 August.", SENT) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"auto-submitted": "auto-replied"},
        {"auto-submitted": "Auto-Replied; owner-email=a@b.example"},
        {"auto-submitted": "auto-generated", "in-reply-to": "<1@x.example>"},
        {"auto-submitted": "auto-generated", "subject": "Out of office"},
        {"x-autoreply": "yes"},
        {"x-autorespond": "Away"},
        {"precedence": "auto_reply"},
        {"x-apple-action": "VACATION"},
        {"subject": "Automatic reply: Hello"},
        {"subject": "Réponse automatique : Bonjour"},
    ],
)
def test_an_automatic_answer_is_known_by_its_headers(headers: dict[str, str]) -> None:
    assert is_automatic_answer(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"auto-submitted": "no"},
        {"auto-submitted": "no", "subject": "Automatic reply: Hello", "x-autoreply": "yes"},
        {"auto-submitted": "auto-generated", "subject": "Your invoice"},
        {"x-autoreply": "no"},
        {"subject": "Re: Automatic reply"},
        {"subject": "Auto parts catalogue"},
    ],
)
def test_a_person_s_mail_and_a_mere_notice_are_no_automatic_answers(headers: dict[str, str]) -> None:
    assert not is_automatic_answer(headers)


@given(subject=st.text(max_size=300), text=st.text(max_size=2_000))
def test_no_text_is_too_odd(subject: str, text: str) -> None:
    find_absence(subject, text, SENT)


@pytest.mark.parametrize("piece", ["until ", "back on ", "1 ", "a", "out of ", "\n", "bis zum 1."])
def test_long_texts_are_read_in_little_time(piece: str) -> None:
    begun = time.perf_counter()
    find_absence(piece * 50_000, piece * 200_000, SENT)
    is_automatic_answer({"subject": piece * 200_000})
    assert time.perf_counter() - begun < 1
