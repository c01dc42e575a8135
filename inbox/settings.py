"""Settings of what arrives: CLYTIE_INBOX__* or the table [inbox] of the settings file; a model per part."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from channels.mail.door_settings import LmtpSettings, SmtpSettings
from inbox.intake_settings import IntakeSettings


class InboxSettings(BaseModel):
    """The doors that mail comes in by, and what is done with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    domains: tuple[str, ...] = Field(
        default=(),
        description="Mail domains whose every address is taken in, also those that no queue has: [“help.example”].",
    )
    intake: IntakeSettings = Field(default_factory=IntakeSettings)
    smtp: SmtpSettings = Field(default_factory=SmtpSettings)
    lmtp: LmtpSettings = Field(default_factory=LmtpSettings)
