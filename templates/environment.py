"""The sandbox that templates run in: jinja2 with strict names, few filters and no way to grow without end.

An endless template is not stopped here but in templates/preview.py, by killing the process it runs in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateError, Undefined
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from domain.errors import InvalidInput

# Filters of jinja2 that a template may use: nothing random, nothing that takes a width.
_FILTERS: Final = (
    "abs batch capitalize count d default dictsort e escape first float int items join last length list lower map "
    "max min reject rejectattr replace reverse round safe select selectattr slice sort string striptags sum "
    "title trim truncate unique upper urlencode wordcount"
)
FILTERS: Final = frozenset(_FILTERS.split())
_TEXT_METHODS: Final = "capitalize endswith isdigit lower replace split startswith strip title upper"
_METHODS: Final[Mapping[type, frozenset[str]]] = {
    str: frozenset(_TEXT_METHODS.split()),
    dict: frozenset({"get", "items", "keys", "values"}),
    list: frozenset({"count", "index"}),
}
_LONGEST_RANGE: Final = 1_000
_LARGEST_REPEAT: Final = 10_000
_NEWLINES: Final = re.compile(r"\r\n?")


class TemplateProblem(InvalidInput):
    """A template cannot be used as it stands: which part, which line, what to do."""

    def __init__(self, part: str, line: int, problem: str, remedy: str = "") -> None:
        self.part = part
        self.line = line
        super().__init__(f"{part}, line {line}", problem, remedy)


class MissingField(InvalidInput):
    """A contact has no value for a field that the template prints without a default."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            name,
            "there is no value for it.",
            f"Write {{{{ {name}|default('…') }}}} to say what stands in for it.",
        )


class Endless(Exception):
    """Raised by the alarm of the process that a preview runs in: the template takes too long."""


#: What running a template may raise.
BROKEN: Final = (
    TemplateError,
    Endless,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def broken(part: str, line: int, error: Exception) -> TemplateProblem:
    """Say in a sentence what went wrong while a line of a template ran."""
    if isinstance(error, Endless):
        return TemplateProblem(
            part, line, "this does not come to an end.", "Look for a loop that is too long."
        )
    if isinstance(error, RecursionError):
        return TemplateProblem(part, line, "this calls itself without end.", "End the recursion.")
    problem = str(error).rstrip(".") or type(error).__name__
    return TemplateProblem(part, line, f"{problem}.", "Correct the tag on this line.")


class Missing(Undefined):
    """A known field without a value: false in a condition, replaced by `default`, an error when printed."""

    def __str__(self) -> str:
        raise MissingField(self._undefined_name or "value")

    __hash__ = Undefined.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Undefined) or other is None or other == ""

    def __ne__(self, other: object) -> bool:
        return not self == other


def lacks(value: object) -> bool:
    """Tell whether a field counts as not filled in: null, or nothing but blanks."""
    return value is None or (isinstance(value, str) and not value.strip())


class View:
    """A mapping as templates see it: `view.name`, and a `Missing` where there is no value."""

    __slots__ = ("_label", "_values")

    def __init__(self, label: str, values: Mapping[str, object]) -> None:
        self._label = label
        self._values = values

    def __getitem__(self, key: str) -> object:
        value = self._values.get(key)
        name = f"{self._label}.{key}"
        if self._label == "contact" and key == "fields":
            return View(name, value if isinstance(value, Mapping) else {})
        return Missing(name=name) if lacks(value) else value

    def __str__(self) -> str:
        raise SecurityError(f"{self._label} cannot be printed as a whole")


def printed(value: object) -> object:
    """Prepare what an expression gave for output: a missing value is refused, line ends become \\n."""
    if value is None:
        raise MissingField("value")
    if isinstance(value, Undefined):
        str(value)
    if isinstance(value, str):
        return value if "\r" not in value else type(value)(_NEWLINES.sub("\n", value))
    return value


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > _LONGEST_RANGE:
        raise SecurityError(f"range is limited to {_LONGEST_RANGE} steps")
    return numbers


class MailEnvironment(ImmutableSandboxedEnvironment):
    """The sandboxed jinja2 of one kind of part: HTML (escapes what it prints) or text."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self, *, html: bool) -> None:
        super().__init__(
            autoescape=html,
            undefined=StrictUndefined,
            finalize=printed,
            keep_trailing_newline=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.filters = {name: call for name, call in self.filters.items() if name in FILTERS}
        self.globals = {"range": _range, "namespace": self.globals["namespace"]}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Allow fields, and of the methods only those that cannot make something huge out of little."""
        for kind, names in _METHODS.items():
            if isinstance(obj, kind):
                return attr in names
        return super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute `*`, `**` and `%` for numbers of a sane size only."""
        if operator == "%" and isinstance(left, str):
            raise SecurityError("% does not format text here; write ~ to join")
        if operator == "**" and not (abs(left) <= _LARGEST_REPEAT and abs(right) <= 16):
            raise SecurityError("this power is too large")
        if operator == "*":
            for one, times in ((left, right), (right, left)):
                if isinstance(one, (str, list, tuple)) and len(one) * times > _LARGEST_REPEAT:
                    raise SecurityError("this repetition is too long")
        return super().call_binop(context, operator, left, right)


@lru_cache(maxsize=2)
def environment(*, html: bool) -> MailEnvironment:
    """Give the environment of HTML parts or of text parts; both are built once."""
    return MailEnvironment(html=html)
