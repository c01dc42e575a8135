"""Callers as the network tells them: numbers, and all the ways of telling nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.numbers import is_e164
from channels.voice.parties import PartyKind, read_party


@pytest.mark.parametrize(
    "told",
    [
        *("", " ", "anonymous", "Anonymous", "ANONYMOUS", "Restricted", "unavailable", "Unknown", "private"),
        *("+266696687", "266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"),
        *("sip:anonymous@anonymous.invalid", "<sip:Anonymous@anonymous.invalid>", '"anonymous"', "null"),
        *("\x00\x01", "+1266696687"),
    ],
)
def test_a_caller_who_hides_has_no_number_and_no_address(told: str) -> None:
    party = read_party(told)
    assert party.kind is PartyKind.HIDDEN
    assert (party.number, party.shown, party.country) == ("", "", "")


@pytest.mark.parametrize(
    ("told", "number", "country"),
    [
        ("+33612345678", "+33612345678", "FR"),
        (" 33612345678", "+33612345678", "FR"),  # a plus sign that nobody escaped
        ("+447700900123", "+447700900123", "GB"),
        ("+14155552671\n", "+14155552671", "US"),
        ("+17378742833", "+17378742833", "US"),  # not RESTRICTED: a number in Texas
    ],
)
def test_a_number_is_read_in_its_one_form(told: str, number: str, country: str) -> None:
    party = read_party(told)
    assert (party.kind, party.number, party.shown, party.country) == (
        PartyKind.NUMBER,
        number,
        number,
        country,
    )


@pytest.mark.parametrize(
    ("told", "kind", "number"),
    [
        ("client:anna", PartyKind.CLIENT, ""),
        ("Client:Anna Muller", PartyKind.CLIENT, ""),
        ("sip:ben@pbx.example", PartyKind.SIP, ""),
        ("sip:+33612345678@gateway.example;user=phone", PartyKind.SIP, "+33612345678"),
        ("sips:ben@pbx.example:5061", PartyKind.SIP, ""),
        ("36200", PartyKind.OTHER, ""),
        ("0612345678", PartyKind.OTHER, ""),
        ("+0", PartyKind.OTHER, ""),
        ("Robert'); DROP TABLE calls;--", PartyKind.OTHER, ""),
    ],
)
def test_other_phones_are_told_apart(told: str, kind: PartyKind, number: str) -> None:
    party = read_party(told)
    assert (party.kind, party.number) == (kind, number)
    assert party.shown


@given(
    st.text() | st.text("+0123456789 ", max_size=20) | st.text(max_size=20).map(lambda text: f"sip:{text}@x")
)
def test_whatever_is_told_is_read_and_a_number_is_one(told: str) -> None:
    party = read_party(told)
    assert not party.number or is_e164(party.number)
    assert "\0" not in party.told + party.shown
    assert len(party.told) <= 256
