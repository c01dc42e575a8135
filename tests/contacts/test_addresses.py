"""Addresses come to one form, and the short way for plain ones says what the libraries say."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contacts import addresses
from contacts.addresses import read_mail_address, read_phone
from domain.errors import InvalidInput

CORPORA = Path(os.environ.get("CLYTIE_CORPORA", Path(__file__).parents[3] / "shared" / "corpora"))
#: addresses as isemail judges them, with how many may be judged otherwise: our own, and isemail's where they lie
#: beside the checkout (email-validator alone is wrong about nine)
VECTORS = [(Path(__file__).with_name("vectors.json"), 0)] + [
    (path, 8) for path in CORPORA.glob("contacts/isemail.json")
]
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("Jean.Dupont@Example.ORG", "jean.dupont@example.org"),
        ('"jean"@example.org', "jean@example.org"),
        ('"jean d"@example.org', '"jean d"@example.org'),
        ("rené@Straße.example", "rené@xn--strae-oqa.example"),
        ("o'brien+news@a-b.example", "o'brien+news@a-b.example"),
        ("x@[192.0.2.1]", "x@[192.0.2.1]"),
    ],
)
def test_a_mail_address_comes_to_one_form(written: str, address: str) -> None:
    assert read_mail_address(written) == address
    assert read_mail_address(address) == address


@pytest.mark.parametrize(
    "written",
    ["", "jean", "jean@", "@example.org", "jean@gmail", "a b@example.org", "a..b@example.org", "a@b.example\nBcc: x@y.example",
     "a@-b.example", "a@b_c.example", "a@host.invalid", "x" * 65 + "@example.org", "a@" + "b" * 64 + ".org", "a@b.c\0.org"],
)  # fmt: skip
def test_what_is_no_mail_address_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput, match="this is not a mail address"):
        read_mail_address(written)


@pytest.mark.parametrize(("path", "mistakes"), VECTORS)
def test_vectors_are_judged_better_than_by_email_validator_alone(path: Path, mistakes: int) -> None:
    wanted = {
        "ISEMAIL_VALID_CATEGORY": True,
        "ISEMAIL_DNSWARN": True,
        "ISEMAIL_RFC5321": True,
        "ISEMAIL_RFC5322": False,
        "ISEMAIL_ERR": False,
    }
    clear = [vector for vector in json.loads(path.read_text("utf-8")) if vector["category"] in wanted]
    assert clear
    wrong = [
        vector["address"]
        for vector in clear
        if _is_accepted(vector["address"]) is not wanted[vector["category"]]
    ]
    assert len(wrong) <= mistakes, wrong


def _is_accepted(address: str) -> bool:
    try:
        read_mail_address(address)
    except InvalidInput:
        return False
    return True


_locals = st.text("abcXYZ019.!#$%&'*+/=?^_`{|}~-\"\\ ()é", min_size=1, max_size=66)
_domains = st.lists(
    st.text("abcXYZ019-_é", min_size=1, max_size=5)
    | st.sampled_from(["xn--abc", "ab--c", "a" * 63, "a" * 64]),
    min_size=1,
    max_size=5,
).map(".".join)
_tops = st.sampled_from(
    ["org", "example", "test", "invalid", "LOCAL", "localhost", "c", "123", "co1", "museum", "xn--p1ai"]
)


@settings(max_examples=2000)
@given(st.builds(lambda local, domain, top: f"{local}@{domain}.{top}", _locals, _domains, _tops))
@example("a@" + ".".join(["b" * 60] * 5) + ".org")
@example("x" * 64 + "@" + ".".join(["b" * 61] * 3) + ".org")
def test_the_short_way_for_mail_says_what_email_validator_says(written: str) -> None:
    try:
        expected: str | None = addresses._ask_email_validator(written, "email")
    except InvalidInput:
        expected = None
    assert (read_mail_address(written) if _is_accepted(written) else None) == expected


@pytest.mark.parametrize(
    ("written", "country", "number"),
    [
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("+33 (0)6 12.34.56.78", None, "+33612345678"),
        ("0033612345678", "FR", "+33612345678"),
        ("06\u202f12\u202f34\u202f56\u202f78", "FR", "+33612345678"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("06 698 12345", "IT", "+390669812345"),
        ("(202) 456-1111", "US", "+12024561111"),
        ("+1 202 456 1111", "FR", "+12024561111"),
    ],
)
def test_a_phone_number_comes_to_one_form(written: str, country: str | None, number: str) -> None:
    assert read_phone(written, country) == number


@pytest.mark.parametrize(
    ("written", "country", "words"),
    [
        ("06 12 34 56 78", None, "the country of this phone number is not known"),
        ("06 12 34 56", "FR", "there is no such phone number"),
        ("call me", "FR", "this is not a phone number"),
        ("+999 123 456", None, "phone number"),
    ],
)
def test_what_is_no_phone_number_is_refused(written: str, country: str | None, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        read_phone(written, country)


@st.composite
def _numbers(draw: st.DrawFn) -> tuple[str, str | None]:
    region = draw(st.sampled_from(REGIONS))
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    assert metadata is not None
    kinds = [metadata.fixed_line, metadata.mobile, metadata.toll_free, metadata.premium_rate, metadata.voip]
    known = [kind.example_number for kind in kinds if kind is not None and kind.example_number]
    digits = list(draw(st.sampled_from(known)))
    for place, digit in draw(
        st.lists(st.tuples(st.integers(0, 14), st.sampled_from("0123456789")), max_size=4)
    ):
        digits[place % len(digits)] = digit
    national = "".join(digits) + draw(st.sampled_from(["", "", "", "5"]))
    prefix = draw(st.sampled_from([f"+{metadata.country_code}", "0", "", f"+{metadata.country_code}0", "00"]))
    other = draw(st.none() | st.just(region) | st.sampled_from(REGIONS))
    return prefix + national, other


@settings(max_examples=3000)
@given(_numbers())
@example(("+78001234567", None))
@example(("+3906698123", None))
def test_the_short_way_for_phones_says_what_phonenumbers_says(case: tuple[str, str | None]) -> None:
    written, country = case
    readers: list[Callable[[str, str | None, str], str]] = [read_phone, addresses._ask_phonenumbers]
    answers = []
    for read in readers:
        try:
            answers.append(read(written, country, "phone"))
        except InvalidInput:
            answers.append("refused")
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("written", "country", "number"),
    [
        ("+33 6 39 98 00 01", None, "+33639980001"),
        ("06 39 98 00 01", "FR", "+33639980001"),
        ("+44 7700 900123", None, "+447700900123"),
    ],
)
def test_numbers_that_regulators_keep_for_stories_are_taken(
    written: str, country: str | None, number: str
) -> None:
    assert read_phone(written, country) == number
    assert read_phone(number) == number


@pytest.mark.parametrize("written", ["+33 6 39 98 00 0", "+33 6 39 98 00 011"])
def test_a_number_for_stories_has_as_many_digits_as_any_other(written: str) -> None:
    with pytest.raises(InvalidInput):
        read_phone(written)
