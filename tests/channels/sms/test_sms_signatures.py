"""Whether a request comes from the provider: its own vectors, proxies, ports, bodies, rotated tokens."""

from __future__ import annotations

import base64
import hmac
import json
from hashlib import sha1, sha256
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import CallbackRequest
from channels.http.forms import read_form
from channels.twilio.signatures import is_signed, is_signed_request, seen_url, sign
from tests.corpora.scoring import corpora

_FOLDER = corpora()
_FILE = _FOLDER / "twilio" / "signatures.json" if _FOLDER else None
VECTORS = json.loads(_FILE.read_text("utf-8")) if _FILE and _FILE.exists() else []

TOKEN = "12345"
URL = "https://hub.example/callbacks/sms/status/AbC-_9?x=1&y=%2B2"
FIELDS = {"MessageSid": "SM1", "MessageStatus": "delivered", "Body": "naïve €"}

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)
fields = st.dictionaries(names, st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=6)
tokens = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=32)


if VECTORS:

    @pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['url'][:40]} {vector['valid']}")
    def test_the_providers_own_vectors_hold(vector: dict[str, object]) -> None:
        params = vector["params"]
        assert isinstance(params, dict | str)
        valid = is_signed(str(vector["url"]), params, str(vector["signature"]), [TOKEN])
        assert valid is vector["valid"]
        assert not is_signed(str(vector["url"]), params, str(vector["signature"]), ["another"])


def _post(url: str, form: dict[str, str], signature: str, **headers: str) -> CallbackRequest:
    every = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
    return CallbackRequest("POST", url, every | headers, urlencode(form).encode())


def test_a_signed_form_is_taken() -> None:
    assert is_signed_request(_post(URL, FIELDS, sign(URL, FIELDS, TOKEN)), [TOKEN])


def test_header_names_are_read_without_regard_to_case() -> None:
    request = CallbackRequest(
        "POST", URL, {"x-TWILIO-signature": sign(URL, FIELDS, TOKEN)}, urlencode(FIELDS).encode()
    )
    assert is_signed_request(request, [TOKEN])


def test_a_request_without_a_signature_is_refused() -> None:
    assert not is_signed_request(_post(URL, FIELDS, ""), [TOKEN])


def test_nothing_is_signed_by_no_token_or_an_empty_one() -> None:
    assert not is_signed_request(_post(URL, FIELDS, sign(URL, FIELDS, "")), [])
    assert not is_signed_request(_post(URL, FIELDS, sign(URL, FIELDS, "")), [""])


def test_the_tokens_of_a_subaccount_and_the_one_that_is_rotated_away_hold_too() -> None:
    for signer in ("primary", "subaccount", "old"):
        assert is_signed(URL, FIELDS, sign(URL, FIELDS, signer), ["primary", "subaccount", "old"])


@pytest.mark.parametrize(
    ("seen", "signed"),
    [
        ("https://hub.example/x", "https://hub.example:443/x"),
        ("https://hub.example:443/x", "https://hub.example/x"),
        ("https://hub.example:8443/x", "https://hub.example/x"),
        ("http://hub.example/x", "http://hub.example:80/x"),
        ("https://user:pass@hub.example/x", "https://hub.example/x"),
        ("https://user:pass@hub.example/x", "https://user:pass@hub.example:443/x"),
        ("https://[2001:db8::1]/x", "https://[2001:db8::1]:443/x"),
        ("https://Hub.Example/x", "https://Hub.Example:443/x"),
    ],
)
def test_an_address_holds_with_its_port_and_without(seen: str, signed: str) -> None:
    assert is_signed(seen, FIELDS, sign(signed, FIELDS, TOKEN), [TOKEN])


@pytest.mark.parametrize(
    "seen",
    [
        "http://hub.example/callbacks/sms/status/AbC-_9?x=1&y=%2B2",
        "https://other.example/callbacks/sms/status/AbC-_9?x=1&y=%2B2",
        "https://hub.example/callbacks/sms/status/AbC-_8?x=1&y=%2B2",
        "https://hub.example/callbacks/sms/status/AbC-_9?x=1&y=+2",
        "https://hub.example/callbacks/sms/status/AbC-_9?y=%2B2&x=1",
        "https://hub.example/callbacks/sms/status/AbC-_9",
        "not a url",
        "https://hub.example:port/",
    ],
)
def test_another_address_does_not_hold(seen: str) -> None:
    assert not is_signed(seen, FIELDS, sign(URL, FIELDS, TOKEN), [TOKEN])


def test_behind_a_proxy_the_public_address_is_what_was_signed() -> None:
    asked = "/callbacks/sms/status/AbC-_9?x=1&y=%2B2"
    assert seen_url("https://hub.example", asked) == URL
    assert seen_url("https://hub.example/", asked) == URL
    assert seen_url("https://hub.example/crm", "/callbacks/x") == "https://hub.example/crm/callbacks/x"


