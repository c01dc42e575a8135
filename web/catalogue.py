"""Keep the catalogues complete: `python -m web.catalogue` collects every text into web/locale/*/LC_MESSAGES/clytie.po.

Three sources: gettext calls in web/, the console's templates, and the sentences of errors that other rooms raise.
What stands in the places of such a sentence (an f-string) becomes {0}, {1}, …: see web/sentences.py.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from web.i18n import LANGUAGES, catalogue_path

ROOT: Final = Path(__file__).parents[1]
#: folders and files whose errors reach the console and the API (those of rule files reach the command line only)
ROOMS: Final = ("domain", "templates", "contacts", "campaigns", "router/tasks.py", "router/task_moves.py",
                "router/task_lists.py", "router/cases", "inbox/desk/conversations.py", "inbox/desk/placements.py", "inbox/desk/drafts.py",
                "inbox/calls/placing.py", "inbox/desk/preparation.py", "inbox/desk/answers.py", "inbox/arrival/quarantine.py", "inbox/desk/authors.py",
                "channels/sandbox/carrier/handsets.py", "channels/sandbox/carrier/voice/switch.py",
                "channels/sandbox/carrier/remote.py", "channels/sandbox/carrier/inbound.py", "channels/sms/numbers.py",
                "channels/sms/content.py",
                "inbox/texts/answers.py", "inbox/texts/starting.py", "outbox/texts/letters.py",
                "router/message_templates.py", "router/failures.py",
                "outbox/suppression.py", "outbox/letters/writing.py",
                "outbox/letters/mail.py", "outbox/letters/requests.py", "web")  # fmt: skip
#: what a channel says of a message that it cannot take; whoever tells people ends the sentence
_UNFIT: Final = "Unfit"
ERRORS: Final = frozenset(
    {
        "InvalidInput",
        "NewsCameIn",
        "Conflict",
        "NotFound",
        "Forbidden",
        "Unavailable",
        "UnsupportedFeature",
        "NotSignedIn",
        _UNFIT,
    }
)
_KEYWORDS: Final = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}

Text = str | tuple[str, str]


def collect_texts() -> dict[Text, set[str]]:
    """Every text that people read, with the files that say it."""
    texts: dict[Text, set[str]] = {}
    for source in (_from_python(), _from_templates(), _from_errors()):
        for text, place in source:
            texts.setdefault(text, set()).add(place)
    return texts


def _from_python() -> Iterator[tuple[Text, str]]:
    for path in sorted((ROOT / "web").rglob("*.py")):
        with path.open("rb") as file:
            for _line, text, _comments, _context in extract("python", file, keywords=_KEYWORDS):
                yield _plain(text), str(path.relative_to(ROOT))


def _from_templates() -> Iterator[tuple[Text, str]]:
    options = {"trimmed": "true", "silent": "false"}
    for path in sorted((ROOT / "templates" / "console").glob("*.html")):
        with path.open("rb") as file:
            for _line, _name, text, _comments in babel_extract(file, list(_KEYWORDS), [], options):
                if isinstance(text, tuple):
                    text = tuple(part for part in text if part is not None)[:2]
                yield _plain(text), str(path.relative_to(ROOT))


def _plain(text: object) -> Text:
    if isinstance(text, (tuple, list)):
        parts = [str(part) for part in text if part is not None]
        return (parts[0], parts[1]) if len(parts) > 1 else parts[0]
    return str(text)


def _from_errors() -> Iterator[tuple[Text, str]]:
    for room in ROOMS:
        place = ROOT / room
        for path in [place] if place.suffix == ".py" else sorted(place.rglob("*.py")):
            module = ast.parse(path.read_text("utf-8"))
            constants = _constants(module)
            for node in ast.walk(module):
                if isinstance(node, ast.Call) and _called(node) in ERRORS:
                    skipped = 1 if _called(node) in ("InvalidInput", _UNFIT) else 0
                    for argument in node.args[skipped:]:
                        if isinstance(argument, ast.Name):  # a sentence that several errors share
                            argument = constants.get(argument.id, argument)
                        sentence = read_sentence(argument)
                        if sentence and any(char.isalpha() for char in sentence.replace("{0}", "")):
                            ended = f"{sentence}." if _called(node) == _UNFIT else sentence
                            yield ended, str(path.relative_to(ROOT))


def _constants(module: ast.Module) -> dict[str, ast.expr]:
    """The constants of a module, by name."""
    return {
        node.target.id: node.value
        for node in module.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None
    }


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


def read_sentence(node: ast.expr) -> str | None:
    """The sentence of a literal or f-string, with numbered places; None for anything else (N_ is read elsewhere)."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    text, place = "", 0
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += str(part.value)
        else:
            text += f"{{{place}}}"
            place += 1
    return text


def read_catalogue(language: str) -> Catalog:
    """The catalogue of a language as it lies there."""
    with catalogue_path(language).open("rb") as file:
        return read_po(file, locale=language)


def update_catalogues() -> dict[str, int]:
    """Add what is new, drop what is gone; gives the number of texts without a translation, by language."""
    texts = collect_texts()
    untranslated = {}
    for language in LANGUAGES:
        known, fresh = read_catalogue(language), Catalog(locale=language, charset="utf-8")
        for text in sorted(texts, key=lambda text: text if isinstance(text, str) else text[0]):
            before = known.get(text if isinstance(text, str) else text[0])
            fresh.add(
                text,
                before.string if before is not None and before.id == text else None,
                locations=[(place, 0) for place in sorted(texts[text])],
            )
        with catalogue_path(language).open("wb") as file:
            write_po(file, fresh, width=110, include_lineno=False, omit_header=False)
        untranslated[language] = sum(
            1 for message in fresh if message.id and not _is_translated(message.string)
        )
    return untranslated


def _is_translated(string: object) -> bool:
    return all(string) if isinstance(string, (tuple, list)) else bool(string)


if __name__ == "__main__":
    for language, number in update_catalogues().items():
        print(
            f"{language}: {number} without a translation"
            + (" (its texts are the sources)" if language == "en" else "")
        )
