"""The generic channel: any provider that takes a message by a plain HTTP request."""

from __future__ import annotations

import base64
import json

import pytest

from channels.registry import open_channel
from channels.sms.generic import _fill, _find
from domain.errors import InvalidInput, UnsupportedFeature
from domain.messages import DeliveryState
from tests.channels.mails import outcomes_of
from tests.channels.sms.conftest import MakeHttp
from tests.channels.sms.provider import Provider, Script
from tests.channels.sms.texts import SENDER, make_text


@pytest.mark.parametrize(
    ("form", "method"), [("json", "POST"), ("form", "POST"), ("query", "GET"), ("form", "PUT")]
)
async def test_a_message_travels_in_the_form_that_is_asked_for(
    provider: Provider, open_http: MakeHttp, form: str, method: str
) -> None:
    receipt = await open_http(form=form, method=method).send(make_text(7, body='Été & "{token}" = 10 €'))
    (message,) = provider.messages
    assert (message["to"], message["from"]) == ("+33610000007", SENDER)
    assert message["body"] == 'Été & "{token}" = 10 €'
    assert receipt.provider_id == message["sid"]


async def test_headers_carry_the_key_and_the_address_the_number(
    provider: Provider, open_http: MakeHttp
) -> None:
    channel = open_http(
        headers={"Authorization": "Bearer {secret}"}, secret="s3", url=f"{provider.url}/plain?n={{recipient}}"
    )
    await channel.send(make_text(7))
    assert provider.headers[0]["Authorization"] == "Bearer s3"
    assert provider.messages[0]["to"] == "+33610000007"


async def test_a_name_and_a_password_log_in(provider: Provider, open_http: MakeHttp) -> None:
    await open_http(username="us", secret="s3").send(make_text(1))
    login = provider.headers[0]["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(login) == b"us:s3"


@pytest.mark.parametrize(
    ("script", "state", "reason", "provider_id"),
    [
        (Script(status=200, body=b'{"messages": [{"id": 17}]}'), DeliveryState.SENT, "", "17"),
        (Script(status=202, body=b'{"messages": []}'), DeliveryState.UNCERTAIN, "protocol_error", ""),
        (Script(status=200, takes=False, body=b'{"error": {"code": 5}}'), DeliveryState.REJECTED, "opted_out", ""),
        (Script(status=200, takes=False, body=b'{"error": {"code": 6}}'), DeliveryState.DEFERRED, "unavailable", ""),
        (Script(status=200, takes=False, body=b'{"error": {"code": 7}}'), DeliveryState.REJECTED, "refused", ""),
        (Script(status=422, takes=False, body=b'{"error": {"code": 5}}'), DeliveryState.REJECTED, "opted_out", ""),
        (Script(status=500, body=b"oops"), DeliveryState.UNCERTAIN, "unavailable", ""),
    ],
)  # fmt: skip
async def test_the_answer_is_read_where_the_settings_say(
    provider: Provider,
    open_http: MakeHttp,
    script: Script,
    state: DeliveryState,
    reason: str,
    provider_id: str,
) -> None:
    provider.script.append(script)
    paths = {"id_path": "messages.0.id", "error_path": "error.code"}
    channel = open_http(**paths, reasons={"5": "opted_out", "6": "unavailable"})
    outcome = (await outcomes_of(channel, [make_text(1)]))[1]
    assert (outcome.state, outcome.reason, outcome.provider_id) == (state, reason, provider_id)


async def test_pictures_and_services_are_refused_as_unsupported(open_http: MakeHttp) -> None:
    for option in ("media", "service"):
        with pytest.raises(UnsupportedFeature, match=f"no option {option}"):
            await open_http().send(make_text(1, options={option: "https://hub.example/a.jpg"}))


async def test_without_an_address_an_administrator_is_told(open_http: MakeHttp) -> None:
    outcome = (await outcomes_of(open_http(url=""), [make_text(1)]))[1]
    assert (outcome.state, outcome.reason) == (DeliveryState.DEFERRED, "auth_failed")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"url": "ftp://x"}, "url"),
        ({"method": "DELETE"}, "method"),
        ({"form": "xml"}, "form"),
        ({"rate": 0}, "rate"),
        ({"form": "query", "fields": {"to": ["{recipient}"]}}, ""),
        ({"prices": {"countries": {"fr": 1}}}, "prices.countries.fr"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^sms_http.?{field}"):
        open_channel("sms_http", settings)


def test_a_reason_that_is_no_word_of_ours_is_refused() -> None:
    with pytest.raises(InvalidInput, match="there is no word nope"):
        open_channel("sms_http", {"reasons": {"5": "nope"}})


@pytest.mark.parametrize(
    "raw",
    [
        b"from=%2B33612345678&to=38000&id=7&text=hi",
        json.dumps({"from": "+33612345678", "to": 38000, "id": 7}).encode(),
    ],
)
def test_a_message_that_arrives_has_an_envelope(raw: bytes) -> None:
    received = open_channel("sms_http", {}).parse_inbound(raw)
    assert (received.sender, received.recipients, received.cursor) == ("+33612345678", ("38000",), "7")


def test_a_template_is_filled_whatever_its_shape_and_only_once() -> None:
    values = {"body": "{secret}", "secret": "s", "recipient": "+1"}
    template = {"to": ["{recipient}"], "content": {"text": "{body}!"}, "n": 1, "odd": "{unknown} {}"}
    assert _fill(template, values) == {
        "to": ["+1"],
        "content": {"text": "{secret}!"},
        "n": 1,
        "odd": "{unknown} {}",
    }


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ('{"a": {"b": [1, "x"]}}', "a.b.1", "x"),
        ('{"a": 5}', "a", "5"),
        ('{"a": true}', "a", ""),
        ('{"a": null}', "a", ""),
        ('{"a": {}}', "a", ""),
        ('{"a": [1]}', "a.5", ""),
        ('{"a": [1]}', "a.x", ""),
        ("[" * 100_000, "a", ""),
        ("nonsense", "a", ""),
        ('{"a": 5}', "", ""),
    ],
)
def test_a_value_is_found_at_its_path_or_not(text: str, path: str, value: str) -> None:
    assert _find(text, path) == value
