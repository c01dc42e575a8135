"""Settings of calls: whose phone rings how long, what is recorded and for how long it is kept, how many at a time."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from channels.http.settings import HttpSettings, Rate, Timeouts
from channels.twilio.settings import TwilioAccount

_RingSeconds = Annotated[int, Field(ge=5, le=600)]


class Announce(StrEnum):
    """When callers hear that a call is recorded."""

    ALWAYS = "always"
    WHERE_REQUIRED = "where_required"  #: where the law of a country on the line asks for it
    NEVER = "never"


class CallTimeouts(Timeouts):
    """Seconds to wait in each phase: somebody has just asked for a call, and looks at the screen."""

    answer: Annotated[float, Field(gt=0)] = Field(default=20, description="for the answer to a request")
    turn: Annotated[float, Field(gt=0)] = Field(
        default=10, description="for a call's turn under the limits; one that waits longer is not placed"
    )


class VoiceSettings(HttpSettings):
    """What is about calls; the account is that of short messages (`sms`)."""

    rate: Rate = Field(
        default=1, description="calls per second by a number that has no rate of its own, per process"
    )
    rates: dict[str, Rate] = Field(
        default_factory=dict, description='calls per second by number, per process, e.g. {"+33199000001": 2}'
    )
    timeouts: CallTimeouts = Field(default_factory=CallTimeouts, description="seconds to wait in each phase")
    concurrent: int = Field(default=20, ge=1, le=10_000, description="calls of ours at a time")
    confirm_key: str = Field(
        default="1",
        pattern=r"^[0-9*#]$",
        description="the key by which one of us takes a call, so that a mailbox does not",
    )
    our_seconds: _RingSeconds = Field(
        default=25, description="seconds that a phone of ours rings before we give up"
    )
    their_seconds: _RingSeconds = Field(default=30, description="seconds that a contact's phone rings")
    longest: int = Field(default=7_200, ge=60, le=14_400, description="seconds of talk")
    record_talks: bool = Field(default=False, description="record talks; voicemail is recorded in any case")
    announce: Announce = Field(
        default=Announce.WHERE_REQUIRED, description="when people hear that a talk is recorded"
    )
    transcribe: bool = Field(
        default=True,
        description="have voicemail written down by the provider",
    )
    transcribed_languages: tuple[str, ...] = Field(
        default=("en",),
        description="languages of callers whose voicemail is written down: the provider takes every other one for "
        'English, too; ["*"] for all, as the test carrier understands',
    )
    voicemail_seconds: int = Field(
        default=120, ge=5, le=3_600, description="the longest message; the provider writes down 120 seconds"
    )
    retention_days: int = Field(
        default=90, ge=1, le=3_650, description="days after which recordings and transcripts are deleted"
    )
    delete_there: bool = Field(
        default=True, description="delete a recording at the provider once we have fetched it"
    )
    largest_recording: int = Field(
        default=70_000_000, ge=10_000, description="bytes of a recording that are fetched at most"
    )
    language: str = Field(
        default="en-GB",
        pattern=r"^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$",
        description="spoken where none is told",
    )
    voices: dict[str, str] = Field(
        default_factory=dict,
        description='voice by language, e.g. {"fr-FR": "Polly.Lea"}; else the provider\'s',
    )


class TwilioVoiceSettings(VoiceSettings):
    """Calls, and the account at Twilio that they go through."""

    account: TwilioAccount = Field(
        default_factory=TwilioAccount, description="the account; in a deployment that of short messages"
    )


def join_settings(voice: VoiceSettings, account: TwilioAccount) -> TwilioVoiceSettings:
    """The channel's settings: what is about calls, with the account of short messages."""
    values = {name: getattr(voice, name) for name in VoiceSettings.model_fields}
    kept = {name: getattr(account, name) for name in TwilioAccount.model_fields}
    return TwilioVoiceSettings(**values, account=TwilioAccount(**kept))
