"""Mails that belong together find each other by their ids, whatever loops and lies the ids hold."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.mail.threads import ThreadedMessage, ancestors, thread


def mail(message_id: str, *references: str, reply: str = "") -> ThreadedMessage:
    return ThreadedMessage(message_id, (reply,) if reply else (), references)


def groups(*mails: ThreadedMessage) -> list[list[str]]:
    return [[one.message_id for one in group] for group in thread(mails)]


def test_a_reply_belongs_to_what_it_answers() -> None:
    assert groups(mail("a"), mail("x"), mail("b", "a"), mail("c", reply="b")) == [["a", "b", "c"], ["x"]]


def test_mails_that_answer_the_same_missing_mail_belong_together() -> None:
    assert groups(mail("b", "lost"), mail("c", "lost")) == [["b", "c"]]


def test_a_missing_mail_in_between_divides_nothing() -> None:
    assert groups(mail("a"), mail("c", "a", "lost"), mail("d", "lost")) == [["a", "c", "d"]]


def test_replies_that_come_before_what_they_answer_belong_together() -> None:
    assert groups(mail("c", "a", "b"), mail("a"), mail("b", "a")) == [["c", "a", "b"]]


def test_mails_without_ids_stand_alone_unless_they_name_what_they_answer() -> None:
    assert groups(mail(""), mail(""), mail("a"), mail("", "a")) == [[""], [""], ["a", ""]]


def test_the_same_subject_joins_nothing() -> None:
    assert groups(mail("a"), mail("b")) == [["a"], ["b"]]


def test_a_mail_that_is_there_twice_is_in_one_group() -> None:
    assert groups(mail("a"), mail("b", "a"), mail("b", "a")) == [["a", "b", "b"]]


def test_loops_end() -> None:
    assert groups(mail("a", "a")) == [["a"]]
    assert groups(mail("a", "b"), mail("b", "a")) == [["a", "b"]]
    assert groups(mail("a", "b", "c"), mail("b", "c", "a"), mail("c", "a", "b")) == [["a", "b", "c"]]
    assert groups(mail("a", "b", "b", "a", "b"), mail("x", "b")) == [["a", "x"]]


def test_references_that_contradict_a_mails_own_word_do_not_move_it() -> None:
    mails = (mail("a"), mail("b", "a"), mail("x"), mail("liar", "x", "b"))
    assert groups(*mails) == [["a", "b", "liar"], ["x"]]


def test_ancestors_come_nearest_first_and_once() -> None:
    assert ancestors("<c@x>", "<a@x> <b@x>\r\n <c@x>") == ("c@x", "b@x", "a@x")
    assert ancestors(("c@x",), ("a@x", "b@x", "c@x")) == ("c@x", "b@x", "a@x")


def test_ancestors_are_cleaned() -> None:
    assert ancestors("", "") == ()
    assert ancestors(" <a@x > ", "<self@x>", "<self@x>") == ("a@x",)
    assert ancestors(("",), ("<>", "  ", "<a@x>", "x" * 5000, "<b\r\n @x>")) == ("b@x", "a@x")
    assert ancestors("Your mail of Monday <a@x>", "<b@x><c@x>,<d@x>")[-3:] == ("d@x", "c@x", "b@x")


def test_ancestors_are_bounded_to_the_nearest() -> None:
    found = ancestors((), tuple(f"{number}@x" for number in range(1000)))
    assert len(found) == 100
    assert found[0] == "999@x"
    assert ancestors("<" * 1_000_000, "<a> " * 300_000) == ("a",)


IDS = st.sampled_from("abcdefgh")


@given(st.lists(st.builds(mail, IDS, IDS, IDS, reply=IDS), max_size=12))
def test_every_mail_is_in_one_group_whatever_the_order(mails: list[ThreadedMessage]) -> None:
    found = thread(mails)
    assert sorted(one.message_id for group in found for one in group) == sorted(
        one.message_id for one in mails
    )
    again = thread(mails)
    assert found == again
    for group in found:
        ids = {one.message_id for one in group}
        assert all(other is group or not ids & {one.message_id for one in other} for other in found)


@pytest.mark.parametrize("step", [-1, 1])
def test_a_conversation_of_many_mails_is_threaded_in_near_linear_time(step: int) -> None:
    mails = [mail(str(number), str(number + step)) for number in range(30_000)]
    began = time.process_time()
    assert len(thread(mails)) == 1
    assert time.process_time() - began < 2
