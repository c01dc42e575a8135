"""Subjects are shown and answered without what replying and forwarding put before them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.mail.subjects import bare_subject, is_forward, reply_subject


@pytest.mark.parametrize(
    "subject",
    [
        "Re: Van", "RE: Van", "AW: Van", "Antw: Van", "SV: Van", "VS: Van", "TR: Van", "WG: Van", "RV: Van", "Fwd: Van", "FW: Van",
        "R: Van", "I: Van", "RES: Van", "ENC: Van", "Odp: Van", "PD: Van", "VB: Van", "Rif: Van", "YNT: Van", "回复: Van", "转发： Van",
        "Re[2]: Van", "Re: Re: AW: Van", "Re : Van", "RE:Van", "Re: Fwd: TR : Van", "  Re:\r\n Van ", "[EXTERNAL] Re: Van", "Re: [EXT] Van",
    ],
)  # fmt: skip
def test_prefixes_go(subject: str) -> None:
    assert bare_subject(subject) == "Van"
    assert reply_subject(subject) == "Re: Van"


@pytest.mark.parametrize(
    "subject",
    ["Van", "Reply needed", "Research: results", "Is it I?", "Order 4711: late", "[list] Van", "[list]"],
)
def test_other_subjects_stay(subject: str) -> None:
    assert bare_subject(subject) == subject


def test_a_lists_name_stays_and_loses_the_prefix_behind_it() -> None:
    assert bare_subject("Re: [gardeners] Re: Tulips") == "[gardeners] Tulips"
    assert reply_subject("[gardeners] AW: Tulips") == "Re: [gardeners] Tulips"


def test_an_empty_subject_is_answered_too() -> None:
    assert reply_subject("") == "Re:"
    assert reply_subject(" Re: ") == "Re:"


@pytest.mark.parametrize(
    "subject",
    ["Fwd: x", "FW: x", "TR : x", "WG: x", "RV: x", "I: x", "ENC: x", "VB: x", "PD: x", "[EXTERNAL] Fwd: x"],
)
def test_a_forward_is_told_by_its_prefix(subject: str) -> None:
    assert is_forward(subject)


@pytest.mark.parametrize("subject", ["Re: x", "AW: Fwd: x", "x", "", "Forward planning: x"])
def test_a_reply_is_no_forward(subject: str) -> None:
    assert not is_forward(subject)


@given(st.text(max_size=200))
def test_a_bare_subject_is_its_own_bare_subject(subject: str) -> None:
    once = bare_subject(subject)
    assert bare_subject(once) == once


def test_a_megabyte_of_prefixes_is_read_at_once() -> None:
    assert len(bare_subject("Re: " * 250_000)) <= 2_000
