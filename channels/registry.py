"""The table of channels: ours by name, outsiders' through the entry point group `clytie.channels`.

A channel is imported when it is asked for, not before. Adding one is a file and a line in `_BUILT_IN`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from channels.base import Capability, Channel
from domain.errors import ConfigurationError, InvalidInput
from domain.messages import ChannelKind

ENTRY_POINT_GROUP: Final = "clytie.channels"

_BUILT_IN: Final[Mapping[str, str]] = {
    "mail": "channels.mail.smtp:MailChannel",
    "sandbox": "channels.sandbox.mail:SandboxMail",
    "sms": "channels.sms.twilio:TwilioSms",
    "sms_http": "channels.sms.generic:HttpSms",
    "voice": "channels.voice.twilio:TwilioVoice",
}


def channel_names() -> list[str]:
    """Names of all channels that can be asked for, ours first."""
    return [*_BUILT_IN, *(name for name in sorted(_outsiders()) if name not in _BUILT_IN)]


def channel_class(name: str) -> type[Channel]:
    """The channel of this name. Raises ConfigurationError when there is none, or it is not fit for use."""
    outsider = _outsiders().get(name)
    target = _BUILT_IN.get(name)
    if target is None and outsider is None:
        raise ConfigurationError(
            f"channel: there is no channel {name!r}; known are {', '.join(channel_names())}"
        )
    try:
        if target is not None:
            module, _, attribute = target.partition(":")
            found = getattr(import_module(module), attribute)
        else:
            assert outsider is not None
            found = outsider.load()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"channel {name!r} cannot be loaded: {error}") from error
    if problems := declaration_problems(name, found):
        raise ConfigurationError(f"channel {name!r} is not fit for use: {'; '.join(problems)}")
    channel: type[Channel] = found
    return channel


def open_channel(name: str, settings: Mapping[str, Any] | BaseModel) -> Channel:
    """Make a channel from its settings.

    Raises InvalidInput naming the first wrong setting, ConfigurationError when the channel is not there.
    """
    found = channel_class(name)
    if not isinstance(settings, BaseModel):
        try:
            settings = found.settings_model.model_validate(dict(settings))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join((name, *(str(part) for part in first["loc"])))
            raise InvalidInput(where, f"{first['msg']}.", "See the settings of this channel.") from error
    return found(settings)


def declaration_problems(name: str, found: object) -> list[str]:
    """What a channel's declaration lacks, in sentences; empty when it is complete."""
    problems = []
    if getattr(found, "name", None) != name:
        problems.append(f"its name is {getattr(found, 'name', None)!r}")
    if not isinstance(getattr(found, "kind", None), ChannelKind):
        problems.append("it declares no kind")
    capabilities = getattr(found, "capabilities", None)
    if not isinstance(capabilities, frozenset) or not all(isinstance(c, Capability) for c in capabilities):
        problems.append("it declares no set of capabilities")
    model = getattr(found, "settings_model", None)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        problems.append("it declares no settings model")
    else:
        problems += [
            f"setting {key} has no description" for key, f in model.model_fields.items() if not f.description
        ]
    if not (getattr(found, "__doc__", None) or "").strip():
        problems.append("it has no docstring")
    methods = ("send", "deliver", "close", "parse_callback", "parse_inbound")
    problems += [
        f"it has no method {method}" for method in methods if not callable(getattr(found, method, None))
    ]
    return problems


def _outsiders() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
