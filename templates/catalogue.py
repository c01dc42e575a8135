"""What comes with Clytie to begin with: newsletters, templates/mail/<name>.<language>.mjml, .txt and .toml, and short
messages, templates/sms/<name>.<language>.txt."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Final

from domain.errors import NotFound
from templates.source import MailTemplate
from templates.styling import prepare

_MAIL: Final = Path(__file__).parent / "mail"
_SMS: Final = Path(__file__).parent / "sms"


def listed() -> dict[str, tuple[str, ...]]:
    """Give the names of the newsletters and the languages of each."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted(_MAIL.glob("*.mjml")):
        name, language = path.stem.split(".")
        found[name] = (*found.get(name, ()), language)
    return found


@lru_cache(maxsize=16)
def load(
    name: str, language: str, from_address: str, from_name: str = "", reply_to: str | None = None
) -> MailTemplate:
    """Read a newsletter, its MJML made into HTML. Raises NotFound when there is none of that name and language."""
    if language not in listed().get(name, ()):
        raise NotFound(f"There is no newsletter {name} in {language}; there are {listed()}.")
    stem = _MAIL / f"{name}.{language}"
    headers = tomllib.loads(stem.with_suffix(f".{language}.toml").read_text("utf-8"))
    return MailTemplate(
        **headers,
        from_address=from_address,
        from_name=from_name,
        reply_to=reply_to,
        html=prepare(stem.with_suffix(f".{language}.mjml").read_text("utf-8")),
        text=stem.with_suffix(f".{language}.txt").read_text("utf-8"),
        language=language,
    )


@lru_cache(maxsize=16)
def load_text(name: str, language: str) -> str:
    """Read a short message. Raises NotFound when there is none of that name and language."""
    path = _SMS / f"{name}.{language}.txt"
    if path.parent != _SMS or not path.is_file():
        raise NotFound(f"There is no short message {name} in {language}.")
    return path.read_text("utf-8").rstrip("\n")
