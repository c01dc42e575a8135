"""The reference of rules, written from the models themselves: `python -m router.reference > docs/rules.md`."""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from domain.conditions import OPERATORS
from domain.consent import Purpose
from domain.errors import InvalidInput
from domain.events import EventType
from domain.fields import describe_fields
from domain.tasks import OUTCOME_FORMS, Priority, TaskKind
from router.decide import Result
from router.rule_files import read_rules
from router.rules import Absence, Moment, Once, Rule, Valid
from router.settings import RouterSettings
from router.then import ACTIONS
from router.then.steps import AssignStep
from router.then.tasks import Assign

EXAMPLE: Final = """\
rules:
  - name: call-back-openers
    description: Prospects who opened the spring letter, or followed a link in it, get a call
    when: [Opened, Clicked]
    where:
      all:
        - {field: campaign.name, is: Spring letter}
        - {field: contact.relation, is: prospect}
        - {consent: calls}
    unless: {did: TaskDone, within: 14d}
    once: {per: [contact, campaign], within: 30d}
    then:
      - open_task:
          kind: callback
          title: Call {contact.name|the contact} about {campaign.name}
          priority: high
          assign: {owner: true, else_team: sales}
          decide_within: 4 working hours
          due_within: 1 working day

  - name: remind-silent-openers
    description: An open without a click within a day
    when: Opened
    hold: 24h
    unless: {did: Clicked, within: 24h}
    once: contact
    then:
      - note: Opened {campaign.name}, and followed no link within a day

  - name: set-forged-mail-apart
    description: Mail to sales whose sender's domain does not stand behind it
    when: Received
    where:
      all:
        - {field: event.mailbox, is: sales@example.org}
        - {field: event.dmarc, is: fail}
    then:
      - route: Suspicious
"""

#: how the page calls the models and types of Python
_WORDS: Final[dict[str, str]] = {
    "str": "text",
    "dict": "mapping",
    "bool": "true or false",
    "timedelta": "length of time",
    "Span": "length of time",
    "EventType": "event type",
    "Priority": "priority",
    "TaskKind": "kind",
    "Once": "mapping",
    "AssignStep": "step",
    "CloseReason": "word",
    "By": "word",
    "int": "number",
    "float": "number",
    "datetime": "date",
    **dict.fromkeys(("Assign", "AssignStep", "Absence", "Moment", "Valid"), "mapping"),
    **dict.fromkeys(("All", "Any_", "Not", "Compare", "Did", "Consent", "WorkingTime"), "condition"),
    **{action.__name__: "action" for action in ACTIONS.values()},
}

_INTRO: Final = """\
# Rules

<!-- Written by `python -m router.reference`; a test fails when it is out of step. -->

A rule says what should happen when. Rules live in YAML files, which are checked and applied as a whole:

    clytie rules check rules.yaml    # tells every problem with file, line, rule, field and remedy
    clytie rules apply rules.yaml    # makes these the rules of the house, from the next event on

A rule's name is its identity: a changed definition under the same name becomes a new version, a rule that is no longer in
the file is switched off. Tasks and the log keep the version that acted.

```yaml
{example}```
"""


def write_reference() -> str:
    """The whole page, in Markdown."""
    return "\n".join(_sections()).rstrip() + "\n"


