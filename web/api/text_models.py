"""How the API writes what short messages take: parts, alphabet, prices, proposals, and whom they reach."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from campaigns.reach import Reach
from campaigns.texts import CampaignWeight, Sample
from channels.sms.lookalikes import Replacement
from channels.sms.segments import Encoding, Segments


class SegmentsModel(BaseModel):
    """What one text takes."""

    encoding: Encoding
    segments: int = Field(description="Parts, as they are billed.")
    characters: int

    @classmethod
    def of(cls, counted: Segments) -> Self:
        """As it was counted."""
        return cls(encoding=counted.encoding, segments=counted.segments, characters=counted.characters)


class ReplacementModel(BaseModel):
    """A sign, what may stand for it, and how often it is there."""

    sign: str
    by: str
    times: int

    @classmethod
    def of(cls, change: Replacement) -> Self:
        """As it was found."""
        return cls(sign=change.sign, by=change.by, times=change.times)


class SampleModel(SegmentsModel):
    """The text of one reader."""

    contact_id: int
    name: str
    text: str


class CountryModel(BaseModel):
    """What goes to one country."""

    country: str = Field(description="ISO 3166 code; empty when it is not known.")
    numbers: int
    parts: int
    amount: str | None = Field(description="A decimal number; null when no price is known.")


class WeightModel(BaseModel):
    """What a campaign by SMS takes."""

    recipients: int
    parts: int
    amount: str = Field(description="A decimal number; leaves out the unpriced numbers.")
    currency: str
    unpriced: int = Field(description="Numbers for whose country no price is known.")
    countries: list[CountryModel]
    encodings: dict[str, int] = Field(description="Messages by alphabet.")
    shortest: SampleModel | None
    typical: SampleModel | None
    longest: SampleModel | None
    saved_parts: int = Field(
        description="Parts that replacing look-alikes saves (the template's `lookalikes`)."
    )
    replacements: list[ReplacementModel]
    without_stop: list[str] = Field(description="Languages of readers who are not told how to stop.")
    mute: bool = Field(description="Readers are told to answer STOP to a name, which nobody can answer.")
    refused: int = Field(description="Readers who lack a field that the text prints.")
    too_long: int = Field(description="Readers whose text is longer than providers take (1600 characters).")
    exact: bool = Field(description="False: a share of a large audience was written.")


class ReachModel(BaseModel):
    """Whom it reaches."""

    in_segment: int
    recipients: int
    obstacles: dict[str, int] = Field(
        description="Why not the others, each once: no_number, no_mobile, never_asked, withdrawn, stopped, suppressed, shared."
    )
    waiting: int = Field(description="Of the recipients: it is no hour for it where they live.")
    last_at: datetime | None = Field(description="When the last of those gets it.")
    exact: bool


def describe_weight(weight: CampaignWeight) -> WeightModel:
    """The weight as the API writes it."""
    return WeightModel(
        recipients=weight.recipients,
        parts=weight.parts,
        amount=str(weight.amount),
        currency=weight.currency,
        unpriced=weight.unpriced,
        countries=[
            CountryModel(
                country=one.country,
                numbers=one.numbers,
                parts=one.parts,
                amount=None if one.amount is None else str(one.amount),
            )
            for one in weight.countries
        ],
        encodings={encoding.value: many for encoding, many in weight.encodings.items()},
        shortest=_sample(weight.shortest),
        typical=_sample(weight.typical),
        longest=_sample(weight.longest),
        saved_parts=weight.saving.parts,
        replacements=[ReplacementModel.of(change) for change in weight.saving.replacements],
        without_stop=list(weight.without_stop),
        mute=weight.is_mute,
        refused=weight.refused,
        too_long=weight.too_long,
        exact=weight.is_exact,
    )


def _sample(sample: Sample | None) -> SampleModel | None:
    if sample is None:
        return None
    counted = SegmentsModel.of(sample.segments)
    return SampleModel(
        **counted.model_dump(), contact_id=sample.contact_id, name=sample.name, text=sample.text
    )


def describe_reach(reach: Reach) -> ReachModel:
    """The reach as the API writes it."""
    return ReachModel(
        in_segment=reach.in_segment,
        recipients=reach.recipients,
        obstacles={obstacle.value: many for obstacle, many in reach.obstacles.items()},
        waiting=reach.waiting,
        last_at=reach.last_at,
        exact=reach.is_exact,
    )
