"""What a text will cost, before it is sent: parts times the price of a part in the country of each number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from channels.sms.numbers import country_of
from channels.sms.segments import Segments, count

_Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
_Price = Annotated[Decimal, Field(ge=0, le=100)]


class Prices(BaseModel):
    """Prices of a part by country of destination, from the contract with the provider."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field(
        default="USD", description="currency of the prices (ISO 4217)"
    )
    countries: dict[_Country, _Price] = Field(
        default_factory=dict,
        description='price of one part of a message by country (ISO 3166), e.g. {"FR": "0.0798"}',
    )
    elsewhere: _Price | None = Field(
        default=None, description="price of one part in any other country; empty: not known"
    )

    def of(self, country: str) -> Decimal | None:
        """The price of one part there; None when it is not known."""
        return self.countries.get(country, self.elsewhere)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a text to these numbers takes. `amount` leaves out the numbers whose price is not known."""

    segments: Segments
    parts: int  #: of all messages together
    amount: Decimal
    currency: str
    numbers_by_country: dict[str, int]
    unpriced: int  #: numbers whose country has no price

    @property
    def is_complete(self) -> bool:
        """Whether the amount covers every number."""
        return not self.unpriced


def estimate(body: str, numbers: Iterable[str], prices: Prices) -> Estimate:
    """Parts and price of one text to these numbers (E.164). A number of no country counts as unpriced."""
    return estimate_by_country(body, Counter(country_of(number) for number in numbers), prices)


def estimate_by_country(body: str, numbers: Counter[str], prices: Prices) -> Estimate:
    """As `estimate`, from how many numbers there are in each country (ISO code, empty where it is not known)."""
    segments = count(body)
    priced = {country: price for country in numbers if (price := prices.of(country)) is not None}
    amount = sum((price * numbers[country] for country, price in priced.items()), Decimal(0))
    return Estimate(
        segments=segments,
        parts=segments.segments * numbers.total(),
        amount=amount * segments.segments,
        currency=prices.currency,
        numbers_by_country=dict(numbers),
        unpriced=sum(many for country, many in numbers.items() if country not in priced),
    )
