"""Settings of what arrives: CLYTIE_INBOX__* or the table [inbox] of the settings file; a model per part."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from channels.mail.authentication.settings import AuthenticationSettings
from channels.mail.door.settings import LmtpSettings, SmtpSettings
from channels.mail.imap.settings import ImapAccount
from channels.mail.junk.settings import JunkSettings
from inbox.arrival.settings import IntakeSettings
from inbox.reading_settings import AutoAnswerSettings, BounceSettings, ReadingSettings, TextAnswerSettings


class InboxSettings(BaseModel):
    """The doors that mail comes in by, and what is done with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    domains: tuple[str, ...] = Field(
        default=(),
        description='Mail domains whose every address is taken in, also those that no queue has: ["help.example"].',
    )
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port on which the mail process answers /metrics; unset for none.",
    )
    intake: IntakeSettings = Field(default_factory=IntakeSettings)
    smtp: SmtpSettings = Field(default_factory=SmtpSettings)
    lmtp: LmtpSettings = Field(default_factory=LmtpSettings)
    imap: tuple[ImapAccount, ...] = Field(
        default=(),
        description="Mailboxes that are read by IMAP: a table [[inbox.imap]] each, or a JSON list.",
    )
    authentication: AuthenticationSettings = Field(default_factory=AuthenticationSettings)
    junk: JunkSettings = Field(default_factory=JunkSettings)
    reading: ReadingSettings = Field(default_factory=ReadingSettings)
    bounces: BounceSettings = Field(default_factory=BounceSettings)
    auto_answers: AutoAnswerSettings = Field(default_factory=AutoAnswerSettings)
    text_answers: TextAnswerSettings = Field(default_factory=TextAnswerSettings)
