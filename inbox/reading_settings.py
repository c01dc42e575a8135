"""Settings of the reading: how arrived mails become messages, and what follows from bounces and first mails."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Local = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,19}$")]


class ReadingSettings(BaseModel):
    """How arrived mails are read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch: int = Field(default=50, ge=1, le=500, description="Mails that are read and committed together.")
    batch_bytes: int = Field(
        default=16_777_216,
        ge=1,
        description="Bytes of mails that are read together; a larger one is read alone.",
    )
    seconds: float = Field(
        default=10, gt=0, description="A mail that takes longer to read goes to the quarantine."
    )
    files_seconds: float = Field(
        default=3,
        ge=0,
        le=60,
        description="Processor time for reading what the files of a mail say (PDF, text), for the rules; what takes longer "
        "is cut. 0: files are not opened.",
    )
    megabytes: int = Field(
        default=2048,
        ge=256,
        description="Memory of the process that reads; what takes more goes to the quarantine.",
    )
    attempts: int = Field(
        default=3,
        ge=1,
        le=20,
        description="After so many attempts that came to nothing a mail goes to the quarantine.",
    )
    lease: float = Field(
        default=120, gt=1, description="Seconds after which a mail whose reader died is read by another one."
    )
    retry_after: float = Field(
        default=30, gt=0, description="Seconds until a mail is read again after an error on our side."
    )
    queue: str = Field(
        default="Inbox",
        min_length=1,
        description="The queue for mail to addresses that no queue has; made if missing.",
    )
    history_days: float = Field(
        default=30,
        gt=0,
        description="Mail that came to its mailbox more than so many days before it reached us is history: it is filed in "
        "closed conversations and on timelines; nobody is asked to answer it and no rule acts on it.",
    )
    undecided_hours: float = Field(
        default=4,
        ge=0,
        le=8760,
        description="Hours after which a message that nobody decided on raises the alarm: shown as late in the list of what is "
        "undecided, counted in the metrics, told to the rules as Overlooked. 0: never.",
    )
    copy_local: _Local = Field(
        default="bcc",
        description="Local part of personal Bcc addresses; a token is added behind a plus sign.",
    )


class BounceSettings(BaseModel):
    """When an address that cannot be reached goes on the do-not-contact list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    soft_limit: int = Field(
        default=5,
        ge=1,
        le=1000,
        description="Soft bounces in a row after which an address is written to no more.",
    )
    soft_days: float = Field(
        default=30,
        gt=0,
        description="A soft bounce counts as one of a row for so many days after the first of it.",
    )


class AutoAnswerSettings(BaseModel):
    """How often we answer by ourselves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_correspondent: int = Field(
        default=1, ge=0, le=100, description="Automatic answers to one address within `hours`."
    )
    hours: float = Field(default=24, gt=0, le=8760, description="How long an automatic answer is remembered.")
    latest: float = Field(
        default=48, gt=0, description="Hours after a mail came during which it may still be acknowledged."
    )
    per_hour: int = Field(
        default=500, ge=0, description="Automatic answers to everybody together in an hour."
    )


class TextAnswerSettings(BaseModel):
    """What we answer by ourselves to HELP and START, when the provider does not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider_answers: bool = Field(
        default=True,
        description="The provider answers the words of its own table (HELP, INFO, START...) by itself, as it does "
        "unless it was asked not to. Words of other languages are answered by us in any case.",
    )
    organisation: str = Field(
        default="", max_length=60, description="Who we are, written before these answers; empty for nothing."
    )
    language: str = Field(default="en", description="The language for people of whom none is known, e.g. fr.")
    help: dict[str, str] = Field(
        default_factory=dict,
        description='Answers to HELP in place of ours, by language: {"fr": "Helianthe : 01 99 00 12 34. STOP pour '
        'ne plus recevoir de messages."}; an empty one: no answer.',
    )
    start: dict[str, str] = Field(
        default_factory=dict, description="Answers to START in place of ours, by language."
    )
    per_correspondent: int = Field(
        default=3, ge=0, le=100, description="Such answers to one number within `hours`."
    )
    hours: float = Field(default=24, gt=0, le=8760, description="How long such an answer is remembered.")
    latest: float = Field(
        default=12, gt=0, description="Hours after a message came during which it may still be answered so."
    )
    per_hour: int = Field(
        default=500, ge=0, description="Automatic answers to everybody together, by mail too, in an hour."
    )
