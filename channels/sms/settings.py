"""Settings of short messages: what every provider has in common, and the account at Twilio."""

from __future__ import annotations

from pydantic import Field, field_validator

from channels.http.settings import HttpSettings
from channels.sms.costs import Prices
from channels.twilio.settings import TwilioAccount, check_address


class SmsSettings(HttpSettings):
    """What every provider of short messages has in common."""

    prices: Prices = Field(default_factory=Prices, description="what a part costs by country")


class TwilioSettings(TwilioAccount, SmsSettings):
    """The account at Twilio and how its servers reach us."""

    callback_url: str = Field(
        default="",
        description="our public address for the provider's reports, such as https://hub.example/callbacks/sms; "
        "empty: no reports are asked for",
    )
    validity: int = Field(
        default=14_400, ge=1, le=36_000, description="seconds that a message may wait at the provider"
    )

    @field_validator("callback_url")
    @classmethod
    def _check_callback_url(cls, value: str) -> str:
        return check_address(value)
