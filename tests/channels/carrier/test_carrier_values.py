"""Values in TwiML of calls: what the provider would complain about is found, one sentence each."""

from __future__ import annotations

import pytest

from channels.sandbox.carrier.twiml import check_document


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<Pause length="0"/>', "Pause: length is a number from 1 to 600, not '0'."),
        ('<Play loop="-1">x</Play>', "Play: loop is a number from 0 to 1000, not '-1'."),
        ('<Gather input="voice"/>', "Gather: input cannot be 'voice'."),
        ('<Gather method="PUT"/>', "Gather: method cannot be 'PUT'."),
        ('<Gather numDigits="many"/>', "Gather: numDigits is a number from 1 to 1000, not 'many'."),
        ('<Gather finishOnKey="x"/>', "Gather: finishOnKey cannot be 'x'."),
        ('<Dial timeout="601"/>', "Dial: timeout is a number from 5 to 600, not '601'."),
        ('<Dial record="yes"/>', "Dial: record cannot be 'yes'."),
        ('<Reject reason="tired"/>', "Reject: reason cannot be 'tired'."),
        ('<Say language="French!">x</Say>', "Say: language cannot be 'French!'."),
        ("<Say> </Say>", "Say has nothing to say."),
        ("<Say>" + "x" * 4097 + "</Say>", "Say has 4097 characters; it takes 4096."),
        ("<Enqueue>" + "x" * 65 + "</Enqueue>", "Enqueue: the name of a queue has at most 64 characters."),
        ("<Dial>" + "<Client>a</Client>" * 11 + "</Dial>", "Dial: 11 phones cannot ring at once; 10 can."),
        ('<Record transcribe="perhaps"/>', "Record: transcribe cannot be 'perhaps'."),
        (
            '<Dial><Number statusCallbackEvent="rings">+33199000001</Number></Dial>',
            "Number: statusCallbackEvent cannot be 'rings'.",
        ),
    ],
)
def test_a_value_that_the_provider_does_not_take_is_named(body: str, problem: str) -> None:
    assert check_document(f"<Response>{body}</Response>") == [problem]


def test_a_document_larger_than_the_provider_reads_is_named() -> None:
    text = "<Response>" + "<Play>https://hub.example/x</Play>" * 2000 + "</Response>"
    assert check_document(text) == [f"The document has {len(text)} bytes; 65536 are read."]
