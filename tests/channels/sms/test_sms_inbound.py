"""Messages that arrive: values from the provider's form, its media, and what is not a message."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import CallbackRequest
from channels.registry import open_channel
from channels.sms.inbound import MediaLink, read_envelope, read_inbound
from channels.sms.keywords import Command
from channels.sms.twilio import TwilioSms
from channels.twilio.signatures import sign
from domain.errors import InvalidInput, NotFound, Unavailable
from tests.channels.sms.conftest import MakeTwilio
from tests.channels.sms.provider import ACCOUNT, SERVICE, Provider, inbound_form


def _raw(**changes: str) -> bytes:
    return urlencode(inbound_form(**changes)).encode()


def test_a_message_is_read_into_values() -> None:
    message = read_inbound(_raw(Body="Où ? À 10 h 👍", MessagingServiceSid=SERVICE, NumSegments="2"))
    assert (message.sender, message.recipient) == ("+33612345678", "+33700000001")
    assert message.body == "Où ? À 10 h 👍"
    assert (message.segments, message.service, message.country) == (2, SERVICE, "FR")
    assert (message.account, message.media, message.command) == (ACCOUNT, (), None)
    assert message.key == f"sms:in:{message.provider_id}"


def test_its_pictures_are_named_with_their_types() -> None:
    links = {
        "NumMedia": "2",
        "MediaUrl0": "https://x/0",
        "MediaContentType0": "image/jpeg",
        "MediaUrl1": "https://x/1",
    }
    assert read_inbound(_raw(**links)).media == (
        MediaLink("https://x/0", "image/jpeg"),
        MediaLink("https://x/1", ""),
    )


@pytest.mark.parametrize("many", ["-1", "x", "999999999999", "", "²"])
def test_a_wrong_count_of_pictures_is_no_error(many: str) -> None:
    assert read_inbound(_raw(NumMedia=many, MediaUrl0="")).media == ()


def test_a_command_is_recognised_in_the_text() -> None:
    message = read_inbound(_raw(Body=" Arrêt "))
    assert message.command is Command.STOP
    assert message.opted is None
    assert message.keyword is not None
    assert message.keyword.language == "fr"


def test_what_the_provider_did_by_itself_counts_first() -> None:
    message = read_inbound(_raw(Body="ya basta", OptOutType="STOP"))
    assert message.command is message.opted is Command.STOP


@pytest.mark.parametrize("missing", ["MessageSid", "From", "To"])
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{missing}: "):
        read_inbound(_raw(**{missing: ""}))


def test_a_plus_sign_that_was_not_escaped_is_put_back() -> None:
    raw = _raw().replace(b"%2B33612345678", b"+33612345678")
    assert read_inbound(raw).sender == "+33612345678"


def test_a_short_code_writes_too() -> None:
    assert read_inbound(_raw(From="38000")).sender == "38000"


def test_a_nul_is_taken_out_since_the_database_holds_none() -> None:
    assert read_inbound(_raw(Body="a\0b")).body == "ab"


@given(st.binary(max_size=400))
def test_the_envelope_of_any_bytes_is_read(raw: bytes) -> None:
    assert read_envelope(raw).raw == raw


@given(st.dictionaries(st.sampled_from(list(inbound_form())), st.text(max_size=50)))
def test_any_form_is_a_message_or_names_a_field(form: dict[str, str]) -> None:
    raw = urlencode(form, errors="replace").encode()
    field = ""
    try:
        message = read_inbound(raw)
    except InvalidInput as error:
        field = error.field
    else:
        assert all((message.provider_id, message.sender, message.recipient))
    assert field in ("", "MessageSid", "From", "To")


def test_the_envelope_carries_what_files_it() -> None:
    channel = open_channel("sms", {})
    received = channel.parse_inbound(_raw())
    assert (received.sender, received.recipients) == ("+33612345678", ("+33700000001",))
    assert received.cursor == inbound_form()["MessageSid"]


def test_the_door_checks_a_message_before_it_is_read() -> None:
    channel = open_channel("sms", {"auth_token": "12345"})
    assert isinstance(channel, TwilioSms)
    url, form = "https://hub.example/callbacks/sms/inbound", inbound_form()
    body = urlencode(form).encode()
    channel.verify(CallbackRequest("POST", url, {"X-Twilio-Signature": sign(url, form, "12345")}, body))
    with pytest.raises(InvalidInput):
        channel.verify(CallbackRequest("POST", url, {"X-Twilio-Signature": sign(url, form, "x")}, body))


async def test_a_picture_is_fetched_with_our_login(provider: Provider, open_sms: MakeTwilio) -> None:
    media = await open_sms().fetch_media(f"{provider.url}/media/cat.jpg")
    assert (media.content_type, media.content) == ("image/jpeg", b"JPEG" * 100)


async def test_a_redirect_within_the_provider_is_followed(provider: Provider, open_sms: MakeTwilio) -> None:
    assert (await open_sms().fetch_media(f"{provider.url}/media/moved")).content


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/x",
        "http://localhost/x",
        "https://api.twilio.com.evil.example/x",
        "http://api.twilio.com/x",
        "https://user@evil.example/x",
        "file:///etc/passwd",
        "",
    ],
)
async def test_nothing_is_fetched_from_elsewhere(open_sms: MakeTwilio, url: str) -> None:
    with pytest.raises(InvalidInput, match=r"^media: the file is not at the provider\."):
        await open_sms().fetch_media(url)


async def test_a_redirect_into_our_own_network_is_not_followed(
    provider: Provider, open_sms: MakeTwilio
) -> None:
    with pytest.raises(InvalidInput, match=r"^media: the file is not at the provider\."):
        await open_sms().fetch_media(f"{provider.url}/media/elsewhere")


async def test_a_file_that_is_gone_or_too_big_is_told(provider: Provider, open_sms: MakeTwilio) -> None:
    with pytest.raises(NotFound):
        await open_sms().fetch_media(f"{provider.url}/media/gone")
    with pytest.raises(InvalidInput, match="more than 100 bytes"):
        await open_sms().fetch_media(f"{provider.url}/media/cat.jpg", limit=100)


async def test_a_provider_that_is_away_may_be_asked_later(open_sms: MakeTwilio, free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    with pytest.raises(Unavailable):
        await open_sms(base_url=url).fetch_media(f"{url}/media/cat.jpg")
