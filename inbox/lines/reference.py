"""The reference of phone lines, written from the models themselves: `python -m inbox.lines.reference > docs/phone-lines.md`."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from inbox.calls.announcement import SILENT
from inbox.calls.phrases import PHRASES
from inbox.lines.files import read_lines
from inbox.lines.menus import Hold, Line, Menu, Ring, Step, Voicemail

EXAMPLE: Final = """\
number: "+33199000001"
name: Main line
queue: Support
languages: [fr, en]
greeting:
  fr: Bienvenue chez Tournesol.
  en: Welcome to Tournesol.
open:
  - menu: main
closed:
  - say:
      fr: Nos bureaux sont ouverts du lundi au vendredi, de 9 à 18 heures.
      en: Our offices are open Monday to Friday, from 9 to 6.
  - voicemail
menus:
  main:
    say:
      fr: Pour les ventes, tapez 1. Pour l'assistance, tapez 2.
      en: For sales, press 1. For support, press 2.
    keys:
      "1": {ring: {queue: Sales, seconds: 20}}
      "2":
        - ring:
            together: true
            hold: {longest: 300}
        - voicemail: {longest: 120}
    words:
      "1": {fr: [ventes, commercial], en: sales}
      "2": {fr: assistance, en: [support, help]}
    otherwise:
      - ring
"""

_INTRO: Final = """\
# Phone lines

<!-- Written by `python -m inbox.lines.reference`; a test fails when it is out of step. -->

A line is a number of ours on which people call, and what they hear there. It is written in YAML, in the console (Phone
lines) or in a file that holds one line, a list of them, or `lines:` with a list:

    clytie lines check lines.yaml    # tells every problem with file, line, number, field and remedy
    clytie lines apply lines.yaml    # from the next call on; calls that are under way keep what they began with

```yaml
{example}```

At the provider, the number's address for calls is `/callbacks/voice/inbound` below our public address, and that for status
changes `/callbacks/voice/ended` (both POST); the first one may be the fallback, too: asked twice, it answers the same. A number
without a line takes messages for the default queue.

## What callers can rely on

- A contact's language, else the one chosen in the last call from the same number, is not asked for again.
- An unknown key is said so and the question comes again; silence brings it again, too; then `otherwise` goes on, and
  voicemail when there is none.
- The contact's owner is rung first, then the people of the queue. Nobody is rung who is on another call, who does not take
  calls, or outside of the team's working time, public holidays included; for a confidential queue only its own people.
- Whoever answers hears who calls and presses the key of `voice.confirm_key`; the voicemail of a mobile phone presses none,
  so that it never swallows a caller.
- On hold, whoever waits longest is first; a key leads out to a message.
- A message becomes a conversation of the queue, with the recording and, when the provider could write it down, its text;
  rules see it as `Received` with `message.channel: voice`.
- A talk is recorded only when the line says `record: true`, and after saying so (`voice.announce`; with `where_required` it
  is left out only between {silent}).
- Recordings and their texts are deleted after `voice.retention_days`, here and at the provider.
- The do-not-contact list does not keep anybody from calling; `blocked` does.
"""


def write_reference() -> str:
    """The whole page, in Markdown."""
    return "\n".join(_sections()).rstrip() + "\n"


def write_schema() -> dict[str, Any]:
    """The JSON Schema of a line, for editors."""
    return Line.model_json_schema()


def _sections() -> Iterator[str]:
    yield _INTRO.format(example=EXAMPLE, silent=", ".join(sorted(SILENT)))
    yield "## A line\n"
    yield from _table(Line)
    yield "Words are one text, or a text per language. The house itself says its own sentences in"
    yield f"{', '.join(sorted(PHRASES))}; in English to speakers of other languages.\n"
    for title, model in (
        ("Steps", Step),
        ("menus", Menu),
        ("ring", Ring),
        ("hold", Hold),
        ("voicemail", Voicemail),
    ):
        yield f"## {title}\n"
        yield (model.__doc__ or "").strip().replace("\n    ", "\n") + "\n"
        yield from _table(model)
    yield "`- ring`, `- voicemail` and `- hangup` are short for the key with nothing behind it; a single step needs no list."


def _table(model: type[BaseModel]) -> Iterator[str]:
    yield "| key | is | |\n|---|---|---|"
    for name, field in model.model_fields.items():
        need = "**needed.** " if field.is_required() else ""
        yield f"| `{name}` | {_type(field.annotation)} | {need}{field.description}{_default(field)} |"
    yield ""


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True) if not field.is_required() else None
    if value is None or value in ((), {}, ""):
        return ""
    shown = (
        json.dumps(value)
        if isinstance(value, bool)
        else ", ".join(value)
        if isinstance(value, tuple)
        else value
    )
    return f" (default: {shown})"


_NAMES: Final = {"str": "text", "bool": "true or false", "int": "whole number", "Hangup": "mapping"}


def _type(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type(get_args(annotation)[0])
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in get_args(annotation))
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(one) for one in get_args(annotation) if one is not type(None)))
    if origin is tuple:
        inner = _type(get_args(annotation)[0])
        return "steps" if inner == "step" else f"list of {inner}"
    if origin is dict:
        inner = _type(get_args(annotation)[1])
        return "words" if inner == "text" else f"{inner} by key"
    name: str = annotation.__name__
    return _NAMES.get(name, name.lower())


if __name__ == "__main__":
    read_lines(EXAMPLE)  # an example that cannot be read would be worse than none
    print(write_reference(), end="")
