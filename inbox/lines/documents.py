"""Documents as JSON, so that a provider that asks twice gets the answer that was kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final, cast, get_args

from domain.calls import Document, Gather, Ring, Target, Verb

_VERBS: Final = {verb.__name__: verb for verb in get_args(Verb)}


def pack(document: Sequence[Verb]) -> list[dict[str, Any]]:
    """The verbs in order, each with its name."""
    return [{"verb": type(verb).__name__, **_values(verb)} for verb in document]


def unpack(packed: Sequence[dict[str, Any]]) -> Document:
    """What `pack` packed."""
    return tuple(_verb(dict(one)) for one in packed)


def _values(verb: Any) -> dict[str, Any]:
    values = {field.name: getattr(verb, field.name) for field in fields(verb)}
    if isinstance(verb, Gather):
        values["prompt"] = pack(verb.prompt)
    if isinstance(verb, Ring):
        values["targets"] = [_values(target) for target in verb.targets]
    return values


def _verb(values: dict[str, Any]) -> Verb:
    kind = _VERBS[values.pop("verb")]
    if kind is Gather:
        values["prompt"] = unpack(values["prompt"])
        values["hints"] = tuple(values["hints"])
    if kind is Ring:
        values["targets"] = tuple(Target(**target) for target in values["targets"])
    return cast(Verb, kind(**values))
