"""Tokens in URLs: what signs verifies, everything else is nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import ConfigurationError
from domain.tokens import TEXT_LENGTH, Token, TokenKeys, TokenUse

KEYS = TokenKeys({1: b"a" * 32})
campaigns = st.integers(0, 2**31 - 1)
messages = st.integers(1, 2**48 - 1)
uses = st.sampled_from(TokenUse)


@given(uses, campaigns, messages)
def test_what_was_signed_can_be_read(use: TokenUse, campaign_id: int, message_id: int) -> None:
    assert KEYS.verify(KEYS.sign(use, campaign_id, message_id), use) == Token(use, campaign_id, message_id)


def test_a_campaign_wide_token_names_no_message() -> None:
    token = KEYS.verify(KEYS.sign(TokenUse.MEASURE, 7), TokenUse.MEASURE)
    assert token == Token(TokenUse.MEASURE, 7, None)


def test_a_token_opens_only_what_it_was_made_for() -> None:
    pixel = KEYS.sign(TokenUse.MEASURE, 7, 8)
    assert [use for use in TokenUse if KEYS.verify(pixel, use)] == [TokenUse.MEASURE]


@given(st.data(), campaigns, messages)
def test_a_changed_character_makes_a_token_worthless(
    data: st.DataObject, campaign: int, message: int
) -> None:
    token = KEYS.sign(TokenUse.MEASURE, campaign, message)
    place = data.draw(st.integers(0, TEXT_LENGTH - 1))
    other = data.draw(st.characters().filter(lambda char: char != token[place]))
    assert KEYS.verify(token[:place] + other + token[place + 1 :], TokenUse.MEASURE) is None


@given(st.text(max_size=60))
def test_any_text_is_refused_without_an_error(text: str) -> None:
    assert KEYS.verify(text, TokenUse.MEASURE) is None


def test_a_token_has_one_spelling() -> None:
    token = KEYS.sign(TokenUse.MEASURE, 7, 8)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    verified = [char for char in alphabet if KEYS.verify(token[:-1] + char, TokenUse.MEASURE)]
    assert verified == [token[-1]]
    assert KEYS.verify(token + "=", TokenUse.MEASURE) is None
    assert KEYS.verify(token + "\n", TokenUse.MEASURE) is None


@given(st.sampled_from([TokenUse.REPLY, TokenUse.COPY]), campaigns, messages)
def test_a_token_in_an_address_outlives_a_change_of_case(
    use: TokenUse, campaign_id: int, message_id: int
) -> None:
    token = KEYS.sign(use, campaign_id, message_id)
    assert token == token.lower()
    assert KEYS.verify(token.upper(), use) == KEYS.verify(token, use) == Token(use, campaign_id, message_id)


def test_an_older_key_still_verifies_and_the_newest_signs() -> None:
    old = KEYS.sign(TokenUse.REPLY, 1, 2)
    both = TokenKeys({1: b"a" * 32, 2: b"b" * 32})
    assert both.verify(old, TokenUse.REPLY) == Token(TokenUse.REPLY, 1, 2)
    assert KEYS.verify(both.sign(TokenUse.REPLY, 1, 2), TokenUse.REPLY) is None


def test_a_retired_key_verifies_nothing() -> None:
    assert TokenKeys({2: b"b" * 32}).verify(KEYS.sign(TokenUse.REPLY, 1, 2), TokenUse.REPLY) is None


def test_another_deployments_key_of_the_same_number_verifies_nothing() -> None:
    assert TokenKeys({1: b"c" * 32}).verify(KEYS.sign(TokenUse.MEASURE, 1, 2), TokenUse.MEASURE) is None


@pytest.mark.parametrize("roots", [{}, {1: b"short"}, {256: b"a" * 32}, {-1: b"a" * 32}])
def test_unusable_keys_are_refused_at_the_start(roots: dict[int, bytes]) -> None:
    with pytest.raises(ConfigurationError, match=r"tokens\.keys"):
        TokenKeys(roots)
