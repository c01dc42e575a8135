"""The reference of types of cases, written from the models themselves: `python -m router.cases.reference > docs/cases.md`."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from router.cases.templates import Step, TaskTemplate, Who
from router.cases.type_files import read_types
from router.cases.type_store import default_types
from router.cases.types import CaseField, CaseType, FieldKind, Role, Stage
from router.spans import Span

EXAMPLE: Final = """\
- name: loan
  title: {en: Loan of tools, fr: Prêt d'outils}
  team: Workshop
  stages:
    - {name: asked, title: {en: Asked for, fr: Demandé}}
    - {name: lent, title: {en: Lent, fr: Prêté}}
    - {name: back, title: {en: Back, fr: Rendu}, ends: true}
  fields:
    - {name: until, kind: date, needed: true, title: {en: Until, fr: Jusqu'au}}
    - name: deposit
      kind: choice
      choices: [{name: cash, title: {en: Cash, fr: Espèces}}, {name: card, title: {en: Card, fr: Carte}}]
  roles:
    - {name: borrower, title: {en: Borrower, fr: Emprunteur}}
  templates:
    - name: lending
      title: {en: Lend it, fr: Prêter}
      starts: true
      steps:
        - {name: pick, task: Look the tools out, assign: {team: Workshop}}
        - {name: hand, task: "Hand them to {contact.name}", assign: {owner: true}, after: pick}
        - {name: return, task: Take them back, assign: {team: Workshop}, after: hand, check: {owner: true}}
"""

_INTRO: Final = """\
# Cases

<!-- Written by `python -m router.cases.reference`; a test fails when it is out of step. -->

A case is a business matter that goes through stages: a sale, a complaint, a tender. It has contacts in roles, an owner,
fields of its own, and one timeline over all that belongs to it: conversations, calls, tasks, messages and notes, each of
which belongs to one case at most. People open and move cases in the console, programs through the API, rules by the
actions `open_case`, `move_case` and `close_case` (docs/rules.md); conditions of rules ask for `case.*`.

A confidential case exists for its owner, its members and the people of its team only: for everybody else it is in no
list, timeline, search, log or answer of the API, and what belongs to it neither.

Types are data. A house has those that come with Clytie ({defaults}) until it applies its own:

    clytie cases types show > types.yaml     # the types of the house, as a file to change
    clytie cases types check types.yaml      # tells every problem with file, line, type, field and remedy
    clytie cases types apply types.yaml      # makes these the types of the house

The console takes the same text under Cases, Types. A type that has cases, and a stage that open cases are in, have to stay.

```yaml
{example}```
"""


def write_reference() -> str:
    """The whole page, in Markdown."""
    return "\n".join(_sections()).rstrip() + "\n"


def _sections() -> Iterator[str]:
    yield _INTRO.format(defaults=", ".join(default_types()), example=EXAMPLE)
    for title, model in (
        ("A type", CaseType),
        ("A stage", Stage),
        ("A field", CaseField),
        ("A role", Role),
        ("A task template", TaskTemplate),
        ("A step", Step),
        ("Who does a step, or checks it", Who),
    ):
        yield f"## {title}\n"
        yield from _table(model)
    yield "Kinds of field: " + ", ".join(f"`{kind.value}`" for kind in FieldKind) + "."
    yield "A text for people is one text, or a mapping of languages: `{en: Sale, fr: Vente}`.\n"
    yield "A step becomes a task when all the steps that it comes `after` are done. With `check`, a task for a second person"
    yield "follows: done means that the step is done, not possible (with a note) that it is to be done again.\n"


def _table(model: type[BaseModel]) -> Iterator[str]:
    yield "| key | is | |\n|---|---|---|"
    for name, field in model.model_fields.items():
        need = "**needed.** " if field.is_required() else ""
        yield f"| `{name}` | {_type(field.annotation)} | {need}{field.description}{_default(field)} |"
    yield ""


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True) if not field.is_required() else None
    if value is None or value in ((), "", {}):
        return ""
    return f" (default: {json.dumps(value) if isinstance(value, bool) else value})"


_WORDS: Final[dict[type, str]] = {
    str: "text",
    bool: "true or false",
    Span: "length of time",
    dict: "text for people",
}


def _type(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type(get_args(annotation)[0])
    if origin is Literal:
        return ", ".join(f"`{json.dumps(one).strip(chr(34))}`" for one in get_args(annotation))
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(one) for one in get_args(annotation) if one is not type(None)))
    if origin is tuple:
        return f"list of {_type(get_args(annotation)[0])}"
    if origin is dict:
        return _WORDS[dict]
    if issubclass(annotation, StrEnum):
        return ", ".join(f"`{one.value}`" for one in annotation)
    return _WORDS.get(annotation, "mapping")


if __name__ == "__main__":
    read_types(EXAMPLE)  # an example that cannot be read would be worse than none
    print(write_reference(), end="")
