"""A mail joins a conversation only when its sender takes part; everything doubtful waits for a person."""

from __future__ import annotations

import pytest

from channels.mail.joining import Candidate, Clue, Placing, Way, place

ANNS = Candidate(7, Clue.REFERENCE, frozenset({"ann@example.com", "us@example.org"}), frozenset({3}))
BY_TOKEN = Candidate(7, Clue.TOKEN, ANNS.addresses, ANNS.contacts)
BOBS = Candidate(8, Clue.REFERENCE, frozenset({"bob@example.com"}))


def test_a_mail_that_points_nowhere_begins_a_conversation() -> None:
    assert place([], "ann@example.com") == Placing(Way.NEW)


def test_a_participants_mail_joins() -> None:
    assert place([ANNS], "ann@example.com", dmarc="pass") == Placing(Way.JOIN, 7)
    assert place([BY_TOKEN], "ann@example.com") == Placing(Way.JOIN, 7)


def test_another_address_of_the_same_contact_joins() -> None:
    assert place([ANNS], "ann@private.example", contact=3) == Placing(Way.JOIN, 7)


def test_a_strangers_reference_waits_for_a_person() -> None:
    assert place([ANNS], "eve@example.net", dmarc="pass") == Placing(Way.ASK, 7, "reference_of_stranger")


def test_a_token_alone_is_not_enough() -> None:
    assert place([BY_TOKEN], "eve@example.net", contact=9, dmarc="pass") == Placing(
        Way.ASK, 7, "token_of_stranger"
    )


@pytest.mark.parametrize("candidate", [ANNS, BY_TOKEN])
def test_a_participants_address_that_failed_dmarc_waits_for_a_person(candidate: Candidate) -> None:
    assert place([candidate], "ann@example.com", dmarc="fail") == Placing(Way.ASK, 7, "forged_sender")
    assert place([candidate], "ann@private.example", contact=3, dmarc="FAIL") == Placing(
        Way.ASK, 7, "forged_sender"
    )


@pytest.mark.parametrize("dmarc", ["none", "temperror", "permerror", "pass", ""])
def test_only_a_failure_of_dmarc_makes_a_participant_wait(dmarc: str) -> None:
    assert place([ANNS], "ann@example.com", dmarc=dmarc).way is Way.JOIN


def test_the_first_conversation_that_the_sender_takes_part_in_is_joined() -> None:
    assert place([ANNS, BOBS], "bob@example.com") == Placing(Way.JOIN, 8)
    assert place([BY_TOKEN, ANNS, BOBS], "eve@example.net") == Placing(Way.ASK, 7, "token_of_stranger")


def test_a_mail_without_a_sender_never_joins() -> None:
    nameless = Candidate(9, Clue.REFERENCE, frozenset({""}), frozenset({3}))
    assert place([nameless], "", contact=3) == Placing(Way.ASK, 9, "reference_of_stranger")
