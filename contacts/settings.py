"""Settings of the contacts' room."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints


class ContactsSettings(BaseModel):
    """How contact lists are read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = Field(
        None,
        description="ISO code of the country that phone numbers in imports belong to when neither they nor their "
        "line say, e.g. FR",
    )
