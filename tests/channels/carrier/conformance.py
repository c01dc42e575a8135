"""Holds requests and answers against the provider's OpenAPI description.

The description is OpenAPI 3.0 in its manners (`nullable`), so schemas are turned into JSON Schema first: nullable types
also allow null, unknown fields are refused, and the provider's own formats are checked.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
from twilio.http.response import Response

_CORPORA = Path(os.environ.get("CLYTIE_CORPORA", Path(__file__).parents[4] / "shared" / "corpora"))
DESCRIPTION = _CORPORA / "twilio" / "twilio_api_v2010.json"


def _is_date(value: object) -> bool:
    return not isinstance(value, str) or parsedate_to_datetime(value).tzinfo is not None


def _is_phone_number(value: object) -> bool:
    return not isinstance(value, str) or re.fullmatch(r"\+?[\w &:.-]{2,}", value) is not None


def _is_currency(value: object) -> bool:
    return not isinstance(value, str) or re.fullmatch(r"[A-Z]{3}", value) is not None


def _is_uri_map(value: object) -> bool:
    return not isinstance(value, dict) or all(isinstance(one, str) for one in value.values())


_formats = FormatChecker(formats=())
_formats.checks("date-time-rfc-2822", raises=ValueError)(_is_date)
_formats.checks("phone-number")(_is_phone_number)
_formats.checks("currency")(_is_currency)
_formats.checks("uri-map")(_is_uri_map)


class Conformance:
    """Checks exchanges; `seen` counts the operations that were checked."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.seen: dict[str, int] = {}
        self._description = description
        self._paths = [(_pattern(path), path, item) for path, item in description["paths"].items()]
        self._paths.sort(key=lambda one: one[1].count("{"))

    def check(
        self, method: str, url: str, kwargs: Mapping[str, Any], args: tuple[Any, ...], response: Response
    ) -> None:
        """Fail with all that does not conform."""
        given = dict(zip(("params", "data"), args, strict=False)) | dict(kwargs)
        problems = self.find_problems(
            method,
            url,
            given.get("params") or {},
            given.get("data") or {},
            response.status_code,
            response.text,
        )
        assert not problems, f"{method} {url}: " + "; ".join(problems)

    def find_problems(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any],
        data: Mapping[str, Any],
        status: int,
        body: str,
    ) -> list[str]:
        """What does not conform, in sentences."""
        parts = urlsplit(url)
        found = [(path, item) for pattern, path, item in self._paths if pattern.fullmatch(parts.path)]
        operation = found[0][1].get(method.lower()) if found else None
        if operation is None:
            return ["the description does not know it"]
        name = f"{method.upper()} {found[0][0]}"
        self.seen[name] = self.seen.get(name, 0) + 1
        query = {**dict(parse_qsl(parts.query)), **params}
        return [
            *self._check_query(operation, query),
            *self._check_form(operation, data),
            *self._check_answer(operation, status, body),
        ]

    def _check_query(self, operation: Mapping[str, Any], query: Mapping[str, Any]) -> list[str]:
        known = {
            one["name"]: one["schema"] for one in operation.get("parameters", ()) if one["in"] == "query"
        }
        problems = []
        for key, value in query.items():
            if value is None or not isinstance(value, str | int | float | bool):
                continue
            if key not in known:
                problems.append(f"query: {key} is unknown")
            else:
                problems += self._check_value(f"query: {key}", str(value), known[key])
        return problems

    def _check_form(self, operation: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
        form = {
            key: value for key, value in data.items() if isinstance(value, str | int | float | bool | list)
        }
        content = operation.get("requestBody", {}).get("content", {})
        if not content:
            return [f"form: {', '.join(form)} for an operation without one"] if form else []
        schema = content["application/x-www-form-urlencoded"]["schema"]
        problems = [f"form: {name} is missing" for name in schema.get("required", ()) if name not in form]
        for key, value in form.items():
            wanted = schema["properties"].get(key)
            if wanted is None:
                problems.append(f"form: {key} is unknown")
                continue
            if wanted.get("type") == "array":
                items = value if isinstance(value, list) else [value]
                for item in items:
                    problems += self._check_value(f"form: {key}", str(item), wanted["items"])
            else:
                problems += self._check_value(f"form: {key}", str(value), wanted)
        return problems

    def _check_value(self, where: str, text: str, schema: Mapping[str, Any]) -> list[str]:
        """Forms hold text only: numbers and truths are read first."""
        schema = self._resolve(schema)
        kind, value = schema.get("type"), text
        read: object = value
        if kind in ("integer", "number"):
            try:
                read = int(text) if kind == "integer" else float(text)
            except ValueError:
                return [f"{where}: {text!r} is no {kind}"]
        elif kind == "boolean":
            read = {"true": True, "false": False}.get(text.lower(), text)
        elif schema.get("format") == "date-time" or kind is None:
            return []
        return [f"{where}: {error.message}" for error in self._validator(schema).iter_errors(read)]

    def _check_answer(self, operation: Mapping[str, Any], status: int, body: str) -> list[str]:
        if status >= 400:
            return _check_refusal(body, status)
        wanted = operation["responses"].get(str(status))
        if wanted is None:
            return [f"answer: {status} is none of {', '.join(operation['responses'])}"]
        content = wanted.get("content", {})
        if not content:
            return ["answer: a body where none belongs"] if body else []
        schema = content["application/json"]["schema"]
        errors = self._validator(schema).iter_errors(json.loads(body))
        return [f"answer: {'/'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]

    def _resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            schema = self._description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema

    def _validator(self, schema: Mapping[str, Any]) -> Draft202012Validator:
        return Draft202012Validator(self._translate(schema), format_checker=_formats)

    def _translate(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        schema = self._resolve(schema)
        translated = {key: value for key, value in schema.items() if key in _KEPT}
        if "properties" in schema:
            translated["properties"] = {
                key: self._translate(one) for key, one in schema["properties"].items()
            }
            translated["additionalProperties"] = schema.get("format") == "uri-map"
        if "items" in schema:
            translated["items"] = self._translate(schema["items"])
        return {"anyOf": [translated, {"type": "null"}]} if schema.get("nullable") else translated


_KEPT = frozenset({"type", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "format"})


def _check_refusal(body: str, status: int) -> list[str]:
    """The shape of all errors, as the description gives it for 408."""
    refusal = json.loads(body)
    kinds: dict[str, type] = {"code": int, "message": str, "more_info": str, "status": int}
    problems = [f"refusal: {key}" for key, kind in kinds.items() if not isinstance(refusal.get(key), kind)]
    return problems if refusal.get("status") == status else [*problems, "refusal: another status"]


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(
        "".join(r"[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"({\w+})", path))
    )


@cache
def read_description() -> dict[str, Any] | None:
    """The description, when it is there."""
    return json.loads(DESCRIPTION.read_text()) if DESCRIPTION.exists() else None


def watch(hook: Any, conformance: Conformance | None) -> None:
    """Hold every exchange of a client's HTTP hook against the description, when that is there."""
    if conformance is None:
        return
    request = hook.request

    async def watched(method: str, uri: str, **values: Any) -> Response:
        response: Response = await request(method, uri, **values)
        given = {name: value for name, value in values.items() if name in ("params", "data")}
        conformance.check(method, uri, given, (), response)
        return response

    hook.request = watched


def open_conformance() -> Conformance | None:
    """A fresh check, when the description is there."""
    description = read_description()
    return Conformance(description) if description is not None else None