def _sections() -> Iterator[str]:
    yield _INTRO.format(example=EXAMPLE)
    yield "## A rule\n"
    yield from _table(Rule)
    yield "## When\n"
    yield "| type | |\n|---|---|"
    yield from (f"| {kind.value} | {_comments(EventType)[kind.name]} |" for kind in EventType)
    yield "\nHits (Opened, Clicked, Downloaded, Visited) are judged first: `judged` tells whom a rule acts on, and unless it is"
    yield "`any` the rule waits until the hit's verdict stands. When the contact withdrew `measure` before the rule acts, it is"
    yield "refused.\n"
    yield "### The absence of an event\n"
    yield (Absence.__doc__ or "").strip() + "\n"
    yield from _table(Absence)
    yield "### A moment\n"
    yield (Moment.__doc__ or "").strip() + "\n"
    yield from _table(Moment)
    yield "### valid\n"
    yield (Valid.__doc__ or "").strip() + "\n"
    yield from _table(Valid)
    yield "## Where and unless\n"
    yield "A condition is a mapping with one of these keys:\n"
    yield "| key | holds when |\n|---|---|"
    yield "| `all: [...]` | every condition of the list holds |"
    yield "| `any: [...]` | one condition of the list holds |"
    yield "| `not: ...` | the condition does not hold |"
    yield f"| `field: ...` | the field compares as asked with one of {', '.join(f'`{name}`' for name in OPERATORS)} |"
    yield (
        "| `did: EVENT` | the contact has `at_least` (1) and `at_most` so many such events, `within` a time, `judged` and "
        + ("`where` as asked, of the `same` message, campaign, conversation or case |")
    )
    yield "| `working_time: TEAM` | the team of this name works now: its hours, time zone and public holidays |"
    yield f"| `consent: PURPOSE` | the contact's consent stands: {', '.join(f'`{purpose.value}`' for purpose in Purpose)} |"
    yield "\nA comparison with a missing value does not hold; only `missing: true` does. Text compares without regard to case.\n"
    yield "| field | holds | |\n|---|---|---|"
    yield from (f"| `{field.name}` | {field.kind.value} | {field.doc} |" for field in describe_fields())
    yield "\n## Once\n"
    yield (Once.__doc__ or "").replace("\n    ", "\n") + "\n"
    yield from _table(Once)
    yield "`once: contact` is short for `once: {per: contact}`.\n"
    yield "## Then\n"
    yield "Titles, descriptions, notes and keys may show fields: `{contact.name}`, or `{contact.given_name|the contact}` with"
    yield "words for a missing value. Nothing else is filled in.\n"
    for key, wrapper in ACTIONS.items():
        model = _model(wrapper.model_fields[key])
        yield f"### {key}\n"
        yield inspect.cleandoc(model.__doc__ or "") + "\n"
        yield from _table(model)
    yield "`note: words` is short for `note: {text: words}`, `route: name` for `route: {queue: name}`, `tag: name` for"
    yield "`tag: {tags: [name]}`, `assign: owner` for `assign: {owner: true}`, `set: {FIELD: VALUE}` for"
    yield "`set: {values: {FIELD: VALUE}}`.\n"
    yield "### Who gets a task\n"
    yield inspect.cleandoc(Assign.__doc__ or "") + "\n"
    yield from _table(Assign)
    yield "Each step of a list asks one target:\n"
    yield from _table(AssignStep)
    yield "A step that finds nobody is passed over: an owner who is gone or away without a deputy, a team whose members are all"
    yield "away or full. A person who declines is not asked again; another of the same step is, then the next step.\n"
    yield "### Lengths of time\n"
    yield "`90s`, `15min`, `24h`, `30d` and `2w` pass at every hour. `30 working minutes`, `4 working hours` and `2 working days`"
    yield "pass while the team works: its weekly hours, its time zone and the public holidays of its country. `hold` and"
    yield "`within` take the first form, `decide_within` and `due_within` both.\n"
    yield "### Kinds of task and their outcomes\n"
    yield "| kind | results |\n|---|---|"
    for kind in TaskKind:
        form = OUTCOME_FORMS[kind]
        results = ", ".join(
            f"`{result}`{' (with a note)' * (result in form.note_needed)}" for result in form.results
        )
        yield f"| `{kind.value}` | {results} |"
    yield f"\nPriorities: {', '.join(f'`{priority.value}`' for priority in Priority)}.\n"
    yield "## The log\n"
    yield "Each time a rule matches an event, the log says what became of it and which values were compared:\n"
    yield "| result | |\n|---|---|"
    yield from (f"| {result.value} | {_comments(Result)[result.name]} |" for result in Result)
    settings = RouterSettings()
    yield f"\nA failing rule is tried {settings.attempts} times. Rules that set each other off end after"
    yield f"{settings.longest_chain} steps (`router.longest_chain`); circles that can be seen in the file are refused by the check.\n"


def _table(model: type[BaseModel]) -> Iterator[str]:
    yield "| key | is | |\n|---|---|---|"
    for name, field in model.model_fields.items():
        if not field.description:
            raise InvalidInput(
                f"{model.__name__}.{name}", "has no description.", "Describe it for the reference."
            )
        need = "**needed.** " if field.is_required() else ""
        yield f"| `{field.alias or name}` | {_type(field.annotation)} | {need}{field.description}{_default(field)} |"
    yield ""


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True) if not field.is_required() else None
    if value is None or value == () or value == "":
        return ""
    return f" (default: {json.dumps(value) if isinstance(value, bool) else value})"


def _type(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type(get_args(annotation)[0])
    if origin is Literal:
        return ", ".join(f"`{json.dumps(one).strip(chr(34))}`" for one in get_args(annotation))
    if origin in (Union, types.UnionType):
        words = [_type(one) for one in get_args(annotation) if one is not type(None)]
        return " or ".join(dict.fromkeys(words))
    if origin is dict:
        return f"mapping of {_type(get_args(annotation)[0])} to {_type(get_args(annotation)[1])}"
    if origin is tuple:
        return f"list of {_type(get_args(annotation)[0])}"
    return _WORDS[annotation.__name__]


def _model(field: FieldInfo) -> type[BaseModel]:
    model = field.annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    return model


def _comments(enum: type) -> dict[str, str]:
    """The glosses (`#:`) behind the members of an enumeration."""
    return {
        line.split("=")[0].strip(): line.split("#:")[1].strip()
        for line in inspect.getsource(enum).splitlines()
        if "#:" in line
    }


if __name__ == "__main__":
    read_rules(EXAMPLE)  # an example that cannot be read would be worse than none
    print(write_reference(), end="")
