"""docs/settings.md, written from the settings' own declarations: `python -m clytie.reference > docs/settings.md`."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from typing import Any, Final, Union

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from clytie.settings import Settings

_HEAD: Final = """# Settings

Written from the declarations in `clytie/settings.py` and each room's `settings.py` by `python -m clytie.reference`.
Every setting is an environment variable, or a key of the TOML file that `CLYTIE_CONFIG` names: `CLYTIE_MAIL__HOST` is
`host` in the table `[mail]`. None has to be set: without any, Clytie runs on embedded servers below `./var`.

| variable | default | meaning |
|---|---|---|
"""


def write_settings_page() -> str:
    """The page in Markdown."""
    rows = (f"| `{name}` | {default} | {meaning} |" for name, default, meaning in _rows(Settings, "CLYTIE_"))
    return _HEAD + "\n".join(rows) + "\n"


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        nested = _model_of(field.annotation)
        if nested is not None:
            yield from _rows(nested, f"{prefix}{name.upper()}__")
        else:
            yield prefix + name.upper(), _default(field), (field.description or "").replace("|", "\\|")
            item = _item_model_of(field.annotation)
            if item is not None:  # a list of objects: in JSON, or in the file as [[tables]]
                for key, default, meaning in _rows(item, ""):
                    yield f"{prefix}{name.upper()}[].{key.lower().replace('__', '.')}", default, meaning


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """The model that a field nests, also where it may be absent."""
    choices = (
        typing.get_args(annotation)
        if typing.get_origin(annotation) in (Union, types.UnionType)
        else (annotation,)
    )
    models = [choice for choice in choices if isinstance(choice, type) and issubclass(choice, BaseModel)]
    return models[0] if models else None


def _item_model_of(annotation: Any) -> type[BaseModel] | None:
    """The model of which a field holds several."""
    if typing.get_origin(annotation) not in (list, tuple):
        return None
    return next((_model_of(part) for part in typing.get_args(annotation) if part is not ...), None)


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "required"
    if value is None or isinstance(value, SecretStr) or value in ("", [], (), {}):
        return ""
    if isinstance(value, (list, tuple)):
        return f"`{json.dumps([str(one) for one in value])}`"
    return f"`{getattr(value, 'value', value)}`"


if __name__ == "__main__":
    print(write_settings_page(), end="")
