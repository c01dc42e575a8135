"""A channel's page in the documentation, written from its declaration."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from channels.base import Channel


def describe_channel(channel: type[Channel]) -> str:
    """Markdown: what the channel is for, what it can do, its settings with defaults."""
    capabilities = ", ".join(sorted(capability.value for capability in channel.capabilities))
    lines = [
        f"## {channel.name}",
        "",
        (channel.__doc__ or "").strip(),
        "",
        f"Kind: {channel.kind.value}. Can: {capabilities}.",
        "",
        "| setting | default | meaning |",
        "|---|---|---|",
    ]
    lines += _rows(channel.settings_model, "")
    return "\n".join(lines) + "\n"


def _rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            yield from _rows(nested, f"{prefix}{name}.")
        else:
            yield f"| `{prefix}{name}` | {_default(field)} | {field.description or ''} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value == "" or (isinstance(value, SecretStr) and not value.get_secret_value()):
        return "none"
    return f"`{value}`"
