"""The check against the provider's description, checked itself; and every route of the interface is described."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from channels.sandbox.carrier.api.server import ROUTES
from tests.channels.carrier.conformance import Conformance, open_conformance

MESSAGES = "https://api.twilio.com/2010-04-01/Accounts/AC" + "0" * 32 + "/Messages.json"


@pytest.fixture
def check() -> Conformance:
    opened = open_conformance()
    assert opened is not None
    return opened


@pytest.mark.parametrize(
    ("data", "answer", "problem"),
    [
        ({"From": "+15005550006"}, {}, "form: To is missing"),
        ({"To": "+15005550006", "Colour": "red"}, {}, "form: Colour is unknown"),
        ({"To": "+15005550006", "ValidityPeriod": "soon"}, {}, "form: ValidityPeriod: 'soon' is no integer"),
        (
            {"To": "+15005550006", "ContentRetention": "never"},
            {},
            "form: ContentRetention: 'never' is not one of",
        ),
        ({"To": "+15005550006"}, {"status": "flying"}, "answer: status: 'flying' is not one of"),
        ({"To": "+15005550006"}, {"sid": "SM1"}, "answer: sid: "),
        ({"To": "+15005550006"}, {"date_sent": "2026-01-01"}, "answer: date_sent: "),
        ({"To": "+15005550006"}, {"num_segments": 1}, "answer: num_segments: "),
        ({"To": "+15005550006"}, {"colour": "red"}, "answer: : Additional properties"),
    ],
)
def test_what_does_not_conform_is_found(
    check: Conformance, data: dict[str, Any], answer: dict[str, Any], problem: str
) -> None:
    problems = check.find_problems("POST", MESSAGES, {}, data, 201, json.dumps(answer))
    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_what_conforms_is_accepted(check: Conformance) -> None:
    answer = {"sid": "SM" + "0" * 32, "status": "queued", "date_sent": None, "num_segments": "1"}
    data = {"To": "+33639980001", "Body": "x", "MediaUrl": ["https://x.example/a.png"]}
    assert check.find_problems("POST", MESSAGES, {}, data, 201, json.dumps(answer)) == []


def test_unknown_addresses_queries_and_statuses_are_found(check: Conformance) -> None:
    assert check.find_problems("GET", MESSAGES + ".xml", {}, {}, 200, "{}") == [
        "the description does not know it"
    ]
    assert check.find_problems("GET", MESSAGES, {"Colour": "red"}, {}, 200, "{}") == [
        "query: Colour is unknown"
    ]
    assert check.find_problems("POST", MESSAGES, {}, {"To": "+15005550006"}, 200, "{}") == [
        "answer: 200 is none of 201"
    ]
    assert check.find_problems("POST", MESSAGES, {}, {"To": "+15005550006"}, 400, '{"status": 401}') != []


@pytest.mark.parametrize(
    ("method", "path"), [(route[0], route[1]) for route in ROUTES if route[1].endswith(".json")]
)
def test_every_route_is_described(check: Conformance, method: str, path: str) -> None:
    url = "https://api.twilio.com/2010-04-01/Accounts" + re.sub(r"{\w+}", "X1", path)
    assert "the description does not know it" not in check.find_problems(method, url, {}, {}, 204, "")
