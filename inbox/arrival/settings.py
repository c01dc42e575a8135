"""Settings of the intake: when bytes become a file and when they are forgotten, how many mails one commit takes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class IntakeSettings(BaseModel):
    """How arriving mails are kept before anybody reads them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    blob_from: int = Field(
        default=131_072,
        ge=0,
        description="A mail of so many bytes or more is kept as a file, a smaller one in its row.",
    )
    bytes_kept: int = Field(
        default=1095,
        ge=0,
        description="Days after which the bytes of a message that was read are forgotten; what it said and its files stay "
        "in its conversation. 0: never.",
    )
    group_limit: int = Field(default=200, ge=1, le=5000, description="The most mails that one commit takes.")
    group_bytes: int = Field(
        default=8_388_608, ge=1, description="The most bytes of mails that one commit takes."
    )
    patience: float = Field(
        default=5.0,
        gt=0,
        description="Seconds that a sender waits for the commit before it is asked to try again later.",
    )