def test_a_repeated_field_is_signed_with_each_of_its_values() -> None:
    body = b"b=2&a=x&b=1&b=2"
    text = "https://hub.example/x" + "ax" + "b1" + "b2"
    signature = base64.b64encode(hmac.new(TOKEN.encode(), text.encode(), sha1).digest()).decode()
    request = CallbackRequest("POST", "https://hub.example/x", {"X-Twilio-Signature": signature}, body)
    assert is_signed_request(request, [TOKEN])


def test_an_empty_field_is_signed_by_its_name() -> None:
    request = _post(URL, {"Body": "", "To": "+1"}, sign(URL, {"Body": "", "To": "+1"}, TOKEN))
    assert is_signed_request(request, [TOKEN])


def _json_request(body: bytes, url: str, token: str = TOKEN) -> CallbackRequest:
    signature = sign(url, {}, token)
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/json"}
    return CallbackRequest("POST", url, headers, body)


def test_a_body_that_is_no_form_holds_by_its_hash_in_the_address() -> None:
    body = b'{"a": 1}'
    url = f"https://hub.example/x?bodySHA256={sha256(body).hexdigest()}"
    assert is_signed_request(_json_request(body, url), [TOKEN])
    assert not is_signed_request(_json_request(body + b" ", url), [TOKEN])


def test_a_body_that_is_no_form_never_holds_without_its_hash() -> None:
    assert not is_signed_request(_json_request(b'{"a": 1}', "https://hub.example/x"), [TOKEN])


def test_a_get_is_signed_by_its_address_alone() -> None:
    request = CallbackRequest("GET", URL, {"X-Twilio-Signature": sign(URL, {}, TOKEN)}, b"")
    assert is_signed_request(request, [TOKEN])


def test_a_get_with_a_body_that_nobody_signed_is_refused() -> None:
    request = CallbackRequest(
        "GET", URL, {"X-Twilio-Signature": sign(URL, {}, TOKEN)}, b"MessageStatus=failed"
    )
    assert not is_signed_request(request, [TOKEN])


def test_a_form_does_not_hold_by_the_hash_of_a_body() -> None:
    body = b"MessageStatus=failed"
    url = f"https://hub.example/x?bodySHA256={sha256(body).hexdigest()}"
    request = CallbackRequest("POST", url, {"X-Twilio-Signature": sign(url, {}, TOKEN)}, body)
    assert not is_signed_request(request, [TOKEN])


def test_a_shared_key_signs_with_sha_256_where_the_header_says_so() -> None:
    text = URL + "".join(name + FIELDS[name] for name in sorted(FIELDS))
    signature = base64.b64encode(hmac.new(b"shared", text.encode(), sha256).digest()).decode()
    settings = {"X-Twilio-Webhooks-Signature-Settings": "key=k1,algorithm=HMAC_SHA256"}
    assert is_signed_request(_post(URL, FIELDS, signature, **settings), ["shared"])
    assert not is_signed_request(_post(URL, FIELDS, signature), ["shared"])
    unknown = {"X-Twilio-Webhooks-Signature-Settings": "algorithm=MD5"}
    assert not is_signed_request(_post(URL, FIELDS, signature, **unknown), ["shared"])


def test_a_signature_of_other_letters_is_refused_not_an_error() -> None:
    for odd in ("é", "\udcff", "=" * 5000, "\0"):
        assert not is_signed(URL, FIELDS, odd, [TOKEN])


@given(fields, tokens)
def test_what_the_provider_signs_holds(form: dict[str, str], token: str) -> None:
    assert is_signed(URL, form, sign(URL, form, token), [token])


@given(fields, tokens)
def test_a_form_holds_after_it_travelled(form: dict[str, str], token: str) -> None:
    body = urlencode(form).encode()
    request = CallbackRequest("POST", URL, {"X-Twilio-Signature": sign(URL, form, token)}, body)
    assert is_signed_request(request, [token])
    assert {name: values[0] for name, values in read_form(body).items()} == form


@given(fields, names, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_a_changed_field_does_not_hold(form: dict[str, str], name: str, value: str) -> None:
    changed = form | {name: value}
    joined = ["".join(key + data[key] for key in sorted(data)) for data in (form, changed)]
    if joined[0] != joined[1]:
        assert not is_signed(URL, changed, sign(URL, form, TOKEN), [TOKEN])


@given(st.text(max_size=60), st.binary(max_size=60), st.text(max_size=40))
def test_no_request_is_an_error(url: str, body: bytes, signature: str) -> None:
    request = CallbackRequest("POST", url, {"X-Twilio-Signature": signature}, body)
    assert not is_signed_request(request, [TOKEN])
