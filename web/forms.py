"""Read what people and programs send into pydantic models; what is wrong becomes an error with field and remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from domain.errors import InvalidInput
from web.i18n import N_, _

_Model = TypeVar("_Model", bound=BaseModel)

#: pydantic's kinds of error → what is wrong, and what to do; `{x}` takes what pydantic says about the limit
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "missing": (N_("This is missing."), N_("Give a value.")),
    "extra_forbidden": (N_("This field is not known."), N_("Leave it out, or check its spelling.")),
    "string_type": (N_("This is not a text."), N_("Write it in quotation marks.")),
    "string_too_short": (N_("This is empty or too short."), N_("Write a little more.")),
    "string_too_long": (N_("This text is too long."), N_("Shorten it.")),
    "string_pattern_mismatch": (N_("This does not have the right form."), N_("Check the spelling.")),
    "int_type": (N_("This is not a whole number."), N_("Write a number such as 12.")),
    "int_parsing": (N_("This is not a whole number."), N_("Write a number such as 12.")),
    "bool_type": (N_("This is neither true nor false."), N_("Write true or false.")),
    "bool_parsing": (N_("This is neither true nor false."), N_("Write true or false.")),
    "greater_than_equal": (N_("This number is too small."), N_("Choose a larger one.")),
    "less_than_equal": (N_("This number is too large."), N_("Choose a smaller one.")),
    "datetime_parsing": (N_("This is not a date and time."), N_("Write it like 2026-03-31T09:00:00Z.")),
    "datetime_from_date_parsing": (
        N_("This is not a date and time."),
        N_("Write it like 2026-03-31T09:00:00Z."),
    ),
    "timezone_aware": (N_("The time zone is missing."), N_("Write it like 2026-03-31T09:00:00Z.")),
    "dict_type": (N_("This is not an object."), N_("Write it in braces.")),
    "list_type": (N_("This is not a list."), N_("Write it in brackets.")),
    "json_invalid": (N_("This is not JSON."), N_("Check commas, quotation marks and braces.")),
    "condition": (
        N_("This is not a condition."),
        N_("A condition has one of the keys all, any, not, field, did, consent, working_time."),
    ),
}
_CHOICE: Final = N_("This value is not one of those allowed.")
_CHOOSE: Final = N_("Allowed are: %(values)s.")


def explain(detail: ErrorDetails) -> InvalidInput:
    """The first thing wrong with a model's input, named as the sender wrote it."""
    field = ""
    for step in detail["loc"]:
        field += f"[{step}]" if isinstance(step, int) else f".{step}" if field else str(step)
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in ("enum", "literal_error"):
        return InvalidInput(
            field, _CHOICE, _(_CHOOSE) % {"values": str(context.get("expected", "")).replace(" or ", ", ")}
        )
    if kind in _WORDS:
        return InvalidInput(field, *_WORDS[kind])
    sentence = detail["msg"].removeprefix("Value error, ")
    return InvalidInput(field, sentence[:1].upper() + sentence[1:].rstrip(".") + ".")


def read_model(model: type[_Model], given: Any) -> _Model:
    """Validate. Raises InvalidInput for the first field that is wrong."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise explain(error.errors()[0]) from error
