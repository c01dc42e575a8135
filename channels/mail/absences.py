"""Out-of-office answers: known by headers and by their subjects in nine languages, with the date of return when told.

Languages: English, French, German, Spanish, Italian, Dutch, Portuguese, Polish, Swedish.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

#: How subjects of absence begin or read, accents removed, in lower case.
_SUBJECTS: Final = re.compile(
    r"""
    # what mail programs put before the subject
    ^(?:\W*)(?:auto(?:matic)?[ -]?(?:reply|response|responder|answer)|autoreply|auto|reponse\ automatique|message\ automatique
      |automatische\ (?:antwort|abwesenheits\w*)|abwesenheits\w*|auto(?:matisk)?\ ?svar|automatiskt\ svar|respuesta\ automatica
      |contestador\ automatico|risposta\ automatica|automatisch\ antwoord|automatische\ beantwoording|resposta\ automatica
      |automatyczna\ odpowiedz|odpowiedz\ automatyczna|franvaro\w*|fuera\ de\ (?:la\ )?oficina|fuori\ (?:sede|ufficio)
      |out\ of\ (?:the\ )?office|vacation|absence)\b\s{0,3}(?::|$|-|\()
    # what people write
    |\bout\ of\ (?:the\ )?office\b|\bo\.?o\.?o\b|\baway\ (?:from\ (?:the\ |my\ )?(?:office|desk)|until|on\ vacation|till)\b
    |\bon\ (?:vacation|annual\ leave|parental\ leave|maternity\ leave|holiday|leave)\b|\bvacation\ (?:reply|response|message|notice)\b
    |\babsence\ du\ bureau\b|\babsent(?:e)?\ (?:du\ bureau|jusqu|actuellement)|\bnotification\ d.absence\b|\bmessage\ d.absence\b|\ben\ conges?\b
    |\babwesenheit(?:snotiz|smeldung|sassistent)?\b|\bnicht\ im\ (?:buro|hause)\b|\bim\ urlaub\b|\bausser\ haus\b
    |\bfuera\ de\ (?:la\ )?oficina\b|\bausente\b|\bde\ vacaciones\b|\bausencia\b
    |\bfuori\ (?:sede|ufficio)\b|\bassente\b|\bassenza\b|\bin\ ferie\b
    |\bafwezig(?:heid)?\b|\bniet\ (?:op|aan)?\ ?(?:het\ )?kantoor\b|\bmet\ (?:vakantie|verlof)\b
    |\bfora\ do\ escritorio\b|\bausencia\ (?:temporaria|do)\b|\bde\ ferias\b
    |\bnieobecn\w+\b|\bpoza\ biurem\b|\bna\ urlopie\b|\burlop\b
    |\bfranvaro(?:meddelande)?\b|\bpa\ semester\b|\bsemestermeddelande\b|\bej\ pa\ kontoret\b|\bborta\ fran\ kontoret\b
    """,
    re.VERBOSE,
)
#: Prefixes that only a machine writes, whatever follows them.
_PREFIXES: Final = re.compile(
    r"^\W*(?:auto(?:matic)?[ -]?(?:reply|response|answer)|autoreply|auto|reponse automatique|automatische antwort|autosvar|"
    r"automatiskt? svar|respuesta automatica|risposta automatica|automatisch antwoord|resposta automatica|"
    r"automatyczna odpowiedz|odpowiedz automatyczna|out of (?:the )?office|abwesenheitsnotiz|absence du bureau|"
    r"fuera de (?:la )?oficina|fuori sede)\b[^:]{0,30}:"
)

_MONTHS: Final[dict[str, int]] = {
    name: number
    for number, names in enumerate(
        (
            "january jan janvier janv januar janner enero ene gennaio gen januari janeiro stycznia styczen sty",
            "february feb fevrier fevr februar febrero febbraio februari fevereiro fev lutego luty lut",
            "march mar mars marz maerz marzo maart mrt marco marca marzec",
            "april apr avril avr abril abr aprile kwietnia kwiecien kwi",
            "may mai mayo maggio mag mei maio maja maj",
            "june jun juin juni junio giugno giu junho czerwca czerwiec cze",
            "july jul juillet juil juli julio luglio lug julho lipca lipiec lip",
            "august aug aout agosto ago augustus augusti sierpnia sierpien sie",
            "september sep sept septembre septiembre settembre set setembro wrzesnia wrzesien wrz",
            "october oct octobre oktober okt octubre ottobre ott outubro out pazdziernika pazdziernik paz",
            "november nov novembre noviembre novembro listopada listopad lis",
            "december dec decembre dezember dez diciembre dic dicembre dezembro grudnia grudzien gru",
        ),
        start=1,
    )
    for name in names.split()
}
#: Words before the day of return. The second group says that the person is away up to and with that day.
_RETURN: Final = re.compile(
    r"""\b(?:
      (?P<back>back\ (?:in\ the\ office\ )?(?:on|by)?|return(?:ing)?\ (?:to\ (?:the\ |my\ )?(?:office|work|desk)\ )?(?:on|by)?
        |(?:de\ )?retour\ (?:au\ bureau\ )?(?:le|prevu\ le)?|(?:je\ )?reviens\ le|je\ serai\ de\ retour\ (?:le)?
        |(?:wieder\ )?(?:zuruck|erreichbar|im\ (?:buro|hause)|da)\ (?:ab|am)|(?:ab|am)\ (?:dem\ )?
        |(?:vuelvo|volvere|regreso|regresare)\ (?:a\ la\ oficina\ )?el
        |(?:rientro|torno|rientrero|tornero|di\ ritorno|disponibile)\ (?:in\ (?:ufficio|sede)\ )?(?:il|dal|a\ partire\ dal)?
        |(?:weer\ )?(?:terug|aanwezig|bereikbaar)\ (?:op|vanaf)?
        |(?:regresso|volto|retorno|estarei\ de\ volta)\ (?:ao\ escritorio\ )?(?:em|a|no\ dia)?
        |(?:wracam|wroce|powrot|bede\ ponownie)\ (?:do\ (?:pracy|biura)\ )?(?:w\ dniu)?
        |(?:tillbaka|ater)\ (?:pa\ (?:kontoret|jobbet)\ )?(?:den)?)
      |(?P<until>until|till\ och\ med|till|through|up\ to|thru|jusqu.?\ ?(?:au|a)|bis\ (?:zum|einschliesslich|inkl\.?)?|hasta\ el|fino\ (?:al|a)
        |tot\ (?:en\ met)?|t/m|ate\ (?:o\ dia|ao?\ dia|ao?)?|do\ dnia|do|t\.?o\.?m\.?|tom)
    )\W{0,3}(?:(?:the|dem|den|el|il|le|dia|dnia)\W{1,2})?(?:[a-z]{2,12}[.,]?\W{1,2}(?:the\ |den\ |dem\ )?)??
    (?P<day>\d{4}-\d{2}-\d{2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}[./]\d{1,2}\b\.?
      |\d{1,2}(?:st|nd|rd|th|er|o|\.|:e)?\W{1,2}(?:of\W|de\W|di\W)?[a-z]{3,12}\.?(?:,?\W(?:de\W)?\d{4})?
      |[a-z]{3,12}\.?\W\d{1,2}(?:st|nd|rd|th)?\b(?:,?\W\d{4})?)
    """,
    re.VERBOSE,
)
_TEXT_LIMIT: Final = 4_000


@dataclass(frozen=True, slots=True)
class Absence:
    """Somebody is away. `back_on` is the first day back, None when the answer does not tell."""

    back_on: date | None = None


def is_automatic_answer(headers: Mapping[str, str]) -> bool:
    """Whether headers (names in lower case) say or show that a machine answered for a person.

    `Auto-Submitted: no` is a person's mail, whatever the subject (RFC 3834). `auto-generated` alone marks notices of
    every kind; it counts only with a subject of absence or as an answer to something.
    """
    submitted = headers.get("auto-submitted", "").split(";")[0].split("(")[0].strip().lower()
    if submitted == "no":
        return False
    if submitted in ("auto-replied", "auto-notified"):
        return True
    if (
        headers.get("x-autoreply", "").strip().lower() not in ("", "no", "false")
        or "x-autorespond" in headers
    ):
        return True
    if headers.get("precedence", "").strip().lower() in ("auto_reply", "auto-reply"):
        return True
    if (
        headers.get("x-apple-action", "").lower().startswith("vacation")
        or headers.get("x-autogenerated", "") == "Reply"
    ):
        return True
    subject = _fold(headers.get("subject", ""))
    if submitted == "auto-generated":
        answers = headers.get("in-reply-to") or re.match(r"(?:re|aw|sv|tr|odp|antw|rif|r)\s?:", subject)
        return bool(answers or _SUBJECTS.search(subject))
    return bool(_PREFIXES.search(subject))


def find_absence(subject: str, text: str, sent: date) -> Absence | None:
    """The absence that an automatic answer tells, judged by its subject and its first words; None for other answers.

    Dates without a year are the next such day after `sent`. Numbers are read as day and month, as these languages
    write them.
    """
    folded = _fold(subject)
    words = _fold(text[:_TEXT_LIMIT])
    if not _SUBJECTS.search(folded) and not _SUBJECTS.search(words[:600]):
        return None
    return Absence(_back_on(f"{folded} . {words}", sent))


def _back_on(words: str, sent: date) -> date | None:
    last_away: date | None = None
    for match in _RETURN.finditer(words):
        day = _read_day(match["day"], sent)
        if day is None or not sent <= day <= sent + timedelta(days=550):
            continue
        if match["back"]:
            return day
        last_away = last_away or day
    return last_away + timedelta(days=1) if last_away else None


def _read_day(words: str, sent: date) -> date | None:
    year = month = day = 0
    numbers = [int(number) for number in re.findall(r"\d+", words)]
    names = [_MONTHS[name] for name in re.findall(r"[a-z]+", words) if name in _MONTHS]
    if re.match(r"\d{4}-", words):
        year, month, day = numbers
    elif names and numbers:
        month, day = names[0], numbers[0]
        year = numbers[1] if len(numbers) > 1 else 0
    elif len(numbers) >= 2 and not re.search(r"[a-z]{3}", words):
        day, month = numbers[:2]
        year = numbers[2] if len(numbers) > 2 else 0
    else:
        return None
    if 0 < year < 100:
        year += 2000
    try:
        if year:
            return date(year, month, day)
        this_year = date(sent.year, month, day)
        return this_year if this_year >= sent else date(sent.year + 1, month, day)
    except ValueError:
        return None


def _fold(text: str) -> str:
    """Lower case without accents, white space as single blanks."""
    plain = unicodedata.normalize("NFKD", text[:_TEXT_LIMIT].replace("ł", "l").replace("ß", "ss"))
    return " ".join("".join(letter for letter in plain if not unicodedata.combining(letter)).lower().split())
