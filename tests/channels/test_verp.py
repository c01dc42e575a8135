"""Variable envelope return paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.mail.verp import decode, encode
from domain.errors import InvalidInput

_tokens = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789_-", min_size=1, max_size=50)


@given(token=_tokens)
def test_a_token_survives_the_way_out_and_back(token: str) -> None:
    assert decode("bounces", "clytie.example", encode("bounces", "clytie.example", token)) == token


def test_the_address_may_come_back_in_brackets_and_capitals() -> None:
    assert decode("bounces", "clytie.example", "<Bounces+Tok-1@CLYTIE.example>") == "Tok-1"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "bounces@clytie.example",
        "bounces+@clytie.example",
        "other+t@clytie.example",
        "bounces+t@x.example",
    ],
)
def test_other_addresses_hold_no_token(address: str) -> None:
    assert decode("bounces", "clytie.example", address) is None


@pytest.mark.parametrize(
    ("local", "token", "field"),
    [
        ("bo unces", "t", "local"),
        ("", "t", "local"),
        ("bounces", "", "token"),
        ("bounces", "a b", "token"),
        ("bounces", "a>\r\nRCPT", "token"),
        ("bounces", "t" * 60, "local"),
    ],
)
def test_what_makes_no_address_is_refused(local: str, token: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        encode(local, "clytie.example", token)
    assert caught.value.field == field
