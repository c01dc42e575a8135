"""What the provider reports later: in any order, any number of times, and that a state only moves forward."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import CallbackRequest
from channels.registry import open_channel
from channels.sms.reports import callback_address, make_report, read_report, to_event
from channels.sms.statuses import STATUSES, furthest, moves_forward
from channels.sms.twilio import TwilioSms
from channels.sms.twilio_codes import REASONS
from channels.twilio.signatures import sign
from domain.errors import InvalidInput
from domain.events import EventType
from domain.messages import DeliveryState, Mover, may_move
from domain.tokens import TokenKeys, TokenUse

SID = "SM" + "5f" * 16
BASE = "https://hub.example/callbacks/sms"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

statuses = st.lists(st.sampled_from([*STATUSES, "receiving", "unheard of"]), max_size=12)


def _channel(**settings: object) -> TwilioSms:
    channel = open_channel("sms", {"auth_token": "12345", **settings})
    assert isinstance(channel, TwilioSms)
    return channel


def _request(status: str, token: str = "", signer: str = "12345", **changes: str) -> CallbackRequest:
    url = callback_address(BASE, token) if token else f"{BASE}/status"
    form = {"MessageSid": SID, "MessageStatus": status, "To": "+33612345678", **changes}
    headers = {
        "X-Twilio-Signature": sign(url, form, signer),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return CallbackRequest("POST", url, headers, urlencode(form).encode())


@pytest.mark.parametrize(
    ("status", "code", "event", "reason", "hard"),
    [
        ("sent", "", EventType.SENT, None, None),
        ("delivered", "", EventType.DELIVERED, None, None),
        ("read", "", EventType.DELIVERED, None, None),
        ("undelivered", "30003", EventType.BOUNCED, "number_unreachable", False),
        ("undelivered", "30005", EventType.BOUNCED, "number_unknown", True),
        ("undelivered", "30007", EventType.BOUNCED, "spam", False),
        ("undelivered", "", EventType.BOUNCED, "refused", False),
        ("failed", "21610", EventType.FAILED, "opted_out", False),
        ("failed", "30036", EventType.FAILED, "expired", False),
        ("canceled", "", EventType.FAILED, "cancelled", False),
    ],
)
def test_a_report_becomes_an_event_in_our_words(
    status: str, code: str, event: EventType, reason: str | None, hard: bool | None
) -> None:
    (made,) = _channel().parse_callback(_request(status, ErrorCode=code))
    assert made.type is event
    assert made.data["provider_id"] == SID
    assert made.data.get("reason") == reason
    assert made.data.get("hard") is hard
    assert made.key == f"sms:{SID}:{event.value}"


@pytest.mark.parametrize("status", ["queued", "sending", "accepted", "scheduled", "unheard of"])
def test_a_state_on_the_way_is_no_event(status: str) -> None:
    assert _channel().parse_callback(_request(status)) == []


def test_a_report_names_the_message_by_the_token_in_its_address() -> None:
    keys = TokenKeys({1: b"k" * 32})
    token = keys.sign(TokenUse.CALLBACK, 3, 4711)
    report = _channel().parse_report(_request("delivered", token))
    assert report is not None
    read = keys.verify(report.token, TokenUse.CALLBACK)
    assert read is not None
    assert (read.campaign_id, read.message_id) == (3, 4711)


def test_a_report_with_a_wrong_signature_is_not_even_read() -> None:
    with pytest.raises(InvalidInput, match=r"^X-Twilio-Signature: "):
        _channel().parse_callback(_request("delivered", signer="guessed"))


def test_a_report_of_a_subaccount_holds_by_its_own_token() -> None:
    channel = _channel(signing_tokens=["of the subaccount"])
    assert channel.parse_callback(_request("delivered", signer="of the subaccount"))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"MessageSid": "CA1"}, "MessageSid"),
        ({"MessageSid": ""}, "MessageSid"),
        ({"MessageStatus": ""}, "MessageStatus"),
    ],
)
def test_what_is_no_report_is_told_by_its_field(changes: dict[str, str], field: str) -> None:
    form = {"MessageSid": SID, "MessageStatus": "sent", **changes}
    with pytest.raises(InvalidInput, match=f"^{field}: "):
        read_report(BASE, urlencode(form).encode())


@given(st.binary(max_size=300))
def test_reading_a_report_fails_with_a_field_or_not_at_all(body: bytes) -> None:
    try:
        read_report(BASE, body)
    except InvalidInput as error:
        problem = error.field
    else:
        problem = "MessageSid"
    assert problem in ("MessageSid", "MessageStatus")


@given(statuses)
def test_a_state_only_moves_forward(reports: list[str]) -> None:
    now = ""
    for status in reports:
        if moves_forward(now, status):
            assert now == "" or STATUSES[status].rank > STATUSES[now].rank
            now = status
    assert now == furthest(reports)


@given(statuses)
def test_repeated_reports_change_nothing(reports: list[str]) -> None:
    doubled = [status for status in reports for _ in range(2)]
    assert furthest(doubled) == furthest(reports) == furthest([*reports, *reports[:-1]])


def test_reports_in_any_order_come_to_the_same_end() -> None:
    for order in itertools.permutations(["queued", "sending", "sent", "delivered"]):
        assert furthest(list(order)) == "delivered"
    for order in itertools.permutations(["queued", "sent", "undelivered"]):
        assert furthest(list(order)) == "undelivered"
    assert furthest(["delivered", "undelivered"]) == "delivered"
    assert furthest(["undelivered", "read"]) == "undelivered"
    assert furthest(["sent", "read", "delivered"]) == "read"


def test_the_events_of_reports_in_any_order_have_keys_that_record_each_once() -> None:
    seen: dict[str | None, EventType] = {}
    for status in ["delivered", "sent", "delivered", "read", "sent", "queued"]:
        report = make_report(SID, status)
        assert report is not None
        event = to_event(report, NOON)
        if event is not None:
            seen.setdefault(event.key, event.type)
    assert sorted(seen.values()) == [EventType.DELIVERED, EventType.SENT]


def test_every_report_settles_a_delivery_in_doubt_by_an_allowed_move() -> None:
    for status in STATUSES:
        report = make_report(SID, status)
        assert report is not None
        assert report.delivery is not None
        assert may_move(DeliveryState.UNCERTAIN, report.delivery, Mover.CALLBACK)


@pytest.mark.parametrize("code", ["", None, "0", "x", "30003.5", "²"])
def test_an_odd_code_is_no_code(code: object) -> None:
    report = make_report(SID, "failed", code)
    assert report is not None
    assert (report.code, report.reason) == (None, "refused")


def test_a_code_is_taken_as_text_or_number() -> None:
    code = next(iter(REASONS))
    assert make_report(SID, "failed", code) == make_report(SID, "failed", str(code))
