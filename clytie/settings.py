"""All settings: environment variables CLYTIE_*, or a TOML file named by CLYTIE_CONFIG; one model per room.

A nested setting is written with two underscores: CLYTIE_MAIL__HOST, or `host` in the table [mail] of the file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from channels.mail.dkim.keys import DkimKeySettings
from channels.mail.settings import Encryption, MailSettings
from channels.sandbox.carrier.settings import CarrierSettings
from channels.sms.settings import TwilioSettings
from channels.voice.settings import TwilioVoiceSettings, VoiceSettings, join_settings
from clytie.keys import make_carrier_token
from contacts.settings import ContactsSettings
from domain.errors import ConfigurationError
from inbox.settings import InboxSettings
from outbox.settings import OutboxSettings
from router.settings import RouterSettings
from tracking.settings import TrackingSettings
from web.callbacks.sms import SMS_PATH
from web.settings import WebSettings
from worker.settings import WorkerSettings

CONFIG_VARIABLE = "CLYTIE_CONFIG"
#: parts of messages a second to the test carrier, which bills nobody
CARRIER_RATE = 200.0


class SandboxSettings(BaseModel):
    """The test mailbox: an SMTP server that keeps every mail to look at."""

    enabled: bool = Field(True, description="Receive mail in the test mailbox.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8026, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")


class Settings(BaseSettings):
    """Where things are, and how every room behaves."""

    model_config = SettingsConfigDict(env_prefix="CLYTIE_", env_nested_delimiter="__", extra="forbid")

    var: Path = Field(Path("var"), description="The data directory: embedded servers, files, keys.")
    database_url: str | None = Field(
        None,
        description="PostgreSQL to use, e.g. postgresql://clytie@db/clytie; an embedded one is started when unset.",
    )
    redis_url: str | None = Field(
        None,
        description="Redis or Valkey to use, e.g. redis://queue:6379/0; an embedded one is started when unset.",
    )
    token_keys: dict[int, str] = Field(
        default_factory=dict,
        description='Keys that sign tokens, by number, in hexadecimal: {"1": "…64 digits…"}; the highest number signs. '
        "Made in the data directory when unset.",
    )
    host: str = Field("127.0.0.1", description="Address that the web processes listen on.")
    port: int = Field(8025, ge=0, le=65535, description="Port that the web processes listen on.")
    worker_processes: int = Field(1, ge=1, le=64, description="Worker processes on this machine.")
    demo: bool = Field(False, description="Allow what only a demo may: become somebody without a password.")
    web: WebSettings = Field(default_factory=WebSettings)
    mail: MailSettings | None = Field(
        None,
        description="The server that takes outgoing mail; when unset, all mail goes to the test mailbox.",
    )
    dkim: tuple[DkimKeySettings, ...] = Field(
        (),
        description="Keys that sign outgoing mail by the domain of From; `clytie doctor mail` shows the records to "
        'publish: [{"domain": "firm.example", "selector": "s1", "file": "/etc/clytie/dkim.pem"}].',
    )
    sms: TwilioSettings = Field(
        default_factory=TwilioSettings,
        description="The account for short messages and calls; without one all go to the test phones.",
    )
    carrier: CarrierSettings = Field(default_factory=CarrierSettings)
    voice: VoiceSettings = Field(
        default_factory=VoiceSettings, description="Calls, through the account of short messages."
    )
    contacts: ContactsSettings = Field(default_factory=ContactsSettings)
    inbox: InboxSettings = Field(default_factory=InboxSettings)
    outbox: OutboxSettings = Field(default_factory=OutboxSettings)
    tracking: TrackingSettings = Field(default_factory=TrackingSettings)
    router: RouterSettings = Field(default_factory=RouterSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    sandbox: SandboxSettings = Field(default_factory=SandboxSettings)

    @property
    def public_url(self) -> str:
        """Where people and mails reach this deployment, without a slash at the end."""
        if "public_url" in self.web.model_fields_set:
            return self.web.public_url.rstrip("/")
        return f"http://{self.host}:{self.port}"

    @property
    def web_settings(self) -> WebSettings:
        """The web process's settings, with the address and the upload folder that follow from the others."""
        changes: dict[str, object] = {"public_url": self.public_url}
        if "upload_folder" not in self.web.model_fields_set:
            changes["upload_folder"] = self.var / "spool" / "imports"
        return self.web.model_copy(update=changes)

    @property
    def has_carrier(self) -> bool:
        """Whether short messages and calls go to the test carrier: it is enabled, and there is no account."""
        return self.carrier.enabled and not self.sms.account_sid and not self.sms.tokens

    @property
    def carrier_settings(self) -> CarrierSettings:
        """The test carrier, its secret made from the token keys, so that every process knows it.

        It reaches our public address on this machine, unless `carrier.routes` says where that lies.
        """
        changes: dict[str, object] = {}
        if "auth_token" not in self.carrier.model_fields_set:
            changes["auth_token"] = SecretStr(make_carrier_token(self.token_keys, self.var))
        if self.public_url not in self.carrier.routes:
            host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)
            changes["routes"] = {**self.carrier.routes, self.public_url: f"http://{host}:{self.port}"}
        return self.carrier.model_copy(update=changes)

    @property
    def sms_settings(self) -> TwilioSettings:
        """The account for short messages and calls, its callbacks at our public address unless told otherwise.

        An address that only this machine reaches is not given to a provider, which would refuse the messages. Without
        an account it is that of the test carrier.
        """
        if self.has_carrier:
            carrier = self.carrier_settings
            changes: dict[str, object] = {
                "account_sid": carrier.account_sid,
                "auth_token": carrier.auth_token,
                "base_url": carrier.reached_at,
                "callback_url": self.public_url + SMS_PATH,
            }
            if "rate" not in self.sms.model_fields_set:
                changes["rate"] = CARRIER_RATE
            return self.sms.model_copy(update=changes)
        if "callback_url" in self.sms.model_fields_set or "public_url" not in self.web.model_fields_set:
            return self.sms
        return self.sms.model_copy(update={"callback_url": self.public_url + SMS_PATH})

    @property
    def voice_settings(self) -> TwilioVoiceSettings:
        """What is about calls, with the account that they go through. The test carrier understands every language."""
        voice = self.voice
        if self.has_carrier and "transcribed_languages" not in voice.model_fields_set:
            voice = voice.model_copy(update={"transcribed_languages": ("*",)})
        return join_settings(voice, self.sms_settings)

    @property
    def sms_public_url(self) -> str:
        """Our address as the provider of short messages calls it, without the path of its callbacks."""
        return self.sms_settings.callback_url.removesuffix(SMS_PATH) or self.public_url

    @property
    def relay(self) -> MailSettings:
        """The server that takes outgoing mail: the configured one, or the test mailbox."""
        if self.mail is not None:
            return self.mail
        return MailSettings(host=self.sandbox.host, port=self.sandbox.port, encryption=Encryption.NEVER)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then the file."""
        file = os.environ.get(CONFIG_VARIABLE)
        toml = (TomlConfigSettingsSource(settings_cls, Path(file)),) if file else ()
        return (init_settings, env_settings, *toml)

    @field_validator("sms")
    @classmethod
    def _check_sms(cls, value: TwilioSettings) -> TwilioSettings:
        if value.callback_url and not value.callback_url.endswith(SMS_PATH):
            raise ValueError(f"callback_url: it has to end in {SMS_PATH}, where the callbacks are taken")
        return value

    @model_validator(mode="after")
    def _absolute(self) -> Self:
        self.var = self.var.absolute()
        return self


def load_settings(**overrides: object) -> Settings:
    """Read the settings. Raises ConfigurationError that names each wrong setting and what it should be."""
    file = os.environ.get(CONFIG_VARIABLE)
    if file and not Path(file).is_file():
        raise ConfigurationError(f"{CONFIG_VARIABLE}: there is no file {file}.")
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [
            f"CLYTIE_{'__'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise ConfigurationError("The settings are not right:\n  " + "\n  ".join(lines)) from error
