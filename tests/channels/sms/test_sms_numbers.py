"""Numbers as people write them, what they are, and what a text to them costs."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from channels.sms.costs import Prices, estimate, estimate_by_country
from channels.sms.numbers import (
    NumberKind,
    country_of,
    is_e164,
    is_sender,
    read_e164,
    read_number,
    takes_texts,
    timezones_of,
)
from domain.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "country", "e164", "kind", "where"),
    [
        ("06 12 34 56 78", "FR", "+33612345678", NumberKind.MOBILE, "FR"),
        ("+33 (0)6 12 34 56 78", None, "+33612345678", NumberKind.MOBILE, "FR"),
        ("0033 6 12 34 56 78", "FR", "+33612345678", NumberKind.MOBILE, "FR"),
        ("01 99 00 00 01", "FR", "+33199000001", NumberKind.FIXED, "FR"),
        ("0899 70 00 00", "FR", "+33899700000", NumberKind.PREMIUM, "FR"),
        ("0151 23456789", "DE", "+4915123456789", NumberKind.MOBILE, "DE"),
        ("(415) 555-2671", "US", "+14155552671", NumberKind.FIXED_OR_MOBILE, "US"),
        ("07400 123456", "GB", "+447400123456", NumberKind.MOBILE, "GB"),
        ("+800 1234 5678", None, "+80012345678", NumberKind.TOLL_FREE, ""),
    ],
)
def test_a_number_is_brought_to_its_one_form(
    text: str, country: str | None, e164: str, kind: NumberKind, where: str
) -> None:
    number = read_number(text, country)
    assert (number.e164, number.kind, number.country) == (e164, kind, where)


@pytest.mark.parametrize(
    ("text", "country", "problem"),
    [
        ("", "FR", "not a phone number"),
        ("hello", "FR", "not a phone number"),
        ("06 12 34 56 78", None, "country of this phone number is not known"),
        ("+999 123456", None, "no country with this code"),
        ("0612345678", "XX", "no country with this code"),
        ("+33 6 12", None, "too few digits"),
        ("+33 6 12 34 56 78 90", None, "too many digits"),
        ("07 00 00 00 00", "FR", "no such number in the plan"),
        ("38000", "FR", "short code"),
        ("38000", None, "short code"),
        ("112", "FR", "short code"),
    ],
)
def test_what_cannot_be_a_number_is_told_why(text: str, country: str | None, problem: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^mobile: .*{problem}"):
        read_number(text, country, "mobile")


def test_a_number_tells_the_hours_of_its_owner() -> None:
    assert read_number("+33612345678").timezones == ("Europe/Paris",)
    assert read_number("+14155552671").timezones == ("America/Los_Angeles",)
    assert len(read_number("+61491570156").timezones) > 1
    assert read_number("+80012345678").timezones == ()


def test_numbers_kept_for_stories_are_mobile_ones_though_no_plan_holds_them() -> None:
    number = read_number("06 39 98 00 01", "FR")
    assert (number.e164, number.kind, number.country) == ("+33639980001", NumberKind.MOBILE, "FR")
    assert number.timezones == ("Europe/Paris",)
    assert country_of("+447700900123") == "GB"


def test_only_numbers_that_may_be_mobile_take_texts() -> None:
    assert read_number("+33612345678").takes_texts
    assert read_number("+14155552671").takes_texts
    assert not read_number("+33199000001").takes_texts
    assert not read_number("+33899700000").takes_texts


def test_a_number_of_a_provider_is_taken_in_one_form_only() -> None:
    assert read_e164("+33612345678").country == "FR"
    with pytest.raises(InvalidInput, match=r"E\.164"):
        read_e164("0612345678")


@pytest.mark.parametrize("sender", ["+33700000001", "38000", "CLYTIE", "Clytie 24", "A"])
def test_a_sender_is_a_number_a_short_code_or_a_name(sender: str) -> None:
    assert is_sender(sender)


@pytest.mark.parametrize("sender", ["", "12345678901", "A name too long", "é", "a\nb", "+33&To=1"])
def test_anything_else_is_no_sender(sender: str) -> None:
    assert not is_sender(sender)


def test_the_country_of_a_number_is_known_without_an_error() -> None:
    assert country_of("+33612345678") == "FR"
    assert country_of("nonsense") == country_of("+80012345678") == ""


@given(st.text(max_size=30), st.sampled_from([None, "FR", "US", "XX"]))
def test_any_text_is_a_number_or_a_clear_error(text: str, country: str | None) -> None:
    problem, e164 = "", ""
    try:
        e164 = read_number(text, country).e164
    except InvalidInput as error:
        problem = error.problem
    assert is_e164(e164) or problem.endswith(".")


PRICES = Prices(currency="EUR", countries={"FR": Decimal("0.0798"), "US": Decimal("0.0083")})


def test_a_text_costs_its_parts_in_each_country() -> None:
    cost = estimate("a" * 161, ["+33612345678", "+33612345679", "+14155552671"], PRICES)
    assert cost.parts == 6
    assert cost.amount == 2 * (2 * Decimal("0.0798") + Decimal("0.0083"))
    assert cost.currency == "EUR"
    assert cost.is_complete
    assert cost.numbers_by_country == {"FR": 2, "US": 1}


def test_numbers_without_a_price_are_counted_and_not_guessed() -> None:
    cost = estimate("a", ["+33612345678", "+4915123456789", "nonsense"], PRICES)
    assert cost.amount == Decimal("0.0798")
    assert cost.unpriced == 2
    assert not cost.is_complete


def test_a_price_for_elsewhere_covers_the_rest() -> None:
    prices = Prices(elsewhere=Decimal("0.1"))
    cost = estimate_by_country("a", Counter({"DE": 1000, "": 5}), prices)
    assert cost.amount == Decimal("100.5")
    assert cost.is_complete


def test_a_price_for_no_country_is_refused() -> None:
    with pytest.raises(ValidationError):
        Prices.model_validate({"countries": {"France": "0.1"}})
    with pytest.raises(ValidationError):
        Prices.model_validate({"countries": {"FR": "-1"}})


#: numbers of every kind of every country, as its plan gives them
EXAMPLES = sorted(
    phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)
    for region in phonenumbers.SUPPORTED_REGIONS
    for kind in range(11)
    if (found := phonenumbers.example_number_for_type(region, kind)) is not None
)


def _looked_at_in_full(number: str) -> tuple[bool, str, tuple[str, ...]]:
    try:
        full = read_e164(number)
    except InvalidInput:
        return False, "", ()
    return full.takes_texts, full.country, full.timezones


@pytest.mark.parametrize("cut", range(6))
def test_a_quick_look_at_a_number_says_what_a_full_one_does(cut: int) -> None:
    for place, example in enumerate(EXAMPLES):
        number = example[: len(example) - cut] + f"{place * 7919 + 12345:07}"[-cut:] if cut else example
        texts, country, zones = _looked_at_in_full(number)
        assert takes_texts(number) is texts, number
        if country:
            assert (country_of(number), timezones_of(number)) == (country, zones), number


@given(st.from_regex(r"\+(33|39|54|52|44|1|7|61|358|225|881)[0-9]{4,12}", fullmatch=True))
def test_a_quick_look_at_what_may_be_no_number_says_what_a_full_one_does(number: str) -> None:
    assert takes_texts(number) is _looked_at_in_full(number)[0]


def test_numbers_kept_for_stories_are_of_their_country() -> None:
    assert timezones_of("+33639980001") == ("Europe/Paris",)
    assert timezones_of("+447700900123") == ("Europe/London",)
    assert timezones_of("nobody") == ()
