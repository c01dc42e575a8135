"""The description of the API (OpenAPI 3.1), made from the declarations of the routes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from web.api.problems import Problem
from web.api.registry import PREFIX, ROUTES, Route

#: what stands in a path: ids, and in these places words
_PATH_NUMBER: Final = {"type": "integer", "minimum": 1}
_PATH_WORDS: Final = {
    "phone": {"type": "string", "pattern": r"^(\+[1-9][0-9]{6,14}|client:[A-Za-z0-9_.@-]{1,64})$"},
    "sid": {"type": "string", "pattern": "^[A-Z]{2}[0-9a-f]{32}$"},
}
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_REF: Final = "#/components/schemas/{model}"


@cache
def describe_api() -> dict[str, Any]:
    """The whole description, fit for JSON."""
    names, schemas = _schemas(ROUTES)
    paths: dict[str, dict[str, Any]] = {}
    for declared in ROUTES:
        paths.setdefault(PREFIX + declared.path, {})[declared.method.lower()] = _operation(declared, names)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Clytie",
            "version": "1.0",
            "description": "Contacts, consent, campaigns, tasks, conversations. Errors are application/problem+json (RFC 9457); "
            "lists are paged by key: send `next` of one page as `after` of the following one.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A personal API token."},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "clytie_session",
                    "description": "The console's session; changes need the header X-CSRF-Token.",
                },
            },
            "responses": {
                "Problem": {
                    "description": "What went wrong, with the field and the remedy.",
                    "content": {
                        "application/problem+json": {"schema": {"$ref": names[Problem, "serialization"]}}
                    },
                }
            },
        },
    }


def _schemas(routes: Iterable[Route]) -> tuple[dict[tuple[type[BaseModel], str], str], dict[str, Any]]:
    wanted: dict[tuple[type[BaseModel], str], None] = {(Problem, "serialization"): None}
    for declared in routes:
        for model, mode in (
            (declared.body, "validation"),
            (declared.query, "validation"),
            (declared.answer, "serialization"),
        ):
            if model is not None:
                wanted[model, mode] = None
    references, definitions = models_json_schema(list(wanted), ref_template=_REF)  # type: ignore[arg-type]
    names = {key: reference["$ref"] for key, reference in references.items()}
    for definition in definitions.get("$defs", {}).values():
        for described in definition.get("properties", {}).values():
            if described.get("default") == "" and described.get("minLength"):
                del described["default"]  # "left out" is no value that may be sent
    return names, definitions.get("$defs", {})  # type: ignore[return-value]


def _operation(declared: Route, names: dict[tuple[type[BaseModel], str], str]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": declared.name,
        "summary": declared.summary,
        "tags": list(declared.tags),
        "parameters": _parameters(declared),
        "responses": {
            str(declared.status if declared.answer or declared.download else 204): _success(declared, names),
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }
    if declared.permission is not None:
        operation["description"] = f"Needs the permission `{declared.permission.value}`."
    if declared.body is not None:
        schema = {"$ref": names[declared.body, "validation"]}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if declared.upload:
        operation["requestBody"] = {
            "required": True,
            "content": {declared.upload: {"schema": {"type": "string"}}},
        }
    return operation


def _success(declared: Route, names: dict[tuple[type[BaseModel], str], str]) -> dict[str, Any]:
    if declared.download:
        return {
            "description": declared.summary,
            "content": {declared.download: {"schema": {"type": "string"}}},
        }
    if declared.answer is None:
        return {"description": "Done; nothing to tell."}
    schema = {"$ref": names[declared.answer, "serialization"]}
    return {"description": declared.summary, "content": {"application/json": {"schema": schema}}}


def _parameters(declared: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _PATH_WORDS.get(name, _PATH_NUMBER)}
        for name in _PARAMETER.findall(declared.path)
    ]
    if declared.keyed:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": True,
                "description": "A value of your own for this request, such as a UUID. Sent again with the same body, it "
                "gives the same answer and does nothing twice; with another body it is refused.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            }
        )
    if declared.query is not None:
        schema = declared.query.model_json_schema(ref_template=_REF)
        required = set(schema.get("required", ()))
        for name, described in schema["properties"].items():
            found.append(
                {
                    "name": name,
                    "in": "query",
                    "required": name in required,
                    "description": described.pop("description", ""),
                    "schema": described,
                }
            )
    return found
