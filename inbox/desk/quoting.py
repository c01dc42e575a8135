"""What stands around an answer: the quoted mail with who wrote it when, the queue's signature."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time

#: the words that mail programs of this language announce a quotation with
_ATTRIBUTIONS: Final[Mapping[str, str]] = {
    "en": "On {date}, {time}, {name} wrote:",
    "fr": "Le {date} à {time}, {name} a écrit\u00a0:",
    "de": "Am {date} um {time} schrieb {name}:",
    "es": "El {date}, {time}, {name} escribió:",
    "it": "Il {date} alle {time} {name} ha scritto:",
    "nl": "Op {date} om {time} schreef {name}:",
    "pt": "Em {date}, {time}, {name} escreveu:",
    "pl": "W dniu {date} o {time} {name} pisze:",
    "sv": "Den {date} kl. {time} skrev {name}:",
}
_LONGEST_QUOTE: Final = 60_000  #: characters of the quoted mail


def attribution(name: str, at: datetime, language: str, zone: str = "UTC") -> str:
    """The line above a quotation, in `language`; English for one we have no words for."""
    words = _ATTRIBUTIONS.get(language, _ATTRIBUTIONS["en"])
    try:
        locale = Locale.parse(language if language in _ATTRIBUTIONS else "en")
    except (UnknownLocaleError, ValueError):  # pragma: no cover - Babel knows all of the table
        locale = Locale("en")
    here = at.astimezone(ZoneInfo(zone))
    return words.format(
        date=format_date(here.date(), "long", locale=locale),
        time=format_time(here, "HH:mm", locale=locale),
        name=name,
    )


def quote(text: str) -> str:
    """The text with `> ` before each line, without an end of empty ones."""
    lines = text.strip("\n")[:_LONGEST_QUOTE].split("\n")
    return "\n".join(f"> {line}" if line and not line.startswith(">") else f">{line}" for line in lines)


def sign(signature: str, agent: str) -> str:
    """A queue's signature with the agent's name in the place of `{agent}`; only the name when it has none."""
    return signature.replace("{agent}", agent).strip() if signature.strip() else agent


def compose(text: str, signature: str, quotation: str = "") -> str:
    """The whole text of an answer: what was written, the signature behind its mark, what is quoted."""
    parts = [text.strip(), f"-- \n{signature}" if signature else "", quotation]
    return "\n\n".join(part for part in parts if part) + "\n"
